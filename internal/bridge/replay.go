package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

// The causes of dead letters that an alert becomes at its arrival.
const (
	codeInvalid = "invalid_alert" // its sender got it wrong
	codeMapping = "mapping"       // it cannot be mapped; the field follows
)

// Replay implements admin.Operations.
func (o operations) Replay(ctx context.Context, r admin.Replay, visit func(admin.Outcome) error) error {
	if r.Force && len(r.IDs) != 1 {
		return fmt.Errorf("%w: force works on one id only, so that old news cannot overtake newer in bulk", admin.ErrInvalid)
	}
	ids, err := o.idsOf(ctx, r.Select)
	if err != nil {
		return err
	}
	results := map[string]int{}
	defer func() {
		o.audit("dead letters replayed by hand", r.By, zap.Any("results", results), zap.Bool("remap", r.Remap), zap.Bool("force", r.Force))
	}()
	for chunk := range slices.Chunk(ids, changeChunk) {
		outcomes, err := o.replayChunk(ctx, chunk, r)
		if err != nil {
			return err
		}
		for _, one := range outcomes {
			results[one.Result]++
			if err := visit(one); err != nil {
				return err
			}
		}
	}
	return nil
}

// replayChunk reads, maps outside of any transaction, and queues in one.
func (o operations) replayChunk(ctx context.Context, ids []uint64, r admin.Replay) ([]admin.Outcome, error) {
	found, _, err := o.deadFrom(admin.Select{IDs: ids}, 0)
	if err != nil {
		return nil, err
	}
	l := o.b.live.Load()
	planned := make([]replay, len(found))
	for i, d := range found {
		planned[i] = l.plan(d, r.Remap)
	}
	var outcomes []admin.Outcome
	err = o.b.store.Update(ctx, func(tx *store.Tx) error {
		outcomes = outcomes[:0] // it may run again
		for _, p := range planned {
			one, err := o.replayOne(tx, l, p, r)
			if err != nil {
				return err
			}
			outcomes = append(outcomes, one)
		}
		return nil
	})
	if err != nil { // the transaction may still run
		return nil, err
	}
	return outcomes, nil
}

// replay is a dead letter with the task it is to become.
type replay struct {
	dead    buriedLetter
	task    task.Task
	refused admin.Outcome // why it cannot be; no Result = it can
}

func (p *replay) refuse(result, detail string) {
	p.refused = admin.Outcome{ID: p.dead.ID, AlarmID: aboutAlarm(p.dead.Item), Result: result, Detail: detail}
}

// plan decides what the dead letter would become, by today's configuration.
func (l *live) plan(d buriedLetter, remap bool) (p replay) {
	p.dead = d
	var err error
	if p.task, err = task.Decode(d.Item.Payload); d.err != nil || err != nil {
		p.refuse(admin.Unusable, errors.Join(d.err, err).Error())
		return p
	}
	switch {
	case p.task.Kind == task.Incident:
		return p
	case p.task.Kind != task.Report:
		p.refuse(admin.Unusable, "tasks of kind "+string(p.task.Kind)+" are not replayed: what acts may do so once only")
	case d.Cause.Code == codeInvalid:
		p.refuse(admin.Unusable, "the alert itself cannot be used: "+d.Cause.Detail)
	case remap:
		l.remap(&p)
	case p.task.Alarm.AlarmStatus == "":
		p.refuse(admin.Unmapped, "it was never mapped: mend the mapping, then replay it with --remap")
	}
	_, known := l.keys[p.task.Integration]
	if p.refused.Result == "" && !known {
		p.refuse(admin.Unmapped, fmt.Sprintf("integration %q is not configured: replay it with --remap", p.task.Integration))
	}
	return p
}

// remap maps the alert that was kept again. It yields the report only: what
// rules made of the alert was decided when it arrived.
func (l *live) remap(p *replay) {
	if p.task.Alert.Fingerprint == "" {
		p.refuse(admin.Unmapped, "no alert was kept with it: replay it without --remap")
		return
	}
	result, err := l.mapOne(p.task.Alert)
	switch {
	case err != nil:
		p.refuse(admin.Unmapped, err.Error())
	case result.Drop:
		p.refuse(admin.RouteDrops, "today's route drops it: drop the dead letter as well")
	default:
		p.task.Integration, p.task.Alarm = result.Integration, result.Alarm
	}
}

// heard is the message that the dead letter once was.
func (p *replay) heard() ledger.Heard {
	t := p.task
	h := ledger.Heard{
		AlarmID: t.Alarm.AlarmID, Firing: t.Alarm.AlarmStatus == coc.StatusAlarm,
		StartsAt: t.Alert.StartsAt, EndsAt: t.Alert.EndsAt, Level: string(t.Alarm.AlarmLevel),
	}
	if h.StartsAt.IsZero() { // an end of our own, which no alert came with
		h.StartsAt = time.UnixMilli(t.Alarm.Time)
	}
	return h
}

func (o operations) replayOne(tx *store.Tx, l *live, p replay, r admin.Replay) (admin.Outcome, error) {
	if p.refused.Result != "" {
		return p.refused, nil
	}
	out := admin.Outcome{ID: p.dead.ID, AlarmID: p.task.Alarm.AlarmID, Result: admin.Replayed}
	now, err := o.b.queue.Dead(tx, p.dead.ID)
	switch {
	case errors.Is(err, queue.ErrNoDead), err == nil && now.Item.ID != p.dead.Item.ID:
		out.Result, out.Detail = admin.Gone, "it was replaced or removed meanwhile"
		return out, nil
	case err != nil:
		return out, err
	}
	if p.task.Kind == task.Incident {
		return o.replayIncident(tx, l, p, out)
	}
	d, overtaken, err := l.ledger.Replay(tx, ledger.Replayed{Heard: p.heard(), Created: p.dead.Item.Created, Force: r.Force, By: r.By})
	if err != nil {
		return out, err
	}
	if overtaken != "" {
		out.Result, out.Detail = admin.Superseded, overtaken
		return out, nil
	}
	if _, err := o.b.queue.Drop(tx, p.dead.ID); err != nil {
		return out, err
	}
	t := p.task
	t.Reason = admin.Replayed
	l.agree(&t, d)
	return out, o.b.enqueue(tx, d, t)
}

// replayIncident has the group looked at again, by today's rule. That is safe: each
// step asks first what is there already.
func (o operations) replayIncident(tx *store.Tx, l *live, p replay, out admin.Outcome) (admin.Outcome, error) {
	out.AlarmID = p.dead.Item.Lane
	again, err := l.incidents.Retry(tx, p.task.Group)
	if err != nil {
		return out, err
	}
	if !again {
		out.Result, out.Detail = admin.Superseded, "the incident is over"
		return out, nil
	}
	_, err = o.b.queue.Drop(tx, p.dead.ID)
	return out, err
}
