package incidents

import (
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// dryPause is how often a step that a dry run keeps from being taken is shown.
const dryPause = 10 * time.Minute

// Settle plans again in the transaction that removes the group's task, with all
// that came meanwhile, and puts the next one if there is anything to do later.
func (in *Incidents) Settle(tx *store.Tx, group string, task uint64) error {
	r, err := Get(tx, group)
	if r == nil || err != nil || r.Task != 0 && r.Task != task {
		return undamaged(err) // gone, or the task was a replayed one beside the group's own
	}
	r.Task, r.Due, r.Problem = 0, time.Time{}, ""
	rule := in.byName[r.Rule]
	if rule == nil || !r.State.live() {
		return save(tx, r) // without its rule it is forgotten after the history
	}
	now := in.o.Now()
	crowd := crowdOf(tx, r, now)
	r.observe(crowd)
	step := plan(Situation{Record: r, Rule: &rule.cfg, Hold: rule.hold, Changed: rule.hash != r.RuleHash, Crowd: crowd, Now: now})
	due := in.due(step, now)
	if due.IsZero() {
		return save(tx, r)
	}
	return in.put(tx, r, due)
}

// due is when the step is to be taken; zero = when there is news.
func (in *Incidents) due(step Step, now time.Time) time.Time {
	switch {
	case step.Act == Wait:
		return step.At
	case step.Act.calls() && in.o.DryRun:
		return now.Add(dryPause)
	default:
		return now
	}
}

// observe keeps in the record what Hear asks of it.
func (r *Record) observe(c Crowd) {
	r.Flaps = c.Flaps
	switch {
	case c.Firing > 0 && r.Again == nil:
		r.Quiet = time.Time{}
		delete(r.Told, recovered)
	case c.Firing == 0 && c.Next.IsZero() && r.Quiet.IsZero():
		r.Quiet = later(c.QuietSince, r.Began)
	}
}

// Failed notes that the group's task has become a dead letter. The next news of
// a member, or its next repeat that is due, tries again.
func (in *Incidents) Failed(tx *store.Tx, group string, task uint64, why string) error {
	r, err := Get(tx, group)
	if r == nil || err != nil || r.Task != 0 && r.Task != task {
		return undamaged(err)
	}
	r.Task, r.Due, r.Problem = 0, time.Time{}, why
	r.note(in.o.Now(), "dead letter", why)
	tx.OnCommit(func() { in.o.Metrics.failed.Inc() })
	return save(tx, r)
}
