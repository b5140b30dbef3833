package incidents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/store"
)

// work is one look at a group: what was read, and what is known meanwhile.
type work struct {
	in   *Incidents
	rule *rule
	s    Situation
}

// Do takes the next step for a group. Everything that must survive is synced
// before it returns, an intent before its call. The note is a request id. The
// error is a *coc.Error, a *Refused, a *StoreError, ErrIdle, ErrRead or ErrDryRun.
func (in *Incidents) Do(ctx context.Context, group string) (note string, err error) {
	w, err := in.read(group)
	if err != nil {
		return "", err
	}
	step := plan(w.s)
	if in.o.DryRun && step.Act.calls() {
		in.o.Log.Info("dry run, not done", zap.String("rule", w.rule.name), zap.String("key", group), zap.String("step", string(step.Act)), zap.String("why", step.Why))
		return "", ErrDryRun
	}
	if step.Act == Read {
		if err := w.ask(ctx); err != nil {
			return "", err
		}
		step = plan(w.s)
	}
	note, err = w.take(ctx, step)
	switch {
	case errors.Is(err, ErrIdle) && w.s.Ticket.Status != "":
		return note, ErrRead
	case errors.Is(err, ErrIdle):
		return note, ErrIdle
	case err != nil:
		return note, w.named(step, err)
	}
	in.o.Log.Info("incident", zap.String("rule", w.rule.name), zap.String("step", string(step.Act)), zap.String("why", step.Why),
		zap.String("number", w.s.Record.Number), zap.String("mark", w.s.Record.Mark), zap.String("request_id", note))
	return note, nil
}

// named adds what was done to whose ticket; a *Refused says so itself.
func (w *work) named(step Step, err error) error {
	var refused *Refused
	if errors.As(err, &refused) {
		return err
	}
	return fmt.Errorf("rule %s: %s: %w", w.rule.name, strings.TrimSpace(fmt.Sprintf("%s incident %s", step.Act, w.s.Record.Number)), err)
}

// read returns ErrIdle when there is nothing to do for the group any more.
func (in *Incidents) read(group string) (*work, error) {
	w := &work{in: in, s: Situation{Now: in.o.Now()}}
	err := in.o.Store.View(func(tx *store.Tx) (err error) {
		if w.s.Record, err = Get(tx, group); w.s.Record != nil {
			w.s.Crowd = crowdOf(tx, w.s.Record, w.s.Now)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, in.storeError(err)
	case w.s.Record == nil, !w.s.Record.State.live():
		return nil, ErrIdle
	}
	if w.rule = in.byName[w.s.Record.Rule]; w.rule == nil {
		return nil, in.orphan(w.s.Record)
	}
	w.fill()
	return w, nil
}

// orphan: its rule is not configured any more.
func (in *Incidents) orphan(r *Record) error {
	if r.ended() {
		return ErrIdle
	}
	return &Refused{Code: "removed", Text: fmt.Sprintf("rule %q is not configured any more%s", r.Rule, r.left())}
}

// left says what becomes of the ticket when we can do no more.
func (r *Record) left() string {
	if r.Number == "" {
		return "; no ticket was opened"
	}
	return fmt.Sprintf("; see to ticket %s in the console of COC", r.Number)
}

func (w *work) fill() {
	w.s.Rule, w.s.Hold, w.s.Changed = &w.rule.cfg, w.rule.hold, w.rule.hash != w.s.Record.RuleHash
}

// storeError: damage is for a person, all else passes.
func (in *Incidents) storeError(err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return &Refused{Code: "corrupt", Text: "the record of the incident is damaged; the next news of its alarms begins a new one"}
	}
	return &StoreError{err}
}

// change applies f to the record as it is now, and syncs it. The work goes on
// with what it has become.
func (w *work) change(ctx context.Context, f func(*store.Tx, *Record) error) error {
	var r *Record
	err := w.in.o.Store.Update(ctx, func(tx *store.Tx) (err error) {
		if r, err = Get(tx, w.s.Record.Group); err != nil {
			return err
		}
		if r == nil || r.Episode != w.s.Record.Episode {
			return ErrIdle // forgotten, or replaced because it was damaged
		}
		before := r.State
		if err := f(tx, r); err != nil {
			return err
		}
		w.in.count(tx, before, r)
		return save(tx, r)
	})
	switch {
	case err == nil:
		w.s.Record = r
		return nil
	case errors.Is(err, ErrIdle):
		return err
	default:
		return w.in.storeError(err)
	}
}

// set is change for what cannot fail and needs no transaction.
func (w *work) set(ctx context.Context, f func(*Record)) error {
	return w.change(ctx, func(_ *store.Tx, r *Record) error { f(r); return nil })
}

// changeIf is change for a step that rests on what the members do: it is taken only
// if it is still the next one with all that came since it was planned.
func (w *work) changeIf(ctx context.Context, step Step, f func(*store.Tx, *Record) error) error {
	return w.change(ctx, func(tx *store.Tx, r *Record) error {
		s := w.s
		s.Record, s.Now = r, w.in.o.Now()
		s.Crowd = crowdOf(tx, r, s.Now)
		if next := plan(s); next.Act != step.Act || next.State != step.State {
			return ErrIdle
		}
		w.s.Crowd, w.s.Now = s.Crowd, s.Now
		r.observe(s.Crowd)
		return f(tx, r)
	})
}

// ask reads the ticket.
func (w *work) ask(ctx context.Context) error {
	r := w.s.Record
	ticket, err := w.in.o.COC.GetIncident(ctx, r.Number)
	switch {
	case classOf(err) == coc.NotFound:
		ticket.Status = gone
	case err != nil:
		return err
	}
	w.s.Ticket = Ticket{Status: ticket.Status, Reassigned: w.reassigned(ticket.Assignee)}
	if ticket.Status == "" {
		w.s.Ticket.Status = "unknown"
	}
	return w.set(ctx, func(r *Record) {
		if r.Assignee == "" && ticket.Assignee != "" {
			r.Assignee = ticket.Assignee
		}
		if r.Status != w.s.Ticket.Status {
			r.note(w.s.Now, "ticket", string(w.s.Ticket.Status))
		}
		r.Status, r.Read = w.s.Ticket.Status, w.s.Now
		if r.lapsed(w.s.Now) {
			r.notActed()
		}
	})
}

func (w *work) reassigned(to string) bool {
	known := []string{"", w.s.Record.Assignee, w.rule.operator(), w.rule.cfg.Creator}
	return w.s.Record.Assignee != "" && !slices.Contains(known, to)
}

// classOf is -1 for what is no error of COC.
func classOf(err error) coc.Class {
	var e *coc.Error
	if errors.As(err, &e) {
		return e.Class
	}
	return -1
}

// take does the step.
func (w *work) take(ctx context.Context, step Step) (string, error) {
	switch step.Act {
	case Wait:
		return "", w.rest(ctx, step)
	case Note, Forget, Begin, End:
		return "", idle(w.changeIf(ctx, step, func(tx *store.Tx, r *Record) error { return w.write(tx, r, step) }))
	case Look:
		return w.look(ctx)
	case Create:
		return w.create(ctx)
	case Remark:
		return w.remark(ctx, step)
	default:
		return w.act(ctx, step)
	}
}

// write does a step that tells COC nothing.
func (w *work) write(tx *store.Tx, r *Record, step Step) error {
	switch step.Act {
	case Note:
		w.enter(r, step.State, step.Why)
	case Forget:
		r.Again = nil
		r.note(w.s.Now, "fires again", step.Why)
	case Begin:
		return w.beginAgain(tx, r)
	default:
		if !w.s.quiet() && r.Number == "" {
			w.cancelled(tx, step.Why)
		}
		w.enter(r, Over, step.Why)
	}
	return nil
}

// cancelled: the alerts fire and get no ticket, until a repeat of them is due.
func (w *work) cancelled(tx *store.Tx, why string) {
	tx.OnCommit(func() {
		w.in.o.Metrics.cancelled.Inc()
		w.in.o.Log.Warn("incident not opened", zap.String("rule", w.rule.name), zap.String("key", w.s.Record.Group), zap.String("mark", w.s.Record.Mark), zap.String("why", why))
	})
}

// idle: the step told COC nothing, so it says nothing about how COC fares.
func idle(err error) error {
	if err != nil {
		return err
	}
	return ErrIdle
}

// rest notes when a ticket that was read needs no look before.
func (w *work) rest(ctx context.Context, step Step) error {
	if w.s.Ticket.Status == "" || step.At.IsZero() {
		return ErrIdle
	}
	return idle(w.set(ctx, func(r *Record) { r.NotUntil = step.At }))
}

// enter moves the record to another state. What was said of the old one is history.
func (w *work) enter(r *Record, to State, why string) {
	now := w.s.Now
	r.note(now, string(to), why)
	switch to {
	case Open:
		r.Ended, r.Ours = time.Time{}, false
		r.past(r.Tried)
	case Accepted:
		if r.Accepted.IsZero() {
			r.Accepted = now
		}
		w.reopened(r)
	case Solved:
		if r.State != Solved {
			r.Solved = now
		}
		r.Ours = r.State != Solved && r.Tried == coc.CommitSolution
		r.past(coc.ConfirmIncident)
	case Closed, Rejected:
		r.Ours = r.State == Solved && r.Tried == coc.ConfirmIncident
		r.past(coc.CommitSolution)
		w.heard(r)
		if w.s.Crowd.Firing == 0 && r.Quiet.IsZero() {
			r.Quiet = now
		}
		r.Ended = now
	case Over:
		r.Ended, r.Again = now, nil
	}
	r.State, r.NotUntil, r.Early = to, time.Time{}, time.Time{}
}

// reopened: the ticket is at work, for the first time or again. Where nothing fires,
// a person has a reason to take a solution back that we do not know: the next one is
// theirs.
func (w *work) reopened(r *Record) {
	if r.State == Solved && w.s.Crowd.Firing == 0 {
		r.tell(recovered, w.s.Now)
	}
	r.Solved, r.Ours = time.Time{}, false
	r.past(coc.CommitSolution)
	w.heard(r)
}

// past: what the ticket shows from now on is not the doing of this step of ours.
func (r *Record) past(step coc.OperateKey) {
	if r.Tried == step {
		r.Tried, r.Acted = "", time.Time{}
	}
}

// heard drops the member that fired again when the step was planned. One that came
// later, while COC acted, stays for the next step.
func (w *work) heard(r *Record) {
	if known := w.s.Record.Again; known != nil && r.Again != nil && known.At.Equal(r.Again.At) {
		r.Again = nil
	}
}

// beginAgain ends the episode and begins the next with the member that fired
// again, and all others that fire.
func (w *work) beginAgain(tx *store.Tx, old *Record) error {
	again := old.Again
	task, due := old.Task, old.Due
	w.enter(old, Over, "fires again: a new episode")
	old.Task = 0
	rec, err := w.in.begin(tx, beginning{rule: w.rule, group: old.Group, values: old.Values, alert: again.Alert, at: again.At, old: old})
	if err != nil {
		return err
	}
	rec.Task, rec.Due = task, due
	if err := w.in.adopt(tx, old, rec); err != nil {
		return err
	}
	return save(tx, rec)
}

// adopt makes the members that fire members of the new episode.
func (in *Incidents) adopt(tx *store.Tx, old, next *Record) error {
	moved := map[string]member{}
	eachMember(tx, old.Group, func(alarmID string, m member) {
		if m.Firing && m.Episode == old.Episode {
			m.Episode, m.Flaps = next.Episode, 0
			moved[alarmID] = m
		}
	})
	for alarmID, m := range moved {
		if err := saveMember(tx, old.Group, alarmID, m); err != nil {
			return err
		}
	}
	return nil
}
