package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/store"
)

// perSync is how many messages share a transaction: the ledger is measured, not the disk.
const perSync = 500

// benchBook is a ledger over a real store whose entries have the usual size.
type benchBook struct {
	b     *testing.B
	l     *ledger.Ledger
	store *store.Store
}

func newBenchBook(b *testing.B) *benchBook {
	b.Helper()
	s, err := store.Open(store.Options{Path: filepath.Join(b.TempDir(), "ledger.db"), MaxSize: 8 << 30})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			b.Error(err)
		}
	})
	entries, err := ledger.OpenBook(s)
	if err != nil {
		b.Fatal(err)
	}
	return &benchBook{b: b, store: s, l: ledger.New(ledger.Options{Book: entries, Config: ledger.DefaultConfig(), History: 168 * time.Hour})}
}

// all runs change for 0 to n-1.
func (b *benchBook) all(n int, change func(tx *store.Tx, i int) error) {
	b.b.Helper()
	for from := 0; from < n; from += perSync {
		err := b.store.Update(b.b.Context(), func(tx *store.Tx) error {
			for i := from; i < min(from+perSync, n); i++ {
				if err := change(tx, i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.b.Fatal(err)
		}
	}
}

// alarmOf spreads the keys as hashes do.
func alarmOf(i int) string { return fmt.Sprintf("%016x%016x", uint64(i)*0x9e3779b97f4a7c15, i) }

func benchTelling() ledger.Telling {
	return ledger.Telling{
		Firing: true, Time: noon.UnixMilli(), Level: "Major", Integration: "default", Name: "HighRequestLatency", NameSpace: "shop",
		RegionID: "cn-north-4", ApplicationID: "storefront", ResourceName: "node-1.example:9100", Source: "prometheus",
	}
}

// hear passes a message through the ledger as the bridge does.
func (b *benchBook) hear(tx *store.Tx, i int) error {
	h := firing(noon)
	h.AlarmID = alarmOf(i)
	d, err := b.l.Decide(tx, h)
	if err != nil {
		return err
	}
	if !d.Verdict.IsNews() {
		return d.Keep(tx)
	}
	return d.Queued(tx, uint64(i), benchTelling())
}

func (b *benchBook) confirm(tx *store.Tx, i int) error {
	return b.l.Confirmed(tx, alarmOf(i), benchTelling(), "0123456789abcdef0123456789abcdef")
}

func BenchmarkDecide(b *testing.B) {
	for _, c := range []struct {
		name  string
		known bool
	}{{"new", false}, {"repeat", true}} {
		b.Run(c.name, func(b *testing.B) {
			book := newBenchBook(b)
			if c.known {
				book.all(b.N, book.hear)
			}
			b.ReportAllocs()
			b.ResetTimer()
			book.all(b.N, book.hear)
		})
	}
}

func BenchmarkConfirmed(b *testing.B) {
	book := newBenchBook(b)
	book.all(b.N, book.hear)
	b.ReportAllocs()
	b.ResetTimer()
	book.all(b.N, book.confirm)
}
