package incidents_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/incidents"
)

// wantTickets checks how many there are.
func (l *life) wantTickets(n int) {
	l.t.Helper()
	all := l.sim.Incidents()
	if len(all) == n {
		return
	}
	for _, i := range all {
		l.t.Logf("%s %s", i.Title, i.Status)
	}
	l.t.Errorf("%d tickets, want %d", len(all), n)
}

// A proxy on the way answers with its own page, whether COC has acted or not.
func TestCreate_anAnswerThatIsNotCOCsSaysNothing(t *testing.T) {
	for _, fault := range []coctest.Fault{
		{Status: 302, Location: "http://login.example/"}, {Status: 400, Do: coctest.Empty}, {Status: 401, Do: coctest.HTML},
		{Status: 403, Do: coctest.HTML}, {Status: 404, Do: coctest.HTML}, {Status: 413, Do: coctest.HTML}, {Status: 429, Do: coctest.HTML},
	} {
		for _, fault.After = range []bool{true, false} {
			t.Run(fault.String(), func(t *testing.T) {
				l := newLife(t, coctest.Fault{})
				fault.Times, fault.On = 1, "/v1/external/incident/create"
				l.sim.Inject(fault)
				disk := critical("Disk", l.clock.Now())
				l.hear(disk)
				l.pass(5 * time.Minute)
				l.wantTickets(1)
				if r := l.of(disk); r.State != incidents.Accepted || r.Number != l.sim.Incidents()[0].Num {
					t.Errorf("%s %s", r.State, r.Number)
				}
			})
		}
	}
}

// late is a COC whose first create waits for its turn, and whose list lags.
type late struct {
	*life
	by   time.Duration // how long the create waits
	dies bool          // the process ends while COC acts
	lag  time.Duration // of the list behind the create
	seen time.Time     // nothing new is shown before
}

func (c *late) CreateIncident(ctx context.Context, in coc.NewIncident) (num, id string, err error) {
	c.clock.set(c.clock.Now().Add(c.by))
	c.by = 0
	c.seen = c.clock.Now().Add(c.lag)
	num, id, err = c.life.CreateIncident(ctx, in)
	if c.dies {
		c.dies = false
		panic(killed{})
	}
	return num, id, err
}

func (c *late) ListIncidents(ctx context.Context, q coc.IncidentQuery) (coc.IncidentPage, error) {
	if c.clock.Now().Before(c.seen) {
		return coc.IncidentPage{}, nil
	}
	return c.life.ListIncidents(ctx, q)
}

// COC's time to show the ticket begins when the call has ended, not when the look
// at the group has begun.
func TestCreate_waitsForItsTurnAndThenForTheTicketToShow(t *testing.T) {
	l := newLife(t, coctest.Fault{Do: coctest.Reset, After: true})
	l.follow(&late{life: l, by: 3 * time.Minute, lag: time.Minute})
	l.hear(critical("Disk", l.clock.Now()))
	l.pass(10 * time.Minute)
	l.wantTickets(1)
}

// A process that died cannot tell when its call has left: the looks are apart.
func TestCreate_theNextLifeGivesCOCTimeBetweenTheLooks(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	c := &late{life: l, by: 3 * time.Minute, lag: time.Minute, dies: true}
	l.follow(c)
	l.hear(critical("Disk", l.clock.Now()))
	l.pass(10 * time.Minute)
	l.wantTickets(1)
}

// busy is a COC that looks at no filter: before ours it lists newer tickets.
type busy struct {
	*life
	newer int
	total int  // that is told; 0 = the rows of the page
	cut   bool // nothing is shown after the first page
}

func (b *busy) ListIncidents(ctx context.Context, q coc.IncidentQuery) (page coc.IncidentPage, err error) {
	for i := q.Offset; i < min(q.Offset+q.Limit, b.newer); i++ {
		page.Incidents = append(page.Incidents, coc.Incident{Num: fmt.Sprintf("IM%d", i), Title: "another"})
	}
	if len(page.Incidents) < q.Limit && !(b.cut && q.Offset > 0) {
		var ours coc.IncidentPage
		ours, err = b.life.ListIncidents(ctx, coc.IncidentQuery{TitleLike: q.TitleLike})
		page.Incidents = append(page.Incidents, ours.Incidents...)
	}
	page.Total = max(b.total, len(page.Incidents))
	return page, err
}

func TestLook_goesOnToAPageThatIsNotFull(t *testing.T) {
	l := newLife(t, coctest.Fault{Do: coctest.Reset, After: true})
	l.follow(&busy{life: l, newer: 150})
	l.hear(critical("Disk", l.clock.Now()))
	l.pass(5 * time.Minute)
	l.wantTickets(1)
}

// A list that is not shown to its end proves nothing: nothing is opened until one is.
func TestLook_isNotSureOfAListThatIsCut(t *testing.T) {
	for name, c := range map[string]*busy{
		"before its total": {newer: 100, total: 101, cut: true},
		"by our own bound": {newer: 10001},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, coctest.Fault{Do: coctest.Reset, After: true})
			c.life = l
			l.follow(c)
			disk := critical("Disk", l.clock.Now())
			l.hear(disk)
			l.pass(10 * time.Minute)
			l.wantTickets(1)
			if r := l.of(disk); r.State != incidents.Opening || r.Looks != 0 {
				t.Errorf("%s after %d looks", r.State, r.Looks)
			}
			c.newer, c.cut = 0, false
			l.pass(5 * time.Minute)
			if r := l.of(disk); r.State != incidents.Accepted {
				t.Errorf("%s when the list is whole", r.State)
			}
			l.wantTickets(1)
		})
	}
}

// In the end a person must look.
func TestLook_givesUpOnAListThatStaysCut(t *testing.T) {
	l := newLife(t, coctest.Fault{Do: coctest.Reset, After: true})
	l.follow(&busy{life: l, newer: 100, total: 101, cut: true})
	l.hear(critical("Disk", l.clock.Now()))
	l.pass(55 * time.Minute)
	for range 10 {
		id, group, due := l.next()
		l.clock.set(due)
		_, err := l.in.Do(t.Context(), group)
		var refused *incidents.Refused
		if errors.As(err, &refused) {
			if refused.Code != "gave_up" {
				t.Errorf("%v", refused)
			}
			return
		}
		l.work(id, group)
	}
	t.Error("it never gives up")
}
