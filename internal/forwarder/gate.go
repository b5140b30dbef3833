package forwarder

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// gateCause says why an integration's gate is closed; empty = open.
type gateCause string

const (
	gateAuth   gateCause = "auth"   // credentials, permission, arrears
	gateConfig gateCause = "config" // wrong path, wrong key, unknown integration
	gateDown   gateCause = "down"   // the endpoint cannot be reached, or fails for everybody
)

// gateCauses lists them, for metrics.
var gateCauses = []gateCause{gateAuth, gateConfig, gateDown}

const (
	firstProbe = time.Second
	slowProbe  = time.Minute

	firstPause = time.Second // after a 429
	longPause  = time.Minute

	// unlimitedCeiling stands in for the rate of an integration without a limit
	// while it recovers from a 429, in alarms per second.
	unlimitedCeiling = 1000
	// recoverySteps is how many quiet seconds bring a halved rate back to full.
	recoverySteps = 20
)

// gate is the way to one integration. While it is closed nothing is taken but
// one probe at a time, with backoff, and no attempts are counted.
type gate struct {
	cause    gateCause
	since    time.Time
	problem  string // why it was closed, in words
	proven   bool   // COC has answered, and not about us, since it was last closed, or since the start
	inFlight int

	probeAt    time.Time
	probePause time.Duration

	// streak counts different tasks that failed alike since the last success.
	streak     map[uint64]bool
	streakKind string

	ceiling   rate.Limit // as configured; rate.Inf = none
	limiter   *rate.Limiter
	stepAt    time.Time // the last step of recovery
	pause     time.Duration
	pausedTil time.Time
}

// failing is the streak of tasks that met 5xx or silence; the others are refusals.
const failing = "failing"

// gateView is what decide needs to know of a gate.
type gateView struct {
	closed       bool
	opened       bool // by this attempt
	refusedAlike int  // different tasks refused alike, this one included
	failing      int  // different tasks that met 5xx or silence, this one included
}

func newGate(perSecond float64) *gate {
	g := &gate{streak: map[uint64]bool{}}
	g.limit(perSecond)
	return g
}

// limit sets the configured rate. The same rate again changes nothing: what was
// learnt from a 429 stays.
func (g *gate) limit(perSecond float64) {
	ceiling := rate.Limit(perSecond)
	if perSecond <= 0 {
		ceiling = rate.Inf
	}
	if g.limiter == nil || ceiling != g.ceiling {
		g.ceiling, g.limiter = ceiling, rate.NewLimiter(ceiling, burst(ceiling))
	}
}

// burst lets through one second's worth at once.
func burst(limit rate.Limit) int {
	if limit == rate.Inf {
		return 1
	}
	return max(1, int(limit))
}

// admit answers the queue: 0 = a task may leave now (its token is used up), a
// positive wait = ask again then, negative = ask again when woken.
func (g *gate) admit(now time.Time) time.Duration {
	switch {
	case now.Before(g.pausedTil):
		return g.pausedTil.Sub(now)
	case g.cause != "":
		return g.admitProbe(now)
	}
	r := g.limiter.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

func (g *gate) admitProbe(now time.Time) time.Duration {
	switch {
	case g.inFlight > 0:
		return -1
	case now.Before(g.probeAt):
		return g.probeAt.Sub(now)
	}
	g.planProbe(now)
	return 0
}

func (g *gate) planProbe(now time.Time) {
	g.probePause = min(max(2*g.probePause, firstProbe), g.slowestProbe())
	g.probeAt = now.Add(g.probePause/2 + rand.N(g.probePause/2))
}

// slowestProbe is how far apart probes can become. Where tasks were refused alike
// COC does answer, and among many refused tasks the next good one must be found soon.
func (g *gate) slowestProbe() time.Duration {
	if len(g.streak) >= alikeLimit && g.streakKind != failing {
		return firstProbe
	}
	return slowProbe
}

// shut closes the gate; it returns whether that is news.
func (g *gate) shut(cause gateCause, now time.Time) bool {
	news := g.cause != cause
	if g.cause == "" {
		g.since, g.probePause = now, 0
		g.planProbe(now)
	}
	g.cause, g.proven = cause, false
	return news
}

// open opens the gate; it returns whether it was closed.
func (g *gate) open() bool {
	news := g.cause != ""
	g.cause, g.problem, g.probePause, g.pause, g.streakKind = "", "", 0, 0, ""
	clear(g.streak)
	return news
}

// succeeded notes that COC has answered well; it returns whether the gate was closed.
func (g *gate) succeeded(now time.Time) bool {
	news := g.open()
	g.proven = true
	g.recover(now)
	return news
}

// judged opens the gate where a refusal of what a task says shows that its cause is
// gone: whoever refuses that can be reached and knows us. Refusals alike close it too,
// with the cause config, so that one is left to a success.
func (g *gate) judged() (opened bool) {
	g.proven = g.proven || g.cause != gateConfig
	return (g.cause == gateAuth || g.cause == gateDown) && g.open()
}

// failed notes that a task failed in the named way and returns how many
// different tasks have, with no success between.
func (g *gate) failed(kind string, id uint64) int {
	if kind != g.streakKind {
		clear(g.streak)
		g.streakKind = kind
	}
	if len(g.streak) < alikeLimit {
		g.streak[id] = true
	}
	return len(g.streak)
}

// throttled halves the rate and pauses; a pause right after a pause is twice as long.
func (g *gate) throttled(retryAfter time.Duration, now time.Time) {
	if now.Before(g.pausedTil) { // an answer to a call that left before the pause
		if asked := now.Add(retryAfter); asked.After(g.pausedTil) {
			g.pausedTil = asked
		}
		return
	}
	g.pause = min(max(2*g.pause, firstPause), longPause)
	g.pausedTil = now.Add(max(g.pause, retryAfter))
	g.stepAt = g.pausedTil
	g.setRate(now, max(min(g.limiter.Limit(), g.full())/2, g.full()/64))
}

// recover raises a lowered rate by one step a second.
func (g *gate) recover(now time.Time) {
	if g.limiter.Limit() >= g.ceiling || now.Sub(g.stepAt) < time.Second {
		return
	}
	g.stepAt = now
	raised := g.limiter.Limit() + g.full()/recoverySteps
	if raised >= g.full() {
		raised = g.ceiling
	}
	g.setRate(now, raised)
}

// full is the rate that a halving starts from and a recovery ends at.
func (g *gate) full() rate.Limit {
	if g.ceiling == rate.Inf {
		return unlimitedCeiling
	}
	return g.ceiling
}

func (g *gate) setRate(now time.Time, limit rate.Limit) {
	g.limiter.SetLimitAt(now, limit)
	g.limiter.SetBurstAt(now, burst(limit))
}

// GateState is how the way to an integration stands.
type GateState struct {
	Integration string
	Cause       string    // of its being closed: auth, config or down; empty = open
	Since       time.Time // when it was closed
	Problem     string    // the last answer that closed it
	Proven      bool      // COC has answered, and not about us, since it was last closed, or since the start: open alone may mean that nobody has tried
	PerSecond   float64   // alarms at most, lowered after a 429; +Inf = no limit
}

// perSecond is +Inf where there is no limit: the limiter has a number of its own for that.
func (g *gate) perSecond() float64 {
	if limit := g.limiter.Limit(); limit != rate.Inf {
		return float64(limit)
	}
	return math.Inf(1)
}

// Gates tells of the gates of all integrations that are configured or were used,
// by name.
func (f *Forwarder) Gates() []GateState {
	f.gates.mu.Lock()
	defer f.gates.mu.Unlock()
	all := make([]GateState, 0, len(f.gates.all))
	for name, g := range f.gates.all {
		s := GateState{Integration: name, Cause: string(g.cause), PerSecond: g.perSecond(), Proven: g.proven}
		if g.cause != "" {
			s.Since, s.Problem = g.since, g.problem
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b GateState) int { return strings.Compare(a.Integration, b.Integration) })
	return all
}

// gates holds one gate per integration. Its lock is taken inside the queue's,
// so nothing here may call the queue while holding it.
type gates struct {
	mu  sync.Mutex
	all map[string]*gate
}

// admit is the queue's question. An integration that is not configured has a
// gate too: its tasks go to their handler, which says what is wrong.
func (gs *gates) admit(name string, now time.Time) time.Duration {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	return gs.get(name).admit(now)
}

func (gs *gates) get(name string) *gate {
	g := gs.all[name]
	if g == nil {
		g = newGate(0)
		gs.all[name] = g
	}
	return g
}

// with runs f on the named gate under the lock.
func (gs *gates) with(name string, f func(*gate)) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	f(gs.get(name))
}
