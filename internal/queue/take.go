package queue

import (
	"context"
	"slices"
	"time"
)

// maxLook bounds how long a due or admit time is waited for before the clock is
// read again. Clocks that jump and machines that sleep then cost no more than this.
const maxLook = time.Minute

// waiter is a call of Take that waits. A lease is handed to it, not offered to all.
type waiter struct {
	lease chan *Lease // capacity 1
}

// Take returns a task of the pool to work on: of a lane that has nothing in flight,
// whose first task is due and whose gate admits it, fairly over gates and sources.
// It waits for one until ctx ends, and returns ctx's error then. A task that
// cannot be read is buried and the next one taken; any other error is the store's.
func (q *Queue) Take(ctx context.Context, pool string) (*Lease, error) {
	for {
		l, err := q.await(ctx, pool)
		if err != nil {
			return nil, err
		}
		readable, err := l.load(ctx)
		if err != nil {
			l.Release()
			return nil, err
		}
		if readable {
			return l, nil
		}
	}
}

// Wake says that something has changed outside, a gate or the clock: all gates are
// asked again.
func (q *Queue) Wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, g := range q.index.gates {
		g.shut, g.before = false, 0
	}
	q.look()
}

func (q *Queue) await(ctx context.Context, pool string) (*Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := q.join(pool)
	for {
		select {
		case l := <-w.lease:
			return l, nil
		case <-q.timer.C:
			q.locked(func() { q.alarm = 0; q.look() })()
		case <-ctx.Done():
			if l := q.quit(w, pool); l != nil {
				return l, nil // it has passed its gate: it must be taken
			}
			return nil, ctx.Err()
		}
	}
}

func (q *Queue) join(pool string) *waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := &waiter{lease: make(chan *Lease, 1)}
	p := q.index.pool(pool)
	p.waiters = append(p.waiters, w)
	q.waiters++
	q.look()
	return w
}

// quit withdraws the waiter. It returns the lease that it was handed meanwhile.
func (q *Queue) quit(w *waiter, pool string) *Lease {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := q.index.pool(pool)
	at := slices.Index(p.waiters, w)
	if at < 0 {
		return <-w.lease
	}
	p.waiters = slices.Delete(p.waiters, at, at+1)
	q.waiters--
	if q.waiters == 0 {
		q.setAlarm(0, 0)
	}
	return nil
}

// look hands out what can be taken to those who wait for it, and sets the alarm
// for what will be next.
func (q *Queue) look() {
	if q.waiters == 0 {
		return
	}
	now, at := q.clock()
	q.index.promote(at)
	admit := func(g *gate) bool { return g.admits(q.admit, now, at) }
	for _, p := range q.index.pools {
		for len(p.waiters) > 0 {
			l := p.next(admit)
			if l == nil {
				break
			}
			w := p.waiters[0]
			p.waiters = slices.Delete(p.waiters, 0, 1)
			q.waiters--
			w.lease <- q.lease(l)
		}
	}
	q.setAlarm(q.nextLook(), at)
}

// nextLook is when the next lane becomes due or the next gate wants to be asked
// again; 0 = there is nothing to wait for.
func (q *Queue) nextLook() moment {
	var next moment
	earlier := func(m moment) {
		if next == 0 || m < next {
			next = m
		}
	}
	if q.waiters == 0 {
		return 0
	}
	if len(q.index.due) > 0 {
		earlier(q.index.due[0].first.due)
	}
	for _, p := range q.index.pools {
		for _, f := range p.active {
			if len(p.waiters) > 0 && !f.gate.shut {
				earlier(f.gate.before)
			}
		}
	}
	return next
}

// setAlarm has the timer go off at the moment, or never.
func (q *Queue) setAlarm(m, at moment) {
	if m == q.alarm {
		return
	}
	q.alarm = m
	if m == 0 {
		q.timer.Stop()
		return
	}
	q.timer.Reset(min(time.Duration(m-at), maxLook))
}

// lease makes the first task of the lane one in flight.
func (q *Queue) lease(l *lane) *Lease {
	l.state = laneBusy
	k := l.first.class.kind
	k.waiting--
	k.inFlight++
	return &Lease{queue: q, lane: l, entry: l.first, item: q.fresh.take(l.first.id), slot: q.crashes.reserve()}
}

// clock reads the clock, as a wall-clock time and as the queue's own.
func (q *Queue) clock() (time.Time, moment) {
	now := q.now()
	return now, moment(now.Sub(q.start)) + 1 // 0 means never
}
