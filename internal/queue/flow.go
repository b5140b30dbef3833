package queue

import (
	"slices"
	"time"
)

// pool is the tasks that the same workers take. Its flows get their turns one
// after another, so that a source with a storm cannot starve another.
type pool struct {
	flows   map[flowKey]*flow
	active  []*flow // those with a ready lane
	turn    int     // in active
	waiters []*waiter
}

type flowKey struct {
	gate   *gate
	source string
}

// flow is the ready lanes of one gate and source.
type flow struct {
	pool        *pool
	gate        *gate
	first, last *lane
}

// gate is what Options.Admit has said of one gate.
type gate struct {
	name   string
	tasks  int // waiting and in flight
	shut   bool
	before moment // not to be asked before
}

func (p *pool) flow(g *gate, source string) *flow {
	key := flowKey{g, source}
	if p.flows[key] == nil {
		if p.flows == nil {
			p.flows = map[flowKey]*flow{}
		}
		p.flows[key] = &flow{pool: p, gate: g}
	}
	return p.flows[key]
}

// next takes out the lane whose turn it is, or returns nil when no lane is ready
// behind an open gate.
func (p *pool) next(admit func(*gate) bool) *lane {
	for i := range p.active {
		at := (p.turn + i) % len(p.active)
		f := p.active[at]
		if !admit(f.gate) {
			continue
		}
		p.turn = at + 1
		l := f.first
		f.unlink(l)
		return l
	}
	return nil
}

// push appends a lane to those that are ready.
func (f *flow) push(l *lane) {
	l.prev, l.next = f.last, nil
	if f.last != nil {
		f.last.next = l
	} else {
		f.first = l
		f.pool.active = append(f.pool.active, f)
	}
	f.last = l
}

func (f *flow) unlink(l *lane) {
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		f.first = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	} else {
		f.last = l.prev
	}
	l.prev, l.next = nil, nil
	if f.first == nil {
		f.pool.deactivate(f)
	}
}

func (p *pool) deactivate(f *flow) {
	at := slices.Index(p.active, f)
	p.active = slices.Delete(p.active, at, at+1)
	if at < p.turn {
		p.turn--
	}
}

// admits asks once whether a task may pass the gate. A yes obliges to take one.
func (g *gate) admits(admit func(string, time.Time) time.Duration, now time.Time, at moment) bool {
	if g.shut || g.before > at {
		return false
	}
	if admit == nil {
		return true
	}
	wait := admit(g.name, now)
	g.shut = wait < 0
	if wait > 0 {
		g.before = at + moment(min(wait, maxLook))
	}
	return wait == 0
}
