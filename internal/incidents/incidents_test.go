package incidents_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/store"
)

func critical(name string, at time.Time) alert.Alert {
	return alert.Alert{Receiver: "am", Status: alert.Firing, Fingerprint: name, StartsAt: at, Labels: map[string]string{"alertname": name, "severity": "critical"}}
}

func over(a alert.Alert, at time.Time) alert.Alert {
	a.Status, a.EndsAt = alert.Resolved, at
	return a
}

// of is the one record of an alarm.
func (l *life) of(a alert.Alert) *incidents.Record {
	l.t.Helper()
	var all []*incidents.Record
	must(l.t, l.store.View(func(tx *store.Tx) (err error) {
		all, err = incidents.Of(tx, a.AlarmID())
		return err
	}))
	if len(all) != 1 {
		l.t.Fatalf("%d records", len(all))
	}
	return all[0]
}

func TestOf_tellsTicketStateAndLastStep(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	disk := critical("Disk", l.clock.Now())
	l.hear(disk)
	l.pass(time.Minute)
	r := l.of(disk)
	if r.State != incidents.Accepted || r.Number != l.sim.Incidents()[0].Num || r.Rule != "page" || r.Level != "level_10" {
		t.Errorf("record %+v", r)
	}
	var steps []string
	for _, e := range r.History {
		steps = append(steps, e.What)
	}
	want := "began opening open ticket ticket ticket accepted ticket"
	if got := strings.Join(steps, " "); !strings.HasPrefix(got, "began opening open ") || !strings.Contains(got, " accepted") {
		t.Errorf("history %q, want such as %q", got, want)
	}
}

func TestRecovered_aLateRecoveryOfAnEarlierEpisodeIsNone(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	first := critical("Disk", l.clock.Now().Add(-time.Hour))
	second := critical("Disk", l.clock.Now())
	l.hear(second)
	l.hear(over(first, l.clock.Now().Add(-30*time.Minute)))
	l.pass(20 * time.Minute)
	if s := l.of(second).State; s != incidents.Accepted {
		t.Errorf("state %s", s)
	}
}

// A slow peer sends the firing once more after the recovery: it counts only
// behind the fence, and the recovery that follows ends it.
func TestFires_aSlowPeerDoesNotFireAgain(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	disk := critical("Disk", l.clock.Now())
	l.hear(disk)
	l.pass(time.Minute)
	l.hear(over(disk, l.clock.Now()))
	l.pass(6 * time.Minute)
	if s := l.of(disk).State; s != incidents.Solved {
		t.Fatalf("state %s", s)
	}
	l.hear(disk)
	l.pass(30 * time.Second)
	l.hear(over(disk, l.clock.Now()))
	l.pass(10 * time.Minute)
	if i := l.sim.Incidents(); len(i) != 1 || len(i[0].Remarks) != 0 {
		t.Errorf("tickets: %+v", i)
	}
}

// Repeats and peers change nothing: not even a write.
func TestFires_repeatsAreNoNews(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	disk := critical("Disk", l.clock.Now())
	l.hear(disk)
	l.pass(time.Minute)
	before := l.store.Stats().Commits
	for range 100 {
		l.hear(disk)
	}
	if n := l.store.Stats().Commits - before; n > 1 {
		t.Errorf("%d commits", n)
	}
}

// pages is a COC with many tickets that are like ours, and ours on the last page.
type pages struct {
	*life
	asked int
}

func (p *pages) ListIncidents(_ context.Context, q coc.IncidentQuery) (coc.IncidentPage, error) {
	p.asked++
	page := coc.IncidentPage{Total: 250}
	for i := q.Offset; i < min(q.Offset+q.Limit, page.Total); i++ {
		title := fmt.Sprintf("like %d", i)
		if i >= 248 {
			title = "ours " + q.TitleLike
		}
		page.Incidents = append(page.Incidents, coc.Incident{Num: fmt.Sprintf("IM%d", i), Title: title, CreateTime: int64(1000 - i)})
	}
	return page, nil
}

func TestLook_readsAllPagesAndTakesTheOldest(t *testing.T) {
	l := newLife(t, coctest.Fault{Do: coctest.Reset})
	p := &pages{life: l}
	l.follow(p)
	disk := critical("Disk", l.clock.Now())
	l.hear(disk)
	l.pass(35 * time.Second)
	if r := l.of(disk); r.Number != "IM249" || p.asked != 3 {
		t.Errorf("adopted %q after %d pages", r.Number, p.asked)
	}
}

// What any version has written stays readable.
func TestRecord_onDisk(t *testing.T) {
	text, err := os.ReadFile("testdata/record.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var r incidents.Record
	if err := json.Unmarshal(text, &r, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	if r.State != incidents.Solved || r.Number != "IM202611211200000000000001" || r.Again == nil || r.Told["level"].IsZero() || len(r.History) != 2 {
		t.Errorf("read %+v", r)
	}
	again, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Join(strings.Fields(string(text)), ""), strings.Join(strings.Fields(string(again)), "")); diff != "" {
		t.Errorf("written (-file +now):\n%s", diff)
	}
}
