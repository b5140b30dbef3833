package queue

import (
	"container/heap"
	"math"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// index is what memory knows of the tasks: their lanes, which of these may be
// taken, and when the others may. Its owner's lock guards it. Strings of lanes are
// not kept, only a hash: two lanes that share one would merely wait for each other.
type index struct {
	lanes   map[uint64]*lane
	largest int     // lanes there ever were in the present map
	due     dueHeap // lanes whose first task is not due yet
	classes map[string]*class
	kinds   map[string]*kind
	gates   map[string]*gate
	pools   map[string]*pool
}

func newIndex() index {
	return index{
		lanes: map[uint64]*lane{}, classes: map[string]*class{}, kinds: map[string]*kind{},
		gates: map[string]*gate{}, pools: map[string]*pool{},
	}
}

// entry is a task that waits or is in flight. Keep it at 64 bytes.
type entry struct {
	id           uint64
	due          moment
	created      int64
	class        *class
	next         *entry // in its lane
	older, newer *entry // of its kind
	doomed       bool   // being cancelled: must not be taken
}

// lane is the tasks of one lane in their order. Keep it at 48 bytes.
type lane struct {
	key         uint64
	first, last *entry
	prev, next  *lane // in the list of ready lanes
	place       int32 // in the heap
	state       laneState
}

type laneState uint8

const (
	laneParked laneState = iota // in no list, since its first task is being cancelled
	laneReady                   // its first task can be taken
	laneEarly                   // its first task is not due
	laneBusy                    // its first task is in flight
)

// class is what tasks that are worked off alike have in common.
type class struct {
	kind *kind
	flow *flow
}

type kind struct {
	waiting, inFlight, dead int
	oldest, newest          *entry
}

// moment is a point in time on the clock of the queue, in nanoseconds since Open.
// It follows the monotonic clock where there is one, so that a task waits as long
// as was meant when it was put, whatever is done to the wall clock.
type moment int64

// momentOf converts a wall-clock time, in nanoseconds since 1970.
func momentOf(wall int64, now time.Time, at moment) moment {
	from := nanos(now)
	if wall <= from {
		return at
	}
	if wait := uint64(wall) - uint64(from); wait < uint64(math.MaxInt64-at) {
		return at + moment(wait)
	}
	return math.MaxInt64
}

// classOf returns the class with these encoded strings.
func (x *index) classOf(encoded []byte) *class {
	if c := x.classes[string(encoded)]; c != nil {
		return c
	}
	r := store.ReadForm(encoded)
	kindName, poolName, gateName, source := r.Text(), r.Text(), r.Text(), r.Text()
	c := &class{kind: x.kind(kindName), flow: x.pool(poolName).flow(x.gate(gateName), source)}
	x.classes[string(encoded)] = c
	return c
}

func (x *index) kind(name string) *kind { return named(x.kinds, name) }
func (x *index) gate(name string) *gate {
	g := named(x.gates, name)
	g.name = name
	return g
}
func (x *index) pool(name string) *pool { return named(x.pools, name) }

func named[T any](all map[string]*T, name string) *T {
	if all[name] == nil {
		all[name] = new(T)
	}
	return all[name]
}

// add appends a task to its lane.
func (x *index) add(key uint64, e *entry, at moment) {
	e.class.kind.append(e)
	e.class.kind.waiting++
	e.class.flow.gate.tasks++
	l := x.lanes[key]
	if l == nil {
		l = &lane{key: key, first: e, last: e}
		x.lanes[key] = l
		x.largest = max(x.largest, len(x.lanes))
		x.settle(l, at)
		return
	}
	l.last.next, l.last = e, e
}

// settle puts a lane that is in no list where its first task belongs.
func (x *index) settle(l *lane, at moment) {
	switch first := l.first; {
	case first == nil:
		x.forget(l)
	case first.doomed:
		l.state = laneParked
	case first.due <= at:
		l.state = laneReady
		first.class.flow.push(l)
	default:
		l.state = laneEarly
		heap.Push(&x.due, l)
	}
}

// unsettle takes a lane out of the list it is in.
func (x *index) unsettle(l *lane) {
	switch l.state {
	case laneReady:
		l.first.class.flow.unlink(l)
	case laneEarly:
		heap.Remove(&x.due, int(l.place))
	}
	l.state = laneParked
}

// forget drops an empty lane. A map never gives its memory back, so after a
// backlog it is replaced.
func (x *index) forget(l *lane) {
	delete(x.lanes, l.key)
	if len(x.lanes) == 0 && x.largest > 1000 {
		x.lanes, x.largest = map[uint64]*lane{}, 0
	}
}

// promote moves the lanes whose first task has become due to the ready ones.
func (x *index) promote(at moment) {
	for len(x.due) > 0 && x.due[0].first.due <= at {
		l := x.due[0]
		x.unsettle(l)
		x.settle(l, at)
	}
}

// remove takes a task out of its lane, which must not be in a list if it is the
// first there.
func (x *index) remove(l *lane, e *entry) {
	e.class.kind.remove(e)
	e.class.flow.gate.tasks--
	if l.first == e {
		l.first = e.next
		return
	}
	before := l.first
	for before.next != e {
		before = before.next
	}
	before.next = e.next
	if l.last == e {
		l.last = before
	}
}

// find returns nil also for a lane that does not exist.
func (l *lane) find(id uint64) *entry {
	if l == nil {
		return nil
	}
	e := l.first
	for e != nil && e.id != id {
		e = e.next
	}
	return e
}

func (k *kind) append(e *entry) {
	e.older = k.newest
	if k.newest != nil {
		k.newest.newer = e
	} else {
		k.oldest = e
	}
	k.newest = e
}

func (k *kind) remove(e *entry) {
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		k.oldest = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		k.newest = e.older
	}
}

// dueHeap has the lane that is due first on top.
type dueHeap []*lane

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].first.due < h[j].first.due }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = int32(i), int32(j)
}

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) {
	l := x.(*lane)
	l.place = int32(len(*h))
	*h = append(*h, l)
}

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return l
}
