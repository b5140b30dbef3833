package store_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/cocbridge/cocbridge/internal/store"
)

// BenchmarkUpdate measures durable puts of 512 bytes.
func BenchmarkUpdate(b *testing.B) {
	for _, writers := range []int{1, 64, 256} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			s, _ := run(b, store.Options{Path: newPath(b)})
			value := make([]byte, 512)
			change := func(tx *store.Tx) error {
				id, err := tx.Next("tasks")
				if err != nil {
					return err
				}
				return tx.Put("tasks", binary.BigEndian.AppendUint64(nil, id), value)
			}
			var wg sync.WaitGroup
			b.ResetTimer()
			for w := range writers {
				wg.Go(func() {
					for i := w; i < b.N; i += writers {
						if err := s.Update(context.Background(), change); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			stats := s.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
			b.ReportMetric(float64(stats.Changes)/float64(stats.Commits), "changes/sync")
		})
	}
}
