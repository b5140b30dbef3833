package bridge_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

const nginxScript = "SC2023102521413701c4a8a62"

// scriptRules is a configuration with one rule that runs a script on the host that
// a label names; more is appended to script.
func scriptRules(more string) string {
	return `receivers:
  - {name: alertmanager, type: alertmanager, auth: {bearer_token: door}}
rules:
  - name: restart-nginx
    matchers: ['alertname="NginxDown"']
    script:
      uuid: ` + nginxScript + `
      dry_run: false
      parameters:
        unit: {value: '{{ .Labels.unit }}', allow: '^[a-z][a-z0-9@._-]{0,63}$'}
      targets:
        lookup: {label: instance_id, by: resource_id, within: {application_id: app1}}
` + more
}

// newScriptRig is a bridge beside a COC with a script and two hosts.
func newScriptRig(t *testing.T, rules string) *rig {
	t.Helper()
	r := makeScriptRig(t, rules, coctest.Options{})
	r.start()
	return r
}

func makeScriptRig(t *testing.T, rules string, o coctest.Options) *rig {
	t.Helper()
	r := makeRig(t, rules, o)
	r.auth = "rate_limits: {tickets: 1000, execute: 1000, reads: 1000}\n  auth: {access_key: " + testAccess + ", secret_key_file: secret_key}"
	seedScript(r.sim)
	return r
}

// seedScript gives COC the script and the hosts of scriptRules.
func seedScript(sim *coctest.Server) {
	sim.AddScript(coctest.Script{UUID: nginxScript, Name: "restart", Type: "SHELL", Status: coctest.ScriptApproved, Content: "systemctl restart $1",
		Params: []coctest.ScriptParam{{Name: "unit", Value: "nginx"}}})
	host := func(id, application string) coctest.Host {
		return coctest.Host{ResourceID: id, Name: id + ".example", IP: "10.0.0.1", RegionID: "cn-north-4", ProjectID: "p1", AgentID: "sn-" + id, AgentState: "ONLINE",
			Application: application, Takes: 20 * time.Second, Output: "nginx restarted"}
	}
	sim.SetHosts(host("web-1", "app1"), host("web-2", "app1"), host("db-1", "app2"))
}

func nginxDown(r *rig, host string) msg {
	m := r.firing("NginxDown", 0)
	m.Labels["instance_id"], m.Labels["unit"], m.Labels["instance"] = host, "nginx", host
	return m
}

// page posts with credentials.
func (r *rig) page(alerts ...msg) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://"+r.b.Addr()+"/webhook/alertmanager", strings.NewReader(group(alerts...)))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer door")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		r.t.Fatalf("the bridge answered %d: %s", resp.StatusCode, text)
	}
}

// runsEnded moves the clock on until so many runs have ended so.
func (r *rig) runsEnded(outcome string, n float64) {
	r.t.Helper()
	r.until(fmt.Sprintf("%v runs %s", n, outcome), func() bool {
		r.tick(time.Second)
		return r.metric("cocbridge_runs_total", "outcome", outcome) >= n
	})
}

func (r *rig) notCalled(reason string, n float64) {
	r.t.Helper()
	r.until(fmt.Sprintf("%v runs not called: %s", n, reason), func() bool { return r.metric("cocbridge_runs_not_called_total", "reason", reason) == n })
	if orders := r.sim.Orders(); len(orders) > 0 {
		r.t.Errorf("COC runs %d orders", len(orders))
	}
}

func TestScript_runsOnceOnTheHostThatIsLookedUp(t *testing.T) {
	r := newScriptRig(t, scriptRules(""))
	down := nginxDown(r, "web-2")
	r.page(down)
	r.until("COC runs an order", func() bool { return len(r.sim.Orders()) == 1 })
	r.page(down) // a repeat
	r.runsEnded("succeeded", 1)
	r.page(down)
	order := r.sim.Orders()[0]
	if h := order.Batches[0].Hosts; len(h) != 1 || h[0].ResourceID != "web-2" || order.Params["unit"] != "nginx" || len(r.sim.Orders()) != 1 {
		t.Errorf("orders: %+v", r.sim.Orders())
	}
	r.restart()
	r.page(down)
	r.page(resolve(down, r.clock.Now()))
	r.idle(0)
	if n := len(r.sim.Orders()); n != 1 {
		t.Errorf("%d orders", n)
	}
}

// One of the two records of a call may be lost at a time: the other one mends it.
func TestScript_outlivesTheLossOfEachRecord(t *testing.T) {
	r := newScriptRig(t, scriptRules(""))
	down := nginxDown(r, "web-1")
	r.page(down)
	r.runsEnded("succeeded", 1)
	for _, name := range []string{"cocbridge.runs", "cocbridge.db"} {
		r.stop()
		if err := os.Remove(filepath.Join(r.data, name)); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.page(down)
	}
	r.runsEnded("succeeded", 1) // found again in COC's list
	if n := len(r.sim.Orders()); n != 1 {
		t.Errorf("%d orders", n)
	}
}

// With both records lost nobody knows what has run, so what began before is left
// to a person; what begins afterwards runs.
func TestScript_outlivesTheLossOfBothRecords(t *testing.T) {
	r := newScriptRig(t, scriptRules(quick))
	down := nginxDown(r, "web-1")
	r.page(down)
	r.runsEnded("succeeded", 1)
	r.stop()
	for _, name := range []string{"cocbridge.runs", "cocbridge.db"} {
		if err := os.Remove(filepath.Join(r.data, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.page(down)
	r.until("it is not called", func() bool { return r.metric("cocbridge_runs_not_called_total", "reason", "store_younger") == 1 })
	r.page(nginxDown(r, "web-1"))
	r.runsEnded("succeeded", 1)
	if n := len(r.sim.Orders()); n != 2 {
		t.Errorf("%d orders", n)
	}
}

func TestScript_isNotCalled(t *testing.T) {
	for name, tc := range map[string]struct {
		more, reason string
		change       func(r *rig, m *msg)
		dead         float64
	}{
		"dry run":     {more: "      dry_run: true", reason: "dry_run"},
		"kill switch": {reason: "kill_switch", change: func(r *rig, _ *msg) { writeFile(t, filepath.Join(r.folder, "stop")) }},
		"kill switch that is a link to nowhere": {reason: "kill_switch", change: func(r *rig, _ *msg) {
			if err := os.Symlink("nowhere", filepath.Join(r.folder, "stop")); err != nil {
				t.Fatal(err)
			}
		}},
		"too late": {reason: "too_late", change: func(r *rig, m *msg) { m.StartsAt = m.StartsAt.Add(-11 * time.Minute) }},
		"unapproved": {reason: "script", dead: 1, change: func(r *rig, _ *msg) {
			_ = r.sim.EditScript(nginxScript, func(s *coctest.Script) { s.Status = "PENDING_APPROVE" })
		}},
		"deleted":                 {reason: "script", dead: 1, change: func(r *rig, _ *msg) { _ = r.sim.RemoveScript(nginxScript) }},
		"not the pinned one":      {reason: "script", dead: 1, more: "      content_sha256: " + strings.Repeat("0", 64)},
		"undeclared parameter":    {reason: "script", dead: 1, change: func(r *rig, _ *msg) { _ = r.sim.EditScript(nginxScript, func(s *coctest.Script) { s.Params = nil }) }},
		"host offline":            {reason: "target", dead: 1, change: func(r *rig, _ *msg) { _ = r.sim.EditHost("web-1", func(h *coctest.Host) { h.AgentState = "OFFLINE" }) }},
		"host without agent":      {reason: "target", dead: 1, change: func(r *rig, _ *msg) { _ = r.sim.EditHost("web-1", func(h *coctest.Host) { h.AgentState = "" }) }},
		"unknown host":            {reason: "target", dead: 1, change: func(r *rig, m *msg) { m.Labels["instance_id"] = "web-9" }},
		"no label":                {reason: "target", dead: 1, change: func(r *rig, m *msg) { delete(m.Labels, "instance_id") }},
		"host outside the fence":  {reason: "target", dead: 1, change: func(r *rig, m *msg) { m.Labels["instance_id"] = "db-1" }},
		"a parameter not allowed": {reason: "parameter", dead: 1, change: func(r *rig, m *msg) { m.Labels["unit"] = "nginx; reboot" }},
	} {
		t.Run(name, func(t *testing.T) {
			r := makeScriptRig(t, "", coctest.Options{})
			rules := scriptRules(tc.more) + "automation: {kill_switch_file: " + filepath.Join(r.folder, "stop") + "}\n"
			if strings.Contains(tc.more, "dry_run") {
				rules = strings.Replace(rules, "      dry_run: false\n", "", 1)
			}
			r.extra = strings.Replace(rules, tc.more+"automation", tc.more+"\nautomation", 1)
			r.start()
			m := nginxDown(r, "web-1")
			if tc.change != nil {
				tc.change(r, &m)
			}
			r.page(m)
			r.notCalled(tc.reason, 1)
			r.until("its dead letter", func() bool { return r.metric("cocbridge_dead_letters", "kind", "script") == tc.dead })
		})
	}
}

func writeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// what the tests of many alarms do not want to wait for.
const quick = `      cooldown: 0s
      parallel: 100
      max_per_hour: 1000
`

func storm(r *rig, n int) (all []msg) {
	for i := range n {
		m := nginxDown(r, "web-1")
		m.Labels["n"] = fmt.Sprint(i)
		all = append(all, m)
	}
	return all
}

func TestScript_aStormBlowsTheFuse(t *testing.T) {
	r := makeScriptRig(t, scriptRules(quick)+"automation: {max_per_hour: 30}\n", coctest.Options{})
	r.tells = true
	r.start()
	all := storm(r, 500)
	for part := range slices.Chunk(all, 100) {
		r.page(part...)
	}
	r.until("all are decided", func() bool {
		return r.metric("cocbridge_runs_not_called_total")+r.metric("cocbridge_run_calls_total") == 500
	})
	if n := len(r.sim.Orders()); n > 30 {
		t.Errorf("%d runs, the budget is 30", n)
	}
	if r.metric("cocbridge_automation_armed") != 0 {
		t.Error("still armed")
	}
	for range 3 {
		if err := r.b.CheckTrouble(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.until("one storm alarm", func() bool {
		n := 0
		for _, e := range r.sim.Alarms() {
			if e.Alarm.AlarmName == "CocbridgeStorm" {
				n++
			}
		}
		return n == 1
	})
	before := len(r.sim.Orders())
	r.restart()
	r.advance(time.Hour)
	r.page(nginxDown(r, "web-2"))
	r.until("the fuse outlives a restart", func() bool { return r.metric("cocbridge_runs_not_called_total", "reason", "storm") == 1 })
	a, err := r.hands().Arm(t.Context(), admin.Switch{Why: "it was a drill"})
	if err != nil || !a.Armed {
		t.Fatal(a, err)
	}
	m := nginxDown(r, "web-2")
	m.Labels["n"] = "after"
	r.page(m)
	r.until("armed again, it runs", func() bool { return len(r.sim.Orders()) == before+1 })
}

// Alertmanager tells everything that fires after a restart; that is no storm.
func TestScript_aRestartBlowsNoFuse(t *testing.T) {
	r := newScriptRig(t, scriptRules(quick)+"automation: {storm: {episodes: 600}}\n")
	all := storm(r, 500)
	r.page(all...)
	r.until("all are decided", func() bool {
		return r.metric("cocbridge_runs_not_called_total")+r.metric("cocbridge_run_calls_total") == 500
	})
	r.stop()
	r.extra = scriptRules(quick)
	r.start()
	r.advance(time.Hour)
	for range 3 {
		r.page(all...)
		r.advance(time.Minute)
	}
	if r.metric("cocbridge_automation_armed") != 1 {
		t.Error("the fuse has blown")
	}
}

func TestScript_needsCredentials(t *testing.T) {
	for _, auth := range []string{"{}", "{insecure_none: true}"} {
		t.Run(auth, func(t *testing.T) {
			r := newScriptRig(t, strings.Replace(scriptRules(""), "{bearer_token: door}", auth, 1))
			r.page(nginxDown(r, "web-1"))
			r.notCalled("receiver_not_authenticated", 1)
		})
	}
}

func TestScript_waitsForItsHoldAndNotForTheRecovered(t *testing.T) {
	r := newScriptRig(t, strings.Replace(scriptRules(""), "    script:", "    hold: 2m\n    script:", 1))
	down := nginxDown(r, "web-1")
	r.page(down)
	r.advance(time.Minute)
	r.page(resolve(down, r.clock.Now()))
	r.notCalled("resolved", 1)
	r.advance(5 * time.Minute)
	r.idle(0)
	again := nginxDown(r, "web-1")
	r.page(again)
	r.advance(2 * time.Minute)
	r.until("what still fires runs", func() bool { return len(r.sim.Orders()) == 1 })
}

func TestScript_isCancelledWhenTheAlarmRecovers(t *testing.T) {
	r := newScriptRig(t, scriptRules("      on_resolve: cancel\n"))
	_ = r.sim.EditHost("web-1", func(h *coctest.Host) { h.Takes = 4 * time.Minute })
	down := nginxDown(r, "web-1")
	r.page(down)
	r.until("it runs", func() bool { return len(r.sim.Orders()) == 1 })
	r.advance(10 * time.Second)
	r.page(resolve(down, r.clock.Now()))
	r.until("COC is told", func() bool {
		r.tick(time.Second)
		return len(r.sim.Orders()[0].Operations) == 1
	})
	r.runsEnded("canceled", 1)
}

func TestScript_isNotCalledByAChangedRule(t *testing.T) {
	held := strings.Replace(scriptRules(""), "    script:", "    hold: 2m\n    script:", 1)
	r := newScriptRig(t, held)
	r.page(nginxDown(r, "web-1"))
	if err := r.reload(held + "      dry_run: true\n"); err == nil {
		t.Fatal("dry_run twice is no configuration")
	}
	if err := r.reload(strings.Replace(held, "dry_run: false", "dry_run: true", 1)); err != nil {
		t.Fatal(err)
	}
	r.advance(2 * time.Minute)
	r.notCalled("rule_changed", 1)
	r.page(nginxDown(r, "web-2"))
	if err := r.reload("receivers:\n  - {name: alertmanager, type: alertmanager, auth: {bearer_token: door}}\n"); err == nil || !strings.Contains(err.Error(), "restart-nginx") {
		t.Errorf("a rule with a run that has not ended is removed: %v", err)
	}
}

func TestScript_unknownIsVisibleAndSettled(t *testing.T) {
	r := newScriptRig(t, scriptRules(""))
	r.sim.Inject(executing(coctest.Fault{Do: coctest.Reset, After: true, Times: 1}))
	r.sim.Inject(coctest.Fault{Status: 500, On: "/v1/job/script/orders"}) // COC's lists fail
	unknown := func() bool { return r.metric("cocbridge_runs_open", "state", "unknown") == 1 }
	r.page(nginxDown(r, "web-1"))
	r.until("it is in doubt", unknown)
	r.pass(3 * time.Minute)
	r.restart()
	if !unknown() || len(r.sim.Orders()) != 1 {
		t.Errorf("in doubt: %v; %d orders", unknown(), len(r.sim.Orders()))
	}
	r.sim.ClearFaults()
	r.runsEnded("succeeded", 1)
	if unknown() || len(r.sim.Orders()) != 1 {
		t.Errorf("in doubt: %v; %d orders", unknown(), len(r.sim.Orders()))
	}
}

func TestIncident_solutionTellsOfTheScript(t *testing.T) {
	rules := scriptRules("") + strings.TrimPrefix(strings.Replace(incidentRule("      solve: {after: 1m}\n"), `severity="critical"`, `alertname="NginxDown"`, 1), "rules:\n")
	r := makeScriptRig(t, rules, coctest.Options{})
	r.start()
	down := nginxDown(r, "web-2")
	r.page(down)
	r.until("it runs", func() bool { return len(r.sim.Orders()) == 1 })
	r.pass(time.Minute)
	r.restart()
	r.pass(time.Minute)
	r.page(resolve(down, r.clock.Now()))
	r.pass(3 * time.Minute)
	tickets := r.sim.Incidents()
	if len(tickets) != 1 {
		t.Fatalf("tickets: %+v", tickets)
	}
	for _, part := range []string{"First seen", "1 alerts, 0 flaps", "FINISHED", "nginx restarted", " accepted "} {
		if !strings.Contains(tickets[0].Solution, part) {
			t.Errorf("the solution lacks %q:\n%s", part, tickets[0].Solution)
		}
	}
}

func TestAutomation_stopsByHand(t *testing.T) {
	r := newScriptRig(t, scriptRules(""))
	if _, err := r.hands().Stop(t.Context(), admin.Switch{}); err == nil {
		t.Error("a stop without a reason")
	}
	if a, err := r.hands().Stop(t.Context(), admin.Switch{Why: "maintenance"}); err != nil || a.Armed || a.Cause != "stopped" {
		t.Fatal(a, err)
	}
	r.restart()
	r.page(nginxDown(r, "web-1"))
	r.notCalled("stopped", 1)
	a, err := r.hands().Automation(t.Context())
	if err != nil || a.Armed || len(a.Runs) != 1 || a.Runs[0].State != "refused" {
		t.Errorf("%+v, %v", a, err)
	}
}
