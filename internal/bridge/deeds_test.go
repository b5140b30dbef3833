package bridge_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// explains checks that the alarm, asked for by its id, is in COC, and that the evidence
// has these lines.
func (r *rig) explains(id string, lines ...string) {
	r.t.Helper()
	a := r.why(id)
	if a.Verdict != admin.Sent || !strings.HasPrefix(a.Text, "sent: COC took firing at ") {
		r.t.Errorf("the verdict is about COC: %+v", a)
	}
	for _, line := range lines {
		if !slices.ContainsFunc(a.Evidence, regexp.MustCompile(line).MatchString) {
			r.t.Errorf("no %s in\n%s", line, strings.Join(a.Evidence, "\n"))
		}
	}
}

// told waits until COC has so many alarms and the bridge knows it.
func (r *rig) told(n int) {
	r.t.Helper()
	r.until("COC is told", func() bool {
		return r.metric("cocbridge_deliveries_total", "kind", "report", "outcome", "success") >= float64(n)
	})
}

// Why has nothing run?
func TestWhy_tellsWhyNothingRan(t *testing.T) {
	switched := func(rules, from, to string) string { return strings.Replace(rules, from, to, 1) }
	for name, c := range map[string]struct {
		rules  string
		story  func(*rig, *msg)
		reason string
		lines  []string
	}{
		"a dry run": {switched(scriptRules(""), "dry_run: false", "dry_run: true"), nil, "dry_run",
			[]string{`^script of rule restart-nginx: refused since 2026-11-21T12:00:00Z, not_called, dry_run, would run ` + nginxScript + ` unit="nginx" as root on web-1 `}},
		"no credentials": {switched(scriptRules(""), "{bearer_token: door}", "{}"), nil, "receiver_not_authenticated",
			[]string{`, receiver_not_authenticated, receiver "alertmanager" asks for no credentials`}},
		"too late": {scriptRules(""), func(_ *rig, m *msg) { m.StartsAt = m.StartsAt.Add(-11 * time.Minute) }, "too_late",
			[]string{`^script of rule restart-nginx: refused since \S+Z, not_called, too_late, it is later than 10m after the alert began \(not_after\)$`}},
		"stopped": {scriptRules(""), func(r *rig, _ *msg) {
			if _, err := r.hands().Stop(r.t.Context(), admin.Switch{Why: "maintenance"}); err != nil {
				r.t.Fatal(err)
			}
		}, "stopped", []string{`, stopped, stopped by alice at 2026-11-21 12:00:00 UTC: maintenance$`, `^nothing runs now: automation is not armed \(stopped\) maintenance$`}},
		"a parameter that is not allowed": {scriptRules(""), func(_ *rig, m *msg) { m.Labels["unit"] = "nginx;reboot" }, "parameter",
			[]string{`, parameter, rule "restart-nginx": parameter unit: "nginx;reboot" is not what COC takes`, `^dead letter \d+ \(script of rule restart-nginx\): parameter, 1 times from `}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newScriptRig(t, c.rules)
			m := nginxDown(r, "web-1")
			id := identified(&m, "00000000000000aa")
			if c.story != nil {
				c.story(r, &m)
			}
			r.page(m)
			r.told(1)
			r.notCalled(c.reason, 1)
			r.until("it is settled", func() bool { return r.metric("cocbridge_tasks") == 0 })
			r.explains(id, c.lines...)
			a, err := r.hands().Alarm(t.Context(), id)
			if err != nil || len(a.Runs) != 1 || a.Runs[0].Reason != c.reason || a.Runs[0].State != "refused" || a.Runs[0].Since.IsZero() {
				t.Errorf("%+v, %v", a, err)
			}
			if letters := len(a.DeadLetters); letters != len(c.lines)-1 && c.reason == "parameter" {
				t.Errorf("%d dead letters", letters)
			}
		})
	}
}

func TestWhy_tellsOfRunsAndTheirCooldown(t *testing.T) {
	r := newScriptRig(t, scriptRules(""))
	m := nginxDown(r, "web-1")
	id := identified(&m, "00000000000000aa")
	r.page(m)
	r.runsEnded("succeeded", 1)
	r.advance(time.Minute)
	r.page(resolve(m, r.clock.Now()))
	r.advance(time.Minute)
	again := nginxDown(r, "web-1")
	identified(&again, "00000000000000aa")
	r.page(again)
	r.until("it is not called", func() bool { return r.metric("cocbridge_runs_not_called_total", "reason", "cooldown") == 1 })
	r.told(3)
	r.idle(0) // what COC has taken is written down, too
	r.explains(id, `^script of rule restart-nginx: done since \S+Z, \S+, FINISHED, succeeded$`,
		`^script of rule restart-nginx: refused since \S+Z, not_called, cooldown, rule "restart-nginx" was called on one of these targets at `)
}

func TestWhy_tellsThatNoRuleRunsAnything(t *testing.T) {
	r := newScriptRig(t, scriptRules(""))
	m := r.firing("Disk", 0)
	id := identified(&m, "00000000000000aa")
	r.page(m)
	r.told(1)
	r.idle(0)
	r.explains(id, `^no script and no job was planned for it: `)
}

// What dead letters of rules have instead of an alarmId leads to the alarms.
func TestWhy_findsTheAlarmOfARulesDeadLetter(t *testing.T) {
	for kind, c := range map[string]struct {
		rig  func(t *testing.T) *rig
		msg  func(*rig) msg
		line string
	}{
		"script": {func(t *testing.T) *rig { return newScriptRig(t, scriptRules("")) }, func(r *rig) msg { return nginxDown(r, "web-9") },
			`^dead letter \d+ \(script of rule restart-nginx\): target, .*COC knows no host with resource_id "web-9"`},
		"incident": {func(t *testing.T) *rig {
			r := makeIncidentRig(t, "receivers:\n  - {name: alertmanager, type: alertmanager, auth: {bearer_token: door}}\n"+incidentRule(""))
			r.sim.Inject(coctest.Fault{Status: 400, Code: "GOM.00007256", Message: "The field[creator] value[x] invalid", On: "/v1/external/incident/create"})
			r.start()
			return r
		}, func(r *rig) msg { return r.critical("Disk", "web-1") }, `^ticket of rule page: pending, since \S+Z dead letter, .*GOM.00007256`},
	} {
		t.Run(kind, func(t *testing.T) {
			r := c.rig(t)
			m := c.msg(r)
			id := identified(&m, "00000000000000aa")
			r.page(m)
			r.until("a dead letter", func() bool { return r.metric("cocbridge_dead_letters", "kind", kind) == 1 })
			r.told(1)
			r.idle(0)
			letter := r.deadLetters(admin.Select{})[0]
			questions := []string{id, letter.Task.AlarmID, "alertname=" + m.Labels["alertname"]}
			for _, q := range questions {
				if a := r.why(q); a.AlarmID != id {
					t.Errorf("why %s: %+v", q, a)
				}
				r.explains(q, c.line)
			}
			if a, err := r.hands().Alarm(t.Context(), id); err != nil || len(a.DeadLetters) != 1 || a.DeadLetters[0].ID != letter.ID {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}
