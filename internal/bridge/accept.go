package bridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/mapping"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/receivers"
	"github.com/cocbridge/cocbridge/internal/scripts"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

// mapped is one alert with what today's mapping makes of it.
type mapped struct {
	alert   alert.Alert
	result  mapping.Result
	err     error             // it cannot be mapped
	matches []incidents.Match // the rules it is for
	runs    []scripts.Match   // those of them that run something
}

// acceptUnder returns what a receiver calls with a request's alerts: nil means
// that all of them are on disk, as tasks, as known, or as dead letters.
func (b *Bridge) acceptUnder(l *live) receivers.Accept {
	return func(ctx context.Context, batch receivers.Batch) error {
		if err := b.room(); err != nil {
			return err
		}
		b.hears.note(batch.Receiver, b.o.Now())
		all := l.mapAll(batch.Alerts)
		var seen tally
		err := b.store.Intake(ctx, func(tx *store.Tx) (err error) {
			seen, err = b.acceptAll(tx, l, all, batch.Rejected)
			return err
		})
		if err != nil {
			if full := b.room(); full != nil {
				return full
			}
			return busy(err)
		}
		b.metrics.accepted(seen)
		b.recent.note(seen.quiet, b.o.Now())
		b.logUnmapped(seen.unmapped)
		return nil
	}
}

// room says why nothing can be taken in now, which is cheaper to know before a body
// has been read and mapped.
func (b *Bridge) room() error {
	if b.stopping.Load() {
		return fmt.Errorf("%w: cocbridge is stopping", receivers.ErrBusy)
	}
	if err := b.store.Accepting(); err != nil {
		b.hears.turnedAway(b.o.Now())
		return busy(err)
	}
	return nil
}

func busy(err error) error {
	if errors.Is(err, queue.ErrShare) {
		return fmt.Errorf("%w: an alert of it cannot be mapped, and dead letters like it fill their share of the store; see cocbridge dead list, then mend the cause and replay or drop them: %w", receivers.ErrBusy, err)
	}
	if errors.Is(err, store.ErrFull) {
		return fmt.Errorf("%w: the store is full, or has no room for so much at once, see store.max_size", receivers.ErrBusy)
	}
	return fmt.Errorf("%w: %w", receivers.ErrBusy, err)
}

func (l *live) mapAll(alerts []alert.Alert) []mapped {
	all := make([]mapped, len(alerts))
	for i, a := range alerts {
		all[i].alert = a
		all[i].result, all[i].err = l.mapOne(a)
		if l.hasRules() {
			all[i].matches, all[i].runs = l.incidents.Match(&a), l.scripts.Match(&a)
		}
	}
	return all
}

// mapOne keeps a fault of ours with one alert from its siblings.
func (l *live) mapOne(a alert.Alert) (r mapping.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("mapping panicked: %v", p)
		}
	}()
	return l.mapper.Map(a)
}

// acceptAll decides about each alert inside the transaction, so that a request
// of another sender can neither come between nor be new as well. It may run again.
func (b *Bridge) acceptAll(tx *store.Tx, l *live, all []mapped, rejected []receivers.Rejected) (seen tally, err error) {
	for _, m := range all {
		verdict, err := b.accept(tx, l, m, &seen)
		if err != nil {
			return seen, err
		}
		if l.hasRules() {
			if err := errors.Join(b.hear(tx, l, m, verdict), b.run(tx, l, m, verdict)); err != nil {
				return seen, err
			}
		}
		seen.count(verdict, m)
	}
	for _, r := range rejected {
		cause := queue.Cause{Code: codeInvalid, Detail: r.Field + ": " + r.Problem}
		if err := b.buryAlert(tx, mapped{alert: r.Alert}, cause, &seen); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

func (b *Bridge) accept(tx *store.Tx, l *live, m mapped, seen *tally) (ledger.Verdict, error) {
	d, err := l.ledger.Decide(tx, m.heard(l))
	if err != nil {
		return "", err
	}
	if !d.Verdict.IsNews() {
		return d.Verdict, d.Keep(tx)
	}
	if m.err != nil && d.Told == nil {
		return d.Verdict, errors.Join(d.Keep(tx), b.buryAlert(tx, m, causeOf(m.err), seen))
	}
	return d.Verdict, b.enqueue(tx, d, l.task(m, d))
}

func (m mapped) heard(l *live) ledger.Heard {
	return ledger.Heard{
		AlarmID: m.alert.AlarmID(), Firing: m.alert.Status == alert.Firing,
		StartsAt: m.alert.StartsAt, EndsAt: m.alert.EndsAt,
		Level: string(m.result.Alarm.AlarmLevel), Dropped: m.result.Drop,
		SendUnknown: l.sendUnknown[m.alert.Receiver], Once: m.alert.Once, Revision: m.alert.Revision,
	}
}

// enqueue writes the task and what the ledger must know of it.
func (b *Bridge) enqueue(tx *store.Tx, d *ledger.Decision, t task.Task) error {
	item, err := b.item(t)
	if err != nil {
		return err
	}
	item.Due = d.Due
	id, err := b.queue.Put(tx, item)
	if err != nil {
		return err
	}
	return d.Queued(tx, id, telling(t))
}

func (b *Bridge) item(t task.Task) (queue.Item, error) {
	payload, err := task.Encode(t)
	return queue.Item{
		Lane: t.Alarm.AlarmID, Kind: string(t.Kind), Pool: alarmPool, Gate: t.Integration, Source: t.Alert.Receiver,
		Created: b.o.Now(), Payload: payload, Value: t,
	}, err
}

// buryAlert keeps an alert that cannot become an alarm, so that it can be
// mapped again when the cause is mended.
func (b *Bridge) buryAlert(tx *store.Tx, m mapped, cause queue.Cause, seen *tally) error {
	t := task.Task{Kind: task.Report, Integration: m.result.Integration, Reason: "unmapped", Alert: m.alert}
	t.Alarm.AlarmID = m.alert.AlarmID()
	item, err := b.item(t)
	if err != nil {
		return err
	}
	seen.unmapped = append(seen.unmapped, unmapped{item.Lane, cause})
	_, err = b.queue.BuryNew(tx, item, cause)
	return err
}

func causeOf(err error) queue.Cause {
	var e *mapping.Error
	if errors.As(err, &e) {
		return queue.Cause{Code: codeMapping + "_" + e.Field, Detail: e.Error()}
	}
	return queue.Cause{Code: codeMapping, Detail: err.Error()}
}
