package coc

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// renewPause is the least time between two renewals, failed or not, while
	// there is a value to go on with.
	renewPause = time.Minute
	// century stands for no limit.
	century = 100 * 365 * 24 * time.Hour
)

// span says how long a value is good, from when it was asked for.
type span struct {
	fresh time.Duration // then it is renewed; if that is soon, only while it goes on being used
	valid time.Duration // then it is not used any more
}

// aging is the span of what expires after life: it is renewed at 80 % of it.
func aging(life time.Duration) span { return span{fresh: life / 5 * 4, valid: life} }

// renewed holds a value that ages, such as a token. One fetch at a time gets the
// next one; a value that is still valid is used until then, whatever becomes of
// the fetch. It is safe for concurrent use.
type renewed[T any] struct {
	fetch func(context.Context) (T, span, error) // error is an *Error, or that of the context
	now   func() time.Time
	spare *spare
	hold  time.Duration // a refusal stands for so long before the same is asked again

	mu      sync.Mutex
	value   T
	asked   time.Time // when for value
	renewAt time.Time
	expires time.Time // zero = there is no value
	failure error     // of the last fetch, if it was refused
	refused time.Time // until then there is no use in another one
	flight  *flight[T]
}

// flight is a fetch under way. The results are set when done is closed.
type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
	left  bool // the caller who led it went away; it says nothing
}

// get returns the value. It waits only when there is none that is valid.
func (n *renewed[T]) get(ctx context.Context) (T, error) {
	for {
		value, f, lead := n.look()
		switch {
		case f == nil:
			return value, nil
		case lead:
			n.lead(ctx, f)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return value, ctx.Err()
		}
		if !f.left {
			return f.value, f.err
		}
		if ctx.Err() != nil {
			return value, ctx.Err()
		}
	}
}

// look returns a valid value, or the flight to wait for; the caller who is to
// lead it learns so. A renewal that is due starts by the way.
func (n *renewed[T]) look() (value T, f *flight[T], lead bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	valid := now.Before(n.expires)
	switch {
	case valid && (n.flight != nil || now.Before(n.renewAt)):
		return n.value, nil, false
	case valid:
		f := n.takeOff()
		if !n.spare.start(func(ctx context.Context) { n.lead(ctx, f) }) {
			n.flight = nil
		}
		return n.value, nil, false
	case n.flight != nil:
		return value, n.flight, false
	case now.Before(n.refused):
		return value, landed[T](n.failure), false
	}
	return value, n.takeOff(), true
}

// renew starts a renewal that is due although nobody asks for the value: after a
// quiet night the first alarm must not depend on a log-in. Only a success leads
// to the next one, so a refusal is not repeated while nobody asks.
func (n *renewed[T]) renew(ctx context.Context) {
	n.mu.Lock()
	if n.flight != nil || n.now().Before(n.renewAt) {
		n.mu.Unlock()
		return
	}
	f := n.takeOff()
	n.mu.Unlock()
	n.lead(ctx, f)
}

func (n *renewed[T]) takeOff() *flight[T] {
	n.flight = &flight[T]{done: make(chan struct{})}
	return n.flight
}

// landed is a flight that has failed before.
func landed[T any](err error) *flight[T] {
	f := &flight[T]{done: make(chan struct{}), err: err}
	close(f.done)
	return f
}

// lead does the fetch and tells all who wait.
func (n *renewed[T]) lead(ctx context.Context, f *flight[T]) {
	asked := n.now()
	value, s, err := n.fetch(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	f.value, f.err, f.left = value, err, err != nil && ctx.Err() != nil
	n.flight = nil
	switch {
	case err == nil:
		n.value, n.asked, n.expires = value, asked, asked.Add(s.valid)
		n.renewAt = asked.Add(max(s.fresh, renewPause))
		n.failure, n.refused = nil, time.Time{}
		if s.fresh > renewPause {
			n.spare.after(n.renewAt.Sub(n.now()), n.renew)
		}
	case !f.left:
		n.failed(err)
	}
	close(f.done)
}

// failed keeps a refusal for a while, so that it is not asked for in a loop,
// whether or not there is a value to go on with. What was just not reached is
// asked again by the next call that needs it.
func (n *renewed[T]) failed(err error) {
	now := n.now()
	n.renewAt = now.Add(renewPause)
	var e *Error
	if errors.As(err, &e) && (e.Class == Auth || e.Class == Misconfigured) {
		n.failure, n.refused = err, now.Add(n.hold)
		n.renewAt = now.Add(max(renewPause, n.hold))
	}
}

// drop forgets the value if it matches, since COC has refused it, and says
// whether a repeat has a chance: there is another value by now, or one can be
// had. A value that was only just fetched stays: another would be no better.
func (n *renewed[T]) drop(match func(T) bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	switch {
	case !now.Before(n.expires) || !match(n.value):
		return true
	case now.Before(n.asked.Add(renewPause)):
		return false
	}
	n.expires = time.Time{}
	return true
}
