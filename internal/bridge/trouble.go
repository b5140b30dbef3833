package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/forwarder"
	"github.com/cocbridge/cocbridge/internal/store"
)

type gateState = forwarder.GateState

// The names of our own alerts.
const (
	troubleDead   = "CocbridgeDeadLetters"
	troubleGate   = "CocbridgeGateClosed"
	troubleStore  = "CocbridgeStoreNearlyFull"
	troubleSilent = "CocbridgeReceiverSilent"
	troubleRuns   = "CocbridgeRunsUnknown"
	troubleStorm  = "CocbridgeStorm"
)

const (
	// troubleEvery is for what nobody announces; a run in doubt is looked at at once.
	troubleEvery = 10 * time.Second
	// gatePatience is how long a gate may be closed before that is trouble.
	gatePatience = 5 * time.Minute
	// repeatTrouble is how often trouble that lasts is told to the ledger again, as
	// other senders repeat their alerts: it knows then that the alarm still fires.
	repeatTrouble = 5 * time.Minute
	// storeRelief is the part of the limit that the store must fall below before
	// the trouble counts as over.
	storeRelief = 0.9
)

// condition is something that can be wrong with cocbridge itself.
type condition struct {
	name, subject string
	holds         bool
	doubt         bool // nothing shows yet whether it holds, so what held still does
	text          string
}

func (c condition) key() string { return c.name + " " + c.subject }

// trouble remembers which conditions held at the last look, and since when.
type trouble struct {
	every time.Duration
	soon  chan struct{} // holds something while a look should not wait for its time

	mu      sync.Mutex
	holding map[string]holding
}

type holding struct {
	condition
	began time.Time
	said  time.Time // when it was last told; zero = not since the start
}

// lookSoon asks for a look now. It does not block.
func (t *trouble) lookSoon() {
	select {
	case t.soon <- struct{}{}:
	default:
	}
}

func (b *Bridge) troubling(ctx context.Context) error {
	return b.every(ctx, rounds{pause: b.trouble.every, soon: b.trouble.soon, problem: "own trouble not looked at"}, b.checkTrouble)
}

// checkTrouble compares what is wrong now with the last look, and tells of what
// has begun, lasts or ended: in the log always, to COC if report_trouble is set.
func (b *Bridge) checkTrouble(ctx context.Context) error {
	t := &b.trouble
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := b.adopt(); err != nil {
		return err
	}
	now, err := b.conditions(ctx)
	if err != nil {
		return err
	}
	for _, c := range append(now, t.missingFrom(now)...) {
		if err := b.compare(ctx, c); err != nil {
			return err
		}
	}
	return b.retract(ctx)
}

// adopt takes over what an earlier process has told.
func (b *Bridge) adopt() (err error) {
	if b.trouble.holding == nil {
		b.trouble.holding, err = b.toldTrouble()
	}
	return err
}

// missingFrom ends what is about a receiver or integration that is no longer configured.
func (t *trouble) missingFrom(now []condition) (over []condition) {
	for key, h := range t.holding {
		if !slices.ContainsFunc(now, func(c condition) bool { return c.key() == key }) {
			over = append(over, condition{name: h.name, subject: h.subject, text: "it is no longer configured"})
		}
	}
	return over
}

// retract ends in COC what was told before report_trouble was turned off.
func (b *Bridge) retract(ctx context.Context) error {
	if b.live.Load().cfg.Delivery.ReportTrouble {
		return nil
	}
	told, err := b.toldTrouble()
	if err != nil {
		return err
	}
	for _, h := range told {
		h.holds, h.text = false, "delivery.report_trouble was turned off: whether it is over is only in the log"
		if err := b.tellTrouble(ctx, h.condition, h.began); err != nil {
			return err
		}
	}
	return nil
}

func ownAlarmID(identity, name, subject string) string {
	return alert.Alert{Receiver: config.OwnReceiver, Fingerprint: own{name: name, subject: subject}.alert(identity, time.Time{}).Fingerprint}.AlarmID()
}

// compare acts on what has begun, lasts or is over. What could not be stored is tried
// again at the next look.
func (b *Bridge) compare(ctx context.Context, c condition) error {
	was, held := b.trouble.holding[c.key()]
	if c.doubt {
		c.holds = held
	}
	switch {
	case c.holds && held:
		return b.repeat(ctx, c, was)
	case c.holds:
		return b.begin(ctx, c)
	case held:
		return b.finish(ctx, c, was)
	default:
		return nil
	}
}

// begin logs once what cannot be told at all.
func (b *Bridge) begin(ctx context.Context, c condition) error {
	now := b.o.Now()
	err := b.tellTrouble(ctx, c, now)
	var u *unsaid
	if errors.As(err, &u) {
		b.o.Log.Error("own trouble cannot be told", zap.String("alert", c.name), zap.Error(err))
	} else if err != nil {
		return err
	}
	b.trouble.holding[c.key()] = holding{condition: c, began: now, said: now}
	b.o.Log.Error("own trouble", zap.String("alert", c.name), zap.String("subject", c.subject), zap.String("err", c.text))
	return nil
}

func (b *Bridge) finish(ctx context.Context, c condition, was holding) error {
	if err := b.tellTrouble(ctx, c, was.began); err != nil {
		return err
	}
	delete(b.trouble.holding, c.key())
	b.o.Log.Info("own trouble is over", zap.String("alert", c.name), zap.String("subject", c.subject))
	return nil
}

// repeat tells of what lasts, so that stale_after does not close it and COC hears of
// it as often as of any other alarm.
func (b *Bridge) repeat(ctx context.Context, c condition, was holding) error {
	if b.o.Now().Sub(was.said) < b.repeatEvery() {
		return nil
	}
	var u *unsaid
	if err := b.tellTrouble(ctx, c, was.began); err != nil && !errors.As(err, &u) {
		return err
	}
	was.condition, was.said = c, b.o.Now()
	b.trouble.holding[c.key()] = was
	return nil
}

func (b *Bridge) repeatEvery() time.Duration {
	if stale := time.Duration(b.live.Load().cfg.Delivery.Ledger.StaleAfter); stale > 0 {
		return min(repeatTrouble, stale/2)
	}
	return repeatTrouble
}

func (b *Bridge) tellTrouble(ctx context.Context, c condition, began time.Time) error {
	if c.holds && !b.live.Load().cfg.Delivery.ReportTrouble {
		return nil
	}
	_, err := b.say(ctx, own{name: c.name, subject: c.subject, level: coc.Major, text: c.text, firing: c.holds, began: began, trouble: true})
	return err
}

// conditions looks at everything that can be wrong.
func (b *Bridge) conditions(ctx context.Context) ([]condition, error) {
	dead, err := b.deadConditions(ctx)
	running, runErr := b.runConditions()
	return slices.Concat(dead, b.gateConditions(), []condition{b.storeCondition()}, b.silentConditions(), running), errors.Join(err, runErr)
}

// deadConditions has one per kind of task. Dead letters about our own trouble do
// not count: that would be trouble about trouble.
func (b *Bridge) deadConditions(ctx context.Context) (all []condition, err error) {
	for kind, k := range b.queueStats().Kinds {
		n := k.Dead
		if n > 0 {
			ours, err := b.ownDead(ctx, kind)
			if err != nil {
				return nil, err
			}
			n -= ours
		}
		all = append(all, condition{
			name: troubleDead, subject: kind, holds: n > 0,
			text: fmt.Sprintf("%d dead letters of kind %s: COC was not told; see cocbridge dead list", n, kind),
		})
	}
	return all, nil
}

// ownDead counts the dead letters of a kind that are about our own alarms.
func (b *Bridge) ownDead(ctx context.Context, kind string) (n int, err error) {
	identity, err := b.ownIdentity(ctx)
	if err != nil {
		return 0, err
	}
	err = b.store.View(func(tx *store.Tx) error {
		for _, id := range b.ownAlarmIDs(identity) {
			for _, d := range b.queue.DeadIn(tx, id) {
				if d.Item.Kind == kind {
					n++
				}
			}
		}
		return nil
	})
	return n, err
}

// ownAlarmIDs lists the alarms that we may ever have told of ourselves, as far as
// the configuration and the queue still know their subjects.
func (b *Bridge) ownAlarmIDs(identity string) []string {
	var ids []string
	for _, name := range []string{troubleStore, testAlert, troubleRuns, troubleStorm} {
		ids = append(ids, ownAlarmID(identity, name, ""))
	}
	for kind := range b.queue.Stats().Kinds {
		ids = append(ids, ownAlarmID(identity, troubleDead, kind))
	}
	for _, g := range b.gates() {
		ids = append(ids, ownAlarmID(identity, troubleGate, g.Integration))
	}
	for _, rc := range b.live.Load().cfg.Receivers {
		ids = append(ids, ownAlarmID(identity, troubleSilent, rc.Name))
	}
	return ids
}

// gateConditions: a gate that is open may not have been tried since the start or a
// reload, so only an answer of COC ends the trouble. Without tasks, the gate of an
// integration that is gone is no trouble.
func (b *Bridge) gateConditions() (all []condition) {
	keys := b.live.Load().keys
	for _, g := range b.gates() {
		if _, configured := keys[g.Integration]; configured || g.Integration == ticketGate || g.Cause != "" {
			all = append(all, b.gateCondition(g))
		}
	}
	return all
}

func (b *Bridge) gateCondition(g gateState) condition {
	c := condition{name: troubleGate, subject: g.Integration}
	if g.Cause == "" {
		c.doubt, c.text = !g.Proven, fmt.Sprintf("the gate of integration %s was closed, and COC has not answered by it since", g.Integration)
		return c
	}
	c.holds = b.o.Now().Sub(g.Since) > gatePatience
	c.doubt = !c.holds
	c.text = fmt.Sprintf("the gate of integration %s is closed since %s (%s): %s", g.Integration, at(g.Since), g.Cause, g.Problem)
	return c
}

func (b *Bridge) storeCondition() condition {
	s := b.store.Stats()
	c := condition{name: troubleStore}
	_, held := b.trouble.holding[c.key()]
	c.holds = s.Used >= s.Limit || held && float64(s.Used) > storeRelief*float64(s.Limit)
	c.text = fmt.Sprintf("%d of %d bytes of the store are used: senders get 503 until COC has taken some; see store.max_size", s.Used, s.MaxSize)
	return c
}

func (b *Bridge) silentFor(since time.Time) time.Duration { return b.o.Now().Sub(since) }

// silentConditions: the time before the start, and while somebody was turned away,
// counts for nothing, so only a message ends the trouble that was told.
func (b *Bridge) silentConditions() (all []condition) {
	for _, rc := range b.live.Load().cfg.Receivers {
		c := condition{name: troubleSilent, subject: rc.Name}
		if limit := time.Duration(rc.SilentAfter); limit > 0 {
			since, heard := b.hears.since(rc.Name)
			c.holds = b.silentFor(b.hears.silentSince(rc.Name)) > limit
			c.doubt = !c.holds && (!heard || b.silentFor(since) > limit)
			c.text = fmt.Sprintf("receiver %s has had no message since %s: see whether its sender runs and reaches us", rc.Name, at(since))
		}
		all = append(all, c)
	}
	return all
}
