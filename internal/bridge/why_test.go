package bridge_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/bridge"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/ledger"
)

// why asks and expects one answer.
func (r *rig) why(question ...string) admin.Answer {
	r.t.Helper()
	answers, err := r.hands().Why(r.t.Context(), question)
	if err != nil || len(answers) != 1 {
		r.t.Fatalf("why %q: %+v, %v", question, answers, err)
	}
	return answers[0]
}

// One scenario per verdict; each is asked for by alarmId and by fingerprint, and
// by labels where these are still known.
func TestWhy_verdicts(t *testing.T) {
	for _, c := range []struct {
		verdict admin.Verdict
		extra   string
		story   func(*rig, msg)
		says    string
		labels  bool // the alert's labels lead to it too
	}{
		{admin.NeverReceived, "", func(*rig, msg) {}, "no record: never received, or refused at the door", false},
		{admin.Rejected, "", func(r *rig, m msg) {
			m.Status = "dancing"
			r.send(m)
		}, "rejected at its arrival at 2026-11-21T12:00:00Z, dead letter 1: status", true},
		{admin.Rejected, needsOwner, func(r *rig, m msg) { r.send(m) }, "dead letter 1: mapping: routes: no route matches", true},
		{admin.DroppedByRoute, "routes: [{matchers: ['alertname=\"Disk\"'], drop: true}, {integration: default}]\n", func(r *rig, m msg) { r.send(m) },
			`dropped at 2026-11-21T12:00:00Z by routes[0] {alertname="Disk"}`, false},
		{admin.UnknownResolve, "receivers: [{name: alertmanager, unknown_resolved: drop}]\n", func(r *rig, m msg) { r.send(resolve(m, r.clock.Now())) },
			"resolves what COC was never told", false},
		{admin.RepeatOf, "", func(r *rig, m msg) {
			r.send(m)
			r.arrived(0, "Disk alarm Minor")
			r.advance(time.Minute)
			r.send(m)
		}, "repeat: the message of 2026-11-21T12:01:00Z says nothing new; COC was told firing at 2026-11-21T12:00:00Z, and is told again when the sender repeats it after 2026-11-21T12:30:00Z", true},
		{admin.StaleNews, "", func(r *rig, m msg) {
			early := m
			early.StartsAt = early.StartsAt.Add(-time.Hour)
			r.send(m)
			r.arrived(0, "Disk alarm Minor")
			r.advance(time.Minute)
			r.send(resolve(early, early.StartsAt.Add(time.Minute)))
		}, "stale: the message of 2026-11-21T12:01:00Z is about an episode that is over; a later one began at 2026-11-21T11:00:00Z", true},
		{admin.HeldByFence, "", func(r *rig, m msg) {
			r.send(m)
			r.send(resolve(m, r.clock.Now()))
			r.arrived(0, "Disk alarm Minor", "Disk ok Minor")
			r.send(m)
		}, "held by the fence until 2026-11-21T12:01:00Z", true},
		{admin.Waiting, "", func(r *rig, m msg) {
			r.sim.Inject(coctest.Fault{Status: 503, RetryAfter: "100", Times: 1})
			r.send(m)
			r.until("it failed", func() bool { return r.metric("cocbridge_deliveries_total", "outcome", "serverError") == 1 })
			r.idle(1)
		}, "waiting: attempt 2 is due at 2026-11-21T12:01:40Z; the last answer was: coc: report alarm: HTTP 503", true},
		{admin.GateClosed, "", func(r *rig, m msg) {
			r.sim.Inject(coctest.Fault{Status: 401})
			r.send(m)
			r.closed("default", "auth", 1)
		}, "gate of integration default closed since 2026-11-21T12:00:00Z (auth): coc: report alarm: HTTP 401", true},
		{admin.Sent, "", func(r *rig, m msg) {
			r.send(m)
			r.arrived(0, "Disk alarm Minor")
		}, "sent: COC took firing at 2026-11-21T12:00:00Z with request id ", true},
		{admin.DeadLettered, "", func(r *rig, m msg) {
			r.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Message: "no such application", Times: 1})
			r.send(m)
			r.until("it is buried", func() bool { return r.metric("cocbridge_dead_letters") == 1 })
		}, "dead letter 1 since 2026-11-21T12:00:00Z (COC.00000001, 1 times): coc: report alarm: HTTP 400: COC.00000001: no such application", true},
		{admin.Discarded, needsOwner, func(r *rig, m msg) {
			r.send(m)
			if err := r.hands().Drop(r.t.Context(), admin.Drop{Select: admin.Select{All: true}, Why: "known"}, func(admin.Outcome) error { return nil }); err != nil {
				r.t.Fatal(err)
			}
		}, "discarded at 2026-11-21T12:00:00Z: dead letter 1 (mapping_routes) by alice: known", false},
		{admin.NotTold, "", func(r *rig, m msg) {
			r.dryRun = true
			if err := r.reload(""); err != nil {
				r.t.Fatal(err)
			}
			r.send(m)
			r.until("it was acknowledged", func() bool { return r.metric("cocbridge_deliveries_total", "outcome", "dryRun") == 1 })
			r.idle(0)
		}, "not told at 2026-11-21T12:00:00Z: dry run: not sent; its next repeat is told", false},
	} {
		t.Run(string(c.verdict), func(t *testing.T) {
			r := newRig(t, c.extra)
			m := r.firing("Disk", time.Hour)
			id := identified(&m, "00000000000000aa")
			c.story(r, m)
			questions := [][]string{{id}, {"00000000000000aa"}}
			if c.labels {
				questions = append(questions, []string{"alertname=Disk"}, []string{"alertname=Disk", `instance="web-1"`})
			}
			for _, q := range questions {
				if a := r.why(q...); a.Verdict != c.verdict || !strings.Contains(a.Text, c.says) || a.AlarmID != id && c.verdict != admin.NeverReceived {
					t.Errorf("why %q: %+v\nwant %q: %s", q, a, c.verdict, c.says)
				}
			}
		})
	}
}

// The task that is the probe of a closed gate waits for nothing but the gate.
func TestWhy_aProbeIsUnderWay(t *testing.T) {
	r := newRig(t, "")
	r.sim.Inject(coctest.Fault{Status: 401, Times: 1})
	r.send(r.firing("Disk", time.Hour))
	r.closed("default", "auth", 1)
	r.sim.Inject(coctest.Fault{Latency: time.Hour})
	r.advance(time.Minute)
	r.until("the probe is under way", func() bool { return r.metric("cocbridge_tasks", "state", "in_flight") == 1 })
	if a := r.why("alertname=Disk"); a.Verdict != admin.GateClosed || !strings.HasSuffix(a.Text, "; a probe is under way with it") {
		t.Errorf("%+v", a)
	}
	close(r.letGo)
}

// The history keeps so many lines; what COC was told is kept beside it.
func TestWhy_theHistoryHasLostTheEvent(t *testing.T) {
	told := &ledger.Telling{Firing: true, At: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	dropped := ledger.Event{What: ledger.EventDropped}
	for name, c := range map[string]struct {
		entry   ledger.Entry
		verdict admin.Verdict
		says    string
	}{
		"it was told":      {ledger.Entry{Told: told, History: []ledger.Event{dropped}}, admin.Sent, "sent: COC took firing at 2026-11-21T12:00:00Z; its"},
		"it was not":       {ledger.Entry{History: []ledger.Event{dropped}}, admin.NotTold, "nothing of it was ever told to COC"},
		"the next was not": {ledger.Entry{Told: told, History: []ledger.Event{{What: ledger.EventUnsaid, Detail: "x"}, dropped}}, admin.NotTold, "not told at"},
	} {
		t.Run(name, func(t *testing.T) {
			if verdict, text := bridge.ToldBy(&c.entry); verdict != c.verdict || !strings.HasPrefix(text, c.says) {
				t.Errorf("%s: %s", verdict, text)
			}
		})
	}
}

func TestWhy_coversEveryVerdict(t *testing.T) {
	if n := len(admin.Verdicts()); n != 13 {
		t.Errorf("%d verdicts: add a scenario for what is new", n)
	}
}

// Nothing is known of these labels: the answer is what would become of them today.
func TestWhy_labelsThatNobodyHasSeen(t *testing.T) {
	r := newRig(t, "routes: [{matchers: ['alertname=\"Watchdog\"'], drop: true}, {integration: default}]\n")
	if a := r.why("alertname=Watchdog"); a.Verdict != admin.DroppedByRoute || !strings.Contains(a.Text, `alerts with these labels are dropped today by routes[0] {alertname="Watchdog"}, and nothing`) {
		t.Errorf("%+v", a)
	}
	if resp, _ := r.do(http.MethodPost, "/webhook/alertmanager", "nonsense"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("%s", resp.Status)
	}
	a := r.why("alertname=Elsewhere")
	text := strings.Join(a.Evidence, "\n")
	if a.Verdict != admin.NeverReceived || !strings.Contains(text, "requests refused since the start: 1 (reason=") || !strings.Contains(text, "would go to integration default, route: routes[1] (everything)") {
		t.Errorf("%+v", a)
	}
}

// After a restart the answers rest on the disk alone.
func TestWhy_afterARestart(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Disk", time.Hour)
	id := identified(&m, "00000000000000aa")
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	r.send(m)
	r.restart()
	a := r.why(id)
	if a.Verdict != admin.Sent || a.Alarm == nil || a.Alarm.InCOC != "firing" {
		t.Errorf("%+v", a)
	}
	if other := r.why("instance=web-1"); other.AlarmID != id {
		t.Errorf("by the label that is the resource: %+v", other)
	}
	if other := r.why("severity=warning"); other.Verdict != admin.NeverReceived {
		t.Errorf("by a label that no settled alarm keeps: %+v", other)
	}
}

// The labels of the question need not be those that chose the route.
func TestWhy_labelsThatNoRouteTakes(t *testing.T) {
	r := newRig(t, needsOwner)
	m := r.firing("Disk", time.Hour)
	m.Labels["owner"] = "dba"
	id := identified(&m, "00000000000000aa")
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	for _, question := range [][]string{{"alertname=Disk"}, {"instance=web-1"}, {"owner=dba", "instance=web-1"}} {
		if a := r.why(question...); a.Verdict != admin.Sent || a.AlarmID != id {
			t.Errorf("why %q: %+v", question, a)
		}
	}
	for _, question := range [][]string{{"alertname=Diskette"}, {"alertname=Disk", "instance=web-2"}} {
		if a := r.why(question...); a.Verdict != admin.NeverReceived {
			t.Errorf("why %q: %+v", question, a)
		}
	}
}

// What is kept of a settled alarm cannot decide about every label. The verdict says
// so, for it may be about another alarm.
func TestWhy_labelsThatShowInNothing(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Disk", time.Hour)
	m.Labels["mountpoint"] = "/var"
	id := identified(&m, "00000000000000aa")
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	a := r.why("alertname=Disk", "instance=web-1", "mountpoint=/home", "team=a")
	if a.AlarmID != id || !strings.HasSuffix(a.Text, `; perhaps another alarm: mountpoint="/home", team="a" did not decide`) || !strings.Contains(a.Evidence[0], `show in nothing of that: mountpoint="/home", team="a"`) {
		t.Errorf("%+v", a)
	}
	for _, known := range [][]string{{"alertname=Disk", "instance=web-1"}, {"alertname=Disk", "severity=warning"}, {id}} {
		if a := r.why(known...); a.AlarmID != id || strings.Contains(a.Text, "perhaps") {
			t.Errorf("why %q: %+v", known, a)
		}
	}
	if a := r.why("alertname=Disk", "severity=critical"); a.Verdict != admin.NeverReceived {
		t.Errorf("another level: %+v", a)
	}
}

// Nobody knows by which receiver such an alert would come.
func TestWhy_aRouteThatDropsForOneReceiver(t *testing.T) {
	r := newRig(t, "receivers: [{name: alertmanager}, {name: lab}]\nroutes: [{matchers: ['receiver=\"lab\"'], drop: true}, {integration: default}]\n")
	a := r.why("alertname=Disk")
	text := strings.Join(a.Evidence, "\n")
	if a.Verdict != admin.NeverReceived || !strings.Contains(text, `through receiver lab an alert with these labels alone would be dropped by routes[0] {receiver="lab"}`) {
		t.Errorf("%+v", a)
	}
}

func TestWhy_manyAlarmsOfOneLabel(t *testing.T) {
	r := newRig(t, "")
	r.sim.Inject(coctest.Fault{Status: 401})
	r.send(r.storm("Storm", 30)...)
	r.closed("default", "auth", 30)
	answers, err := r.hands().Why(t.Context(), []string{"alertname=Storm"})
	if err != nil || len(answers) != 20 || !strings.Contains(fmt.Sprint(answers[19].Evidence), "only the first 20") {
		t.Errorf("%d answers, %v", len(answers), err)
	}
	for _, q := range [][]string{nil, {""}, {"a", "b"}, {"a=1", "b"}, {"a=1", "a=2"}, {"=x", "y=1"}} {
		if _, err := r.hands().Why(t.Context(), q); !errors.Is(err, admin.ErrInvalid) {
			t.Errorf("why %q: %v", q, err)
		}
	}
}
