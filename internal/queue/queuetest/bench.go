package queuetest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
)

// Bench is a queue on the work bench: what a test needs to work with it.
type Bench struct {
	Store *store.Store
	Queue *queue.Queue

	// Reopen ends the queue and its store and opens both again at the same place. A
	// crash ends them without a word.
	Reopen func(crash bool)
	// Close ends both before the test does.
	Close func()
}

// Open opens a new queue with these options, of which Store and CrashFile are its
// own business, and closes it when the test ends. It must work in a bubble of
// testing/synctest.
type Open func(t *testing.T, o queue.Options) *Bench

var errAbort = errors.New("abort")

func (b *Bench) update(t *testing.T, change func(*store.Tx) error) {
	t.Helper()
	if err := b.Store.Update(t.Context(), change); err != nil {
		t.Fatal(err)
	}
}

// abort runs the change and has it fail at its end.
func (b *Bench) abort(t *testing.T, change func(*store.Tx) error) {
	t.Helper()
	err := b.Store.Update(t.Context(), func(tx *store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return errAbort
	})
	if !errors.Is(err, errAbort) {
		t.Fatal(err)
	}
}

func (b *Bench) buryNew(t *testing.T, it queue.Item, code string) {
	t.Helper()
	b.update(t, func(tx *store.Tx) error {
		_, err := b.Queue.BuryNew(tx, it, queue.Cause{Code: code})
		return err
	})
}

func (b *Bench) put(t *testing.T, items ...queue.Item) (ids []uint64) {
	t.Helper()
	b.update(t, func(tx *store.Tx) error {
		ids = nil
		for _, it := range items {
			id, err := b.Queue.Put(tx, it)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids
}

// taker is a call of Take that may still wait.
type taker struct {
	lease  chan *queue.Lease
	cancel context.CancelFunc
}

func (b *Bench) taker(t *testing.T, pool string) *taker {
	ctx, cancel := context.WithCancel(t.Context())
	w := &taker{lease: make(chan *queue.Lease, 1), cancel: cancel}
	go func() {
		l, err := b.Queue.Take(ctx, pool)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		w.lease <- l
	}()
	return w
}

// tryTake returns what can be taken right now, or nil. Only in a bubble.
func (b *Bench) tryTake(t *testing.T, pool string) *queue.Lease {
	w := b.taker(t, pool)
	synctest.Wait()
	w.cancel()
	return <-w.lease
}

// take returns the lease of the task with this payload, which must be next.
func (b *Bench) take(t *testing.T, pool, payload string) *queue.Lease { //nolint:unparam // a test names the pool it means
	t.Helper()
	l := b.tryTake(t, pool)
	if l == nil {
		t.Fatalf("nothing to take, want %q", payload)
	}
	if got := string(l.Item().Payload); got != payload {
		t.Fatalf("took %q, want %q", got, payload)
	}
	return l
}

func (b *Bench) takeNone(t *testing.T, pool string) {
	t.Helper()
	if l := b.tryTake(t, pool); l != nil {
		t.Fatalf("took %q, want nothing", l.Item().Payload)
	}
}

// all takes and acknowledges what can be taken and returns the payloads.
func (b *Bench) all(t *testing.T, pool string) (payloads []string) {
	t.Helper()
	for l := b.tryTake(t, pool); l != nil; l = b.tryTake(t, pool) {
		payloads = append(payloads, string(l.Item().Payload))
		b.update(t, l.Ack)
	}
	return payloads
}

func (b *Bench) dead(t *testing.T) (all []queue.Dead) {
	t.Helper()
	err := b.Store.View(func(tx *store.Tx) error {
		b.Queue.ScanDead(tx, 0, func(d queue.Dead, err error) bool {
			if err != nil {
				t.Error(err)
			}
			all = append(all, d)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// item is a task whose payload is its name; all but the lane can be set later.
func item(lane, payload string) queue.Item {
	return queue.Item{Lane: lane, Kind: "report", Pool: "p", Gate: "g", Source: "s", Payload: []byte(payload)}
}

// second is the time of the bubble plus so many seconds.
func second(n int) time.Time { return time.Now().Add(time.Duration(n) * time.Second) }
