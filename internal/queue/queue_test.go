package queue_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/queue/queuetest"
	"github.com/cocbridge/cocbridge/internal/store"
)

// TestMain lets the test binary also be the processes that some tests kill.
func TestMain(m *testing.M) {
	if role := os.Getenv("QUEUE_TEST_CHILD"); role != "" {
		os.Exit(child(role, os.Args[1]))
	}
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	queuetest.Conformance(t, func(t *testing.T, o queue.Options) *queuetest.Bench {
		return openAt(t, t.TempDir(), o)
	})
}

// openAt opens a queue in the folder until the test ends.
func openAt(t *testing.T, dir string, o queue.Options) *queuetest.Bench {
	t.Helper()
	b := &queuetest.Bench{}
	var end func(crash bool)
	open := func() {
		var err error
		if b.Store, err = store.Open(store.Options{Path: filepath.Join(dir, "cocbridge.db"), MaxSize: 16 << 20}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		s := b.Store
		go func() { ended <- s.Run(ctx) }()
		o.Store, o.CrashFile = s, filepath.Join(dir, "in-flight")
		if b.Queue, err = queue.Open(o); err != nil {
			t.Fatal(err)
		}
		q := b.Queue
		end = func(crash bool) {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if !crash {
				if err := q.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
	b.Reopen = func(crash bool) {
		end(crash)
		open()
	}
	b.Close = sync.OnceFunc(func() { end(false) })
	open()
	t.Cleanup(b.Close)
	return b
}
