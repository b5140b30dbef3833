package bridge_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
)

// onDisk opens the queue of a stopped bridge, long after everything is due.
func (r *rig) onDisk(look func(*store.Store, *queue.Queue)) {
	r.t.Helper()
	s, err := store.Open(store.Options{Path: filepath.Join(r.data, "cocbridge.db"), MaxSize: 64 << 20})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	later := func() time.Time { return r.clock.Now().Add(10000 * time.Hour) }
	q, err := queue.Open(queue.Options{Store: s, Now: later})
	if err != nil {
		r.t.Fatal(err)
	}
	look(s, q)
	cancel()
	for _, err := range []error{<-ended, q.Close(), s.Close()} {
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// openFiles are the files below the folder that this process has open, with
// their descriptors.
func openFiles(t *testing.T, folder string) map[string]int {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, link := range links {
		file, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(file, folder+"/") {
			continue
		}
		if found[file], err = strconv.Atoi(filepath.Base(link)); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// tasks returns the first task of each of n lanes of a stopped bridge.
func (r *rig) tasks(n int) (items []queue.Item) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	r.onDisk(func(_ *store.Store, q *queue.Queue) {
		for range n {
			l, err := q.Take(ctx, "alarms")
			if err != nil {
				r.t.Fatalf("%d of %d tasks are on disk: %v", len(items), n, err)
			}
			items = append(items, l.Item())
		}
	})
	return items
}

// dead returns the dead letters of a stopped bridge.
func (r *rig) dead() (all []queue.Dead) {
	r.t.Helper()
	r.onDisk(func(s *store.Store, q *queue.Queue) {
		err := s.View(func(tx *store.Tx) error {
			q.ScanDead(tx, 0, func(d queue.Dead, err error) bool {
				if err != nil {
					r.t.Error(err)
				}
				all = append(all, d)
				return true
			})
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
	})
	return all
}
