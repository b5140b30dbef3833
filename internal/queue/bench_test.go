package queue_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
)

// bench runs work b.N times, divided among the workers, and reports its rate.
func bench(b *testing.B, workers int, work func(i int)) {
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range workers {
		wg.Go(func() {
			for i := w; i < b.N; i += workers {
				work(i)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

func openBench(b *testing.B) (*store.Store, *queue.Queue) {
	b.Helper()
	dir := b.TempDir()
	s, err := store.Open(store.Options{Path: filepath.Join(dir, "queue.db"), MaxSize: 8 << 30})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	q, err := queue.Open(queue.Options{Store: s, CrashFile: filepath.Join(dir, "in-flight")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		if err := s.Close(); err != nil {
			b.Error(err)
		}
		if err := q.Close(); err != nil {
			b.Error(err)
		}
	})
	return s, q
}

func benchItem(i int) queue.Item {
	return queue.Item{Lane: fmt.Sprintf("%032x", i), Kind: "report", Pool: "alarms", Gate: "default", Source: "am", Payload: make([]byte, 1024)}
}

func putOne(tb testing.TB, s *store.Store, q *queue.Queue, it queue.Item) {
	err := s.Intake(context.Background(), func(tx *store.Tx) error {
		_, err := q.Put(tx, it)
		return err
	})
	if err != nil {
		tb.Error(err)
	}
}

func BenchmarkPut(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			s, q := openBench(b)
			bench(b, writers, func(i int) { putOne(b, s, q, benchItem(i)) })
			b.ReportMetric(float64(s.Stats().Changes)/float64(s.Stats().Commits), "changes/sync")
		})
	}
}

func BenchmarkTakeAck(b *testing.B) {
	for _, workers := range []int{1, 64} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			s, q := openBench(b)
			fill(b, s, q, b.N)
			bench(b, workers, func(int) {
				l, err := q.Take(b.Context(), "alarms")
				if err != nil {
					b.Error(err)
					return
				}
				if err := s.Update(context.Background(), l.Ack); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// fill puts n items in large transactions.
func fill(tb testing.TB, s *store.Store, q *queue.Queue, n int) {
	for from := 0; from < n; from += 1000 {
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			for i := from; i < min(from+1000, n); i++ {
				if _, err := q.Put(tx, benchItem(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	const items = 100_000
	s, q := openBench(b)
	fill(b, s, q, items)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var opened []*queue.Queue
	for b.Loop() {
		again, err := queue.Open(queue.Options{Store: s})
		if err != nil {
			b.Fatal(err)
		}
		opened = append(opened, again)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(opened))/items, "bytes/item")
	runtime.KeepAlive(opened)
}
