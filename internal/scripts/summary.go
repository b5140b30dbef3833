package scripts

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

const (
	maxSummaryRuns  = 20
	maxSummaryHosts = 10
)

// Summary tells in a few lines what was run for these alarms since a time; empty
// if nothing was called. It is what .ScriptSummary shows.
func Summary(tx *store.Tx, alarmIDs []string, since time.Time) string {
	var runs []*Run
	for _, alarmID := range alarmIDs {
		for _, id := range runsOf(tx, alarmID) {
			if r, err := Get(tx, id); err == nil && r != nil && r.Attempt > 0 && !r.Planned.Before(since) {
				runs = append(runs, r)
			}
		}
	}
	slices.SortFunc(runs, func(a, b *Run) int { return cmp.Or(a.Called.Compare(b.Called), cmp.Compare(a.ID, b.ID)) })
	var b strings.Builder
	for i, r := range runs {
		if i == maxSummaryRuns {
			fmt.Fprintf(&b, "and %d more runs\n", len(runs)-i)
			break
		}
		r.summary(&b)
	}
	return strings.TrimSpace(b.String())
}

func (r *Run) summary(b *strings.Builder) {
	fmt.Fprintf(b, "%s: %s %s, called %s: %s", r.Rule, r.Kind, r.Request.What, clockTime(r.Called), r.Standing())
	if r.Order != "" {
		fmt.Fprintf(b, " (%s)", r.Order)
	}
	b.WriteByte('\n')
	for i, h := range r.Results {
		if i == maxSummaryHosts {
			fmt.Fprintf(b, "- and %d more\n", len(r.Results)-i)
			break
		}
		fmt.Fprintf(b, "- %s %s: %s\n", h.Host, h.Status, strings.ReplaceAll(h.Output, "\n", " | "))
	}
}

// Standing says in a few words how the run stands.
func (r *Run) Standing() string {
	switch {
	case r.Ended.IsZero() && r.Status != "":
		return r.Status
	case r.Ended.IsZero():
		return string(r.State)
	case r.Status != "":
		return fmt.Sprintf("%s after %s", r.Status, r.Ended.Sub(r.Called).Round(time.Second))
	default:
		return string(r.Outcome)
	}
}

// Of lists the runs of an alarm, the newest first: at most so many. A damaged one is
// left out.
func Of(tx *store.Tx, alarmID string, limit int) (all []*Run) {
	for _, id := range runsOf(tx, alarmID) {
		if r, err := Get(tx, id); err == nil && r != nil {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *Run) int { return cmp.Or(b.Planned.Compare(a.Planned), cmp.Compare(a.Rule, b.Rule)) })
	return all[:min(len(all), limit)]
}

// Runs lists runs, those that have not ended first, then the newest first: at most
// so many.
func Runs(tx *store.Tx, limit int) (all []*Run) {
	eachRun(tx, nil, func(r *Run) bool { all = append(all, r); return true })
	slices.SortFunc(all, func(a, b *Run) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), b.Planned.Compare(a.Planned), cmp.Compare(a.ID, b.ID))
	})
	return all[:min(len(all), limit)]
}

func order(r *Run) int {
	if r.Ended.IsZero() {
		return 0
	}
	return 1
}

// InDoubt lists the rules with runs of which nobody knows whether COC has begun them.
func InDoubt(tx *store.Tx) (n int, rules []string) {
	eachOpen(tx, func(_, rule string, s State) {
		if s == Unknown {
			n++
			if !slices.Contains(rules, rule) {
				rules = append(rules, rule)
			}
		}
	})
	return n, rules
}

// Budget counts the calls within the last hour.
func (s *Scripts) Budget(tx *store.Tx) (calls int) {
	since := s.o.Now().Add(-budgetWindow)
	tx.Scan(callNotes, callKey(since, ""), func(_, _ []byte, _ error) bool { calls++; return true })
	return calls
}

// sweepChunk bounds the runs looked at, and forgotten, in one transaction.
const sweepChunk = 500

// Old lists the ids of runs that have been over for longer than they are
// remembered, from an id on. next is empty at the end.
func (s *Scripts) Old(tx *store.Tx, from string) (ids []string, next string) {
	now, n := s.o.Now(), 0
	eachRun(tx, []byte(from), func(r *Run) bool {
		if n++; n > sweepChunk {
			next = r.ID
			return false
		}
		if !r.Ended.IsZero() && now.Sub(r.Ended) > s.Remembered() {
			ids = append(ids, r.ID)
		}
		return true
	})
	return ids, next
}

// Forget removes runs that Old has listed, and calls that no brake asks for any more.
func (s *Scripts) Forget(tx *store.Tx, ids []string) error {
	for _, id := range ids {
		r, err := Get(tx, id)
		if r == nil || errors.Is(err, store.ErrCorrupt) {
			continue
		}
		if err != nil {
			return err
		}
		if err := forget(tx, r); err != nil {
			return err
		}
	}
	var old [][]byte
	tx.Scan(callNotes, nil, func(key, _ []byte, _ error) bool {
		if string(key) >= string(callKey(s.o.Now().Add(-s.Remembered()), "")) || len(old) == sweepChunk {
			return false
		}
		old = append(old, slices.Clone(key))
		return true
	})
	for _, key := range old {
		if err := tx.Delete(callNotes, key); err != nil {
			return err
		}
	}
	return nil
}
