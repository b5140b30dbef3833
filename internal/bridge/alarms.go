package bridge

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

// Alarms implements admin.Operations. They come in the order in which they were first told of,
// without their history.
func (o operations) Alarms(ctx context.Context, s admin.SelectAlarms, visit func(admin.Alarm) error) error {
	return o.b.eachAlarm(ctx, func(id string, e *ledger.Entry) error {
		if s.Firing && !e.Shown() {
			return nil
		}
		a := alarmOf(id, e)
		a.History = nil
		return visit(a)
	})
}

// eachAlarm visits the readable entries of the ledger outside of any transaction.
func (b *Bridge) eachAlarm(ctx context.Context, visit func(id string, e *ledger.Entry) error) error {
	var from []byte
	for {
		ids, entries, next, err := b.alarmsFrom(from)
		if err != nil {
			return err
		}
		for i, id := range ids {
			if err := visit(id, entries[i]); err != nil {
				return err
			}
		}
		if from = next; from == nil || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// alarmsFrom reads a part of the ledger; next is where to go on, nil at the end.
func (b *Bridge) alarmsFrom(from []byte) (ids []string, entries []*ledger.Entry, next []byte, err error) {
	err = b.store.View(func(tx *store.Tx) error {
		next = b.book.Scan(tx, from, func(id string, e *ledger.Entry) bool {
			if len(ids) == readChunk {
				return false
			}
			if e != nil {
				ids, entries = append(ids, id), append(entries, e)
			}
			return true
		})
		return nil
	})
	return ids, entries, next, err
}

// Alarm implements admin.Operations.
func (o operations) Alarm(_ context.Context, id string) (admin.Alarm, error) {
	if _, err := o.b.entry(id); err != nil { // a damaged one too
		return admin.Alarm{}, err
	}
	k, err := o.b.know(id)
	switch {
	case err != nil:
		return admin.Alarm{}, err
	case k.entry == nil: // it may also have been forgotten in this moment
		return admin.Alarm{}, fmt.Errorf("%w: the ledger has no alarm %q: ask why for what is known of it", admin.ErrNotFound, id)
	}
	return o.whole(id, k), nil
}

// whole is the alarm with all that is known of it. It needs an entry.
func (o operations) whole(id string, k known) admin.Alarm {
	a := alarmOf(id, k.entry)
	for _, r := range k.deeds.tickets {
		a.Tickets = append(a.Tickets, ticketOf(r))
	}
	for _, r := range k.deeds.runs {
		a.Runs = append(a.Runs, runOf(r))
	}
	for _, d := range slices.Concat(k.dead, k.deeds.dead) {
		a.DeadLetters = append(a.DeadLetters, o.deadLetterOf(buriedLetter{Dead: d}, false))
	}
	return a
}

func ticketOf(r *incidents.Record) admin.Ticket {
	t := admin.Ticket{Rule: r.Rule, Number: r.Number, State: string(r.State), Status: string(r.Status), Assignee: r.Assignee, Problem: r.Problem}
	if n := len(r.History); n > 0 {
		t.Last = admin.Event(r.History[n-1])
	}
	return t
}

func (b *Bridge) entry(alarmID string) (e *ledger.Entry, err error) {
	err = b.store.View(func(tx *store.Tx) (err error) {
		e, err = b.book.Get(tx, alarmID)
		return err
	})
	return e, err
}

func alarmOf(id string, e *ledger.Entry) admin.Alarm {
	a := admin.Alarm{AlarmID: id, State: stateOf(e.Firing), StartsAt: e.StartsAt, Heard: e.Heard, Level: e.Level, Waiting: e.Waiting, InCOC: "nothing"}
	t := e.Told
	if e.Newest != nil {
		t = e.Newest
	}
	if t != nil {
		a.Name, a.NameSpace, a.Resource, a.Integration = t.Name, t.NameSpace, t.ResourceName, t.Integration
	}
	if e.Told != nil {
		a.InCOC, a.Confirmed = "ok", e.Told.At
		if e.Told.Firing {
			a.InCOC = "firing"
		}
	}
	for _, h := range e.History {
		a.History = append(a.History, admin.Event(h))
	}
	return a
}

func stateOf(firing bool) string {
	if firing {
		return "firing"
	}
	return "resolved"
}

// Close implements admin.Operations.
func (o operations) Close(ctx context.Context, q admin.Close) (admin.Outcome, error) {
	why, err := reason(q.Why)
	if err != nil {
		return admin.Outcome{}, err
	}
	if _, err := o.Alarm(ctx, q.AlarmID); err != nil {
		return admin.Outcome{}, err
	}
	q.Why = why
	var out admin.Outcome
	err = o.b.store.Update(ctx, func(tx *store.Tx) (err error) {
		out, err = o.closeByHand(tx, q)
		return err
	})
	if err == nil {
		o.audit("alarm closed by hand", q.By, zap.String("key", q.AlarmID), zap.String("result", out.Result), zap.String("why", why))
	}
	return out, err
}

func (o operations) closeByHand(tx *store.Tx, q admin.Close) (admin.Outcome, error) {
	out := admin.Outcome{AlarmID: q.AlarmID, Result: admin.Closed}
	d, err := o.b.live.Load().ledger.CloseByHand(tx, q.AlarmID, q.By, q.Why)
	if err != nil {
		return out, err
	}
	if err := o.b.live.Load().fellSilent(tx, q.AlarmID); err != nil {
		return out, err
	}
	if !d.Verdict.IsNews() {
		out.Result, out.Detail = admin.NotFiring, "COC does not show it as firing, as far as we have told it"
		return out, d.Keep(tx)
	}
	return out, o.b.enqueueEnd(tx, d, end{alarmID: q.AlarmID, reason: "closed", text: fitting(fmt.Sprintf("closed through cocbridge by %s: %s", q.By, q.Why))})
}

// end is one of our own making, without a message of the alarm's source.
type end struct{ alarmID, reason, text string }

// enqueueEnd tells COC that an alarm is over, under the identity the decision names.
func (b *Bridge) enqueueEnd(tx *store.Tx, d *ledger.Decision, e end) error {
	t := task.Task{Kind: task.Report, Reason: e.reason, Alarm: coc.Alarm{
		AlarmID: e.alarmID, AlarmStatus: coc.StatusOK, Time: b.o.Now().UnixMilli(), AlarmDesc: e.text,
	}}
	identify(&t, d.Told)
	t.Alarm.Time = d.Time(t.Alarm.Time)
	return b.enqueue(tx, d, t)
}

// fitting shortens a text to what COC takes.
func fitting(text string) string {
	for coc.Units(text) > coc.MaxText {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

// at writes a time as all our answers do.
func at(t time.Time) string { return t.UTC().Format(time.RFC3339) }
