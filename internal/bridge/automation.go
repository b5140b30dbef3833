package bridge

import (
	"context"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/scripts"
	"github.com/cocbridge/cocbridge/internal/store"
)

// shownRuns bounds the runs of one answer.
const shownRuns = 50

// Automation implements admin.Operations.
func (o operations) Automation(context.Context) (admin.Automation, error) {
	a, err := o.standing()
	if err != nil {
		return a, err
	}
	err = o.b.store.View(func(tx *store.Tx) error {
		a.Calls, a.MaxPerHour = o.b.live.Load().scripts.Budget(tx), o.b.live.Load().cfg.Automation.MaxPerHour
		a.Unknown, _ = scripts.InDoubt(tx)
		for _, r := range scripts.Runs(tx, shownRuns) {
			a.Runs = append(a.Runs, runOf(r))
		}
		return nil
	})
	return a, err
}

// standing says whether runs may begin, and nothing else.
func (o operations) standing() (a admin.Automation, err error) {
	var f scripts.Fuse
	err = o.b.store.View(func(tx *store.Tx) error { f, err = scripts.Standing(tx); return err })
	a = admin.Automation{Armed: true, By: f.By, Why: f.Why, Since: f.Armed}
	switch {
	case !f.Blown.IsZero():
		a.Armed, a.Cause, a.Since = false, "storm", f.Blown
	case !f.Stopped.IsZero():
		a.Armed, a.Cause, a.Since = false, "stopped", f.Stopped
	case o.b.live.Load().cfg.Automation.Thrown():
		a.Armed, a.Cause = false, "kill switch"
	}
	return a, err
}

func runOf(r *scripts.Run) admin.Run {
	out := admin.Run{
		ID: r.ID, Rule: r.Rule, Kind: r.Kind, AlarmID: r.AlarmID, State: string(r.State), Order: r.Order, Status: r.Status,
		Outcome: string(r.Outcome), Reason: r.Code, Detail: r.Text, Since: r.Since, Planned: r.Planned, Called: r.Called, Ended: r.Ended,
	}
	if r.Request.What != "" {
		out.What = r.Request.String()
	}
	return out
}

// Arm implements admin.Operations.
func (o operations) Arm(ctx context.Context, s admin.Switch) (admin.Automation, error) {
	return o.change(ctx, s, "automation armed by hand", o.b.live.Load().scripts.Arm)
}

// Stop implements admin.Operations.
func (o operations) Stop(ctx context.Context, s admin.Switch) (admin.Automation, error) {
	return o.change(ctx, s, "automation stopped by hand", o.b.live.Load().scripts.Stop)
}

func (o operations) change(ctx context.Context, s admin.Switch, what string, f func(tx *store.Tx, by, why string) error) (admin.Automation, error) {
	why, err := reason(s.Why)
	if err != nil {
		return admin.Automation{}, err
	}
	if err := o.b.store.Update(ctx, func(tx *store.Tx) error { return f(tx, s.By, why) }); err != nil {
		return admin.Automation{}, err
	}
	o.audit(what, s.By, zap.String("why", why))
	return o.Automation(ctx)
}
