package scripts

import (
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/render"
)

// Arrows and Move are the transition function in words.
func Arrows() (all []string) {
	for _, a := range arrowsOf() {
		all = append(all, string(a))
	}
	return all
}

func Move(from State, by string) (State, error) { return move(from, arrow(by)) }

// Candidate is one thing in COC's lists.
type Candidate struct {
	Order, Mark string
	Alike       bool
}

// Evidence is evidence.
func Evidence(mark string, all ...Candidate) (string, string) {
	var list []candidate
	for _, c := range all {
		list = append(list, candidate{order: c.Order, mark: c.Mark, alike: c.Alike})
	}
	by, order := evidence(mark, list)
	return string(by), order
}

// Situation is what the table test of judge varies.
type Situation struct {
	Gone, Changed, Untrusted, Killed, Blown, Stopped, DryRun bool
	Late                                                     time.Duration
	Others, RuleCalls, Calls                                 int
	LastCall                                                 time.Duration // ago; 0 = never
}

// Judge is judge: the reason, "wait", or "go".
func Judge(v Situation) string {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s := situation{
		now: now, run: &Run{Rule: "r", RuleHash: "h", Kind: ScriptKind, NotAfter: now.Add(-v.Late)}, automation: DefaultAutomation(),
		rule: &rule{name: "r", kind: ScriptKind, hash: "h", limits: DefaultLimits()}, trusted: !v.Untrusted, killSwitch: v.Killed,
		dryRun: v.DryRun, others: v.Others, ruleCalls: v.RuleCalls, calls: v.Calls,
	}
	if v.Gone {
		s.rule = nil
	}
	if v.Changed {
		s.run.RuleHash = "other"
	}
	if v.Blown {
		s.fuse.Blown = now
	}
	if v.Stopped {
		s.fuse.Stopped = now
	}
	if v.LastCall > 0 {
		s.lastCall = now.Add(-v.LastCall)
	}
	switch j := judge(s); {
	case j.wait:
		return "wait"
	case j.reason == "":
		return "go"
	default:
		return j.reason
	}
}

// Render is the final value of one parameter.
func Render(p Param, a *alert.Alert) (string, error) {
	set, err := render.New()
	if err != nil {
		return "", err
	}
	all, err := compileParams(set, map[string]Param{"p": p})
	if err != nil {
		return "", err
	}
	return all[0].render(a)
}

// LastLines is lastLines.
func LastLines(output string) string { return lastLines(output) }

// Count lets the fuse count one episode.
func (f *Fuse) Count(s Storm, now time.Time) bool { return f.count(s, now) }

// ForCOC is the call that the run makes.
func (r *Run) ForCOC() coc.Run { return r.scriptRun() }
