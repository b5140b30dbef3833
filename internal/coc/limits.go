package coc

import (
	"context"
	"fmt"
	"math"

	"github.com/prometheus/common/model"
	"golang.org/x/time/rate"
)

// RateLimits are calls per second, each kind over all callers of one Client. COC
// documents none; these are ours (coc-api.md 1.6). Alarms have limits of their
// own, one per integration.
type RateLimits struct {
	Tickets float64 `yaml:"tickets"` // changes of incidents, scripts, orders and executions
	Execute float64 `yaml:"execute"` // starts of scripts and jobs
	Reads   float64 `yaml:"reads"`
}

func (r RateLimits) validate(report func(path, problem string)) {
	defaults := DefaultConfig().RateLimits
	for _, of := range []struct {
		name         string
		set, usually float64
	}{
		{"tickets", r.Tickets, defaults.Tickets},
		{"execute", r.Execute, defaults.Execute},
		{"reads", r.Reads, defaults.Reads},
	} {
		if !(of.set > 0) || math.IsInf(of.set, 0) {
			report("rate_limits."+of.name, fmt.Sprintf("it must be more than 0 calls per second; remove it for the default of %v", of.usually))
		}
	}
}

// limits hold one limiter per kind of call.
type limits struct {
	tickets, execute, reads *rate.Limiter
}

func newLimits(r RateLimits) limits {
	return limits{newLimiter(r.Tickets), newLimiter(r.Execute), newLimiter(r.Reads)}
}

// newLimiter lets the calls of one second go at once.
func newLimiter(perSecond float64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond), int(max(1, math.Ceil(perSecond))))
}

// waitForTurn returns when the call may go out. Its error means that it did not.
func (q request) waitForTurn(ctx context.Context) error {
	if q.limiter == nil {
		return nil
	}
	if err := q.limiter.Wait(ctx); err != nil {
		return &Error{Op: q.op, Class: Throttled, Err: err,
			Message: fmt.Sprintf("its turn did not come in time, %v calls per second are allowed (coc.rate_limits): %v", q.limiter.Limit(), err)}
	}
	return nil
}

func (t Timeouts) longest() model.Duration { return max(t.Report, t.Ticket, t.Execute, t.Read) }
