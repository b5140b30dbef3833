package bridge

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/forwarder"
	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/receivers"
	"github.com/cocbridge/cocbridge/internal/scripts"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

const (
	// ticketPool is the pool of what must not starve alarms.
	ticketPool    = "tickets"
	ticketWorkers = 4
	// ticketGate is the gate of tickets: no integration can have such a name.
	ticketGate = "coc/tickets"
)

func (b *Bridge) newTickets(cfg *config.Config) *forwarder.Forwarder {
	return forwarder.New(forwarder.Options{
		Config: ticketConfig(cfg), Integrations: ticketGates(), Pool: ticketPool, Store: b.store,
		Handlers: map[task.Kind]forwarder.Handler{
			task.Incident: {Do: b.stepIncident, Settle: b.settleIncident},
			task.Script:   {Do: b.stepRun, Settle: b.settleRun},
			task.Job:      {Do: b.stepRun, Settle: b.settleRun},
		},
		Metrics: b.metrics.forwarder, Log: b.o.Log, Now: b.o.Now,
	})
}

// ticketConfig is that of delivery, with workers of its own.
func ticketConfig(cfg *config.Config) forwarder.Config {
	c := cfg.Delivery.Forwarder
	c.Workers = ticketWorkers
	return c
}

// ticketGates: the client limits the calls of tickets, so the gate does not.
func ticketGates() []forwarder.Integration { return []forwarder.Integration{{Name: ticketGate}} }

// admit asks the forwarder that the gate belongs to.
func (b *Bridge) admit(gate string, now time.Time) time.Duration {
	if gate == ticketGate {
		return b.tickets.Admit(gate, now)
	}
	return b.forward.Admit(gate, now)
}

// gates are those of all integrations, and with rules that of tickets.
func (b *Bridge) gates() []forwarder.GateState {
	all := b.forward.Gates()
	if b.live.Load().hasRules() {
		all = append(all, b.tickets.Gates()...)
	}
	return all
}

func (b *Bridge) newIncidents(cfg *config.Config, client incidents.COC) (*incidents.Incidents, error) {
	return incidents.New(incidents.Options{
		Rules: cfg.IncidentRules(), Templates: cfg.Mapping.Templates, Application: cfg.Mapping.ApplicationID,
		Fence: time.Duration(cfg.Delivery.Ledger.Fence), History: time.Duration(cfg.Store.History),
		GiveUpAfter: time.Duration(cfg.Delivery.Forwarder.GiveUpAfter), DryRun: cfg.COC.DryRun,
		Store: b.store, COC: client, Put: b.putIncident, Summary: scripts.Summary,
		Cancel:  func(tx *store.Tx, id uint64) (bool, error) { return b.queue.Cancel(tx, id) },
		Metrics: b.metrics.incidents, Log: b.o.Log, Now: b.o.Now,
	})
}

// lookUnder tells a sender what COC has of its alert.
func (b *Bridge) lookUnder(l *live) receivers.Look {
	return func(a alert.Alert) receivers.Seen {
		seen := receivers.Seen{Link: l.link.Of(a)}
		for _, r := range b.ticketsOf(a.AlarmID()) {
			seen.Incident = cmp.Or(seen.Incident, r.Number)
		}
		return seen
	}
}

// ticketsOf are the newest episodes of the groups that the alarm belongs to. What
// cannot be read is none: it is only shown.
func (b *Bridge) ticketsOf(alarmID string) (all []*incidents.Record) {
	if !b.live.Load().hasRules() {
		return nil
	}
	_ = b.store.View(func(tx *store.Tx) (err error) {
		all, err = incidents.Of(tx, alarmID)
		return err
	})
	return all
}

func (b *Bridge) putIncident(tx *store.Tx, group, rule string, due time.Time) (uint64, error) {
	payload, err := task.Encode(task.Task{Kind: task.Incident, Reason: "rule", Rule: rule, Group: group})
	if err != nil {
		return 0, err
	}
	return b.queue.Put(tx, queue.Item{
		Lane: group, Kind: string(task.Incident), Pool: ticketPool, Gate: ticketGate, Source: "rule/" + rule,
		Created: b.o.Now(), Due: due, Payload: payload,
	})
}

// hear tells the rules what the ledger has let through: news and repeats that
// are due of what fires, and whatever ends it. What a route drops is no news.
func (b *Bridge) hear(tx *store.Tx, l *live, m mapped, v ledger.Verdict) error {
	switch {
	case m.alert.Status == alert.Resolved && v != ledger.Stale:
		return l.incidents.Recovered(tx, m.alert.AlarmID(), m.alert.StartsAt, m.alert.EndsAt)
	case m.alert.Status == alert.Firing && v.IsNews():
		return l.incidents.Fires(tx, &m.alert, m.matches)
	default:
		return nil
	}
}

// fellSilent ends what rules do about alarms that nobody speaks of any more, or
// that a person has closed.
func (l *live) fellSilent(tx *store.Tx, alarmIDs ...string) error {
	for _, id := range alarmIDs {
		if err := l.incidents.Recovered(tx, id, time.Time{}, time.Time{}); err != nil {
			return err
		}
		if err := l.scripts.Recovered(tx, id, time.Time{}, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bridge) stepIncident(ctx context.Context, t task.Task) (note string, err error) {
	note, err = b.live.Load().incidents.Do(ctx, t.Group)
	var refused *incidents.Refused
	var local *incidents.StoreError
	switch {
	case errors.Is(err, incidents.ErrIdle):
		return note, forwarder.ErrIdle
	case errors.Is(err, incidents.ErrRead):
		return note, forwarder.ErrRead
	case errors.Is(err, incidents.ErrDryRun):
		return note, forwarder.ErrDryRun
	case errors.As(err, &refused):
		return note, &forwarder.Unsendable{Code: refused.Code, Text: err.Error()}
	case errors.As(err, &local):
		return note, &forwarder.Later{Err: err}
	default:
		return note, err
	}
}

func (b *Bridge) settleIncident(tx *store.Tx, _ task.Task, s forwarder.Settlement) error {
	in := b.live.Load().incidents
	if s.Buried {
		return in.Failed(tx, s.Lane, s.ID, s.Reason)
	}
	return in.Settle(tx, s.Lane, s.ID)
}

// buriedIncident is told of each task of a group that the queue itself gives up.
func (b *Bridge) buriedIncident(tx *store.Tx, cfg *config.Config, it queue.Item, c queue.Cause) error {
	b.o.Log.Error("dead letter", zap.Uint64("task_id", it.ID), zap.String("key", it.Lane), zap.String("cause", c.Code), zap.String("err", c.Detail))
	in, err := b.newIncidents(cfg, nil)
	if err != nil {
		return err
	}
	return in.Failed(tx, it.Lane, it.ID, c.Detail)
}

// unfinished names the incidents that are not over and the runs that have not
// ended, by rule.
func (b *Bridge) unfinished() (all map[string][]string, err error) {
	err = b.store.View(func(tx *store.Tx) error {
		all = incidents.Unfinished(tx)
		for rule, more := range scripts.Unfinished(tx) {
			all[rule] = append(all[rule], more...)
		}
		return nil
	})
	return all, err
}

// sweepIncidents forgets episodes that have been over for store.history.
func (b *Bridge) sweepIncidents(ctx context.Context) error {
	in := b.live.Load().incidents
	var from []byte
	for {
		var old [][]byte
		if err := b.store.View(func(tx *store.Tx) error { old, from = in.Old(tx, from); return nil }); err != nil {
			return err
		}
		if len(old) > 0 {
			if err := b.store.Update(ctx, func(tx *store.Tx) error { return in.Forget(tx, old) }); err != nil {
				return err
			}
		}
		if from == nil || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
