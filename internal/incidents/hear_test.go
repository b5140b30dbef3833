package incidents_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/store"
)

// on is the alarm Disk of one host.
func (l *life) on(host string) alert.Alert {
	a := critical("Disk", l.clock.Now())
	a.Fingerprint, a.Labels["instance"] = host, host
	return a
}

// two brings a group of two members to a ticket.
func (l *life) two() (first, second alert.Alert) {
	l.t.Helper()
	first = l.on("web-2")
	l.hear(first)
	l.pass(5 * time.Minute)
	second = l.on("web-1")
	l.hear(second)
	l.pass(5 * time.Minute)
	l.wantTickets(1)
	return first, second
}

// A new store hears of the members in another order than the old one, and of some
// that are newer than it.
func TestFires_aNewStoreFindsTheTicketByEachMember(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	first, second := l.two()
	l.stop()
	l.path = filepath.Join(t.TempDir(), "new.db")
	l.open()
	third := l.on("web-3")
	l.hear(third)
	l.hear(second)
	l.hear(first)
	l.pass(5 * time.Minute)
	l.wantTickets(1)
	r, num := l.of(third), l.sim.Incidents()[0].Num
	if r.Number != num || r.State != incidents.Accepted || r.Mark != incidents.MarkOf("page", []string{"Disk"}, first.StartsAt) {
		t.Errorf("%s %s with the mark %s", r.State, r.Number, r.Mark)
	}
}

// spoil makes the records of all groups unreadable.
func (l *life) spoil() {
	must(l.t, l.store.Update(l.t.Context(), func(tx *store.Tx) error {
		var keys [][]byte
		tx.Scan(incidents.Bucket, nil, func(key, _ []byte, _ error) bool { keys = append(keys, append([]byte(nil), key...)); return true })
		for _, key := range keys {
			if err := tx.Put(incidents.Bucket, key, []byte("{")); err != nil {
				return err
			}
		}
		return nil
	}))
}

// A damaged record: who began the group may have recovered meanwhile.
func TestFires_aDamagedRecordFindsTheTicketByEachMember(t *testing.T) {
	for name, recovered := range map[string]bool{"who still fires": false, "who has recovered": true} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, coctest.Fault{})
			first, second := l.two()
			if recovered {
				l.hear(over(first, l.clock.Now()))
				l.pass(time.Minute)
			}
			l.spoil()
			l.hear(second)
			l.pass(5 * time.Minute)
			l.wantTickets(1)
			if s := l.of(second).State; s != incidents.Accepted {
				t.Errorf("state %s", s)
			}
		})
	}
}

// The ticket of a member that has recovered is not that of what fires now, once
// nobody works on it.
func TestFires_aDamagedRecordTakesNoTicketThatIsOver(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	l.solved()
	l.spoil()
	other := l.on("web-1")
	l.hear(other)
	l.pass(5 * time.Minute)
	l.wantTickets(2)
	if r := l.of(other); r.State != incidents.Accepted || r.Number == l.sim.Incidents()[0].Num {
		t.Errorf("%s %s", r.State, r.Number)
	}
}

// Another group_by is for what has no ticket: what has one stays there until that is
// over.
func TestFires_anotherGroupByOpensNoSecondTicket(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	disk := l.on("web-1")
	l.hear(disk)
	l.pass(5 * time.Minute)
	l.under(func(c *incidents.Config) { c.GroupBy = []string{"alertname", "instance"} })
	l.pass(30 * time.Minute)
	l.hear(disk) // a repeat that is due
	l.pass(5 * time.Minute)
	l.wantTickets(1)
	l.hear(l.on("web-2"))
	l.pass(5 * time.Minute)
	l.wantTickets(2)
	l.hear(over(disk, l.clock.Now()))
	l.pass(10 * time.Minute)
	l.wantStatus(coctest.IncidentResolved)
	l.hear(l.on("web-1")) // within refire.within: still the old one
	l.pass(5 * time.Minute)
	l.wantTickets(2)
	if n := len(l.sim.Incidents()[0].Remarks); n != 1 {
		t.Errorf("%d remarks", n)
	}
	l.hear(over(disk, l.clock.Now()))
	l.pass(time.Hour)
	l.hear(l.on("web-1"))
	l.pass(5 * time.Minute)
	l.wantTickets(3)
}

// What waits for its hold has no ticket yet: it begins anew by the rule as it is now.
func TestFires_anotherGroupByOfWhatIsHeldBack(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	disk := l.on("web-1")
	l.hear(disk)
	l.under(func(c *incidents.Config) { c.GroupBy = nil })
	l.hear(disk)
	l.pass(5 * time.Minute)
	l.wantTickets(1)
}

// A storm of one group from three peers costs one ticket, and one task at each commit.
func TestFires_aStormIsOneTask(t *testing.T) {
	const alerts, peers = 1000, 3
	l := newLife(t, coctest.Fault{})
	most := 0
	l.committed = func() { most = max(most, l.waiting()) }
	for i := range alerts {
		a := l.on(fmt.Sprintf("web-%d", i))
		for range peers {
			l.hear(a)
		}
		l.pass(10 * time.Second / alerts)
	}
	l.pass(time.Minute)
	l.wantTickets(1)
	if most != 1 {
		t.Errorf("%d tasks at once", most)
	}
	if n := len(l.sim.Incidents()[0].Remarks); n > 20 {
		t.Errorf("%d remarks", n)
	}
}

// waiting counts the tasks.
func (l *life) waiting() (n int) {
	must(l.t, l.store.View(func(tx *store.Tx) error {
		tx.Scan(tasks, nil, func(_, _ []byte, _ error) bool { n++; return true })
		return nil
	}))
	return n
}

// An old ticket is read seldom, but what its members do is seen to at once.
func TestFires_newsOfAnOldTicketDoNotWaitForItsPoll(t *testing.T) {
	l := newLife(t, coctest.Fault{})
	minor := l.on("web-1")
	minor.Labels["severity"] = "warning"
	l.hear(minor)
	l.pass(3*time.Hour + 2*time.Minute)
	worse := l.on("web-2")
	l.hear(worse)
	l.pass(time.Minute)
	if n := len(l.sim.Incidents()[0].Remarks); n != 1 {
		t.Errorf("%d remarks", n)
	}
	l.pass(time.Hour)
	for _, a := range []alert.Alert{minor, worse} {
		l.hear(over(a, l.clock.Now()))
	}
	l.pass(6 * time.Minute)
	l.wantStatus(coctest.IncidentResolved)
}
