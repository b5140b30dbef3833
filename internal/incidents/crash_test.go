package incidents_test

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/render"
	"github.com/cocbridge/cocbridge/internal/store"
)

var everyPoint = flag.Bool("incidents.every", false, "TestCrash kills at every point with every fault, not at a sample")

// killed is the panic that stands for SIGKILL: what is on disk, and what COC
// has, stay as they are; all else is gone.
type killed struct{}

// life is one run of the daemon's part that follows incidents, on a store that
// outlives it, against a simulated COC that does too.
type life struct {
	t      *testing.T
	path   string
	clock  *testClock
	sim    *coctest.Server
	client *coc.Client
	blind  bool          // the negative control: looks find nothing
	over   incidents.COC // what stands before client; nil = the life itself

	points, killAt int // a kill happens at this one; 0 = none

	rule      func(*incidents.Config) // changes the rule of the story; nil = as it is
	inFlight  uint64                  // the task that is worked on
	update    func()                  // comes before the next commit
	committed func()                  // comes after each commit
	runs      string                  // what scripts are said to have done

	store *store.Store
	stop  func()
	in    *incidents.Incidents
}

// testClock stands still unless it is set.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// point is a place where the process may die.
func (l *life) point() {
	if l.points++; l.points == l.killAt {
		panic(killed{})
	}
}

// The store as incidents see it: a kill may come before and after each commit.

func (l *life) Update(ctx context.Context, f func(*store.Tx) error) error {
	l.point()
	if l.update != nil {
		l.update()
	}
	err := l.store.Update(ctx, f)
	if l.committed != nil {
		l.committed()
	}
	l.point()
	return err
}

func (l *life) View(f func(*store.Tx) error) error { return l.store.View(f) }

// COC as incidents see it: a kill may come before and after each call.

func (l *life) CreateIncident(ctx context.Context, in coc.NewIncident) (num, id string, err error) {
	l.call(func() { num, id, err = l.client.CreateIncident(l.sim.Impatient(ctx), in) })
	return num, id, err
}

func (l *life) HandleIncident(ctx context.Context, a coc.IncidentAction) (id string, err error) {
	l.call(func() { id, err = l.client.HandleIncident(l.sim.Impatient(ctx), a) })
	return id, err
}

func (l *life) RemarkIncident(ctx context.Context, num, note string) (id string, err error) {
	l.call(func() { id, err = l.client.RemarkIncident(ctx, num, note) })
	return id, err
}

func (l *life) GetIncident(ctx context.Context, num string) (i coc.Incident, err error) {
	l.call(func() { i, err = l.client.GetIncident(ctx, num) })
	return i, err
}

func (l *life) ListIncidents(ctx context.Context, q coc.IncidentQuery) (p coc.IncidentPage, err error) {
	if l.blind {
		return coc.IncidentPage{}, nil
	}
	l.call(func() { p, err = l.client.ListIncidents(ctx, q) })
	return p, err
}

func (l *life) call(f func()) {
	l.point()
	f()
	l.point()
}

// The queue: one record per group, in the same store.
const tasks store.Bucket = "testtasks"

func put(tx *store.Tx, group, _ string, due time.Time) (uint64, error) {
	id, err := tx.Next(tasks)
	if err != nil {
		return 0, err
	}
	value := binary.BigEndian.AppendUint64(nil, uint64(due.UnixNano()))
	return id, tx.Put(tasks, binary.BigEndian.AppendUint64(nil, id), append(value, group...))
}

func (l *life) cancel(tx *store.Tx, id uint64) (bool, error) {
	if id == l.inFlight {
		return false, nil
	}
	return true, tx.Delete(tasks, binary.BigEndian.AppendUint64(nil, id))
}

// open begins another life on the same store.
func (l *life) open() {
	l.t.Helper()
	s, err := store.Open(store.Options{Path: l.path, Now: l.clock.Now})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	l.store, l.inFlight = s, 0
	l.stop = func() {
		end()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			l.t.Fatal(err)
		}
	}
	if l.over == nil {
		l.over = l
	}
	l.follow(l.over)
}

// follow compiles the rule of the story, over the given COC, which stays for all lives.
func (l *life) follow(over incidents.COC) {
	l.t.Helper()
	l.over = over
	cfg := incidents.DefaultConfig()
	cfg.GroupBy, cfg.Creator, cfg.Assignee = []string{"alertname"}, "user", &render.Field{Value: new("user")}
	if l.rule != nil {
		l.rule(&cfg)
	}
	var err error
	l.in, err = incidents.New(incidents.Options{
		Rules: []incidents.Rule{{Name: "page", Incident: &cfg}}, Application: &render.Field{Value: new("app")},
		Fence: time.Minute, History: time.Hour, GiveUpAfter: time.Hour,
		Store: l, COC: over, Put: put, Cancel: l.cancel,
		Summary: func(*store.Tx, []string, time.Time) string { return l.runs },
		Metrics: incidents.NewMetrics(prometheus.NewRegistry()), Log: zap.NewNop(), Now: l.clock.Now,
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// survive runs f in life after life until it has come to its end.
func (l *life) survive(f func()) {
	for !l.try(f) {
		l.stop()
		l.killAt = 0
		l.clock.set(l.clock.Now().Add(3 * time.Second)) // until it is up again
		l.open()
	}
}

func (l *life) try(f func()) (done bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, kill := p.(killed); !kill {
				panic(p)
			}
		}
	}()
	f()
	return true
}

// hear is the transaction of Accept; its sender repeats it until it is acknowledged.
func (l *life) hear(a alert.Alert) {
	l.survive(func() {
		must(l.t, l.Update(l.t.Context(), func(tx *store.Tx) error {
			if a.Status == alert.Resolved {
				return l.in.Recovered(tx, a.AlarmID(), a.StartsAt, a.EndsAt)
			}
			return l.in.Fires(tx, &a, l.in.Match(&a))
		}))
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pass does what is due, in order, until the clock has moved on by d.
func (l *life) pass(d time.Duration) {
	until := l.clock.Now().Add(d)
	for range 1000 {
		id, group, due := l.next()
		if id == 0 || due.After(until) {
			l.clock.set(until)
			return
		}
		if due.After(l.clock.Now()) {
			l.clock.set(due)
		}
		l.survive(func() { l.work(id, group) })
	}
	l.t.Fatal("there is no end of steps")
}

// next is the task that is due first.
func (l *life) next() (id uint64, group string, due time.Time) {
	must(l.t, l.store.View(func(tx *store.Tx) error {
		tx.Scan(tasks, nil, func(key, value []byte, _ error) bool {
			at := time.Unix(0, int64(binary.BigEndian.Uint64(value)))
			if id == 0 || at.Before(due) {
				id, group, due = binary.BigEndian.Uint64(key), string(value[8:]), at
			}
			return true
		})
		return nil
	}))
	return id, group, due
}

// work is what the forwarder does with a task: an error of COC is tried again.
func (l *life) work(id uint64, group string) {
	l.inFlight = id
	defer func() { l.inFlight = 0 }()
	_, err := l.in.Do(l.t.Context(), group)
	var e *coc.Error
	again := errors.As(err, &e)
	if err != nil && !again && !errors.Is(err, incidents.ErrIdle) && !errors.Is(err, incidents.ErrRead) {
		l.t.Fatalf("step of %s: %v", group, err)
	}
	must(l.t, l.Update(l.t.Context(), func(tx *store.Tx) error {
		key := binary.BigEndian.AppendUint64(nil, id)
		value, err := tx.Get(tasks, key)
		if err != nil || value == nil {
			return err // a life before has done it, and was not told
		}
		if again {
			due := binary.BigEndian.AppendUint64(nil, uint64(l.clock.Now().Add(time.Second).UnixNano()))
			return tx.Put(tasks, key, append(due, group...))
		}
		return errors.Join(tx.Delete(tasks, key), l.in.Settle(tx, group, id))
	}))
}

func newLife(t *testing.T, fault coctest.Fault) *life {
	t.Helper()
	l := &life{t: t, path: filepath.Join(t.TempDir(), "x.db"), clock: &testClock{now: noon}}
	l.sim = coctest.New(coctest.Options{
		AccessKey: "AK", SecretKey: "SK", IncidentDelay: 2 * time.Second, IncidentPause: 5 * time.Second, Now: l.clock.Now,
	})
	if fault != (coctest.Fault{}) {
		fault.Times = 1
		for _, path := range []string{"/v1/external/incident/create", "/v1/external/incident/handle"} {
			fault.On = path
			l.sim.Inject(fault)
		}
	}
	srv := httptest.NewServer(l.sim)
	t.Cleanup(func() { l.stop(); l.client.Close(); l.sim.Close(); srv.Close() })
	cfg := coc.DefaultConfig()
	cfg.Endpoint, cfg.ProjectID, cfg.Auth.AccessKey, cfg.Auth.SecretKey = srv.URL, "p", "AK", "SK"
	cfg.RateLimits = coc.RateLimits{Tickets: 1e6, Execute: 1, Reads: 1e6}
	var err error
	l.client, err = coc.New(cfg, coc.Options{Now: l.clock.Now})
	must(t, err)
	l.open()
	return l
}

// story opens two tickets and solves the first; it returns "title status" of all.
func (l *life) story() (tickets []string) {
	disk := alert.Alert{Receiver: "am", Status: alert.Firing, Fingerprint: "1", StartsAt: l.clock.Now(), Labels: map[string]string{"alertname": "Disk", "severity": "critical"}}
	net := alert.Alert{Receiver: "am", Status: alert.Firing, Fingerprint: "2", StartsAt: l.clock.Now(), Labels: map[string]string{"alertname": "Net", "severity": "critical"}}
	l.hear(disk)
	l.hear(net)
	l.pass(5 * time.Minute)
	disk.Status, disk.EndsAt = alert.Resolved, l.clock.Now()
	l.hear(disk)
	l.pass(12 * time.Minute)
	for _, i := range l.sim.Incidents() {
		title, _, _ := strings.Cut(i.Title, " ")
		tickets = append(tickets, title+" "+strings.TrimPrefix(i.Status, "INCIDENT_STATUS_"))
	}
	return tickets
}

var faults = []struct {
	name  string
	fault coctest.Fault
}{
	{"ok", coctest.Fault{}},
	{"act then reset", coctest.Fault{Do: coctest.Reset, After: true}},
	{"hang", coctest.Fault{Do: coctest.Hang, After: true}},
	{"500", coctest.Fault{Status: 500, After: true}},
	{"reset before", coctest.Fault{Do: coctest.Reset}},
}

// Killed at each point of a story, with each thing that COC may do to the create
// and to the first step: one ticket for each of two groups, and the right one solved.
func TestCrash(t *testing.T) {
	const sample = 35 // of the points, others with each fault
	runs := 0
	for f, c := range faults {
		whole := newLife(t, c.fault)
		if got := fmt.Sprint(whole.story()); !right(got) {
			t.Errorf("%s, not killed: %s", c.name, got)
		}
		points := whole.points
		if points < 50 {
			t.Errorf("%s: only %d points", c.name, points)
		}
		for at := 1; at <= points; at++ {
			if !*everyPoint && at%sample != f*sample/len(faults) {
				continue
			}
			l := newLife(t, c.fault)
			l.killAt = at
			if got := fmt.Sprint(l.story()); !right(got) {
				t.Errorf("%s, killed at point %d of %d: %s", c.name, at, points, got)
			}
			runs++
		}
	}
	t.Logf("%d kills", runs)
}

func right(tickets string) bool {
	return tickets == "[Disk RESOLVED Net ACKNOWLEDGED]" || tickets == "[Net ACKNOWLEDGED Disk RESOLVED]"
}

// The experiment must be able to fail: without the look there are two tickets.
func TestCrash_negativeControl(t *testing.T) {
	l := newLife(t, coctest.Fault{Do: coctest.Reset, After: true})
	l.blind = true
	if got := fmt.Sprint(l.story()); right(got) || strings.Count(got, "Disk")+strings.Count(got, "Net") != 3 {
		t.Errorf("a bridge that does not look makes no second ticket: the experiment proves nothing: %s", got)
	}
	for at := 1; at <= 12; at++ { // a kill while the create is under way
		l := newLife(t, coctest.Fault{})
		l.blind, l.killAt = true, at
		if got := l.story(); len(got) > 2 {
			return
		}
	}
	t.Error("no kill makes a second ticket without the look: the experiment proves nothing")
}
