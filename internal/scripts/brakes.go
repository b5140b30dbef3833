package scripts

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/cocbridge/cocbridge/internal/store"
)

// Reason says in one word of a closed set why a run was not called.
type Reason = string

// The reasons that need nobody, and those that become dead letters.
const (
	reasonDryRun    Reason = "dry_run"
	reasonUntrusted Reason = "receiver_not_authenticated"
	reasonResolved  Reason = "resolved"
	reasonLate      Reason = "too_late"
	reasonCooldown  Reason = "cooldown"
	reasonRuleLimit Reason = "rule_max_per_hour"
	reasonLimit     Reason = "max_per_hour"
	reasonStorm     Reason = "storm"
	reasonStopped   Reason = "stopped"
	reasonSwitch    Reason = "kill_switch"
	reasonChanged   Reason = "rule_changed"
	reasonForgotten Reason = "store_younger"

	codeRemoved   = "removed"
	codeParameter = "parameter"
	codeScript    = "script"   // it is gone, not approved, not the pinned one, or lacks a parameter
	codeTarget    = "target"   // a host is unknown, ambiguous, outside the fence, offline, or there are too many
	codeRefused   = "refused"  // COC has refused the call
	codeNotBegun  = "no_start" // COC could not be asked often enough
	codeGivenUp   = "given_up" // the queue has given up its task
	codeAbsent    = "absent"
	codeConflict  = "conflict"
	codeOrder     = "wrong_order" // COC has answered with an order that is not ours
)

func reasons() []Reason {
	return []Reason{
		reasonDryRun, reasonUntrusted, reasonResolved, reasonLate, reasonCooldown, reasonRuleLimit, reasonLimit, reasonStorm,
		reasonStopped, reasonSwitch, reasonChanged, reasonForgotten, codeRemoved, codeParameter, codeScript, codeTarget, codeRefused, codeNotBegun, codeGivenUp,
	}
}

// situation is all that decides whether a run may be called now.
type situation struct {
	now        time.Time
	run        *Run
	rule       *rule // as configured now; nil = it is gone
	automation Automation
	trusted    bool // the alert's receiver asks for credentials
	killSwitch bool
	fuse       Fuse
	dryRun     bool      // of all calls
	others     int       // runs of the rule that are armed, called, in doubt or followed
	ruleCalls  int       // within the hour
	calls      int       // of all rules within the hour
	lastCall   time.Time // of the rule on any of the run's targets
}

// judgement is the answer: go, wait for a place, or not at all for a reason.
type judgement struct {
	wait   bool
	reason Reason // empty = go, or wait
	text   string
}

// judge is pure. What is doubtful does not run.
func judge(s situation) judgement {
	no := func(reason Reason, format string, args ...any) judgement {
		return judgement{reason: reason, text: fmt.Sprintf(format, args...)}
	}
	r := s.run
	switch {
	case s.rule == nil || s.rule.kind != r.Kind:
		return no(codeRemoved, "rule %q is not configured any more; nothing was called", r.Rule)
	case s.rule.hash != r.RuleHash:
		return no(reasonChanged, "rule %q was changed since the alert arrived", r.Rule)
	case s.dryRun:
		return no(reasonDryRun, "coc.dry_run is set")
	case !s.trusted:
		return no(reasonUntrusted, "receiver %q asks for no credentials, so its alerts run nothing", r.Alert.Receiver)
	case r.Untrusted:
		return no(reasonUntrusted, "receiver %q asked for no credentials when the alert arrived, so it runs nothing", r.Alert.Receiver)
	case s.now.After(r.NotAfter):
		return tooLate(s.rule)
	case s.killSwitch:
		return no(reasonSwitch, "%s exists", s.automation.KillSwitch)
	case !s.fuse.Blown.IsZero():
		return no(reasonStorm, "the storm fuse has blown at %s; see cocbridge automation status", clockTime(s.fuse.Blown))
	case !s.fuse.Stopped.IsZero():
		return no(reasonStopped, "stopped by %s at %s: %s", s.fuse.By, clockTime(s.fuse.Stopped), s.fuse.Why)
	case s.now.Before(r.Planned.Add(s.rule.hold)): // whatever the queue makes of a due time
		return judgement{wait: true, text: fmt.Sprintf("on hold until %s", clockTime(r.Planned.Add(s.rule.hold)))}
	}
	return s.budgets(no)
}

func tooLate(r *rule) judgement {
	return judgement{reason: reasonLate, text: fmt.Sprintf("it is later than %s after the alert began (not_after)", r.limits.NotAfter)}
}

func (s situation) budgets(no func(Reason, string, ...any) judgement) judgement {
	l := s.rule.limits
	cool := time.Duration(l.Cooldown)
	switch {
	case cool > 0 && !s.lastCall.IsZero() && s.now.Sub(s.lastCall) < cool:
		return no(reasonCooldown, "rule %q was called on one of these targets at %s (cooldown %s)", s.rule.name, clockTime(s.lastCall), l.Cooldown)
	case s.ruleCalls >= l.MaxPerHour:
		return no(reasonRuleLimit, "rule %q has been called %d times within the hour (max_per_hour %d)", s.rule.name, s.ruleCalls, l.MaxPerHour)
	case s.calls >= s.automation.MaxPerHour:
		return no(reasonLimit, "%d calls within the hour (automation.max_per_hour %d)", s.calls, s.automation.MaxPerHour)
	case s.others >= l.Parallel:
		return judgement{wait: true, text: fmt.Sprintf("%d runs of the rule have not ended (parallel %d)", s.others, l.Parallel)}
	default:
		return judgement{}
	}
}

// situation collects it, from today's rules and what the store says.
func (s *Scripts) situation(tx *store.Tx, r *Run) (situation, error) {
	newest := s.newest()
	at := situation{now: s.o.Now(), run: r, rule: newest.byName[r.Rule], automation: newest.o.Automation, trusted: newest.o.Trusted(r.Alert.Receiver)}
	at.killSwitch, at.dryRun = newest.o.Automation.Thrown(), newest.o.DryRun
	var err error
	if at.fuse, err = loadFuse(tx); err != nil {
		return at, err
	}
	eachOpen(tx, func(id, rule string, state State) {
		if id != r.ID && rule == r.Rule && state != Planned {
			at.others++
		}
	})
	err = at.count(tx)
	return at, err
}

// Thrown says whether the kill switch is: what cannot be looked for counts as there.
func (a Automation) Thrown() bool {
	if a.KillSwitch == "" {
		return false
	}
	_, err := os.Lstat(a.KillSwitch) // a link that leads nowhere is there too
	return !errors.Is(err, os.ErrNotExist)
}

// callNote is what budgets and cooldowns remember of a call.
type callNote struct {
	Rule    string   `json:"rule"`
	Targets []string `json:"targets"`
}

const budgetWindow = time.Hour

func callKey(at time.Time, id string) []byte {
	return fmt.Appendf(nil, "%016x/%s", uint64(max(0, at.UnixNano())), id)
}

// count reads the calls that matter. One that cannot be read counts for all.
func (s *situation) count(tx *store.Tx) (err error) {
	targets := map[string]bool{}
	for _, id := range s.run.Request.targets() {
		targets[id] = s.run.State != Planned // they are known from Armed on
	}
	window := budgetWindow
	if s.rule != nil {
		window = max(window, time.Duration(s.rule.limits.Cooldown))
	}
	tx.Scan(callNotes, callKey(s.now.Add(-window), ""), func(key, value []byte, problem error) bool {
		var nanos int64
		var n callNote
		if _, err = fmt.Sscanf(string(key), "%016x/", &nanos); err != nil {
			return false
		}
		if problem != nil || json.Unmarshal(value, &n) != nil {
			n = callNote{Rule: s.run.Rule, Targets: s.run.Request.targets()}
		}
		s.add(time.Unix(0, nanos), n, targets)
		return true
	})
	return err
}

func (s *situation) add(at time.Time, n callNote, targets map[string]bool) {
	within := s.now.Sub(at) < budgetWindow
	if within {
		s.calls++
	}
	if n.Rule != s.run.Rule {
		return
	}
	if within {
		s.ruleCalls++
	}
	for _, id := range n.Targets {
		if targets[id] && at.After(s.lastCall) {
			s.lastCall = at
		}
	}
}

func noteCall(tx *store.Tx, r *Run) error {
	b, err := json.Marshal(callNote{Rule: r.Rule, Targets: r.Request.targets()})
	if err != nil {
		return fmt.Errorf("scripts: note call: %w", err)
	}
	return tx.Put(callNotes, callKey(r.Called, r.ID), b)
}

const timeForm = "2006-01-02 15:04:05 UTC"

func clockTime(t time.Time) string { return t.UTC().Format(timeForm) }
