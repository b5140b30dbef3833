package bridge

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/forwarder"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

// task is the alarm as mapped today, under the identity that COC knows and at the
// level that is in force if the decision names them.
func (l *live) task(m mapped, d *ledger.Decision) task.Task {
	t := task.Task{Kind: task.Report, Integration: m.result.Integration, Reason: string(d.Verdict), Alarm: m.result.Alarm, Alert: m.alert}
	if m.err != nil || m.result.Drop {
		t.Alarm = bareRecovery(m.alert)
	}
	l.agree(&t, d)
	return t
}

// agree makes the task agree with what COC was told before. An integration that is
// gone holds nothing back: nothing can be closed there any more.
func (l *live) agree(t *task.Task, d *ledger.Decision) {
	_, there := l.keys[d.Stay]
	switch {
	case d.Told != nil:
		identify(t, d.Told)
	case there:
		t.Integration = d.Stay
	}
	if d.Level != "" {
		t.Alarm.AlarmLevel = coc.Level(d.Level)
	}
	t.Alarm.Time = d.Time(t.Alarm.Time)
}

// bareRecovery closes an alarm whose alert is not mapped today.
func bareRecovery(a alert.Alert) coc.Alarm {
	at := a.EndsAt
	if at.IsZero() {
		at = a.StartsAt
	}
	return coc.Alarm{AlarmID: a.AlarmID(), AlarmStatus: coc.StatusOK, Time: at.UnixMilli(), AlarmDesc: "resolved"}
}

// identify makes the alarm the one COC was told of: how COC matches a recovery
// to its alarm is not documented, so all that names it stays the same (coc-api.md 3.1).
func identify(t *task.Task, told *ledger.Telling) {
	t.Integration = told.Integration
	a := &t.Alarm
	a.AlarmName, a.NameSpace, a.RegionID, a.ApplicationID = told.Name, told.NameSpace, told.RegionID, told.ApplicationID
	a.ResourceName, a.ResourceID, a.AlarmSource = told.ResourceName, told.ResourceID, told.Source
	if a.AlarmLevel == "" {
		a.AlarmLevel = coc.Level(told.Level)
	}
}

// telling is what the ledger remembers of a task.
func telling(t task.Task) ledger.Telling {
	a := t.Alarm
	return ledger.Telling{
		Firing: a.AlarmStatus == coc.StatusAlarm, Time: a.Time, Level: string(a.AlarmLevel), Integration: t.Integration,
		Name: a.AlarmName, NameSpace: a.NameSpace, RegionID: a.RegionID, ApplicationID: a.ApplicationID,
		ResourceName: a.ResourceName, ResourceID: a.ResourceID, Source: a.AlarmSource,
	}
}

// report tells COC one alarm.
func (b *Bridge) report(ctx context.Context, t task.Task) (requestID string, err error) {
	l := b.live.Load()
	key, ok := l.keys[t.Integration]
	switch why := l.retired(t); {
	case why != "":
		return "", &forwarder.Unsendable{Code: "removed", Text: why}
	case !ok:
		return "", &coc.Error{Op: "report alarm", Class: coc.Misconfigured,
			Message: fmt.Sprintf("integration %q is not configured, but alarms wait for it: add it to integrations again", t.Integration)}
	case l.cfg.COC.DryRun:
		b.o.Log.Info("dry run, not sent", zap.String("key", t.Alarm.AlarmID), zap.String("integration", t.Integration), zap.Any("alarm", t.Alarm))
		return "", forwarder.ErrDryRun
	}
	return l.client.ReportAlarm(ctx, key, t.Alarm)
}

// retired says why a task can no longer go out after a forced reload; empty = it can.
func (l *live) retired(t task.Task) string {
	if _, ok := l.keys[t.Integration]; !ok {
		return l.removed["integration "+t.Integration]
	}
	if _, ok := l.sendUnknown[t.Alert.Receiver]; !ok {
		return l.removed["receiver "+t.Alert.Receiver]
	}
	return ""
}

// settleReport keeps the ledger in step with the queue.
func (b *Bridge) settleReport(tx *store.Tx, t task.Task, s forwarder.Settlement) error {
	l := b.live.Load().ledger
	if s.Sent {
		return l.Confirmed(tx, s.Lane, telling(t), s.Note)
	}
	return l.Lost(tx, s.Lane, s.Reason)
}

// buried is told of each task that the queue itself gives up, which it may do
// before there is a configuration in force. Where the lane is lost the task may
// still say which alarm it was about.
func (b *Bridge) buried(tx *store.Tx, cfg *config.Config, it queue.Item, c queue.Cause) error {
	alarmID := it.Lane
	if t, err := task.Decode(it.Payload); err == nil {
		alarmID = t.Alarm.AlarmID
	}
	switch task.Kind(it.Kind) {
	case task.Incident:
		return b.buriedIncident(tx, cfg, it, c)
	case task.Script, task.Job:
		return b.buriedRun(tx, cfg, it, c)
	}
	b.o.Log.Error("dead letter", zap.Uint64("task_id", it.ID), zap.String("key", alarmID), zap.String("cause", c.Code), zap.String("err", c.Detail))
	if entry, err := b.book.Get(tx, alarmID); entry == nil && err == nil {
		return nil // too damaged to say whose it was
	}
	return b.newLedger(cfg).Lost(tx, alarmID, c.Detail)
}
