package bridge_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// series lists all that a scrape would show, without values.
func (r *rig) series() []string {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	all := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += fmt.Sprintf(" %s=%q", l.GetName(), l.GetValue())
			}
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// A rate or an alert over a series that begins with its first event misses that event.
func TestMetrics_everyKindIsThereFromTheStart(t *testing.T) {
	got := newRig(t, "").series()
	for _, kind := range []string{"report", "incident", "script", "job", "unknown"} {
		for _, name := range []string{"cocbridge_tasks kind=%q state=\"waiting\"", "cocbridge_tasks kind=%q state=\"in_flight\"", "cocbridge_dead_letters kind=%q", "cocbridge_oldest_task_age_seconds kind=%q"} {
			if want := fmt.Sprintf(name, kind); !slices.Contains(got, want) {
				t.Errorf("there is no %s", want)
			}
		}
	}
}

// What senders make up never becomes a series: nearly all of these alerts are
// dropped by a route, because it is their labels that matter here, and some take
// each other way that there is.
func TestMetrics_aHundredThousandLabelsAddNoSeries(t *testing.T) {
	const total, perRequest = 100_000 / thorough, 5000
	r := newRig(t, "routes: [{matchers: ['keep=\"\"'], drop: true}, {matchers: ['keep=\"1\"'], integration: default}]\n")
	r.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Times: 1})
	before := r.series()
	for first := 0; first < total; first += perRequest {
		storm := r.storm(fmt.Sprintf("Storm%d", first), perRequest)
		for i := range storm {
			n := first + i
			storm[i].Labels[fmt.Sprintf("label_%d", n)] = fmt.Sprintf("value %d", n)
			storm[i].Labels["severity"] = fmt.Sprintf("severity %d", n)
			switch n % 1000 {
			case 0:
				storm[i].Labels["keep"] = "1" // told, or refused
			case 1:
				storm[i].Labels["keep"] = "2" // no route
			case 2:
				storm[i].Status = fmt.Sprintf("status %d", n) // invalid
			case 3:
				storm[i] = resolve(storm[i], r.clock.Now())
			}
		}
		r.send(storm...)
		r.do("POST", "/webhook/alertmanager", fmt.Sprintf("not JSON %d", first))
	}
	r.until("what goes out is out", func() bool { return len(r.sim.Alarms()) >= total/1000-1 })
	r.idle(0)
	r.advance(time.Hour)
	r.checkTrouble()
	r.idle(0)
	if got := r.metric("cocbridge_alerts_received_total"); got != total {
		t.Errorf("%v alerts were received, want %d", got, total)
	}
	for _, name := range r.series() {
		if !slices.Contains(before, name) {
			t.Errorf("a new series: %s", name)
		}
	}
	if len(before) < 50 {
		t.Errorf("only %d series from the start: %q", len(before), before)
	}
	problems, err := testutil.GatherAndLint(r.reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}
