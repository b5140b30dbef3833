package forwarder

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/task"
)

// ErrDryRun is what a handler returns instead of calling COC when coc.dry_run
// is set: the task is done, but nothing counts as told.
var ErrDryRun = errors.New("dry run: not sent")

// ErrIdle is what a handler returns when it had nothing to tell COC, or nothing
// yet: the task is done, and the gate learns nothing from it.
var ErrIdle = errors.New("nothing to tell yet")

// ErrRead is ErrIdle after a call that COC has answered: the gate learns that.
var ErrRead = errors.New("nothing to tell yet, COC was asked")

// Later is a handler's error for a fault of our own that passes: the task is
// tried again, without counting against it.
type Later struct{ Err error }

func (l *Later) Error() string { return l.Err.Error() }

// Unwrap gives the fault.
func (l *Later) Unwrap() error { return l.Err }

// Unsendable is a handler's error for a task that can never be sent, for a
// reason of our own. It becomes a dead letter with that code.
type Unsendable struct{ Code, Text string }

func (u *Unsendable) Error() string { return u.Text }

// action is how a lease ends.
type action int

const (
	ack action = iota
	retry
	bury
	release
)

// decision is what becomes of a task after one attempt.
type decision struct {
	action  action
	outcome Outcome
	wait    time.Duration // before a retry
	spent   time.Duration // what the task has used up of give_up_after, with a retry
	cause   queue.Cause   // of a dead letter
	gate    gateCause     // close the gate with this cause; empty = leave it as it is
}

// attempt is what decide looks at.
type attempt struct {
	err      error
	stopping bool // the forwarder is shutting down
	item     queue.Item
	took     time.Duration
	gate     gateView // after this attempt was noted
}

// alikeLimit is how many different tasks must fail alike, with no success
// between, before the fault is sought in the integration and not in the tasks.
const alikeLimit = 3

// decide is pure: design, "Where errors become decisions".
func (c Config) decide(a attempt) decision {
	var e *coc.Error
	var u *Unsendable
	var later *Later
	switch {
	case a.err == nil:
		return decision{action: ack, outcome: Success}
	case errors.Is(a.err, ErrDryRun):
		return decision{action: ack, outcome: DryRun}
	case errors.Is(a.err, ErrIdle), errors.Is(a.err, ErrRead):
		return decision{action: ack, outcome: Idle}
	case a.stopping && errors.Is(a.err, context.Canceled):
		return decision{action: release, outcome: Stopped}
	case errors.As(a.err, &later):
		return decision{action: retry, outcome: Local, wait: time.Duration(c.Backoff.Max), spent: a.item.Spent}
	case errors.As(a.err, &u):
		return decision{action: bury, outcome: Malformed, cause: queue.Cause{Code: u.Code, Detail: u.Text}}
	case errors.Is(a.err, task.ErrVersion): // after a rollback: it waits for the newer version
		return decision{action: retry, outcome: Malformed, wait: time.Duration(c.Backoff.Max), spent: a.item.Spent}
	case !errors.As(a.err, &e):
		return decision{action: bury, outcome: Malformed, cause: queue.Cause{Code: "malformed", Detail: a.err.Error()}}
	}
	return c.byClass(e, a)
}

func (c Config) byClass(e *coc.Error, a attempt) decision {
	closing := func(g gateCause) decision { return decision{action: release, outcome: outcomeOf(e), gate: g} }
	switch e.Class {
	case coc.Auth:
		return closing(gateAuth)
	case coc.Misconfigured:
		return closing(gateConfig)
	case coc.Network:
		return closing(gateDown)
	case coc.Permanent, coc.NotFound, coc.Conflict:
		if a.gate.refusedAlike >= alikeLimit {
			return closing(gateConfig)
		}
		return decision{action: bury, outcome: outcomeOf(e), cause: queue.Cause{Code: e.Cause(), Detail: e.Error()}}
	case coc.Throttled:
		if a.gate.closed { // it was the probe, which counts as no attempt
			return closing("")
		}
		return c.again(e, a)
	default:
		if a.gate.failing >= alikeLimit || a.gate.closed {
			return closing(gateDown)
		}
		return c.again(e, a)
	}
}

// again retries after full-jitter backoff, but not before Retry-After, until the
// task's own failures have used up give_up_after. The wait that is planned is
// counted, not the one that comes: time under a closed gate is nobody's failure.
func (c Config) again(e *coc.Error, a attempt) decision {
	wait := max(c.Backoff.fullJitter(a.item.Attempts), e.RetryAfter)
	spent := a.item.Spent + a.took + wait
	if spent > time.Duration(c.GiveUpAfter) {
		detail := fmt.Sprintf("gave up after %d attempts: %v", a.item.Attempts+1, e)
		return decision{action: bury, outcome: outcomeOf(e), cause: queue.Cause{Code: "gave_up", Detail: detail}}
	}
	return decision{action: retry, outcome: outcomeOf(e), wait: wait, spent: spent}
}

// fullJitter is a random pause of up to initial x 2^attempts, at most max.
func (b BackoffConfig) fullJitter(attempts int) time.Duration {
	return rand.N(b.ceiling(attempts)) + 1
}

func (b BackoffConfig) ceiling(attempts int) time.Duration {
	ceiling := time.Duration(b.Initial)
	for range attempts {
		if ceiling *= 2; ceiling >= time.Duration(b.Max) {
			return time.Duration(b.Max)
		}
	}
	return ceiling
}
