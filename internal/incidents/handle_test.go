package incidents_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/incidents"
)

// meanwhile lets something happen once, just after COC has taken a step.
type meanwhile struct {
	*life
	after coc.OperateKey
	then  func()
}

func (m *meanwhile) HandleIncident(ctx context.Context, a coc.IncidentAction) (string, error) {
	id, err := m.life.HandleIncident(ctx, a)
	if then := m.then; a.Key == m.after && then != nil {
		m.then = nil
		then()
	}
	return id, err
}

// under puts a changed rule in force.
func (l *life) under(rule func(*incidents.Config)) {
	l.rule = rule
	l.follow(l.over)
}

// again is the alarm firing anew.
func (l *life) again(name string) { l.hear(critical(name, l.clock.Now())) }

// solved brings an alarm to a ticket that we have solved.
func (l *life) solved() {
	l.t.Helper()
	disk := critical("Disk", l.clock.Now())
	l.hear(disk)
	l.pass(2 * time.Minute)
	l.hear(over(disk, l.clock.Now()))
	l.pass(6 * time.Minute)
	if s := l.of(disk).State; s != incidents.Solved {
		l.t.Fatalf("state %s", s)
	}
}

func confirms(c *incidents.Config) { c.Confirm.When = "solved" }

// An alert that fires while COC closes the ticket is no part of it any more.
func TestDo_firesDuringTheConfirm(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	l.under(confirms)
	l.follow(&meanwhile{life: l, after: coc.ConfirmIncident, then: func() { l.again("Disk") }})
	disk := critical("Disk", l.clock.Now())
	l.hear(disk)
	l.pass(2 * time.Minute)
	l.hear(over(disk, l.clock.Now()))
	l.pass(10 * time.Minute)
	l.wantTickets(2)
	if s := l.of(disk).State; s != incidents.Accepted {
		t.Errorf("state %s", s)
	}
}

// One that fires while the solution is committed fires again.
func TestDo_firesDuringTheSolution(t *testing.T) {
	for do, want := range map[string]struct{ tickets, remarks int }{"remark": {1, 1}, "new": {2, 0}} {
		l := newLife(t, coctest.Fault{})
		l.under(func(c *incidents.Config) { c.Refire.Do = do })
		l.follow(&meanwhile{life: l, after: coc.CommitSolution, then: func() { l.again("Disk") }})
		disk := critical("Disk", l.clock.Now())
		l.hear(disk)
		l.pass(2 * time.Minute)
		l.hear(over(disk, l.clock.Now()))
		l.pass(10 * time.Minute)
		l.wantTickets(want.tickets)
		if n := len(l.sim.Incidents()[0].Remarks); n != want.remarks {
			t.Errorf("%s: %d remarks, want %d", do, n, want.remarks)
		}
	}
}

// The refusal of a solution leaves a ticket that is at work: what fired meanwhile
// is a member of it, and no refire when somebody solves it in the end.
func TestDo_firesDuringASolutionThatCOCRefuses(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	l.follow(&meanwhile{life: l, after: coc.CommitSolution, then: func() { l.again("Disk") }})
	disk := critical("Disk", l.clock.Now())
	l.hear(disk)
	l.pass(2 * time.Minute)
	l.sim.Inject(coctest.Fault{Status: 400, Code: "GOM.00007256", Times: 1, On: "/v1/external/incident/handle"})
	l.hear(over(disk, l.clock.Now()))
	l.pass(10 * time.Minute)
	if r := l.of(disk); r.State != incidents.Accepted || r.Again != nil {
		t.Errorf("%s, again %v", r.State, r.Again)
	}
	must(t, l.sim.EditIncident(l.sim.Incidents()[0].Num, func(i *coctest.Incident) { i.Status = coctest.IncidentResolved }))
	l.pass(10 * time.Minute)
	if n := len(l.sim.Incidents()[0].Remarks); n != 0 {
		t.Errorf("%d remarks", n)
	}
}

// before lets something happen once, between the look at a group and the commit of
// what follows from it.
func (l *life) before(then func()) {
	l.t.Helper()
	id, group, due := l.next()
	if id == 0 {
		l.t.Fatal("nothing is due")
	}
	l.clock.set(due)
	l.update = func() { l.update = nil; then() }
	l.work(id, group)
	if l.update != nil {
		l.t.Fatal("nothing was written")
	}
}

func TestDo_firesBeforeTheEndIsWritten(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	l.solved()
	l.pass(28 * time.Minute) // refire.within ends next
	l.before(func() { l.clock.set(l.clock.Now().Add(time.Second)); l.again("Disk") })
	l.pass(10 * time.Minute)
	l.wantTickets(2)
}

func TestDo_firesBeforeTheEndOfAnEpisodeWithoutATicket(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	disk := critical("Disk", l.clock.Now())
	l.hear(disk)
	l.hear(over(disk, l.clock.Now()))
	l.before(func() { l.clock.set(l.clock.Now().Add(time.Second)); l.again("Disk") })
	l.pass(time.Minute)
	l.wantTickets(1)
}

func TestDo_firesBeforeAFlapIsForgotten(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	l.solved()
	flap := critical("Disk", l.clock.Now())
	l.hear(flap)
	l.hear(over(flap, l.clock.Now()))
	l.before(func() { l.clock.set(l.clock.Now().Add(time.Second)); l.again("Disk") })
	l.pass(time.Minute)
	l.wantTickets(1)
	if n := len(l.sim.Incidents()[0].Remarks); n != 1 {
		t.Errorf("%d remarks", n)
	}
}

// What recovers before the intent is written opens nothing.
func TestDo_recoversBeforeTheIntentIsWritten(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	disk := critical("Disk", l.clock.Now())
	l.hear(disk)
	l.before(func() { l.hear(over(disk, l.clock.Now())) })
	l.pass(time.Minute)
	l.wantTickets(0)
}

// edit sets the status of the first ticket, as a person does.
func (l *life) edit(status string) {
	l.t.Helper()
	must(l.t, l.sim.EditIncident(l.sim.Incidents()[0].Num, func(i *coctest.Incident) { i.Status = status }))
}

func (l *life) wantStatus(status string) {
	l.t.Helper()
	if got := l.sim.Incidents()[0].Status; got != status {
		l.t.Errorf("the ticket is %s, want %s", got, status)
	}
}

// A person has taken our solution back: the ticket stays theirs, and is the one for
// what fires next, however late.
func TestDo_aSolutionTakenBackKeepsItsTicket(t *testing.T) {
	for name, rule := range map[string]func(*incidents.Config){
		"by default": nil, "with refire: new": func(c *incidents.Config) { c.Refire.Do = "new" }, "with confirm: solved": func(c *incidents.Config) { c.Confirm.When = "solved" },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, coctest.Fault{})
			l.solved()
			l.edit(coctest.IncidentAcknowledged)
			l.under(rule)
			l.pass(3 * time.Hour)
			l.wantStatus(coctest.IncidentAcknowledged) // not solved over again
			disk := critical("Disk", l.clock.Now())
			l.hear(disk)
			l.pass(time.Minute)
			l.wantTickets(1)
			l.hear(over(disk, l.clock.Now()))
			l.pass(time.Hour)
			l.wantTickets(1)
			if s := l.sim.Incidents()[0].Status; s == coctest.IncidentAcknowledged {
				t.Error("nobody solves what has fired since")
			}
		})
	}
}

// What a person solves after that is not confirmed by us.
func TestDo_doesNotConfirmAPersonsSolution(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	l.solved()
	l.under(confirms)
	net := critical("Disk", l.clock.Now())
	net.Labels["instance"], net.Fingerprint = "other", "other"
	l.hear(net) // so it is not confirmed
	l.edit(coctest.IncidentAcknowledged)
	l.pass(3 * time.Minute)
	l.edit(coctest.IncidentResolved)
	l.pass(40 * time.Minute)
	l.hear(over(net, l.clock.Now()))
	l.pass(10 * time.Minute)
	l.wantStatus(coctest.IncidentResolved)
	if r := l.of(net); r.State != incidents.Solved || r.Ours {
		t.Errorf("%s, ours %v", r.State, r.Ours)
	}
}

func TestDo_unsolvesOnlyItsOwnSolution(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	l.under(func(c *incidents.Config) { c.Refire.Do = "unsolve" })
	disk := critical("Disk", l.clock.Now())
	l.hear(disk)
	l.pass(2 * time.Minute)
	l.edit(coctest.IncidentResolved)
	l.pass(2 * time.Minute)
	l.hear(over(disk, l.clock.Now()))
	l.pass(2 * time.Minute)
	l.again("Disk")
	l.pass(2 * time.Minute)
	l.wantStatus(coctest.IncidentResolved)
	if n := len(l.sim.Incidents()[0].Remarks); n != 1 {
		t.Errorf("%d remarks", n)
	}
}

// A remark that may stand in the ticket is not written again, and counts.
func TestDo_aRemarkWithoutAnAnswerIsWrittenOnce(t *testing.T) {
	for _, fault := range []coctest.Fault{{Status: 500, After: true}, {Do: coctest.Reset, After: true}, {Status: 403, Do: coctest.HTML, After: true}} {
		l := newLife(t, coctest.Fault{})
		minor := critical("Disk", l.clock.Now())
		minor.Labels["severity"] = "warning"
		l.hear(minor)
		l.pass(time.Minute)
		fault.On, fault.Method, fault.Times = "/v2/incidents/IM", "POST", 30
		l.sim.Inject(fault)
		worse := critical("Disk", l.clock.Now())
		worse.Fingerprint = "other"
		l.hear(worse)
		l.pass(3 * time.Minute)
		if n, r := len(l.sim.Incidents()[0].Remarks), l.of(minor); n != 1 || r.Remarks != 1 {
			t.Errorf("%s: %d remarks, counted %d", fault, n, r.Remarks)
		}
	}
}

// talkative is a COC that takes remarks in every state.
type talkative struct {
	*life
	remarks []string
}

func (c *talkative) RemarkIncident(_ context.Context, _, note string) (string, error) {
	c.remarks = append(c.remarks, note)
	return "", nil
}

func TestDo_saysThatAClosedTicketStillFires(t *testing.T) {
	for on, want := range map[string]int{"leave": 0, "remark": 1} {
		l := newLife(t, coctest.Fault{})
		l.under(func(c *incidents.Config) { c.OnClosedByPerson = on })
		c := &talkative{life: l}
		l.follow(c)
		disk := critical("Disk", l.clock.Now())
		l.hear(disk)
		l.pass(time.Minute)
		l.edit(coctest.IncidentCompleted)
		l.pass(time.Hour)
		if r := l.of(disk); len(c.remarks) != want || r.State != incidents.Closed {
			t.Errorf("%s: %s, remarks %q", on, r.State, c.remarks)
		}
		if want == 1 && !strings.Contains(c.remarks[0], "1 of its alerts still fire") {
			t.Errorf("%q", c.remarks)
		}
	}
}
