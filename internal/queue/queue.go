package queue

import (
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

const (
	tasks    store.Bucket = "tasks"
	payloads store.Bucket = "payloads"
)

// Options say what a queue works with.
type Options struct {
	Store *store.Store
	Now   func() time.Time // nil = time.Now

	// Admit says whether a task may pass its gate now: 0 = yes, and it is taken, so
	// a token may be used up; positive = ask again after that time; negative = not
	// before Wake. It is called under the queue's lock and must not call the queue.
	// nil = always.
	Admit func(gate string, now time.Time) time.Duration

	// CrashFile is where the tasks in flight are noted, so that one that makes the
	// process crash is found out. "" = nowhere.
	CrashFile  string
	MaxCrashes int // so many crashes make a dead letter; 0 = 3

	// Buried is told in the same transaction of each task that the queue itself
	// makes a dead letter: with CodeCrash, or with CodeCorrupt, when lane or payload
	// may be missing. nil = nobody is told.
	Buried func(*store.Tx, Item, Cause) error

	// MaxWait is how far in the future a task can be due. What Open finds due later
	// was put by a clock that was ahead, and is due after MaxWait. 0 = no limit.
	MaxWait time.Duration

	// MaxDead is how many bytes the dead letters of BuryNew can take. 0 = no limit.
	MaxDead int64
}

// Queue is an open queue. All methods may be called by any goroutine; those with
// a transaction belong into a change or a read of the store.
type Queue struct {
	store      *store.Store
	now        func() time.Time
	admit      func(string, time.Time) time.Duration
	maxCrashes int
	buried     func(*store.Tx, Item, Cause) error
	maxWait    time.Duration
	crashes    *crashFile
	start      time.Time
	seed       maphash.Seed
	timer      *time.Timer // all that wait in Take listen to it

	mu      sync.Mutex
	index   index
	waiters int
	alarm   moment              // when the timer goes off; 0 = it does not run
	fresh   freshItems          // so that Take need not read what was just written
	unborn  map[uint64]struct{} // cancelled before they were committed
	lastID  uint64              // of what was committed
	damaged int                 // records in the bucket damaged
	share   share               // that dead letters have of the store
}

// Stats are numbers about the queue.
type Stats struct {
	Kinds   map[string]KindStats
	Damaged int // records that were put aside because they cannot be read
}

// KindStats are numbers about the tasks of one kind. Dead letters whose kind is
// not readable any more have the kind "".
type KindStats struct {
	Waiting  int
	InFlight int
	Dead     int
	Oldest   time.Time // when the first of those waiting and in flight was created; zero = none
}

// Stats returns the current numbers. It is cheap.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Stats{Kinds: make(map[string]KindStats, len(q.index.kinds)), Damaged: q.damaged}
	for name, k := range q.index.kinds {
		stats := KindStats{Waiting: k.waiting, InFlight: k.inFlight, Dead: k.dead}
		if k.oldest != nil {
			stats.Oldest = instant(k.oldest.created)
		}
		s.Kinds[name] = stats
	}
	return s
}

// Queued is how many tasks of the gate wait or are in flight.
func (q *Queue) Queued(gate string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if g := q.index.gates[gate]; g != nil {
		return g.tasks
	}
	return 0
}

// Put adds a task at the end of its lane and returns its id. Take can see it once
// the transaction is committed.
func (q *Queue) Put(tx *store.Tx, it Item) (uint64, error) {
	if err := checkLane(it); err != nil {
		return 0, err
	}
	id, err := q.nextID(tx)
	if err != nil {
		return 0, err
	}
	it = q.complete(it)
	it.ID = id
	if err := tx.Put(payloads, idKey(id), it.Payload); err != nil {
		return 0, err
	}
	state := encodeItem(it)
	if err := tx.Put(tasks, idKey(id), state); err != nil {
		return 0, err
	}
	tx.OnCommit(func() { q.born(it, state) })
	return id, nil
}

// maxLane leaves room in a key for what goes with the lane.
const maxLane = 4096

func checkLane(it Item) error {
	if len(it.Lane)+len(it.Kind) > maxLane {
		return fmt.Errorf("queue: the lane and kind of a task may have %d bytes, not %d", maxLane, len(it.Lane)+len(it.Kind))
	}
	return nil
}

func (q *Queue) complete(it Item) Item {
	now := q.now()
	if it.Created.IsZero() {
		it.Created = now
	}
	if it.Due.IsZero() {
		it.Due = now
	}
	it.Created, it.Due = instant(nanos(it.Created)), instant(nanos(it.Due))
	it.LastError, it.Payload = cut(it.LastError), nonEmpty(it.Payload)
	return it
}

// nextID returns an id above all that are known. The store's sequence has no
// checksum; ids that were used already would overwrite tasks.
func (q *Queue) nextID(tx *store.Tx) (uint64, error) {
	id, err := tx.Next(tasks)
	if err != nil {
		return 0, err
	}
	q.mu.Lock()
	last := q.lastID
	q.mu.Unlock()
	if id > last {
		return id, nil
	}
	if err := tx.Advance(tasks, last); err != nil {
		return 0, err
	}
	return tx.Next(tasks)
}

// born makes a committed task visible.
func (q *Queue) born(it Item, state []byte) {
	x, _ := decodeIndexed(state) // just encoded
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lastID = max(q.lastID, it.ID)
	if _, cancelled := q.unborn[it.ID]; cancelled {
		return
	}
	now, at := q.clock()
	q.fresh.keep(it)
	q.enter(it.ID, x, now, at)
	q.look()
}

func (q *Queue) enter(id uint64, x indexed, now time.Time, at moment) {
	e := &entry{id: id, due: momentOf(x.due, now, at), created: x.created, class: q.index.classOf(x.class)}
	q.index.add(q.hash(x.lane), e, at)
}

// Cancel removes a waiting task. From this call on it cannot be taken, until the
// transaction aborts. It returns false when the task is in flight or gone.
func (q *Queue) Cancel(tx *store.Tx, id uint64) (bool, error) {
	state, err := tx.Get(tasks, idKey(id))
	if err != nil || state == nil {
		return false, undamaged(err)
	}
	x, err := decodeIndexed(state)
	if err != nil {
		return false, nil // Take will find it and bury it
	}
	if !q.doom(tx, id, q.hash(x.lane)) {
		return false, nil
	}
	return true, q.erase(tx, id)
}

// doom keeps the task from being taken and arranges what follows.
func (q *Queue) doom(tx *store.Tx, id, key uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.index.lanes[key]
	e := l.find(id)
	switch {
	case e == nil: // put by this transaction, or by another of the same group
		q.unborn[id] = struct{}{}
		forget := q.locked(func() { delete(q.unborn, id) })
		tx.OnAbort(forget)
		tx.OnCommit(forget)
		return true
	case l.first == e && l.state == laneBusy:
		return false
	case l.first == e:
		q.index.unsettle(l)
	}
	e.doomed = true
	tx.OnAbort(q.locked(func() { e.doomed = false; q.resettle(l) }))
	tx.OnCommit(q.locked(func() { q.cancelled(l, e) }))
	return true
}

func (q *Queue) cancelled(l *lane, e *entry) {
	q.index.remove(l, e)
	e.class.kind.waiting--
	q.fresh.take(e.id)
	q.resettle(l)
}

// resettle puts a lane that was taken out of its list back into one.
func (q *Queue) resettle(l *lane) {
	if l.state == laneParked {
		_, at := q.clock()
		q.index.settle(l, at)
		q.look()
	}
}

// erase removes the task from the disk.
func (q *Queue) erase(tx *store.Tx, id uint64) error {
	if err := tx.Delete(tasks, idKey(id)); err != nil {
		return err
	}
	return tx.Delete(payloads, idKey(id))
}

func (q *Queue) locked(f func()) func() {
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		f()
	}
}

func (q *Queue) hash(lane []byte) uint64 { return maphash.Bytes(q.seed, lane) }

// undamaged hides the error of a damaged record: Take and Open deal with those.
func undamaged(err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	return err
}
