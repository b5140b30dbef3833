package scripts

import (
	"fmt"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
)

// Preview is the run that a rule would plan for an alert alone.
type Preview struct {
	Rule    string
	Kind    string
	Request Request       // without the hosts that COC would be asked for
	Targets string        // where it would run, in words; empty for a job
	Hold    time.Duration // it would be called only if the alert still fires after that
	DryRun  bool          // the rule's own dry_run
	Problem error         // why it would become a dead letter; names the parameter or the target
	Brake   Reason        // what would keep it from being called all the same; empty = nothing that is known here
	Why     string        // the brake in words
}

// Preview shows what the rules would run for an alert that fires and arrives when it
// begins. It needs neither a store nor COC. So the brakes that rest on other runs
// (cooldown, budgets, parallel, storm, a stop by hand), the script as it is in COC and
// the hosts behind a look-up are not judged.
func (s *Scripts) Preview(a *alert.Alert) (all []Preview) {
	for _, m := range s.Match(a) {
		all = append(all, s.preview(m.rule, a))
	}
	return all
}

func (s *Scripts) preview(r *rule, a *alert.Alert) Preview {
	p := Preview{Rule: r.name, Kind: r.kind, Hold: r.hold, DryRun: r.limits.DryRun}
	if p.Request, p.Problem = r.request(a); p.Problem == nil {
		p.Targets, p.Problem = r.destination(a)
	}
	j := judge(situation{
		now: a.StartsAt.Add(r.hold), run: newRun(r, a, a.StartsAt), rule: r, automation: s.o.Automation,
		trusted: s.o.Trusted(a.Receiver), killSwitch: s.o.Automation.Thrown(), dryRun: s.o.DryRun,
	})
	p.Brake, p.Why = j.reason, j.text
	return p
}

// destination says which hosts the rule means, or what COC would be asked for.
func (r *rule) destination(a *alert.Alert) (string, error) {
	if r.script == nil {
		return "", nil
	}
	l := r.script.Targets.Lookup
	if l == nil {
		var ids []string
		for _, h := range r.script.Targets.Hosts {
			ids = append(ids, h.ResourceID)
		}
		return strings.Join(ids, ", "), nil
	}
	value := a.Labels[l.Label]
	if _, err := l.question(value); err != nil {
		return "", fmt.Errorf("rule %q: targets: %w; nothing runs", r.name, err)
	}
	return fmt.Sprintf("the one host with %s %q (label %s) within %s, if COC has it", l.By, value, l.Label, l.Within), nil
}
