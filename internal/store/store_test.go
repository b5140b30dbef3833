package store_test

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"github.com/cocbridge/cocbridge/internal/store"
)

// TestMain lets the test binary also be the processes that some tests end, or put
// under a limit.
func TestMain(m *testing.M) {
	if role := os.Getenv("STORE_TEST_CHILD"); role != "" {
		os.Exit(child(role))
	}
	os.Exit(m.Run())
}

// run opens a store and runs its committer until the test ends. The returned
// function ends it earlier and returns what Run returned.
func run(tb testing.TB, o store.Options) (*store.Store, func() error) {
	tb.Helper()
	s, err := store.Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	return s, start(tb, s)
}

func start(tb testing.TB, s *store.Store) func() error {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	var result error
	done := false
	end := func() error {
		if done {
			return result
		}
		done = true
		cancel()
		result = <-ended
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
		return result
	}
	tb.Cleanup(func() { _ = end() })
	return end
}

func newPath(tb testing.TB) string { return filepath.Join(tb.TempDir(), "data", "cocbridge.db") }

func put(b store.Bucket, key, value string) func(*store.Tx) error {
	return func(tx *store.Tx) error { return tx.Put(b, []byte(key), []byte(value)) }
}

func update(tb testing.TB, s *store.Store, change func(*store.Tx) error) {
	tb.Helper()
	if err := s.Update(tb.Context(), change); err != nil {
		tb.Fatal(err)
	}
}

// dump returns the readable records of a bucket and how many are damaged.
func dump(tb testing.TB, s *store.Store, b store.Bucket) (records map[string]string, damaged int) {
	tb.Helper()
	records = map[string]string{}
	err := s.View(func(tx *store.Tx) error {
		tx.Scan(b, nil, func(key, value []byte, err error) bool {
			if err != nil {
				damaged++
			} else {
				records[string(key)] = string(value)
			}
			return true
		})
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return records, damaged
}

func sum(tb testing.TB, path string) [sha256.Size]byte {
	tb.Helper()
	return sha256.Sum256(read(tb, path))
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func write(tb testing.TB, path string, b []byte) {
	tb.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
}
