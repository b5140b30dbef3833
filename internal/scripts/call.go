package scripts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/store"
)

const (
	// maxAttempts bounds the calls of a run that COC has certainly not begun.
	maxAttempts = 3
	// attributeKey names the mark among a target's attributes (coc-api.md 3.7).
	attributeKey = "brid"
)

// call asks COC to run it. CALLING is synced twice before: in the store, and in the
// journal. The turn to call is waited for before that: what brakes meanwhile holds.
func (w *work) call(ctx context.Context) (more bool, err error) {
	if !w.checked {
		if again, err := w.again(ctx); !again || err != nil {
			return false, err
		}
	}
	if err := w.s.o.COC.TurnToExecute(ctx); err != nil {
		return false, err
	}
	if err := w.moved(ctx, call, fmt.Sprintf("attempt %d", w.r.Attempt+1), w.enterCall); err != nil {
		_, err = w.unlessBraked(ctx, err)
		return false, err
	}
	r := w.r
	if err := w.s.o.Journal(r.entry()); err != nil {
		return false, errors.Join(&StoreError{err}, w.moved(ctx, withdrawn, "the journal could not be written", func(_ *store.Tx, r *Run) error { r.Text = err.Error(); return nil }))
	}
	w.s.o.Log.Info("run called", append(r.Request.fields(), zap.String("rule", r.Rule), zap.String("run", r.ID), zap.String("key", r.AlarmID), zap.Int("attempt", r.Attempt))...)
	settled := context.WithoutCancel(ctx) // what has left may finish, and is noted
	order, requestID, err := w.execute(settled)
	return w.outcome(settled, order, requestID, err)
}

// enterCall is the last moment at which something can keep the call from leaving.
func (w *work) enterCall(tx *store.Tx, r *Run) error {
	if w.s.o.Stopping() {
		return fmt.Errorf("nothing new begins while stopping: %w", context.Canceled)
	}
	if err := w.s.mayLeave(tx, r); err != nil {
		return err
	}
	r.Attempt++
	r.Called = w.s.o.Now()
	return noteCall(tx, r)
}

// mayLeave returns a *braked where something keeps an armed run from being called.
func (s *Scripts) mayLeave(tx *store.Tx, r *Run) error {
	at, err := s.situation(tx, r)
	if err != nil {
		return err
	}
	at.others = 0 // its own place was taken when it was armed
	j := judge(at)
	if j.reason == "" && at.rule.limits.DryRun {
		j = judgement{reason: reasonDryRun, text: "would run " + r.Request.String()}
	}
	if j.reason != "" {
		return &braked{j}
	}
	return nil
}

// again checks what may have changed since the run was armed: before another
// attempt, and where an earlier look, or life, has armed it and got no further.
func (w *work) again(ctx context.Context) (bool, error) {
	if w.r.Attempt >= maxAttempts {
		return false, w.refused(ctx, codeNotBegun, fmt.Sprintf("rule %q: COC could not be asked in %d attempts: %s; nothing has run", w.r.Rule, w.r.Attempt, w.r.Text))
	}
	var held *braked // by what needs no answer of COC, which may not come
	if err := w.s.o.Store.View(func(tx *store.Tx) error { return w.s.mayLeave(tx, w.r) }); errors.As(err, &held) {
		return w.unlessBraked(ctx, held)
	} else if err != nil {
		return false, w.s.storeError(w.r.ID, err)
	}
	rule := w.s.newest().byName[w.r.Rule]
	if rule == nil || rule.hash != w.r.RuleHash {
		return true, nil // the change to CALLING finds that out
	}
	err := w.s.check(ctx, rule, w.r.Request)
	if err == nil {
		w.answered = true
		err = w.sameTargets(ctx, rule)
	}
	var problem *refusal
	if errors.As(err, &problem) {
		return false, w.refused(ctx, problem.code, problem.text)
	}
	return err == nil, err
}

// sameTargets asks again for the hosts, which may have left the fence or gone
// offline. Others than those the run was armed for are refused.
func (w *work) sameTargets(ctx context.Context, rule *rule) error {
	now, err := w.s.targets(ctx, rule, &w.r.Alert)
	if err != nil || slices.Equal(now, w.r.Request.Hosts) {
		return err
	}
	return &refusal{codeTarget, fmt.Sprintf("rule %q: targets: they are not those that the run was armed for any more; nothing runs", rule.name)}
}

func (w *work) execute(ctx context.Context) (order, requestID string, err error) {
	if w.r.Kind == JobKind {
		return w.s.o.COC.ExecuteDocument(ctx, w.r.jobRun())
	}
	return w.s.o.COC.ExecuteScript(ctx, w.r.scriptRun())
}

func (r *Run) scriptRun() coc.Run {
	run := coc.Run{Script: r.Request.What, User: r.Request.User, Timeout: r.Request.timeout(), SuccessRate: r.Request.SuccessRate, Params: r.Request.params()}
	var targets []coc.Target
	for _, h := range r.Request.Hosts {
		targets = append(targets, coc.Target{
			ResourceID: h.ResourceID, RegionID: h.RegionID, ProjectID: h.ProjectID, AgentSN: h.AgentSN,
			Attributes: []coc.Attribute{{Key: attributeKey, Value: r.Mark()}},
		})
	}
	run.Batches = coc.InBatches(targets, r.Request.BatchSize)
	return run
}

func (r *Run) jobRun() coc.JobRun {
	return coc.JobRun{
		Document:   coc.DocumentRef{ID: r.Request.What, Version: r.Request.Version, Type: r.Request.Type},
		Parameters: r.Request.params(), Description: r.described(),
	}
}

// described is the description of a job with the mark.
func (r *Run) described() string {
	if r.Request.Description == "" {
		return "[cb:" + r.Mark() + "]"
	}
	return r.Request.Description + " [cb:" + r.Mark() + "]"
}

func (q Request) timeout() time.Duration { return time.Duration(q.Seconds) * time.Second }

func (q Request) params() (all []coc.RunParam) {
	for _, p := range q.Params {
		all = append(all, coc.RunParam{Name: p.Name, Value: p.Value})
	}
	return all
}

// outcome decides what the answer means.
func (w *work) outcome(ctx context.Context, order, requestID string, err error) (more bool, _ error) {
	switch {
	case err == nil && order != "":
		w.answered = true
		return false, w.begun(ctx, order, requestID)
	case err != nil && notBegun(err):
		return false, w.withdrawn(ctx, err)
	}
	w.answered = false // to the questions before, but not to this
	why := "COC's answer names no order"
	if err != nil {
		why = err.Error()
	}
	return false, w.change(ctx, func(tx *store.Tx, r *Run) error { return w.s.toDoubt(tx, r, why) })
}

// notBegun says whether it is certain that COC has begun nothing.
func notBegun(err error) bool {
	var e *coc.Error
	return errors.As(err, &e) && e.NotBegun()
}

// begun notes the order. One that is another run's is no proof of this one.
func (w *work) begun(ctx context.Context, order, requestID string) error {
	return w.change(ctx, func(tx *store.Tx, r *Run) error {
		owner, err := tx.Get(orderRuns, []byte(order))
		if undamaged(err) != nil {
			return err
		}
		if owner != nil && string(owner) != r.ID {
			return w.s.toDoubt(tx, r, fmt.Sprintf("COC answered with %.64s, which is another run's order", order))
		}
		if err := w.s.began(tx, r, begun, order); err != nil {
			return err
		}
		r.note(w.s.o.Now(), "request", requestID)
		return nil
	})
}

// began begins to follow the order.
func (s *Scripts) began(tx *store.Tx, r *Run, by arrow, order string) error {
	from, now := r.State, s.o.Now()
	if err := r.move(by, now, order); err != nil {
		return err
	}
	batches := 1
	if len(r.Request.Hosts) > 0 && r.Request.BatchSize > 0 {
		batches = (len(r.Request.Hosts) + r.Request.BatchSize - 1) / r.Request.BatchSize
	}
	r.Order, r.Next, r.Text = order, now.Add(firstPoll), ""
	r.Deadline = now.Add(time.Duration(batches)*r.Request.timeout() + time.Minute)
	s.o.Metrics.moved(tx, from, r)
	tx.OnCommit(func() {
		s.o.Log.Info("run begun", zap.String("rule", r.Rule), zap.String("run", r.ID), zap.String("key", r.AlarmID), zap.String("order", order))
	})
	return nil
}

// withdrawn: the run may be tried again, if COC has not refused it for good.
func (w *work) withdrawn(ctx context.Context, err error) error {
	class := classOf(err)
	final := class == coc.Permanent || class == coc.NotFound || class == coc.Conflict
	if noted := w.moved(ctx, withdrawn, err.Error(), func(_ *store.Tx, r *Run) error { r.Text = err.Error(); return nil }); noted != nil {
		return errors.Join(err, noted)
	}
	if final {
		return w.refused(ctx, codeRefused, fmt.Sprintf("rule %q: COC has refused the run: %v; nothing has run", w.r.Rule, err))
	}
	return err
}
