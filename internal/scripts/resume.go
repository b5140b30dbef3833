package scripts

import (
	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/store"
)

// Resume makes good what an end without warning may have left, at the start and
// before any task is taken. A call that the journal knows and the store does not is
// in doubt; so is one that was under way. Nothing of that is called again.
func (s *Scripts) Resume(tx *store.Tx, journal []Entry) error {
	if err := s.remember(tx, journal); err != nil {
		return err
	}
	for _, e := range journal {
		if s.o.Now().Sub(e.At) > s.Remembered() {
			continue
		}
		if err := s.reconcile(tx, e); err != nil {
			return err
		}
	}
	var left []*Run
	eachOpen(tx, func(id, _ string, state State) {
		if r, err := Get(tx, id); err == nil && r != nil && (state == Calling || r.Task == 0) {
			left = append(left, r)
		}
	})
	for _, r := range left {
		if err := s.resume(tx, r); err != nil {
			return err
		}
	}
	return nil
}

// Unjournalled lists the calls that the store knows and the journal does not, such
// as those of a journal that was removed: they belong into it again, or the next
// loss of the store would make them look as if they had never left.
func Unjournalled(tx *store.Tx, journal []Entry) (missing []Entry) {
	known := map[string]int{}
	for _, e := range journal {
		known[e.ID] = max(known[e.ID], e.Attempt)
	}
	eachRun(tx, nil, func(r *Run) bool {
		if r.Attempt > known[r.ID] {
			missing = append(missing, r.entry())
		}
		return true
	})
	return missing
}

// entry is the call of the run as the journal keeps it.
func (r *Run) entry() Entry {
	return Entry{At: r.Called, ID: r.ID, Attempt: r.Attempt, Rule: r.Rule, Kind: r.Kind, AlarmID: r.AlarmID, Request: r.Request}
}

// reconcile compares a call of the journal with the run.
func (s *Scripts) reconcile(tx *store.Tx, e Entry) error {
	r, err := Get(tx, e.ID)
	switch {
	case undamaged(err) != nil:
		return err
	case err == nil && r != nil && r.Attempt >= e.Attempt:
		return nil
	case err == nil && r != nil && !r.Ended.IsZero():
		return nil // it was refused after a withdrawn call
	}
	lost := Run{ID: e.ID, Rule: e.Rule, Kind: e.Kind, AlarmID: e.AlarmID, Planned: e.At, NotAfter: e.At}
	if r != nil {
		if _, err := s.o.Cancel(tx, r.Task); err != nil {
			return err
		}
		lost = *r
	}
	lost.State, lost.Attempt, lost.Called, lost.Request, lost.Task = Calling, e.Attempt, e.At, e.Request, 0
	if err := noteCall(tx, &lost); err != nil {
		return err
	}
	lost.note(s.o.Now(), "journal", "the store has lost the record of this call")
	s.o.Log.Error("the store has lost the record of a call, the journal has it", zap.String("rule", e.Rule), zap.String("run", e.ID))
	return save(tx, &lost)
}

func (s *Scripts) resume(tx *store.Tx, r *Run) error {
	if r.Task != 0 {
		if _, err := s.o.Cancel(tx, r.Task); err != nil {
			return err
		}
	}
	if r.State == Calling {
		if err := s.toDoubt(tx, r, "the process ended during the call"); err != nil {
			return err
		}
	}
	return s.put(tx, r, r.Next)
}
