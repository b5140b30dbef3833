package forwarder

import (
	"time"

	"github.com/cocbridge/cocbridge/internal/queue"
)

// Verdict is a decision in words, for the table test.
type Verdict struct {
	Action string
	Code   string
	Gate   string
}

// Decide is decide with what the tests vary.
func Decide(c Config, err error, item queue.Item, refusedAlike, failing int, closed, stopping bool) (Verdict, time.Duration, time.Duration) {
	d := c.decide(attempt{err: err, stopping: stopping, item: item, took: time.Second, gate: gateView{closed: closed, refusedAlike: refusedAlike, failing: failing}})
	name := map[action]string{ack: "ack", retry: "retry", bury: "bury", release: "release"}[d.action]
	return Verdict{Action: name, Code: d.cause.Code, Gate: string(d.gate)}, d.wait, d.spent
}

// Ceiling is the longest pause after that many attempts.
func (b BackoffConfig) Ceiling(attempts int) time.Duration { return b.ceiling(attempts) }

// Gate is one gate under test.
type Gate struct{ g *gate }

func NewGate(perSecond float64) Gate { return Gate{newGate(perSecond)} }

func (g Gate) Admit(now time.Time) time.Duration                 { return g.g.admit(now) }
func (g Gate) Throttled(retryAfter time.Duration, now time.Time) { g.g.throttled(retryAfter, now) }
func (g Gate) Recover(now time.Time)                             { g.g.recover(now) }
func (g Gate) Rate() float64                                     { return float64(g.g.limiter.Limit()) }
func (g Gate) Shut(cause string, now time.Time) bool             { return g.g.shut(gateCause(cause), now) }
func (g Gate) Open() bool                                        { return g.g.open() }
func (g Gate) Failed(kind string, id uint64) int                 { return g.g.failed(kind, id) }
func (g Gate) InFlight(n int)                                    { g.g.inFlight += n }
