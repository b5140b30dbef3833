package queue_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

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

func (g grave) bury(source, lane string, size int) {
	g.t.Helper()
	err := g.Store.Update(g.t.Context(), func(tx *store.Tx) error { return g.buryIn(tx, source, lane, size) })
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g grave) buryIn(tx *store.Tx, source, lane string, size int) error {
	_, err := g.Queue.BuryNew(tx, queue.Item{Lane: lane, Kind: "k", Source: source, Payload: make([]byte, size)}, queue.Cause{Code: "invalid", Detail: "why"})
	return err
}

// many buries n of a kilobyte each.
func (g grave) many(source string, n int) {
	g.t.Helper()
	for i := range n {
		g.bury(source, fmt.Sprintf("%s-%d", source, i), 1024)
	}
}

// letters are those of the source: how many are whole, and "lane count" of the others.
func (g grave) letters(source string) (whole int, bare []string) {
	g.t.Helper()
	err := g.Store.View(func(tx *store.Tx) error {
		g.Queue.ScanDead(tx, 0, func(d queue.Dead, err error) bool {
			switch {
			case err != nil:
				g.t.Error(err)
			case d.Item.Source != source:
			case len(d.Item.Payload) > 0:
				whole++
			default:
				bare = append(bare, fmt.Sprintf("%s %d", d.Item.Lane, d.Count))
			}
			return true
		})
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return whole, bare
}

func (g grave) want(source string, whole int, bare ...string) {
	g.t.Helper()
	n, got := g.letters(source)
	if n != whole {
		g.t.Errorf("%d dead letters of %s are whole, want %d", n, source, whole)
	}
	if diff := cmp.Diff(bare, got); diff != "" {
		g.t.Errorf("those of %s without content (-want +got):\n%s", source, diff)
	}
}

// What finds no room is counted; each source finds some, and all of them together
// stay below the limit.
func TestBury_withinTheShareOfItsSource(t *testing.T) {
	g := grave{openAt(t, t.TempDir(), queue.Options{MaxDead: 128 << 10}), t}
	g.many("storm", 200)
	g.want("storm", 50, "more of storm 150") // half
	g.many("other", 200)
	g.want("other", 25, "more of other 175") // half of what is left
	g.bury("third", "third-0", 1024)
	g.want("third", 1)
	if n := g.Queue.Stats().Bare; n != 150+175 {
		t.Errorf("stats say that %d are without content", n)
	}
}

func TestBury_aRepeatKeepsWhatIsThere(t *testing.T) {
	g := grave{openAt(t, t.TempDir(), queue.Options{MaxDead: 4 << 10}), t}
	g.bury("storm", "a", 1024)
	g.bury("storm", "a", 3000) // no room
	g.want("storm", 1)
	_ = g.Store.View(func(tx *store.Tx) error {
		if d, err := g.Queue.Dead(tx, 1); err != nil || d.Count != 2 || len(d.Item.Payload) != 1024 || d.Item.ID != 1 {
			t.Errorf("%v: %d times, task %d with %d bytes", err, d.Count, d.Item.ID, len(d.Item.Payload))
		}
		return nil
	})
}

// The account follows what is dropped, what is aborted, and a restart.
func TestBury_theShareIsFreeAgainAfterADrop(t *testing.T) {
	g := grave{openAt(t, t.TempDir(), queue.Options{MaxDead: 64 << 10}), t}
	for range 100 {
		err := g.Store.Update(t.Context(), func(tx *store.Tx) error { return errors.Join(g.buryIn(tx, "storm", "a", 1024), errTest) })
		if !errors.Is(err, errTest) {
			t.Fatal(err)
		}
	}
	g.many("storm", 50)
	g.want("storm", 25, "more of storm 25")
	g.Reopen(false)
	g.bury("storm", "late", 1024)
	g.want("storm", 25, "more of storm 26")
	var ids []uint64
	_ = g.Store.View(func(tx *store.Tx) error {
		g.Queue.ScanDead(tx, 0, func(d queue.Dead, _ error) bool { ids = append(ids, d.ID); return true })
		return nil
	})
	err := g.Store.Update(t.Context(), func(tx *store.Tx) (err error) {
		for _, id := range ids {
			_, dropErr := g.Queue.Drop(tx, id)
			err = errors.Join(err, dropErr)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := g.Queue.Stats().Bare; n != 0 {
		t.Errorf("stats say that %d are without content", n)
	}
	g.many("storm", 20)
	g.want("storm", 20)
}
