package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
)

// A check gets a queue of its own, in a bubble of its own.
type check struct {
	name    string
	options queue.Options
	run     func(t *testing.T, b *Bench)
}

// Conformance runs all checks.
func Conformance(t *testing.T, open Open) {
	for _, checks := range [][]check{order, settling, cancelling, burying, restarting} {
		for _, c := range checks {
			t.Run(c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { c.run(t, open(t, c.options)) })
			})
		}
	}
	t.Run("Take/gates", func(t *testing.T) { testGates(t, open) })
}

var order = []check{
	{name: "Take/lanes keep their order, one in flight", run: func(t *testing.T, b *Bench) {
		b.put(t, item("a", "a1"), item("a", "a2"), item("b", "b1"))
		b.put(t, item("a", "a3"))
		a1 := b.take(t, "p", "a1")
		b1 := b.take(t, "p", "b1")
		b.takeNone(t, "p")
		b.update(t, b1.Ack)
		b.takeNone(t, "p")
		b.update(t, a1.Ack)
		if diff := cmp.Diff([]string{"a2", "a3"}, b.all(t, "p")); diff != "" {
			t.Errorf("the rest of the lane (-want +got):\n%s", diff)
		}
	}},
	{name: "Take/a lane waits for its first task", run: func(t *testing.T, b *Bench) {
		late := item("a", "late")
		late.Due = second(10)
		b.put(t, late, item("a", "behind it"), item("b", "b"))
		if diff := cmp.Diff([]string{"b"}, b.all(t, "p")); diff != "" {
			t.Errorf("before it is due (-want +got):\n%s", diff)
		}
		w := b.taker(t, "p")
		began := time.Now()
		got := <-w.lease
		if waited := time.Since(began); string(got.Item().Payload) != "late" || waited != 10*time.Second {
			t.Errorf("took %q after %v", got.Item().Payload, waited)
		}
		b.update(t, got.Ack)
		b.take(t, "p", "behind it")
	}},
	{name: "Take/one timer is enough for all that are due later", run: func(t *testing.T, b *Bench) {
		began := time.Now()
		for _, due := range []int{300, 1, 30} {
			it := item(fmt.Sprint(due), fmt.Sprint(due))
			it.Due = second(due)
			b.put(t, it)
		}
		for _, want := range []int{1, 30, 300} {
			l := <-b.taker(t, "p").lease
			if waited := int(time.Since(began).Seconds()); string(l.Item().Payload) != fmt.Sprint(want) || waited != want {
				t.Errorf("took %q after %d s, want %d", l.Item().Payload, waited, want)
			}
		}
	}},
	{name: "Take/pools do not mix", run: func(t *testing.T, b *Bench) {
		other := item("b", "other")
		other.Pool = "q"
		b.put(t, item("a", "a"), other)
		if diff := cmp.Diff([]string{"other"}, b.all(t, "q")); diff != "" {
			t.Errorf("pool q (-want +got):\n%s", diff)
		}
		b.take(t, "p", "a")
	}},
	{name: "Take/a source with a storm cannot starve another", run: func(t *testing.T, b *Bench) {
		for i := range 100 {
			b.put(t, item(fmt.Sprint("storm", i), "storm"))
		}
		for i := range 3 {
			quiet := item(fmt.Sprint("quiet", i), "quiet")
			quiet.Source = "other"
			b.put(t, quiet)
		}
		for turn := range 6 {
			l := b.tryTake(t, "p")
			if want := []string{"storm", "quiet"}[turn%2]; string(l.Item().Payload) != want {
				t.Errorf("turn %d: took %q, want %q", turn, l.Item().Payload, want)
			}
		}
	}},
	{name: "Take/each of many that wait gets its own", run: func(t *testing.T, b *Bench) {
		const waiting = 50
		var takers []*taker
		for range waiting {
			takers = append(takers, b.taker(t, "p"))
		}
		synctest.Wait()
		for i := range 20 {
			b.put(t, item(fmt.Sprint(i), fmt.Sprint(i)))
		}
		synctest.Wait()
		seen, none := map[string]bool{}, 0
		for _, w := range takers {
			w.cancel()
			if l := <-w.lease; l != nil {
				seen[string(l.Item().Payload)] = true
			} else {
				none++
			}
		}
		if len(seen) != 20 || none != waiting-20 {
			t.Errorf("%d tasks were taken, %d takers got none", len(seen), none)
		}
	}},
	{name: "Take/ends with its context", run: func(t *testing.T, b *Bench) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 2 { // while it runs, and when it has ended before
			if l, err := b.Queue.Take(ctx, "p"); l != nil || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Take = %v, %v", l, err)
			}
		}
		b.put(t, item("a", "still there"))
		b.take(t, "p", "still there")
	}},
	{name: "Put/is seen once it is committed", run: func(t *testing.T, b *Bench) {
		b.abort(t, func(tx *store.Tx) error {
			_, err := b.Queue.Put(tx, item("a", "never"))
			return err
		})
		b.takeNone(t, "p")
		b.update(t, func(tx *store.Tx) error {
			_, err := b.Queue.Put(tx, item("a", "a"))
			b.takeNone(t, "p")
			return err
		})
		b.take(t, "p", "a")
	}},
	{name: "Put/keeps all of a task", run: func(t *testing.T, b *Bench) {
		want := queue.Item{
			Lane: "l", Kind: "report", Pool: "p", Gate: "g", Source: "s", Created: second(-100), Due: second(-50),
			Attempts: 3, Crashes: 1, Spent: time.Hour, LastError: "503", Payload: []byte("x"),
		}
		want.ID = b.put(t, want)[0]
		want.Created, want.Due = want.Created.UTC(), want.Due.UTC()
		for _, from := range []string{"memory", "disk"} {
			l := b.take(t, "p", "x")
			if diff := cmp.Diff(want, l.Item()); diff != "" {
				t.Errorf("from %s (-want +got):\n%s", from, diff)
			}
			l.Release()
			b.Reopen(false)
		}
	}},
	{name: "Stats", run: func(t *testing.T, b *Bench) {
		began := time.Now().UTC()
		b.put(t, item("a", "a1"), item("a", "a2"), item("b", "b"))
		time.Sleep(time.Minute)
		run := item("c", "c")
		run.Kind, run.Gate = "run", "other"
		b.put(t, run)
		l := b.take(t, "p", "a1")
		want := queue.Stats{Kinds: map[string]queue.KindStats{
			"report": {Waiting: 2, InFlight: 1, Oldest: began},
			"run":    {Waiting: 1, Oldest: began.Add(time.Minute)},
		}}
		if diff := cmp.Diff(want, b.Queue.Stats()); diff != "" {
			t.Errorf("with one in flight (-want +got):\n%s", diff)
		}
		if g, other, none := b.Queue.Queued("g"), b.Queue.Queued("other"), b.Queue.Queued("none"); g != 3 || other != 1 || none != 0 {
			t.Errorf("queued: %d, %d, %d", g, other, none)
		}
		b.update(t, l.Ack)
		l = b.take(t, "p", "c") // another gate, so it is its turn
		b.all(t, "p")
		b.update(t, func(tx *store.Tx) error { return l.Bury(tx, queue.Cause{Code: "x"}) })
		want.Kinds = map[string]queue.KindStats{"report": {}, "run": {Dead: 1}}
		if diff := cmp.Diff(want, b.Queue.Stats()); diff != "" {
			t.Errorf("at the end (-want +got):\n%s", diff)
		}
	}},
}

var settling = []check{
	{name: "Retry/counts and holds back its lane only", run: func(t *testing.T, b *Bench) {
		b.put(t, item("a", "a1"), item("a", "a2"), item("b", "b"))
		l := b.take(t, "p", "a1")
		b.update(t, func(tx *store.Tx) error {
			return l.Retry(tx, queue.Retry{Due: second(5), Spent: time.Minute, LastError: "busy"})
		})
		if diff := cmp.Diff([]string{"b"}, b.all(t, "p")); diff != "" {
			t.Errorf("meanwhile (-want +got):\n%s", diff)
		}
		time.Sleep(5 * time.Second)
		for _, from := range []string{"memory", "disk"} {
			l = b.take(t, "p", "a1")
			if it := l.Item(); it.Attempts != 1 || it.Spent != time.Minute || it.LastError != "busy" {
				t.Errorf("from %s: %+v", from, it)
			}
			l.Release()
			b.Reopen(false)
		}
	}},
	{name: "Release/puts back as it was, behind the others", run: func(t *testing.T, b *Bench) {
		b.put(t, item("a", "a1"), item("a", "a2"), item("b", "b"))
		l := b.take(t, "p", "a1")
		l.Release()
		l.Release() // has ended already
		if diff := cmp.Diff([]string{"b", "a1", "a2"}, b.all(t, "p")); diff != "" {
			t.Errorf("then (-want +got):\n%s", diff)
		}
	}},
	{name: "Lease/is still held when its transaction aborts", run: func(t *testing.T, b *Bench) {
		b.put(t, item("a", "a1"), item("a", "a2"))
		l := b.take(t, "p", "a1")
		b.abort(t, l.Ack)
		b.abort(t, func(tx *store.Tx) error { return l.Bury(tx, queue.Cause{Code: "x"}) })
		b.abort(t, func(tx *store.Tx) error { return l.Retry(tx, queue.Retry{Due: time.Now()}) })
		b.takeNone(t, "p")
		b.update(t, l.Ack)
		b.take(t, "p", "a2")
	}},
	{name: "Lease/ends once", run: func(t *testing.T, b *Bench) {
		b.put(t, item("a", "a1"), item("b", "b"))
		l := b.take(t, "p", "a1")
		b.update(t, func(tx *store.Tx) error {
			if err := l.Ack(tx); err != nil {
				return err
			}
			if err := l.Retry(tx, queue.Retry{}); !errors.Is(err, queue.ErrEnded) {
				t.Errorf("settled twice in one transaction: %v", err)
			}
			return nil
		})
		if err := b.Store.Update(t.Context(), l.Ack); !errors.Is(err, queue.ErrEnded) {
			t.Errorf("settled twice: %v", err)
		}
		l.Release()
		if diff := cmp.Diff([]string{"b"}, b.all(t, "p")); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	}},
	{name: "Release/while it is being settled takes effect if that aborts", run: func(t *testing.T, b *Bench) {
		b.put(t, item("a", "a1"), item("b", "b"))
		for _, settle := range []func(*testing.T, func(*store.Tx) error){b.abort, b.update} {
			l := b.take(t, "p", "a1")
			b.update(t, b.take(t, "p", "b").Ack)
			settle(t, func(tx *store.Tx) error {
				err := l.Ack(tx)
				l.Release()
				b.takeNone(t, "p")
				return err
			})
			b.put(t, item("b", "b"))
		}
		if diff := cmp.Diff([]string{"b"}, b.all(t, "p")); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	}},
}

var cancelling = []check{
	{name: "Cancel/removes what waits", run: func(t *testing.T, b *Bench) {
		ids := b.put(t, item("a", "a1"), item("a", "a2"), item("a", "a3"), item("b", "b"))
		b.cancel(t, ids[1], true)
		b.cancel(t, ids[3], true)
		b.cancel(t, ids[3], false)
		b.cancel(t, 12345, false)
		if diff := cmp.Diff([]string{"a1", "a3"}, b.all(t, "p")); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
		b.Reopen(false)
		b.takeNone(t, "p")
	}},
	{name: "Cancel/leaves what is in flight", run: func(t *testing.T, b *Bench) {
		id := b.put(t, item("a", "a1"))[0]
		l := b.take(t, "p", "a1")
		b.cancel(t, id, false)
		b.update(t, l.Ack)
		b.cancel(t, id, false)
	}},
	{name: "Cancel/keeps the task from being taken until its transaction aborts", run: func(t *testing.T, b *Bench) {
		ids := b.put(t, item("a", "a1"), item("a", "a2"))
		b.abort(t, func(tx *store.Tx) error {
			ok, err := b.Queue.Cancel(tx, ids[0])
			b.takeNone(t, "p") // nor what is behind it: its place is not given up yet
			if !ok {
				t.Error("Cancel = false")
			}
			return err
		})
		if diff := cmp.Diff([]string{"a1", "a2"}, b.all(t, "p")); diff != "" {
			t.Errorf("after the abort (-want +got):\n%s", diff)
		}
	}},
	{name: "Cancel/of what comes next while the first ends", run: func(t *testing.T, b *Bench) {
		ids := b.put(t, item("a", "a1"), item("a", "a2"), item("a", "a3"))
		l := b.take(t, "p", "a1")
		w := b.taker(t, "p")
		synctest.Wait()
		b.update(t, func(tx *store.Tx) error {
			err := l.Ack(tx)
			ok, cancelErr := b.Queue.Cancel(tx, ids[1])
			if !ok {
				t.Error("Cancel = false")
			}
			return errors.Join(err, cancelErr)
		})
		if got := (<-w.lease).Item(); string(got.Payload) != "a3" {
			t.Errorf("took %q", got.Payload)
		}
	}},
	{name: "Cancel/of what the same transaction has put", run: func(t *testing.T, b *Bench) {
		change := func(tx *store.Tx) error {
			id, err := b.Queue.Put(tx, item("a", "a1"))
			if err != nil {
				return err
			}
			ok, err := b.Queue.Cancel(tx, id)
			if !ok {
				t.Error("Cancel = false")
			}
			return err
		}
		b.update(t, change)
		b.takeNone(t, "p")
		b.abort(t, change)
		b.put(t, item("a", "a2")) // gets the id that was given in vain
		b.take(t, "p", "a2")
	}},
}

func (b *Bench) cancel(t *testing.T, id uint64, want bool) {
	t.Helper()
	b.update(t, func(tx *store.Tx) error {
		got, err := b.Queue.Cancel(tx, id)
		if got != want {
			t.Errorf("Cancel(%d) = %v", id, got)
		}
		return err
	})
}

var burying = []check{
	{name: "Bury/is one dead letter per lane, kind and cause", run: func(t *testing.T, b *Bench) {
		began := time.Now().UTC()
		bury := func(lane, payload, code, detail string) queue.Item {
			b.put(t, item(lane, payload))
			l := b.take(t, "p", payload)
			b.update(t, func(tx *store.Tx) error { return l.Bury(tx, queue.Cause{Code: code, Detail: detail}) })
			time.Sleep(time.Second)
			return l.Item()
		}
		bury("a", "a1", "invalid", "no name")
		other := bury("a", "a2", "expired", "too old")
		again := bury("a", "a3", "invalid", "no level")
		alien := bury("b", "b1", "invalid", "no name")
		want := []queue.Dead{
			{ID: 1, Item: again, Cause: queue.Cause{Code: "invalid", Detail: "no level"}, First: began, Last: began.Add(2 * time.Second), Count: 2},
			{ID: 2, Item: other, Cause: queue.Cause{Code: "expired", Detail: "too old"}, First: began.Add(time.Second), Last: began.Add(time.Second), Count: 1},
			{ID: 3, Item: alien, Cause: queue.Cause{Code: "invalid", Detail: "no name"}, First: began.Add(3 * time.Second), Last: began.Add(3 * time.Second), Count: 1},
		}
		for range 2 {
			if diff := cmp.Diff(want, b.dead(t)); diff != "" {
				t.Errorf("dead letters (-want +got):\n%s", diff)
			}
			if got := b.Queue.Stats().Kinds["report"]; got != (queue.KindStats{Dead: 3}) {
				t.Errorf("stats = %+v", got)
			}
			b.Reopen(false)
		}
		b.takeNone(t, "p")
	}},
	{name: "Ack/removes the older dead letters of its lane and kind", run: func(t *testing.T, b *Bench) {
		run := item("a", "run")
		run.Kind = "run"
		b.buryNew(t, item("a", "1"), "x")
		b.buryNew(t, item("a", "2"), "y")
		b.buryNew(t, item("aa", "3"), "x")
		b.buryNew(t, run, "x")
		b.put(t, item("a", "good"))
		b.buryNew(t, item("a", "newer"), "x")
		b.update(t, b.take(t, "p", "good").Ack)
		var left []string
		for _, d := range b.dead(t) {
			left = append(left, string(d.Item.Payload))
		}
		slices.Sort(left)
		if diff := cmp.Diff([]string{"3", "newer", "run"}, left); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
		want := map[string]queue.KindStats{"report": {Dead: 2}, "run": {Dead: 1}}
		if diff := cmp.Diff(want, b.Queue.Stats().Kinds); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
	}},
	{name: "Discard/removes the task and nothing else", run: func(t *testing.T, b *Bench) {
		b.buryNew(t, item("a", "older"), "x")
		b.put(t, item("a", "1"))
		b.update(t, b.take(t, "p", "1").Discard)
		b.takeNone(t, "p")
		if got := b.dead(t); len(got) != 1 {
			t.Errorf("dead letters: %+v", got)
		}
	}},
	{name: "Drop/and Put replay a dead letter", run: func(t *testing.T, b *Bench) {
		b.buryNew(t, item("a", "again"), "x")
		id := b.dead(t)[0].ID
		b.update(t, func(tx *store.Tx) error {
			d, err := b.Queue.Drop(tx, id)
			if err != nil {
				return err
			}
			_, err = b.Queue.Put(tx, d.Item)
			return err
		})
		if left := b.dead(t); len(left) > 0 {
			t.Errorf("left: %+v", left)
		}
		for name, call := range map[string]func(*store.Tx, uint64) (queue.Dead, error){"Drop": b.Queue.Drop, "Dead": b.Queue.Dead} {
			err := b.Store.Update(t.Context(), func(tx *store.Tx) error {
				_, err := call(tx, id)
				return err
			})
			if !errors.Is(err, queue.ErrNoDead) {
				t.Errorf("%s of one that is gone: %v", name, err)
			}
		}
		b.take(t, "p", "again")
	}},
}

var restarting = []check{
	{name: "Open/finds everything in its place", run: func(t *testing.T, b *Bench) {
		late := item("c", "late")
		late.Due = second(60)
		b.put(t, item("a", "a1"), item("b", "b1"), item("a", "a2"), late)
		b.take(t, "p", "a1") // in flight at the end
		b.Reopen(false)
		if diff := cmp.Diff([]string{"a1", "b1", "a2"}, b.all(t, "p")); diff != "" {
			t.Errorf("at once (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"late"}, b.all(t, "p")); diff != "" {
			t.Errorf("a minute later (-want +got):\n%s", diff)
		}
		if id := b.put(t, item("a", "new"))[0]; id != 5 {
			t.Errorf("the next id is %d: ids are used again", id)
		}
	}},
	{name: "Open/counts crashes of what was in flight", options: queue.Options{MaxCrashes: 3}, run: func(t *testing.T, b *Bench) {
		b.put(t, item("a", "poison"), item("b", "innocent"), item("c", "waiting"))
		for crashes := range 3 {
			l := b.take(t, "p", "poison")
			if got := l.Item().Crashes; got != crashes {
				t.Errorf("the poison has %d crashes, want %d", got, crashes)
			}
			b.tryTake(t, "p").Release() // changes the order
			b.Reopen(true)
		}
		dead := b.dead(t)
		if len(dead) != 1 || string(dead[0].Item.Payload) != "poison" || dead[0].Cause.Code != queue.CodeCrash || dead[0].Item.Crashes != 3 {
			t.Errorf("dead letters: %+v", dead)
		}
		for l := b.tryTake(t, "p"); l != nil; l = b.tryTake(t, "p") {
			if it := l.Item(); it.Crashes != 0 {
				t.Errorf("%s has %d crashes", it.Payload, it.Crashes)
			}
		}
	}},
	{name: "Open/a good end and an attempt that ends are no crash", options: queue.Options{MaxCrashes: 2}, run: func(t *testing.T, b *Bench) {
		b.put(t, item("a", "a"))
		for range 3 {
			b.take(t, "p", "a")
			b.Reopen(false)
		}
		for range 3 {
			b.take(t, "p", "a")
			b.Reopen(true)
			l := b.take(t, "p", "a")
			if got := l.Item().Crashes; got != 1 {
				t.Fatalf("%d crashes", got)
			}
			b.update(t, func(tx *store.Tx) error { return l.Retry(tx, queue.Retry{Due: time.Now()}) })
			b.Reopen(true)
		}
		if dead := b.dead(t); len(dead) > 0 {
			t.Errorf("dead letters: %+v", dead)
		}
	}},
}
