package queue_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/queue/queuetest"
	"github.com/cocbridge/cocbridge/internal/store"
)

var errTest = errors.New("the test aborts it")

// grave buries and counts.
type grave struct {
	*queuetest.Bench
	t *testing.T
}

func (g grave) buryIn(tx *store.Tx, source, lane string, size int) error {
	_, err := g.Queue.BuryNew(tx, queue.Item{Lane: lane, Kind: "k", Source: source, Payload: make([]byte, size)}, queue.Cause{Code: "invalid", Detail: "why"})
	return err
}

func (g grave) bury(source, lane string, size int) error {
	return g.Store.Update(g.t.Context(), func(tx *store.Tx) error { return g.buryIn(tx, source, lane, size) })
}

// fill buries a kilobyte each until there is no room, and returns how many.
func (g grave) fill(source string) (n int) {
	g.t.Helper()
	for ; n < 1000; n++ {
		err := g.bury(source, fmt.Sprintf("%s-%d", source, n), 1024)
		if errors.Is(err, queue.ErrShare) {
			return n
		}
		if err != nil {
			g.t.Fatal(err)
		}
	}
	g.t.Fatal("there is no end of it")
	return n
}

func (g grave) dead() (ids []uint64) {
	_ = g.Store.View(func(tx *store.Tx) error {
		g.Queue.ScanDead(tx, 0, func(d queue.Dead, _ error) bool { ids = append(ids, d.ID); return true })
		return nil
	})
	return ids
}

// Each source finds some room, and all of them together stay below the limit.
func TestBuryNew_withinTheShareOfItsSource(t *testing.T) {
	g := grave{openAt(t, t.TempDir(), queue.Options{MaxDead: 128 << 10}), t}
	for _, c := range []struct {
		source string
		want   int
	}{{"storm", 50}, {"other", 25}, {"third", 12}} { // half, then half of what is left
		if n := g.fill(c.source); n < c.want-1 || n > c.want+1 {
			t.Errorf("%d dead letters of %s, want about %d", n, c.source, c.want)
		}
	}
}

// A repeat takes the place of the one before it. A task that was accepted is kept in
// any case, and takes no room from what was not.
func TestBury_isNeverRefusedWhatWasAccepted(t *testing.T) {
	g := grave{openAt(t, t.TempDir(), queue.Options{MaxDead: 8 << 10}), t}
	n := g.fill("storm")
	if err := g.bury("storm", "storm-0", 3000); err != nil {
		t.Errorf("a repeat: %v", err)
	}
	err := g.Store.Update(t.Context(), func(tx *store.Tx) error {
		_, err := g.Queue.Put(tx, queue.Item{Lane: "task", Kind: "k", Pool: "p", Source: "storm", Payload: make([]byte, 16<<10)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := g.Queue.Take(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Store.Update(t.Context(), func(tx *store.Tx) error { return l.Bury(tx, queue.Cause{Code: "refused"}) }); err != nil {
		t.Errorf("a task: %v", err)
	}
	if got := len(g.dead()); got != n+1 {
		t.Errorf("%d dead letters, want %d", got, n+1)
	}
	g.Reopen(false)
	if n := g.fill("other"); n == 0 {
		t.Error("it takes the room of another source")
	}
}

// The account follows what is dropped, what is aborted, and a restart.
func TestBuryNew_theShareIsFreeAgainAfterADrop(t *testing.T) {
	g := grave{openAt(t, t.TempDir(), queue.Options{MaxDead: 64 << 10}), t}
	for range 100 {
		err := g.Store.Update(t.Context(), func(tx *store.Tx) error { return errors.Join(g.buryIn(tx, "storm", "a", 1024), errTest) })
		if !errors.Is(err, errTest) {
			t.Fatal(err)
		}
	}
	n := g.fill("storm")
	g.Reopen(false)
	if err := g.bury("storm", "late", 1024); !errors.Is(err, queue.ErrShare) {
		t.Errorf("after a restart: %v", err)
	}
	err := g.Store.Update(t.Context(), func(tx *store.Tx) (err error) {
		for _, id := range g.dead() {
			_, dropErr := g.Queue.Drop(tx, id)
			err = errors.Join(err, dropErr)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if again := g.fill("storm"); again != n {
		t.Errorf("%d dead letters after the drop, %d before", again, n)
	}
}
