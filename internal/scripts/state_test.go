package scripts_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/scripts"
)

// The whole transition function: each state with each arrow. What is not listed
// must be refused.
func TestMove_isComplete(t *testing.T) {
	want := map[string]scripts.State{
		"planned arm":       scripts.Armed,
		"planned refuse":    scripts.Refused,
		"armed call":        scripts.Calling,
		"armed refuse":      scripts.Refused,
		"calling begun":     scripts.Done,
		"calling withdrawn": scripts.Armed,
		"calling doubt":     scripts.Unknown,
		"unknown found":     scripts.Done,
		"unknown nowhere":   scripts.Absent,
		"unknown ambiguous": scripts.Conflict,
	}
	got := map[string]scripts.State{}
	for _, from := range scripts.States() {
		for _, by := range scripts.Arrows() {
			to, err := scripts.Move(from, by)
			if err == nil {
				got[string(from)+" "+by] = to
			} else if to != from {
				t.Errorf("%s %s is refused, but leads to %s", from, by, to)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("arrows (-want +got):\n%s", diff)
	}
}

// No way leads from doubt back to a call.
func TestMove_neverCallsWhatIsInDoubt(t *testing.T) {
	reached := map[scripts.State]bool{scripts.Unknown: true}
	for range scripts.States() {
		for from := range reached {
			for _, by := range scripts.Arrows() {
				if to, err := scripts.Move(from, by); err == nil {
					reached[to] = true
				}
			}
		}
	}
	for _, s := range []scripts.State{scripts.Planned, scripts.Armed, scripts.Calling} {
		if reached[s] {
			t.Errorf("%s can be reached from %s", s, scripts.Unknown)
		}
	}
}

func TestEvidence(t *testing.T) {
	const ours = "mark-of-ours"
	c := func(order, mark string, alike bool) scripts.Candidate {
		return scripts.Candidate{Order: order, Mark: mark, Alike: alike}
	}
	for name, tc := range map[string]struct {
		all         []scripts.Candidate
		by, orderOf string
	}{
		"nothing":                       {by: "nowhere"},
		"ours":                          {all: []scripts.Candidate{c("a", ours, true)}, by: "found", orderOf: "a"},
		"ours among others":             {all: []scripts.Candidate{c("a", "other", true), c("b", ours, true), c("d", "", false)}, by: "found", orderOf: "b"},
		"ours beside an unmarked one":   {all: []scripts.Candidate{c("a", "", true), c("b", ours, true)}, by: "found", orderOf: "b"},
		"two of ours":                   {all: []scripts.Candidate{c("a", ours, true), c("b", ours, true)}, by: "ambiguous", orderOf: "a, b"},
		"ours, listed twice":            {all: []scripts.Candidate{c("a", ours, true), c("a", ours, true)}, by: "found", orderOf: "a"},
		"unmarked, same script, hosts":  {all: []scripts.Candidate{c("a", "", true)}, by: "ambiguous", orderOf: "a"},
		"unmarked, of another script":   {all: []scripts.Candidate{c("a", "", false)}, by: "nowhere"},
		"another's, same script, hosts": {all: []scripts.Candidate{c("a", "other", true)}, by: "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			by, order := scripts.Evidence(ours, tc.all...)
			if by != tc.by || order != tc.orderOf {
				t.Errorf("%s %q, want %s %q", by, order, tc.by, tc.orderOf)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	for name, tc := range map[string]struct {
		s    scripts.Situation
		want string
	}{
		"nothing against it":    {want: "go"},
		"rule removed":          {s: scripts.Situation{Gone: true}, want: "removed"},
		"rule changed":          {s: scripts.Situation{Changed: true}, want: "rule_changed"},
		"receiver without auth": {s: scripts.Situation{Untrusted: true}, want: "receiver_not_authenticated"},
		"dry run of everything": {s: scripts.Situation{DryRun: true}, want: "dry_run"},
		"late":                  {s: scripts.Situation{Late: time.Second}, want: "too_late"},
		"kill switch":           {s: scripts.Situation{Killed: true}, want: "kill_switch"},
		"storm":                 {s: scripts.Situation{Blown: true}, want: "storm"},
		"stopped by hand":       {s: scripts.Situation{Stopped: true}, want: "stopped"},
		"in cooldown":           {s: scripts.Situation{LastCall: 29 * time.Minute}, want: "cooldown"},
		"after the cooldown":    {s: scripts.Situation{LastCall: 30 * time.Minute}, want: "go"},
		"rule's budget":         {s: scripts.Situation{RuleCalls: 20}, want: "rule_max_per_hour"},
		"below it":              {s: scripts.Situation{RuleCalls: 19, Calls: 59}, want: "go"},
		"budget of all":         {s: scripts.Situation{Calls: 60}, want: "max_per_hour"},
		"no place":              {s: scripts.Situation{Others: 1}, want: "wait"},
		"no place, no budget":   {s: scripts.Situation{Others: 1, Calls: 60}, want: "max_per_hour"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := scripts.Judge(tc.s); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestFuse_blowsOnlyInAStorm(t *testing.T) {
	storm := scripts.DefaultAutomation().Storm
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var slow scripts.Fuse
	for i := range 1000 {
		if slow.Count(storm, now.Add(time.Duration(i)*4*time.Second)) {
			t.Fatalf("blown at episode %d, one each 4 s", i+1)
		}
	}
	var fast scripts.Fuse
	for i := range 101 {
		if blown := fast.Count(storm, now.Add(time.Duration(i)*time.Second)); blown != (i == 100) {
			t.Fatalf("episode %d: blown %v", i+1, blown)
		}
	}
	if fast.Count(storm, now) || fast.Blown.IsZero() {
		t.Error("it blows once")
	}
}

func TestLastLines(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"empty":        {"", ""},
		"the last":     {"1\n2\n3\n4\n5\n6\n7\n", "3\n4\n5\n6\n7"},
		"no controls":  {"a\x1b[2Jb\tc\u202e", "a [2Jb c"},
		"windows ends": {"a\r\nb\r\n", "a\nb"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, scripts.LastLines(tc.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
