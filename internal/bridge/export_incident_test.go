package bridge

import (
	"fmt"
	"strings"

	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/store"
)

// Due counts the tasks of tickets that should be under way by now.
func (b *Bridge) Due() (n int) {
	_ = b.store.View(func(tx *store.Tx) error {
		tx.Scan(incidents.Bucket, nil, func(key, _ []byte, _ error) bool {
			group, _, _ := strings.Cut(string(key), "/")
			if r, err := incidents.Get(tx, group); err == nil && r.Task != 0 && !r.Due.After(b.o.Now()) {
				n++
			}
			return true
		})
		return nil
	})
	return n
}

// Buckets says how many records rules have left.
func (b *Bridge) Buckets() string {
	var text strings.Builder
	_ = b.store.View(func(tx *store.Tx) error {
		for _, name := range []store.Bucket{"incidents", "members", "memberships"} {
			n := 0
			tx.Scan(name, nil, func(_, _ []byte, _ error) bool { n++; return true })
			if n > 0 {
				fmt.Fprintf(&text, "%s=%d ", name, n)
			}
		}
		return nil
	})
	return text.String()
}
