package bridge_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

const (
	person   = "0123456789abcdef0123456789abcdef"
	somebody = "ffffffffffffffffffffffffffffffff"
)

// incidentRule is a rule for the section rules; more is appended to incident.
func incidentRule(more string) string {
	return `rules:
  - name: page
    matchers: ['severity="critical"']
    incident:
      group_by: [alertname]
      title: '{{ .Labels.alertname }} on {{ .Labels.instance }}'
      creator: ` + person + `
      assignee: ` + person + `
` + more
}

// newIncidentRig lets the client call as often as it likes.
func newIncidentRig(t *testing.T, rules string) *rig {
	t.Helper()
	r := makeIncidentRig(t, rules)
	r.start()
	return r
}

func makeIncidentRig(t *testing.T, rules string) *rig {
	t.Helper()
	r := makeRig(t, rules, coctest.Options{IncidentDelay: 2 * time.Second, IncidentPause: 5 * time.Second})
	r.auth = "rate_limits: {tickets: 1000, reads: 1000}\n  auth: {access_key: " + testAccess + ", secret_key_file: secret_key}"
	return r
}

func (r *rig) critical(name, instance string) msg {
	m := r.firing(name, 0)
	m.Labels["severity"], m.Labels["instance"] = "critical", instance
	return m
}

// pass moves the clock on in small steps; after each the bridge does what is due.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	const step = 5 * time.Second
	for ; d > 0; d -= step {
		r.advance(min(step, d))
		idle := 0
		r.until("what is due is done", func() bool {
			if r.metric("cocbridge_tasks", "state", "in_flight") > 0 {
				idle = 0
				return false
			}
			idle++
			return r.b.Due() == 0 || idle > 5 // it waits for another try, or behind a closed gate
		})
	}
}

// calm waits until nothing is in flight and no task of a ticket is due.
func (r *rig) calm() {
	r.t.Helper()
	r.until("nothing is due", func() bool { return r.b.Due() == 0 && r.metric("cocbridge_tasks", "state", "in_flight") == 0 })
}

// tickets is "title status remarks" of each ticket, without the mark.
func (r *rig) tickets() (all []string) {
	for _, i := range r.sim.Incidents() {
		title, _, _ := strings.Cut(i.Title, " [cb:")
		all = append(all, fmt.Sprintf("%s %s %d", title, strings.TrimPrefix(i.Status, "INCIDENT_STATUS_"), len(i.Remarks)))
	}
	return all
}

func (r *rig) wantTickets(want ...string) {
	r.t.Helper()
	r.calm()
	if diff := cmp.Diff(want, r.tickets()); diff != "" {
		r.t.Fatalf("tickets (-want +got):\n%s\nrefusals: %+v", diff, r.sim.Refusals())
	}
}

func (r *rig) edit(n int, status string) {
	r.t.Helper()
	if err := r.sim.EditIncident(r.sim.Incidents()[n].Num, func(i *coctest.Incident) { i.Status = status }); err != nil {
		r.t.Fatal(err)
	}
}

// solvedStory brings a group of two to a solved ticket and returns its members.
func (r *rig) solvedStory() (a, b msg) {
	r.t.Helper()
	a, b = r.critical("Disk", "web-1"), r.critical("Disk", "web-2")
	r.send(a, b)
	r.pass(20 * time.Second)
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
	r.send(resolve(a, r.clock.Now()))
	r.pass(10 * time.Minute)
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
	r.send(resolve(b, r.clock.Now()))
	r.pass(4 * time.Minute)
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
	r.pass(2 * time.Minute)
	r.wantTickets("Disk on web-1 RESOLVED 0")
	return a, b
}

func TestIncident_lifeOfAGroup(t *testing.T) {
	r := newIncidentRig(t, incidentRule(""))
	r.solvedStory()
	i := r.sim.Incidents()[0]
	if !strings.HasPrefix(i.Cause, "Recovered at 2026-11-21 12:1") || !strings.Contains(i.Solution, "2 alerts, 0 flaps") || i.Application != "app-1" {
		t.Errorf("ticket: %+v", i)
	}
	for name, want := range map[string]float64{"opened_total": 1, "solved_total": 1, "closed_total": 0, "failed_total": 0, "open": 0} {
		if got := r.metric("cocbridge_incidents_" + name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	r.pass(31 * time.Minute)
	r.idle(0)
	r.restart()
	r.idle(0)
	r.clean()
}

func TestIncident_firesAgainSoon(t *testing.T) {
	for _, c := range []struct {
		do           string
		fires, quiet []string
	}{
		{"remark", []string{"Disk on web-1 RESOLVED 1"}, []string{"Disk on web-1 RESOLVED 1"}},
		{"new", []string{"Disk on web-1 RESOLVED 0", "Disk on web-1 ACKNOWLEDGED 0"}, []string{"Disk on web-1 RESOLVED 0", "Disk on web-1 RESOLVED 0"}},
		{"unsolve", []string{"Disk on web-1 ACKNOWLEDGED 0"}, []string{"Disk on web-1 RESOLVED 0"}},
	} {
		t.Run(c.do, func(t *testing.T) {
			r := newIncidentRig(t, incidentRule("      refire: {do: "+c.do+"}\n"))
			r.solvedStory()
			again := r.critical("Disk", "web-1")
			r.send(again)
			r.pass(30 * time.Second)
			r.wantTickets(c.fires...)
			r.send(resolve(again, r.clock.Now()))
			r.pass(6 * time.Minute)
			r.wantTickets(c.quiet...)
			r.clean()
		})
	}
}

func TestIncident_firesAgainLateOrInAClosedTicket(t *testing.T) {
	t.Run("later than refire.within", func(t *testing.T) {
		r := newIncidentRig(t, incidentRule(""))
		r.solvedStory()
		r.pass(31 * time.Minute)
		r.send(r.critical("Disk", "web-2"))
		r.pass(30 * time.Second)
		r.wantTickets("Disk on web-1 RESOLVED 0", "Disk on web-2 ACKNOWLEDGED 0")
	})
	t.Run("a completed ticket cannot be told", func(t *testing.T) {
		r := newIncidentRig(t, incidentRule(""))
		r.solvedStory()
		r.edit(0, coctest.IncidentCompleted)
		r.send(r.critical("Disk", "web-2"))
		r.pass(30 * time.Second)
		r.wantTickets("Disk on web-1 COMPLETED 0", "Disk on web-2 ACKNOWLEDGED 0")
	})
	t.Run("with the start it had, when a lost source returns", func(t *testing.T) {
		r := newIncidentRig(t, incidentRule("      refire: {do: new}\n"))
		a, _ := r.solvedStory()
		r.send(a)
		r.pass(50 * time.Second) // behind the fence
		r.wantTickets("Disk on web-1 RESOLVED 0")
		r.pass(time.Minute)
		r.wantTickets("Disk on web-1 RESOLVED 0", "Disk on web-1 ACKNOWLEDGED 0")
	})
}

func TestIncident_peopleWin(t *testing.T) {
	for _, c := range []struct {
		name, rule, status, assignee string
		firing, recovered            string
	}{
		{name: "rejected", status: coctest.IncidentRejected, firing: "REJECTED 0", recovered: "REJECTED 0"},
		{name: "completed", status: coctest.IncidentCompleted, firing: "COMPLETED 0", recovered: "COMPLETED 0"},
		{name: "solved", status: coctest.IncidentResolved, firing: "RESOLVED 0", recovered: "RESOLVED 0"},
		{name: "reassigned", assignee: somebody, firing: "ACKNOWLEDGED 0", recovered: "ACKNOWLEDGED 1"},
		{name: "never accepted by us", rule: "      accept: {when: never}\n", firing: "TRIGGERED 0", recovered: "TRIGGERED 0"},
		{name: "accepted by a person", rule: "      accept: {when: never}\n", status: coctest.IncidentAcknowledged, firing: "ACKNOWLEDGED 0", recovered: "RESOLVED 0"},
		{name: "never solved by us", rule: "      solve: {when: never}\n", firing: "ACKNOWLEDGED 0", recovered: "ACKNOWLEDGED 0"},
		{name: "confirmed if told to", rule: "      confirm: {when: solved}\n", firing: "ACKNOWLEDGED 0", recovered: "COMPLETED 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newIncidentRig(t, incidentRule(c.rule))
			a := r.critical("Disk", "web-1")
			r.send(a)
			r.pass(20 * time.Second)
			if err := r.sim.EditIncident(r.sim.Incidents()[0].Num, func(i *coctest.Incident) {
				if c.status != "" {
					i.Status = c.status
				}
				if c.assignee != "" {
					i.Assignee = c.assignee
				}
			}); err != nil {
				t.Fatal(err)
			}
			r.pass(10 * time.Minute)
			r.wantTickets("Disk on web-1 " + c.firing)
			r.send(resolve(a, r.clock.Now()))
			r.pass(40 * time.Minute)
			r.wantTickets("Disk on web-1 " + c.recovered)
			r.clean()
			if n := r.metric("cocbridge_dead_letters"); n != 0 {
				t.Errorf("%v dead letters", n)
			}
		})
	}
}

// The simulated COC takes no remark in a completed ticket: that is told once, and is
// no dead letter. That there is one where COC takes it is shown in internal/incidents.
func TestIncident_closedByAPersonWhileItFires(t *testing.T) {
	r := makeIncidentRig(t, incidentRule("      on_closed_by_person: remark\n"))
	core, lines := observer.New(zap.WarnLevel)
	r.log = zap.New(core)
	r.start()
	r.send(r.critical("Disk", "web-1"))
	r.pass(20 * time.Second)
	r.edit(0, coctest.IncidentCompleted)
	r.pass(10 * time.Minute)
	r.wantTickets("Disk on web-1 COMPLETED 0")
	if n, dead := lines.FilterMessage("remark refused").Len(), r.metric("cocbridge_dead_letters"); n != 1 || dead != 0 {
		t.Errorf("%d refused remarks, %v dead letters", n, dead)
	}
}

func TestIncident_aWorseLevelIsARemark(t *testing.T) {
	r := newIncidentRig(t, strings.Replace(incidentRule(""), `['severity="critical"']`, `['severity=~".+"']`, 1))
	m := r.firing("Disk", 0)
	r.send(m)
	r.pass(20 * time.Second)
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
	r.send(r.critical("Disk", "web-2"))
	r.pass(20 * time.Second)
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 1")
	r.pass(time.Hour)
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 1")
	if level := r.sim.Incidents()[0].Level; level != "level_30" {
		t.Errorf("opened with %s", level)
	}
}

func TestIncident_hold(t *testing.T) {
	held := strings.Replace(incidentRule(""), "    incident:", "    hold: 2m\n    incident:", 1)
	t.Run("what recovers opens nothing", func(t *testing.T) {
		r := newIncidentRig(t, held)
		a := r.critical("Disk", "web-1")
		r.send(a)
		r.pass(time.Minute)
		r.send(resolve(a, r.clock.Now()))
		r.pass(5 * time.Minute)
		r.wantTickets()
		r.idle(0)
		if n := r.metric("cocbridge_incidents_cancelled_total"); n != 0 {
			t.Errorf("%v cancelled", n)
		}
	})
	t.Run("what still fires does", func(t *testing.T) {
		r := newIncidentRig(t, held)
		r.send(r.critical("Disk", "web-1"))
		r.pass(115 * time.Second)
		r.wantTickets()
		r.pass(30 * time.Second)
		r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
	})
	t.Run("a rule that changed meanwhile does not act", func(t *testing.T) {
		r := makeIncidentRig(t, held)
		core, lines := observer.New(zap.WarnLevel)
		r.log = zap.New(core)
		r.start()
		r.send(r.critical("Disk", "web-1"))
		if err := r.reload(held + "      region: cn-east-3\n"); err != nil {
			t.Fatal(err)
		}
		r.pass(5 * time.Minute)
		r.wantTickets()
		r.idle(0)
		if n, warned := r.metric("cocbridge_incidents_cancelled_total"), lines.FilterMessage("incident not opened").Len(); n != 1 || warned != 1 {
			t.Errorf("the metric shows %v, %d lines of the log", n, warned)
		}
	})
	t.Run("a restart does not forget", func(t *testing.T) {
		r := newIncidentRig(t, held)
		r.send(r.critical("Disk", "web-1"))
		r.pass(time.Minute)
		r.restart()
		r.pass(90 * time.Second)
		r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
	})
}

func TestIncident_outcomeOfTheCreate(t *testing.T) {
	for _, fault := range []coctest.Fault{
		{Do: coctest.Reset, After: true, Times: 1}, {Do: coctest.Reset, Times: 1}, {Status: 500, Times: 1}, {Status: 500, After: true, Times: 1},
		{Do: coctest.HTML, After: true, Times: 1}, {Status: 429, Times: 1}, {Status: 401, Times: 1},
	} {
		t.Run(fmt.Sprintf("%s %d after=%v", fault.Do, fault.Status, fault.After), func(t *testing.T) {
			r := newIncidentRig(t, incidentRule(""))
			fault.On = "/v1/external/incident/create"
			r.sim.Inject(fault)
			r.send(r.critical("Disk", "web-1"))
			r.pass(3 * time.Minute)
			r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
			r.clean()
		})
	}
}

func TestIncident_aYoungStoreLooksFirst(t *testing.T) {
	r := newIncidentRig(t, incidentRule(""))
	m := r.critical("Disk", "web-1")
	r.send(m)
	r.pass(20 * time.Second)
	r.stop()
	r.data += "-new"
	r.start()
	r.send(m)
	r.pass(20 * time.Second)
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
	r.send(resolve(m, r.clock.Now()))
	r.pass(6 * time.Minute)
	r.wantTickets("Disk on web-1 RESOLVED 0")
}

func TestIncident_whatCannotBeOpenedLeavesTheAlarmAlone(t *testing.T) {
	for _, c := range []struct{ name, more, code string }{
		{"an empty description", "      description: '{{ .Annotations.none }}'\n", ""},
		{"nobody to assign", "      assignee_role: ''\n", "GOM.00007256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := makeIncidentRig(t, incidentRule(c.more))
			if c.code != "" {
				r.sim.Inject(coctest.Fault{Status: 400, Code: c.code, Message: "The field[creator] value[x] invalid", On: "/v1/external/incident/create"})
			}
			r.start()
			m := r.critical("Disk", "web-1")
			r.send(m)
			r.until("the alarm arrived", func() bool { return len(r.sim.Alarms()) == 1 })
			r.until("a dead letter", func() bool { return r.metric("cocbridge_dead_letters", "kind", "incident") == 1 })
			r.wantTickets()
			if d := r.deadLetters(admin.Select{})[0].Detail; strings.Count(d, "page") > 1 || c.code == "" && !strings.HasPrefix(d, `rule "page": incident.description: `) {
				t.Errorf("the dead letter names the rule twice, or not: %s", d)
			}
			if n := r.metric("cocbridge_incidents_failed_total"); n != 1 {
				t.Errorf("%v failed", n)
			}
			r.idle(0)
		})
	}
}

// What was wrong is mended: the next repeat that is due opens the ticket, or a
// person who replays the dead letter.
func TestIncident_aMendedRuleOpensWhatItCouldNot(t *testing.T) {
	for _, byHand := range []bool{false, true} {
		t.Run(fmt.Sprintf("by hand: %v", byHand), func(t *testing.T) {
			r := newIncidentRig(t, incidentRule("      description: '{{ .Annotations.none }}'\n"))
			m := r.critical("Disk", "web-1")
			r.send(m)
			r.until("a dead letter", func() bool { return r.metric("cocbridge_dead_letters", "kind", "incident") == 1 })
			r.calm()
			if err := r.reload(incidentRule("")); err != nil {
				t.Fatal(err)
			}
			if byHand {
				if got := r.replay(admin.Replay{Select: admin.Select{All: true}}); got[admin.Replayed] != 1 {
					t.Errorf("replayed: %v", got)
				}
			} else {
				r.advance(31 * time.Minute)
				r.send(m)
			}
			r.pass(20 * time.Second)
			r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
			if n := r.metric("cocbridge_dead_letters"); n != 0 {
				t.Errorf("%v dead letters", n)
			}
		})
	}
}

func TestIncident_anAlarmThatCannotBeMappedDoesNotStopItsRules(t *testing.T) {
	r := newIncidentRig(t, incidentRule("      application: app-2\n")+"mapping: {application_id: '{{ .Labels.none }}'}\n")
	m := r.critical("Disk", "web-1")
	r.send(m)
	r.send(m)
	r.pass(20 * time.Second)
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
	r.send(resolve(m, r.clock.Now()))
	r.pass(6 * time.Minute)
	r.wantTickets("Disk on web-1 RESOLVED 0")
}

func TestIncident_aRouteThatDropsDropsRules(t *testing.T) {
	r := newIncidentRig(t, incidentRule("")+"routes: [{matchers: ['alertname=\"Disk\"'], drop: true}, {integration: default}]\n")
	r.send(r.critical("Disk", "web-1"))
	r.pass(time.Minute)
	r.wantTickets()
}

func TestIncident_dryRun(t *testing.T) {
	r := makeIncidentRig(t, incidentRule(""))
	r.dryRun = true
	r.start()
	m := r.critical("Disk", "web-1")
	r.send(m)
	r.pass(time.Minute)
	r.wantTickets()
	r.dryRun = false
	if err := r.reload(r.extra); err != nil {
		t.Fatal(err)
	}
	r.pass(11 * time.Minute)
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
}

func TestIncident_aRuleWithOpenTicketsIsNotRemoved(t *testing.T) {
	r := makeIncidentRig(t, incidentRule(""))
	core, lines := observer.New(zap.WarnLevel)
	r.log = zap.New(core)
	r.start()
	r.send(r.critical("Disk", "web-1"))
	r.pass(20 * time.Second)
	err := r.reload("")
	want := `rule "page" is removed, but 1 of its incidents and runs are not over` + "\n" + "let them go out first, or reload with ?force=1 to make them dead letters; cocbridge automation stop keeps scripts and jobs from beginning at once"
	if err == nil || err.Error() != want {
		t.Fatalf("the error is %v, want %v", err, want)
	}
	if err := r.b.Reload(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	warned := lines.FilterMessage("what a removed rule has begun is not over").All()
	if ticket := "[ticket " + r.sim.Incidents()[0].Num + "]"; len(warned) != 2 || fmt.Sprint(warned[1].ContextMap()["left"]) != ticket {
		t.Errorf("%+v, want %s twice", warned, ticket)
	}
	r.pass(31 * time.Minute)
	if n := r.metric("cocbridge_dead_letters", "kind", "incident"); n != 1 {
		t.Errorf("%v dead letters", n)
	}
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
}

func TestIncident_aStepThatCOCRefusesBecomesADeadLetter(t *testing.T) {
	r := newIncidentRig(t, incidentRule(""))
	r.sim.Inject(coctest.Fault{Status: 400, Code: "GOM.00007256", Message: "The field[operator] value[x] invalid", On: "/v1/external/incident/handle"})
	r.send(r.critical("Disk", "web-1"))
	r.pass(4 * time.Minute)
	if n := r.metric("cocbridge_dead_letters"); n != 0 {
		t.Fatalf("%v dead letters before patience has ended", n)
	}
	r.pass(2 * time.Minute)
	if n := r.metric("cocbridge_dead_letters", "kind", "incident"); n != 1 {
		t.Errorf("%v dead letters", n)
	}
	r.wantTickets("Disk on web-1 TRIGGERED 0")
}

func TestIncident_isForgottenAfterTheHistory(t *testing.T) {
	r := newIncidentRig(t, incidentRule(""))
	r.solvedStory()
	r.pass(31 * time.Minute)
	r.advance(169 * time.Hour)
	r.sweep()
	if left := r.b.Buckets(); strings.Contains(left, "incidents=1") || strings.Contains(left, "members=") || strings.Contains(left, "memberships=") {
		t.Errorf("left in the store: %s", left)
	}
}

func TestIncident_aClosedGateOfTicketsHoldsBackNoAlarm(t *testing.T) {
	r := newIncidentRig(t, incidentRule(""))
	r.send(r.critical("Disk", "web-1"))
	r.pass(20 * time.Second)
	r.sim.Inject(coctest.Fault{Status: 403, Code: "APIGW.0302", Message: "no permission", On: "/v1/external/incident"})
	r.pass(5 * time.Minute)
	if n := r.metric("cocbridge_gate_closed", "integration", "coc/tickets", "cause", "auth"); n != 1 {
		t.Errorf("the gate of tickets is closed: %v", n)
	}
	before := len(r.sim.Alarms())
	r.send(r.firing("Other", 0))
	r.until("the alarm arrived", func() bool { return len(r.sim.Alarms()) == before+1 })
	r.sim.ClearFaults()
	r.pass(5 * time.Minute) // nothing but reads: they open it
	if n := r.metric("cocbridge_gate_closed"); n != 0 {
		t.Errorf("%v gates are closed", n)
	}
	if n := r.metric("cocbridge_dead_letters"); n != 0 {
		t.Errorf("%v dead letters", n)
	}
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
}

// A storm: many alerts of one group, each from three peers.
func TestIncident_storm(t *testing.T) {
	const alerts, peers, chunk = 1000, 3, 50
	r := newIncidentRig(t, incidentRule(""))
	most := 0.0
	for first := 0; first < alerts; first += chunk {
		group := make([]msg, chunk)
		for i := range group {
			group[i] = r.critical("Disk", fmt.Sprintf("web-%d", first+i))
		}
		var senders sync.WaitGroup
		for range peers {
			senders.Go(func() {
				if status, body := r.post(group...); status != http.StatusOK {
					t.Error(status, body)
				}
			})
		}
		senders.Wait()
		most = max(most, r.metric("cocbridge_tasks", "kind", "incident"))
		r.advance(10 * time.Second * chunk / alerts)
	}
	r.pass(time.Minute)
	r.wantTickets("Disk on web-0 ACKNOWLEDGED 0")
	if most > 20 {
		t.Errorf("%v tasks of incidents at once", most)
	}
	if n := r.sim.Incidents()[0].Remarks; len(n) > 20 {
		t.Errorf("%d remarks", len(n))
	}
	r.until("all alarms arrived", func() bool { return len(r.sim.Alarms()) == alerts })
	t.Logf("at most %v tasks of incidents at once; %d steps", most, len(r.sim.Incidents()[0].Steps))
	r.clean()
}

// The ticket is seen where people look: beside the problem in Zabbix, and at the alarm.
func TestIncident_isSeen(t *testing.T) {
	r := newIncidentRig(t, zabbixReceiver+strings.Replace(incidentRule(""), `severity="critical"`, `alertname="Disk"`, 1))
	p := problem("31")
	if tags := r.tell(p); tags["__zbx_coc_incident"] != "" {
		t.Errorf("a ticket before there is one: %v", tags)
	}
	r.pass(20 * time.Second)
	number := r.sim.Incidents()[0].Num
	tags := r.tell(updated(p, "12:00:30", "event_update_action", "acknowledged"))
	if tags["__zbx_coc_incident"] != number {
		t.Errorf("the tags are %v, want the ticket %s", tags, number)
	}
	a, err := r.hands().Alarm(t.Context(), tags["__zbx_coc_alarm"])
	if err != nil || len(a.Tickets) != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	got := a.Tickets[0]
	if got.Number != number || got.Rule != "page" || got.State != "accepted" || got.Status == "" || got.Last.What == "" {
		t.Errorf("ticket: %+v", got)
	}
}

// Who closes an alarm whose source is gone has closed it for its rules as well.
func TestIncident_anAlarmClosedByHandHasRecovered(t *testing.T) {
	r := newIncidentRig(t, incidentRule("      solve: {after: 1m}\n"))
	m := r.critical("Disk", "web-1")
	r.send(m)
	r.pass(20 * time.Second)
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
	id := r.sim.Alarms()[0].Alarm.AlarmID
	if out, err := r.hands().Close(t.Context(), admin.Close{AlarmID: id, Why: "its host is gone"}); err != nil || out.Result != admin.Closed {
		t.Fatalf("%+v, %v", out, err)
	}
	r.pass(3 * time.Minute)
	r.wantTickets("Disk on web-1 RESOLVED 0")
}
