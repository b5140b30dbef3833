package bridge_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// A person may replay the dead letter of a run in every way there is: it says why
// not, nothing runs, and the dead letter stays. Dropping it removes it.
func TestReplay_neverRunsAnything(t *testing.T) {
	for name, tc := range map[string]struct {
		unit   string
		fault  coctest.Fault
		cause  string
		orders int
	}{
		"refused before the call": {"nginx; reboot", coctest.Fault{}, "parameter", 0},
		"absent":                  {"nginx", coctest.Fault{Do: coctest.Reset}, "absent", 0},
		"conflict":                {"nginx", coctest.Fault{Do: coctest.Reset, After: true}, "conflict", 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := doubtRig(t, coctest.Options{Switches: coctest.Switches{HideAttributes: true}})
			if tc.fault != (coctest.Fault{}) {
				r.sim.Inject(executing(tc.fault))
			}
			m := nginxDown(r, "web-1")
			m.Labels["unit"] = tc.unit
			r.page(m)
			r.runsEnded(map[bool]string{true: "not_called", false: tc.cause}[tc.cause == "parameter"], 1)
			r.sim.ClearFaults()
			r.until("it is a dead letter", func() bool { return r.metric("cocbridge_dead_letters", "kind", "script") >= 1 })
			d := r.deadLetters(admin.Select{})
			if len(d) != 1 || d[0].Cause != tc.cause {
				t.Fatalf("dead letters: %+v", d)
			}
			for _, q := range []admin.Replay{{}, {Remap: true}, {Force: true}, {Remap: true, Force: true}} {
				q.Select = admin.Select{IDs: []uint64{d[0].ID}}
				r.refusesReplay(q)
			}
			r.page(m) // nor does a repeat
			r.idle(0)
			if n := len(r.sim.Orders()); n != tc.orders {
				t.Errorf("COC has run %d orders, want %d", n, tc.orders)
			}
			r.dropsRun(d[0])
		})
	}
}

func (r *rig) refusesReplay(q admin.Replay) {
	r.t.Helper()
	err := r.hands().Replay(r.t.Context(), q, func(o admin.Outcome) error {
		if o.Result != admin.Unusable || !strings.Contains(o.Detail, "what acts may do so once only") {
			r.t.Errorf("replay (remap %v, force %v): %+v", q.Remap, q.Force, o)
		}
		return nil
	})
	must(r.t, err)
	if left := r.deadLetters(admin.Select{}); len(left) != 1 {
		r.t.Errorf("%d dead letters are left", len(left))
	}
}

// dropsRun: the alarm's history keeps who and why, and no other alarm comes to be.
func (r *rig) dropsRun(d admin.DeadLetter) {
	r.t.Helper()
	alarms := func() (all []string) {
		must(r.t, r.hands().Alarms(r.t.Context(), admin.SelectAlarms{}, func(a admin.Alarm) error { all = append(all, a.AlarmID); return nil }))
		return all
	}
	before := alarms()
	err := r.hands().Drop(r.t.Context(), admin.Drop{Select: admin.Select{IDs: []uint64{d.ID}}, Why: "seen to"}, func(o admin.Outcome) error {
		if o.Result != admin.Dropped || o.AlarmID != before[0] {
			r.t.Errorf("drop: %+v, the alarm is %s", o, before)
		}
		return nil
	})
	must(r.t, err)
	if left := r.deadLetters(admin.Select{}); len(left) != 0 || r.metric("cocbridge_dead_letters") != 0 {
		r.t.Errorf("dead letters are left: %+v", left)
	}
	if after := alarms(); len(before) != 1 || fmt.Sprint(after) != fmt.Sprint(before) {
		r.t.Errorf("alarms: %v, before %v", after, before)
	}
	a, err := r.hands().Alarm(r.t.Context(), before[0])
	must(r.t, err)
	if text := fmt.Sprintf("%+v", a); !strings.Contains(text, "by alice: seen to") {
		r.t.Errorf("its history does not tell of it: %s", text)
	}
	answers, err := r.hands().Why(r.t.Context(), before)
	must(r.t, err)
	if len(answers) != 1 || answers[0].Verdict == admin.Discarded {
		r.t.Errorf("why: %+v", answers)
	}
}
