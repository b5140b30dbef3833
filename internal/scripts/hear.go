package scripts

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/store"
)

// maxAhead: an alert that claims to begin later than this after its arrival has
// begun at its arrival, or not_after would never come.
const maxAhead = 5 * time.Minute

// Fires plans a run for each matching rule that has none for this episode. It is
// for new episodes only, belongs into the transaction that accepts the alert, and
// may run again. held: the news may be stale, and counts only after the fence.
func (s *Scripts) Fires(tx *store.Tx, a *alert.Alert, matches []Match, held bool) error {
	var planned []*Run
	for _, m := range matches {
		r, err := s.plan(tx, m.rule, a)
		if err != nil {
			return err
		}
		if r != nil {
			planned = append(planned, r)
		}
	}
	if len(planned) == 0 {
		return nil
	}
	if err := s.countEpisode(tx, a); err != nil {
		return err
	}
	for _, r := range planned {
		wait := s.byName[r.Rule].hold
		if held {
			wait = max(wait, s.o.Fence)
		}
		if err := s.put(tx, r, s.o.Now().Add(wait)); err != nil {
			return err
		}
	}
	return nil
}

// plan returns nil where there is a run already, a damaged one included, and for
// an episode that nothing may be started for any more.
func (s *Scripts) plan(tx *store.Tx, rule *rule, a *alert.Alert) (*Run, error) {
	now := s.o.Now()
	id := idOf(rule.name, a)
	old, err := Get(tx, id)
	if old != nil || err != nil {
		return nil, undamaged(err)
	}
	r := newRun(rule, a, now)
	r.Untrusted = !s.o.Trusted(a.Receiver)
	if s.o.DryRun {
		tx.OnCommit(func() {
			s.o.Log.Info("dry run of all calls, run not planned", zap.String("rule", r.Rule), zap.String("run", id), zap.String("key", r.AlarmID))
		})
		return nil, nil
	}
	since, err := memory(tx, now)
	if err != nil {
		return nil, err
	}
	if j := missed(r, rule, since); j.reason != "" { // it is kept, so that a person who asks gets an answer
		return nil, s.refuseFrom(tx, "", r, j)
	}
	r.note(now, string(Planned), a.Labels["alertname"])
	s.o.Metrics.moved(tx, "", r)
	return r, nil
}

// missed says why an episode is too old to begin with.
func missed(r *Run, rule *rule, since time.Time) judgement {
	switch {
	case r.Planned.After(r.NotAfter):
		return tooLate(rule)
	case r.Alert.StartsAt.Before(since):
		return judgement{reason: reasonForgotten, text: "the alert began before " + clockTime(since) + ", when this store was new: whether it has run before nobody knows"}
	default:
		return judgement{}
	}
}

// newRun is the run that a rule plans for an episode that arrives now.
func newRun(rule *rule, a *alert.Alert, now time.Time) *Run {
	began := a.StartsAt
	if began.After(now.Add(maxAhead)) {
		began = now
	}
	return &Run{
		ID: idOf(rule.name, a), Rule: rule.name, RuleHash: rule.hash, Kind: rule.kind, AlarmID: a.AlarmID(), Alert: *a,
		State: Planned, Planned: now, Since: now, NotAfter: began.Add(time.Duration(rule.limits.NotAfter)),
	}
}

// countEpisode blows the fuse in a storm.
func (s *Scripts) countEpisode(tx *store.Tx, a *alert.Alert) error {
	f, err := loadFuse(tx)
	if err != nil || !f.Blown.IsZero() {
		return err
	}
	if f.count(s.o.Automation.Storm, s.o.Now()) {
		tx.OnCommit(func() {
			s.o.Metrics.armed.Set(0)
			s.o.Log.Error("storm of alerts, nothing runs until cocbridge automation arm", zap.Int("episodes", s.o.Automation.Storm.Episodes),
				zap.Stringer("within", s.o.Automation.Storm.Within), zap.String("key", a.AlarmID()))
		})
	}
	return f.save(tx)
}

// put gives the run its task.
func (s *Scripts) put(tx *store.Tx, r *Run, due time.Time) (err error) {
	if r.Task, err = s.o.Put(tx, r, due); err != nil {
		return err
	}
	return save(tx, r)
}

// Recovered notes that an alarm has recovered: what was not called is not called
// any more, and what runs is cancelled if its rule asks for that. Zero times:
// nobody speaks of the alarm any more.
func (s *Scripts) Recovered(tx *store.Tx, alarmID string, startsAt, endsAt time.Time) error {
	for _, id := range runsOf(tx, alarmID) {
		r, err := Get(tx, id)
		if errors.Is(err, store.ErrCorrupt) {
			continue
		}
		if err != nil {
			return err
		}
		earlier := r != nil && startsAt.Before(r.Alert.StartsAt) && !endsAt.IsZero() && !endsAt.After(r.Alert.StartsAt)
		if r == nil || !r.Ended.IsZero() || earlier {
			continue
		}
		if err := s.recovered(tx, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scripts) recovered(tx *store.Tx, r *Run) error {
	now := s.o.Now()
	switch {
	case r.State.before():
		if err := s.refuse(tx, r, judgement{reason: reasonResolved, text: "the alert has recovered before the call"}); err != nil {
			return err
		}
		return s.cancelTask(tx, r)
	case r.Request.Cancel && r.Stop.IsZero():
		r.Stop = now
		if r.State == Done {
			r.Next = time.Time{} // not when the next poll is due, but now
		}
		r.note(now, "recovered", "to be cancelled")
		if gone, err := s.o.Cancel(tx, r.Task); err != nil || !gone {
			return errors.Join(err, save(tx, r)) // in flight: it plans again when it settles
		}
		return s.put(tx, r, now)
	default:
		return nil
	}
}

func (s *Scripts) cancelTask(tx *store.Tx, r *Run) error {
	gone, err := s.o.Cancel(tx, r.Task)
	if err != nil || !gone {
		return err
	}
	r.Task = 0
	return save(tx, r)
}

// refuse ends a run that was never called.
func (s *Scripts) refuse(tx *store.Tx, r *Run, j judgement) error {
	return s.refuseFrom(tx, r.State, r, j)
}

// refuseFrom takes it out of the open ones in that state; empty = it was never one.
func (s *Scripts) refuseFrom(tx *store.Tx, from State, r *Run, j judgement) error {
	if err := r.move(refuse, s.o.Now(), j.text); err != nil {
		return err
	}
	r.Code, r.Text = j.reason, j.text
	r.end(NotCalled, s.o.Now())
	s.o.Metrics.moved(tx, from, r)
	tx.OnCommit(func() {
		s.o.Metrics.refused(j.reason)
		s.o.Log.Warn("run not called", zap.String("rule", r.Rule), zap.String("run", r.ID), zap.String("key", r.AlarmID), zap.String("cause", j.reason), zap.String("detail", j.text))
	})
	return save(tx, r)
}
