package queue

import (
	"context"
	"errors"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// ErrEnded says that a lease has ended already, or is being settled by another
// transaction.
var ErrEnded = errors.New("queue: the lease has ended")

// Lease is the exclusive right to work on one task. It ends in exactly one of Ack,
// Retry, Bury and Release. The first three take effect when their transaction is
// committed; if it aborts, the lease is still held and can be settled again.
type Lease struct {
	queue *Queue
	lane  *lane
	entry *entry
	item  Item
	slot  int // in the crash file

	state    leaseState // guarded by the queue's lock
	released bool       // while being settled
}

type leaseState uint8

const (
	leaseHeld leaseState = iota
	leaseSettling
	leaseEnded
)

// Retry says when and how a task goes on.
type Retry struct {
	Due       time.Time
	Spent     time.Duration // the new total
	LastError string
}

// Item returns the task.
func (l *Lease) Item() Item { return l.item }

// Ack removes the task, and the dead letters of its lane and kind that are older:
// they are history.
func (l *Lease) Ack(tx *store.Tx) error {
	if err := l.Discard(tx); err != nil {
		return err
	}
	return l.queue.forgive(tx, l.item)
}

// Discard removes the task as if it had never been.
func (l *Lease) Discard(tx *store.Tx) error {
	if err := l.settle(tx, l.gone); err != nil {
		return err
	}
	return l.queue.erase(tx, l.item.ID)
}

// Retry has the task taken again at r.Due and counts an attempt. What the process
// survived until now is no crash of this task: the count of crashes begins anew.
func (l *Lease) Retry(tx *store.Tx, r Retry) error {
	it := l.item
	it.Attempts++
	it.Crashes = 0
	it.Due, it.Spent, it.LastError = instant(nanos(r.Due)), r.Spent, cut(r.LastError)
	if err := l.settle(tx, func(now time.Time, at moment) { l.again(it, now, at) }); err != nil {
		return err
	}
	return tx.Put(tasks, idKey(it.ID), encodeItem(it))
}

// Bury makes the task a dead letter.
func (l *Lease) Bury(tx *store.Tx, c Cause) error {
	if err := l.settle(tx, l.gone); err != nil {
		return err
	}
	if err := l.queue.bury(tx, l.item, c); err != nil {
		return err
	}
	return l.queue.erase(tx, l.item.ID)
}

// Release gives the task back as it was, behind the other lanes that are ready.
// Nothing is written. While a transaction is settling the lease it decides: the
// task is given back only if that aborts. A lease that has ended stays so.
func (l *Lease) Release() {
	if !l.tryRelease() {
		return
	}
	q := l.queue
	q.crashes.clear(l.slot)
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.item.ID != 0 {
		q.fresh.keep(l.item)
	}
	l.leave(true)
	_, at := q.clock()
	q.index.settle(l.lane, at)
	q.look()
}

func (l *Lease) tryRelease() bool {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	l.released = l.state == leaseSettling
	if l.state != leaseHeld {
		return false
	}
	l.state = leaseEnded
	return true
}

// settle begins the end of the lease: then runs, with the queue locked, once the
// transaction is committed.
func (l *Lease) settle(tx *store.Tx, then func(now time.Time, at moment)) error {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	if l.state != leaseHeld {
		return ErrEnded
	}
	l.state = leaseSettling
	tx.OnAbort(l.hold)
	tx.OnCommit(func() { l.end(then) })
	return nil
}

// hold undoes settle.
func (l *Lease) hold() {
	l.queue.mu.Lock()
	l.state = leaseHeld
	released := l.released
	l.queue.mu.Unlock()
	if released {
		l.Release()
	}
}

func (l *Lease) end(then func(now time.Time, at moment)) {
	q := l.queue
	q.crashes.clear(l.slot)
	q.mu.Lock()
	defer q.mu.Unlock()
	l.state = leaseEnded
	now, at := q.clock()
	then(now, at)
	q.index.settle(l.lane, at)
	q.look()
}

// gone removes the task from memory.
func (l *Lease) gone(time.Time, moment) {
	l.queue.index.remove(l.lane, l.entry)
	l.leave(false)
}

// again has the task wait as it now is.
func (l *Lease) again(it Item, now time.Time, at moment) {
	l.queue.fresh.keep(it)
	l.entry.due = momentOf(nanos(it.Due), now, at)
	l.leave(true)
}

// leave ends the flight of the task; waits says whether it waits again.
func (l *Lease) leave(waits bool) {
	k := l.entry.class.kind
	k.inFlight--
	if waits {
		k.waiting++
	}
	l.queue.crashes.free(l.slot)
	l.lane.state = laneParked
}

// load notes the task in the crash file and reads it. A task that cannot be read
// is buried.
func (l *Lease) load(ctx context.Context) (readable bool, err error) {
	q, id := l.queue, l.entry.id
	q.crashes.mark(l.slot, id)
	if l.item.ID != 0 {
		return true, nil
	}
	var found remains
	err = q.store.View(func(tx *store.Tx) error {
		found, err = exhume(tx, idKey(id))
		return err
	})
	if err != nil {
		return false, err
	}
	if found.problem == "" {
		l.item = found.item
		return true, nil
	}
	return false, q.store.Update(ctx, func(tx *store.Tx) error {
		if err := l.settle(tx, l.gone); err != nil {
			return err
		}
		return q.putAside(tx, idKey(id))
	})
}
