package bridge_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// executing is a fault that meets the calls that start scripts.
func executing(f coctest.Fault) coctest.Fault {
	f.On, f.Method = "/v1/job/scripts/"+nginxScript, "POST"
	return f
}

// inDoubt pages for so many alarms whose calls meet the fault, and leaves them all
// in doubt: the clock stands still, so nothing is looked for yet.
func inDoubt(r *rig, n int, f coctest.Fault) {
	r.t.Helper()
	r.sim.Inject(executing(f))
	r.page(storm(r, n)...)
	r.until(fmt.Sprintf("%d runs are in doubt", n), func() bool { return r.metric("cocbridge_runs_open", "state", "unknown") >= float64(n) })
	r.sim.ClearFaults()
	r.idle(float64(n))
}

func doubtRig(t *testing.T, o coctest.Options) *rig {
	t.Helper()
	r := makeScriptRig(t, scriptRules(quick)+manyRuns, o)
	r.start()
	return r
}

func (r *rig) automation() admin.Automation {
	r.t.Helper()
	a, err := r.hands().Automation(r.t.Context())
	must(r.t, err)
	return a
}

// calls counts those to COC that succeeded with this method.
func (r *rig) calls(method string) (n int) {
	for what, times := range r.sim.Requests().Calls {
		if strings.HasPrefix(what, method+" ") {
			n += times
		}
	}
	return n
}

// Fifty calls whose answers were lost, while COC runs them all: each finds its own
// order, within what the default of five reads a second allows in 30 s.
func TestDoubt_findsTheRightOrdersWithinTheDefaultRate(t *testing.T) {
	const n = 50
	r := doubtRig(t, coctest.Options{})
	inDoubt(r, n, coctest.Fault{Do: coctest.Reset, After: true})
	before := r.calls("GET")
	r.advance(5 * time.Second)
	r.until("all are found", func() bool { return r.metric("cocbridge_runs_open", "state", "followed") >= n })
	reads := r.calls("GET") - before
	if most := int(coc.DefaultConfig().RateLimits.Reads * 25); reads > most { // the first look comes after 5 s
		t.Errorf("%d reads, at most %d can be made in time", reads, most)
	}
	t.Logf("%d reads", reads)
	marks := map[string]string{}
	for _, o := range r.sim.Orders() {
		marks[o.UUID] = o.Batches[0].Hosts[0].Attributes["brid"]
	}
	all := r.automation().Runs
	for _, run := range all {
		if mark := marks[run.Order]; run.State != "done" || mark == "" || !strings.HasPrefix(run.ID, mark) {
			t.Errorf("run %s is %s with order %s of %s", run.ID, run.State, run.Order, mark)
		}
	}
	if len(all) != n || len(marks) != n {
		t.Errorf("%d runs, %d orders", len(all), len(marks))
	}
}

// runsClosed moves the clock on until so many runs have ended so, and checks what a
// person is told, and that COC has run only so many.
func (r *rig) runsClosed(outcome string, n, orders int) {
	r.t.Helper()
	r.runsEnded(outcome, float64(n))
	r.until("each is a dead letter", func() bool { return r.metric("cocbridge_dead_letters", "kind", "script") >= float64(n) })
	for _, d := range r.deadLetters(admin.Select{}) {
		if d.Cause != outcome {
			r.t.Errorf("dead letter: %s: %s", d.Cause, d.Detail)
		}
	}
	if got := len(r.sim.Orders()); got != orders {
		r.t.Errorf("COC has %d orders, want %d", got, orders)
	}
	if a := r.automation(); len(a.Runs) != n || slices.ContainsFunc(a.Runs, func(run admin.Run) bool { return run.State != outcome }) {
		r.t.Errorf("runs: %+v", a.Runs)
	}
}

func TestDoubt_whatCOCDoesNotShowIsNotCalledAgain(t *testing.T) {
	r := doubtRig(t, coctest.Options{})
	inDoubt(r, 50, coctest.Fault{Do: coctest.Reset})
	r.runsClosed("absent", 50, 0)
}

func TestDoubt_withoutAttributesNothingIsSure(t *testing.T) {
	r := doubtRig(t, coctest.Options{Switches: coctest.Switches{HideAttributes: true}})
	inDoubt(r, 10, coctest.Fault{Do: coctest.Reset, After: true})
	r.runsClosed("conflict", 10, 10)
}

// COC shows two orders with the mark of one run.
func TestDoubt_twoCandidatesAreAConflict(t *testing.T) {
	r := doubtRig(t, coctest.Options{})
	inDoubt(r, 1, coctest.Fault{Do: coctest.Reset, After: true})
	r.copyOrder()
	r.runsClosed("conflict", 1, 2)
	if d := r.deadLetters(admin.Select{}); len(d) != 1 || !strings.Contains(d[0].Detail, r.sim.Orders()[0].UUID) || !strings.Contains(d[0].Detail, r.sim.Orders()[1].UUID) {
		t.Errorf("dead letters: %+v", d)
	}
}

// copyOrder starts what the only order has started, mark included, as nobody does.
func (r *rig) copyOrder() {
	r.t.Helper()
	cfg := coc.DefaultConfig()
	cfg.Endpoint, cfg.ProjectID, cfg.Auth.AccessKey, cfg.Auth.SecretKey = r.simURL, "p1", testAccess, testSecret
	client, err := coc.New(cfg, coc.Options{Now: r.clock.Now})
	must(r.t, err)
	defer client.Close()
	first := r.sim.Orders()[0]
	host := first.Batches[0].Hosts[0]
	target := coc.Target{ResourceID: host.ResourceID, RegionID: "cn-north-4", Attributes: []coc.Attribute{{Key: "brid", Value: host.Attributes["brid"]}}}
	_, _, err = client.ExecuteScript(r.t.Context(), coc.Run{
		Script: first.ScriptUUID, User: first.User, Timeout: first.Timeout, SuccessRate: first.Rate, Batches: coc.InBatches([]coc.Target{target}, 10),
		Params: []coc.RunParam{{Name: "unit", Value: first.Params["unit"]}},
	})
	must(r.t, err)
}

// toldOfDoubt waits until COC has so many alarms of ours about doubts.
func (r *rig) toldOfDoubt(n int) {
	r.t.Helper()
	r.until("COC is told of the doubt", func() bool {
		told := 0
		for _, e := range r.sim.Alarms() {
			if e.Alarm.AlarmName == "CocbridgeRunsUnknown" && e.Alarm.AlarmStatus == "alarm" {
				told++
			}
		}
		return told >= n
	})
}

// A doubt shows at once: the clock stands still, and the ticker that looks for our
// own trouble does not come round.
func TestDoubt_showsAtOnce(t *testing.T) {
	r := makeScriptRig(t, scriptRules(quick)+manyRuns, coctest.Options{})
	r.tells, r.seldom = true, true
	r.start()
	inDoubt(r, 3, coctest.Fault{Do: coctest.Reset, After: true})
	r.toldOfDoubt(1)
	if a := r.automation(); a.Unknown != 3 || a.Runs[0].State != "unknown" {
		t.Errorf("cocbridge automation status: %+v", a)
	}
	r.advance(5 * time.Second)
	r.until("all are found", func() bool { return r.metric("cocbridge_runs_open", "state", "unknown") == 0 })
	if a := r.automation(); a.Unknown != 0 || len(r.sim.Orders()) != 3 {
		t.Errorf("%+v, %d orders", a, len(r.sim.Orders()))
	}
}

// The process ended before it could tell; the next one does.
func TestDoubt_showsAtTheStart(t *testing.T) {
	r := makeScriptRig(t, scriptRules(quick)+manyRuns, coctest.Options{})
	r.seldom = true
	r.start()
	inDoubt(r, 1, coctest.Fault{Do: coctest.Reset, After: true})
	r.stop()
	r.tells = true
	r.start()
	r.toldOfDoubt(1)
}
