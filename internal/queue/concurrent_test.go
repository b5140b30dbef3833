package queue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
)

// ending is how each task ended, and what of each lane was taken last.
type ending struct {
	mu     sync.Mutex
	ended  map[uint64]string
	latest map[string]uint64
	left   int
	done   context.CancelFunc
}

func (e *ending) end(t *testing.T, id uint64, how string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if before := e.ended[id]; before != "" {
		t.Errorf("task %d was %s and then %s", id, before, how)
	}
	e.ended[id] = how
	if e.left--; e.left == 0 {
		e.done()
	}
}

func (e *ending) take(t *testing.T, it queue.Item) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.latest[it.Lane] > it.ID || e.ended[it.ID] != "" {
		t.Errorf("took %d of %s after %d (%s)", it.ID, it.Lane, e.latest[it.Lane], e.ended[it.ID])
	}
	e.latest[it.Lane] = it.ID
}

// Everything at the same time: each task ends exactly once, and in its turn.
func TestQueue_concurrent(t *testing.T) {
	const putters, each = 4, 150
	ctx, cancel := context.WithCancel(t.Context())
	e := &ending{ended: map[uint64]string{}, latest: map[string]uint64{}, left: putters * each, done: cancel}
	b := openAt(t, t.TempDir(), queue.Options{Admit: func(string, time.Time) time.Duration {
		return time.Duration(rand.IntN(3)-1) * time.Microsecond
	}})
	var all sync.WaitGroup
	for p := range putters {
		all.Go(func() {
			for range each {
				it := queue.Item{Lane: fmt.Sprint(rand.IntN(8)), Kind: "k", Pool: "p", Gate: fmt.Sprint(p % 2), Source: fmt.Sprint(p)}
				var id uint64
				err := b.Store.Intake(t.Context(), func(tx *store.Tx) (err error) {
					id, err = b.Queue.Put(tx, it)
					return err
				})
				if err != nil {
					t.Error(err)
				}
				if rand.IntN(3) == 0 {
					cancelTask(t, b.Store, b.Queue, e, id)
				}
				b.Queue.Wake()
			}
		})
	}
	for range 6 {
		all.Go(func() {
			for ctx.Err() == nil {
				work(ctx, t, b.Store, b.Queue, e)
			}
		})
	}
	all.Go(func() {
		for ctx.Err() == nil {
			_ = b.Queue.Stats()
			b.Queue.Wake()
		}
	})
	all.Wait()
	if got := b.Queue.Stats().Kinds["k"]; got.Waiting+got.InFlight > 0 {
		t.Errorf("at the end: %+v", got)
	}
}

func cancelTask(t *testing.T, s *store.Store, q *queue.Queue, e *ending, id uint64) {
	var ok bool
	err := s.Update(t.Context(), func(tx *store.Tx) (err error) {
		ok, err = q.Cancel(tx, id)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if ok {
		e.end(t, id, "cancelled")
	}
}

func work(ctx context.Context, t *testing.T, s *store.Store, q *queue.Queue, e *ending) {
	l, err := q.Take(ctx, "p")
	if err != nil {
		return
	}
	e.take(t, l.Item())
	switch rand.IntN(5) {
	case 0:
		l.Release()
	case 1:
		due := time.Now().Add(time.Duration(rand.IntN(3)) * time.Millisecond)
		err = s.Update(t.Context(), func(tx *store.Tx) error { return l.Retry(tx, queue.Retry{Due: due}) })
	default:
		// Noted first: once it is committed others may see the next of the lane.
		e.end(t, l.Item().ID, "acknowledged")
		err = s.Update(t.Context(), l.Ack)
	}
	if err != nil {
		t.Error(err)
	}
}
