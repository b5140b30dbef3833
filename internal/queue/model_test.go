package queue_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/queue/queuetest"
	"github.com/cocbridge/cocbridge/internal/store"
)

var (
	modelOps  = flag.Int("queue.ops", 10_000/thorough, "operations of the model test")
	modelSeed = flag.Uint64("queue.seed", 1, "seed of the model test")
	modelDir  = flag.String("queue.dir", "", "empty folder for the model test's store; default a temporary one")
)

// TestModel does random operations on a queue and on a model of it, which is a few
// slices, and compares the two after each one. For a long run on tmpfs:
//
//	go test -run TestModel -timeout 0 -queue.ops 1000000 -queue.dir /dev/shm/queue ./internal/queue
func TestModel(t *testing.T) {
	dir := *modelDir
	if dir == "" {
		dir = t.TempDir()
	}
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t, dir)
		for n := range *modelOps {
			name := m.step()
			m.compare()
			if t.Failed() {
				t.Fatalf("seed %d, operation %d: %s", *modelSeed, n, name)
			}
		}
		m.drain()
		t.Log(m.done)
	})
}

// model is what the queue should be.
type model struct {
	t      *testing.T
	random *rand.Rand
	real   *queuetest.Bench
	done   map[string]int

	lanes  map[string][]*queue.Item // waiting and in flight
	held   []*held
	takers []*waiting
	closed map[string]bool // gates
	dead   []queue.Dead
	nextID uint64
	deadID uint64
	puts   int
}

type held struct {
	lease *queue.Lease
	item  *queue.Item
}

type waiting struct {
	pool   string
	lease  chan *queue.Lease
	cancel context.CancelFunc
}

var errAbort = errors.New("abort")

func newModel(t *testing.T, dir string) *model {
	m := &model{
		t: t, random: rand.New(rand.NewPCG(*modelSeed, 0)), done: map[string]int{},
		lanes: map[string][]*queue.Item{}, closed: map[string]bool{},
	}
	m.real = openAt(t, dir, queue.Options{MaxCrashes: 2, Admit: func(gate string, _ time.Time) time.Duration {
		if m.closed[gate] { // only changed while nothing else runs
			return -1
		}
		return 0
	}})
	return m
}

// step does one operation and returns its name.
func (m *model) step() string {
	ops := []struct {
		name   string
		weight int
		do     func()
	}{
		{"put", 30, m.put}, {"take", 30, m.take}, {"ack", 16, m.ack}, {"retry", 6, m.retry}, {"bury", 4, m.bury}, {"release", 5, m.release},
		{"cancel", 5, m.cancel}, {"bury new", 1, m.buryNew}, {"replay", 2, m.replay}, {"sleep", 8, m.sleep}, {"gate", 3, m.gate},
		{"give up", 3, m.giveUp}, {"together", 3, m.together}, {"reopen", 1, func() { m.reopen(false) }}, {"crash", 1, func() { m.reopen(true) }},
	}
	total := 0
	for _, op := range ops {
		total += op.weight
	}
	at := m.random.IntN(total)
	for _, op := range ops {
		if at -= op.weight; at < 0 {
			op.do()
			m.done[op.name]++
			m.settle()
			return op.name
		}
	}
	panic("unreachable")
}

func (m *model) pick(names ...string) string { return names[m.random.IntN(len(names))] }

// update commits the change. One of four times it is aborted first.
func (m *model) update(change func(*store.Tx) error) {
	m.t.Helper()
	if m.random.IntN(4) == 0 {
		err := m.real.Store.Update(m.t.Context(), func(tx *store.Tx) error { return errors.Join(change(tx), errAbort) })
		if !errors.Is(err, errAbort) {
			m.t.Error(err)
		}
	}
	if err := m.real.Store.Update(m.t.Context(), change); err != nil {
		m.t.Error(err)
	}
}

func (m *model) newItem() queue.Item {
	m.puts++
	now := time.Now().UTC()
	it := queue.Item{
		Lane: fmt.Sprint("lane ", m.random.IntN(12)), Kind: m.pick("report", "run"), Pool: m.pick("p", "p", "q"), Gate: m.pick("g", "h"),
		Source: m.pick("s", "t", "u"), Created: now, Due: now, Payload: fmt.Append(nil, "payload ", m.puts),
	}
	if m.random.IntN(5) == 0 {
		it.Due = now.Add(time.Duration(m.random.IntN(30)) * time.Second)
	}
	return it
}

func (m *model) put() {
	it := m.newItem()
	m.update(func(tx *store.Tx) (err error) {
		it.ID, err = m.real.Queue.Put(tx, it)
		return err
	})
	m.wasPut(it)
}

func (m *model) wasPut(it queue.Item) {
	m.gotID(it)
	m.lanes[it.Lane] = append(m.lanes[it.Lane], &it)
}

// gotID checks that ids ascend without gaps, over tasks and what BuryNew buries.
func (m *model) gotID(it queue.Item) {
	if m.nextID++; it.ID != m.nextID {
		m.t.Errorf("id %d, want %d", it.ID, m.nextID)
	}
}

func (m *model) take() {
	if len(m.takers) > 3 {
		return
	}
	ctx, cancel := context.WithCancel(m.t.Context())
	w := &waiting{pool: m.pick("p", "p", "q"), lease: make(chan *queue.Lease, 1), cancel: cancel}
	m.takers = append(m.takers, w)
	q := m.real.Queue
	go func() {
		l, err := q.Take(ctx, w.pool)
		if err != nil && !errors.Is(err, context.Canceled) {
			m.t.Error(err)
		}
		w.lease <- l
	}()
}

// settle lets all that can be taken be taken.
func (m *model) settle() {
	synctest.Wait()
	m.takers = slices.DeleteFunc(m.takers, func(w *waiting) bool {
		select {
		case l := <-w.lease:
			m.taken(w.pool, l)
			return true
		default:
			return false
		}
	})
	for _, w := range m.takers {
		for lane := range m.lanes {
			if m.canTake(w.pool, lane) {
				m.t.Errorf("pool %s waits, although lane %q could be taken: %+v", w.pool, lane, m.lanes[lane][0])
			}
		}
	}
}

func (m *model) canTake(pool, lane string) bool {
	tasks := m.lanes[lane]
	return len(tasks) > 0 && m.holder(tasks[0]) < 0 && tasks[0].Pool == pool && !tasks[0].Due.After(time.Now()) && !m.closed[tasks[0].Gate]
}

func (m *model) holder(it *queue.Item) int {
	return slices.IndexFunc(m.held, func(h *held) bool { return h.item == it })
}

func (m *model) taken(pool string, l *queue.Lease) {
	got := l.Item()
	if !m.canTake(pool, got.Lane) {
		m.t.Errorf("took %+v, which is not to be taken", got)
		return
	}
	first := m.lanes[got.Lane][0]
	if diff := cmp.Diff(*first, got); diff != "" {
		m.t.Errorf("took (-want +got):\n%s", diff)
	}
	m.held = append(m.held, &held{l, first})
}

// someHeld takes a lease from those that are held, or returns nil.
func (m *model) someHeld() *held {
	if len(m.held) == 0 {
		return nil
	}
	at := m.random.IntN(len(m.held))
	h := m.held[at]
	m.held = slices.Delete(m.held, at, at+1)
	return h
}

func (m *model) ack() {
	if h := m.someHeld(); h != nil {
		m.update(h.lease.Ack)
		m.wasAcked(h.item)
	}
}

func (m *model) wasAcked(it *queue.Item) {
	m.remove(it)
	m.dead = slices.DeleteFunc(m.dead, func(d queue.Dead) bool {
		return d.Item.Lane == it.Lane && d.Item.Kind == it.Kind && d.Item.ID <= it.ID
	})
}

func (m *model) remove(it *queue.Item) {
	m.lanes[it.Lane] = slices.DeleteFunc(m.lanes[it.Lane], func(other *queue.Item) bool { return other == it })
}

func (m *model) retry() {
	h := m.someHeld()
	if h == nil {
		return
	}
	r := queue.Retry{Due: time.Now().Add(time.Duration(m.random.IntN(20)) * time.Second).UTC(), Spent: time.Duration(m.random.IntN(1000)), LastError: m.pick("", "busy")}
	m.update(func(tx *store.Tx) error { return h.lease.Retry(tx, r) })
	h.item.Attempts++
	h.item.Crashes = 0
	h.item.Due, h.item.Spent, h.item.LastError = r.Due, r.Spent, r.LastError
}

func (m *model) bury() {
	if h := m.someHeld(); h != nil {
		c := m.cause()
		m.update(func(tx *store.Tx) error { return h.lease.Bury(tx, c) })
		m.remove(h.item)
		m.wasBuried(*h.item, c)
	}
}

func (m *model) cause() queue.Cause {
	return queue.Cause{Code: m.pick("invalid", "expired"), Detail: fmt.Sprint("detail ", m.random.IntN(100))}
}

func (m *model) buryNew() {
	it, c := m.newItem(), m.cause()
	m.update(func(tx *store.Tx) (err error) { it.ID, err = m.real.Queue.BuryNew(tx, it, c); return err })
	m.gotID(it)
	m.wasBuried(it, c).Untried = true
}

func (m *model) wasBuried(it queue.Item, c queue.Cause) *queue.Dead {
	now := time.Now().UTC()
	for i := range m.dead {
		if d := &m.dead[i]; d.Item.Lane == it.Lane && d.Item.Kind == it.Kind && d.Cause.Code == c.Code {
			d.Item, d.Cause, d.Last, d.Count, d.Untried = it, c, now, d.Count+1, false
			return d
		}
	}
	m.deadID++
	m.dead = append(m.dead, queue.Dead{ID: m.deadID, Item: it, Cause: c, First: now, Last: now, Count: 1})
	return &m.dead[len(m.dead)-1]
}

func (m *model) replay() {
	if len(m.dead) == 0 {
		return
	}
	at := m.random.IntN(len(m.dead))
	it := m.dead[at].Item
	m.update(func(tx *store.Tx) error {
		d, err := m.real.Queue.Drop(tx, m.dead[at].ID)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(m.dead[at], d); diff != "" {
			m.t.Errorf("dropped (-want +got):\n%s", diff)
		}
		it.ID, err = m.real.Queue.Put(tx, d.Item)
		return err
	})
	m.dead = slices.Delete(m.dead, at, at+1)
	m.wasPut(it)
}

func (m *model) release() {
	if h := m.someHeld(); h != nil {
		h.lease.Release()
	}
}

func (m *model) cancel() {
	id := 1 + m.random.Uint64N(m.nextID+1)
	if waits := m.all(); len(waits) > 0 && m.random.IntN(4) > 0 {
		id = waits[m.random.IntN(len(waits))].ID
	}
	it := m.find(id)
	want := it != nil && m.holder(it) < 0
	m.update(func(tx *store.Tx) error {
		got, err := m.real.Queue.Cancel(tx, id)
		if got != want {
			m.t.Errorf("Cancel(%d) = %v, %+v", id, got, it)
		}
		return err
	})
	if want {
		m.remove(it)
	}
}

// together does several things in one transaction.
func (m *model) together() {
	it, h := m.newItem(), m.someHeld()
	var doomed *queue.Item
	for _, other := range m.all() {
		if m.holder(other) < 0 && (h == nil || other != h.item) {
			doomed = other
		}
	}
	m.update(func(tx *store.Tx) (err error) {
		if h != nil {
			err = h.lease.Ack(tx)
		}
		if doomed != nil {
			ok, cancelErr := m.real.Queue.Cancel(tx, doomed.ID)
			if err = errors.Join(err, cancelErr); !ok {
				m.t.Errorf("Cancel of %+v failed", doomed)
			}
		}
		id, putErr := m.real.Queue.Put(tx, it)
		it.ID = id
		return errors.Join(err, putErr)
	})
	if h != nil {
		m.wasAcked(h.item)
	}
	if doomed != nil {
		m.remove(doomed)
	}
	m.wasPut(it)
}

func (m *model) all() (items []*queue.Item) {
	for _, lane := range slices.Sorted(maps.Keys(m.lanes)) {
		items = append(items, m.lanes[lane]...)
	}
	return items
}

func (m *model) find(id uint64) *queue.Item {
	for _, it := range m.all() {
		if it.ID == id {
			return it
		}
	}
	return nil
}

func (m *model) sleep() { <-time.After(time.Duration(m.random.IntN(5000)) * time.Millisecond) }

func (m *model) gate() {
	gate := m.pick("g", "h")
	m.closed[gate] = !m.closed[gate]
	m.real.Queue.Wake()
}

// giveUp ends all calls of Take that wait.
func (m *model) giveUp() {
	for _, w := range m.takers {
		w.cancel()
		if l := <-w.lease; l != nil {
			m.taken(w.pool, l)
		}
	}
	m.takers = nil
}

func (m *model) reopen(crash bool) {
	m.giveUp()
	inFlight := m.held
	m.held = nil
	m.real.Reopen(crash)
	if !crash {
		return
	}
	slices.SortFunc(inFlight, func(a, b *held) int { return int(a.item.ID) - int(b.item.ID) })
	for _, h := range inFlight {
		if h.item.Crashes++; h.item.Crashes == 2 {
			m.remove(h.item)
			m.wasBuried(*h.item, queue.Cause{Code: queue.CodeCrash, Detail: "the process crashed 2 times while working on it"})
		}
	}
}

// compare compares all that can be asked for.
func (m *model) compare() {
	m.t.Helper()
	want := map[string]queue.KindStats{}
	gates, oldest := map[string]int{}, map[string]uint64{}
	for _, it := range m.all() {
		k := want[it.Kind]
		if m.holder(it) >= 0 {
			k.InFlight++
		} else {
			k.Waiting++
		}
		if first, ok := oldest[it.Kind]; !ok || it.ID < first {
			oldest[it.Kind], k.Oldest = it.ID, it.Created
		}
		want[it.Kind] = k
		gates[it.Gate]++
	}
	for _, d := range m.dead {
		k := want[d.Item.Kind]
		k.Dead++
		want[d.Item.Kind] = k
	}
	got := m.real.Queue.Stats().Kinds
	maps.DeleteFunc(got, func(_ string, k queue.KindStats) bool { return k == queue.KindStats{} })
	if !reflect.DeepEqual(want, got) { // much faster than cmp
		m.t.Errorf("stats (-want +got):\n%s", cmp.Diff(want, got))
	}
	for _, gate := range []string{"g", "h"} {
		if got := m.real.Queue.Queued(gate); got != gates[gate] {
			m.t.Errorf("%d tasks of gate %s, want %d", got, gate, gates[gate])
		}
	}
	m.compareDead()
}

func (m *model) compareDead() {
	m.t.Helper()
	var got []queue.Dead
	count := map[store.Bucket]int{}
	err := m.real.Store.View(func(tx *store.Tx) error {
		for _, b := range []store.Bucket{"tasks", "payloads", "dead", "deadkeys", "damaged"} {
			tx.Scan(b, nil, func(_, _ []byte, _ error) bool {
				count[b]++
				return true
			})
		}
		m.real.Queue.ScanDead(tx, 0, func(d queue.Dead, err error) bool {
			got = append(got, d)
			return err == nil
		})
		return nil
	})
	if err != nil || len(m.dead)+len(got) > 0 && !reflect.DeepEqual(m.dead, got) {
		m.t.Errorf("dead letters (-want +got), %v:\n%s", err, cmp.Diff(m.dead, got))
	}
	tasks := len(m.all())
	if count["tasks"] != tasks || count["payloads"] != tasks || count["dead"] != len(m.dead) || count["deadkeys"] != len(m.dead) || count["damaged"] > 0 {
		m.t.Errorf("%v records on disk, want %d tasks and %d dead letters", count, tasks, len(m.dead))
	}
}

// drain works off what is left.
func (m *model) drain() {
	m.giveUp()
	clear(m.closed)
	m.real.Queue.Wake()
	<-time.After(time.Hour)
	for len(m.held)+len(m.all()) > 0 && !m.t.Failed() {
		for len(m.held) > 0 {
			m.ack()
		}
		m.take()
		m.settle()
		m.compare()
		m.giveUp() // it may wait at the wrong pool
	}
	if items, bytes := m.real.Queue.Fresh(); items+bytes > 0 {
		m.t.Errorf("%d tasks with %d bytes are still in memory", items, bytes)
	}
}
