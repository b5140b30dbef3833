package scripts_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/scripts"
	"github.com/cocbridge/cocbridge/internal/store"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// killed is the panic that stands for SIGKILL: what is on disk, and what COC has,
// stay as they are; all else is gone.
type killed struct{}

// life is one run of the daemon's part that runs scripts, on a store and a journal
// that outlive it, against a simulated COC that does too.
type life struct {
	*coc.Client
	t      *testing.T
	folder string
	clock  atomic.Int64 // the simulated COC may still look when its caller has left
	sim    *coctest.Server
	rules  []scripts.Rule
	fault  coctest.Fault // that meets the first call
	faults int           // how many it meets; 0 = one
	amnesia,
	noJournal bool // negative controls: the store forgets that it called; so does the journal

	lie func(order string) string // what COC answers to a call instead of its order
	cut func(*coc.OrderPage)      // what COC lists instead of a page

	noHosts bool // COC shows no hosts of orders yet
	cutJobs bool // COC lists nothing of the executions that it counts

	turn func() // what happens while a run waits for its turn

	points, killAt int // a kill happens at this one; 0 = none
	stopping       bool
	untrusted      bool           // the receiver asks for no credentials
	jobFault       *coctest.Fault // that meets the first call of a job
	calls          int            // that were asked for, over all lives

	store   *store.Store
	journal *scripts.Journal
	reg     *prometheus.Registry
	stop    func()
	s       *scripts.Scripts
	letters []string // codes of dead letters
}

func (l *life) at() time.Time { return time.Unix(0, l.clock.Load()).UTC() }

func (l *life) set(now time.Time) { l.clock.Store(now.UnixNano()) }

// point is a place where the process may die.
func (l *life) point() {
	if l.points++; l.points == l.killAt {
		panic(killed{})
	}
}

// The store as scripts see it: a kill may come before and after each commit.

func (l *life) Update(ctx context.Context, f func(*store.Tx) error) error {
	l.point()
	err := l.store.Update(ctx, f)
	l.point()
	l.visible()
	return err
}

func (l *life) View(f func(*store.Tx) error) error { return l.store.View(f) }

func (l *life) append(e scripts.Entry) error {
	l.point()
	err := l.journal.Append(e)
	l.point()
	return err
}

// TurnToExecute comes after turn, which stands for what happens while a run waits.
func (l *life) TurnToExecute(ctx context.Context) error {
	l.point()
	if l.turn != nil {
		l.turn()
	}
	return l.Client.TurnToExecute(ctx)
}

// The call as scripts see it: a kill may come before and after.

func (l *life) ExecuteScript(ctx context.Context, r coc.Run) (order, id string, err error) {
	l.point()
	if l.calls++; l.calls <= max(1, l.faults) && l.fault != (coctest.Fault{}) {
		l.sim.Inject(l.fault)
		defer l.sim.ClearFaults()
	}
	order, id, err = l.Client.ExecuteScript(l.sim.Impatient(ctx), r)
	if e := new(coc.Error); errors.As(err, &e) && !e.Sent {
		l.calls-- // a slow machine: not one byte has left
	}
	l.point()
	if err == nil && l.lie != nil {
		order = l.lie(order)
	}
	return order, id, err
}

func (l *life) ExecuteDocument(ctx context.Context, j coc.JobRun) (id, requestID string, err error) {
	if l.jobFault != nil {
		l.sim.Inject(*l.jobFault)
		l.jobFault = nil
	}
	return l.Client.ExecuteDocument(ctx, j)
}

func (l *life) GetScript(ctx context.Context, uuid string) (script coc.Script, err error) {
	l.asked(func() { script, err = l.Client.GetScript(ctx, uuid) })
	return script, err
}

func (l *life) ListResources(ctx context.Context, q coc.ResourceQuery) (p coc.ResourcePage, err error) {
	l.asked(func() { p, err = l.Client.ListResources(ctx, q) })
	return p, err
}

func (l *life) GetOrder(ctx context.Context, uuid string) (o coc.Order, err error) {
	l.asked(func() { o, err = l.Client.GetOrder(ctx, uuid) })
	return o, err
}

func (l *life) ListOrders(ctx context.Context, q coc.OrderQuery) (p coc.OrderPage, err error) {
	l.asked(func() { p, err = l.Client.ListOrders(ctx, q) })
	if l.cut != nil {
		l.cut(&p)
	}
	return p, err
}

func (l *life) OrderBatches(ctx context.Context, order string) (all []coc.OrderBatch, err error) {
	l.asked(func() { all, err = l.Client.OrderBatches(ctx, order) })
	return all, err
}

func (l *life) ListHostRuns(ctx context.Context, q coc.HostRunQuery) (p coc.HostRunPage, err error) {
	if l.noHosts {
		return p, nil
	}
	l.asked(func() { p, err = l.Client.ListHostRuns(ctx, q) })
	return p, err
}

// asked is a question to COC: a kill may come before and after.
func (l *life) asked(f func()) {
	l.point()
	f()
	l.point()
}

func (l *life) ListExecutions(ctx context.Context, q coc.ExecutionQuery) (p coc.ExecutionPage, err error) {
	p, err = l.Client.ListExecutions(ctx, q)
	if l.cutJobs {
		p.Executions, p.Next = nil, 0
	}
	return p, err
}

// visible: at each moment the gauge shows what is in doubt on disk.
func (l *life) visible() {
	n := 0
	must(l.t, l.store.View(func(tx *store.Tx) error { n, _ = scripts.InDoubt(tx); return nil }))
	got := -1.0
	families, err := l.reg.Gather()
	must(l.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "cocbridge_runs_open" && m.GetLabel()[0].GetValue() == "unknown" {
				got = m.GetGauge().GetValue()
			}
		}
	}
	if got != float64(n) {
		l.t.Errorf("%d runs are in doubt, the metric shows %v", n, got)
	}
}

// The queue: one record per run, in the same store.
const tasks store.Bucket = "testtasks"

func key(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

func put(tx *store.Tx, r *scripts.Run, due time.Time) (uint64, error) {
	id, err := tx.Next(tasks)
	if err != nil {
		return 0, err
	}
	value := binary.BigEndian.AppendUint64(nil, uint64(due.UnixNano()))
	return id, tx.Put(tasks, key(id), append(value, r.ID...))
}

func cancel(tx *store.Tx, id uint64) (bool, error) { return true, tx.Delete(tasks, key(id)) }

// open begins another life on the same store and journal.
func (l *life) open() {
	l.t.Helper()
	s, err := store.Open(store.Options{Path: filepath.Join(l.folder, "x.db"), Now: l.at})
	must(l.t, err)
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	path := filepath.Join(l.folder, "runs")
	journal, entries, damaged, err := scripts.OpenJournal(path)
	if err != nil || damaged != 0 {
		l.t.Fatal(damaged, err)
	}
	l.store, l.journal, l.reg = s, journal, prometheus.NewRegistry()
	l.stop = func() {
		end()
		must(l.t, errors.Join(<-ended, s.Close(), journal.Close()))
	}
	l.s, err = scripts.New(scripts.Options{
		Rules: l.rules, Automation: scripts.DefaultAutomation(), Trusted: func(string) bool { return !l.untrusted }, History: time.Hour,
		Stopping: func() bool { return l.stopping }, Store: l, COC: l, Journal: l.append, Put: put, Cancel: cancel,
		Metrics: scripts.NewMetrics(l.reg), Log: zap.NewNop(), Now: l.at,
	})
	must(l.t, err)
	if l.amnesia {
		l.forgetCalls()
	}
	if l.noJournal {
		entries = nil
	}
	must(l.t, s.Update(l.t.Context(), func(tx *store.Tx) error { return l.s.Resume(tx, entries) }))
	must(l.t, s.View(func(tx *store.Tx) error { l.s.Recount(tx); return nil }))
}

// forgetCalls makes the store lose the last commit of each run that was called.
func (l *life) forgetCalls() {
	must(l.t, l.store.Update(l.t.Context(), func(tx *store.Tx) error {
		values := map[string][]byte{}
		tx.Scan(scripts.Bucket, nil, func(k, v []byte, _ error) bool { values[string(k)] = bytes.Clone(v); return true })
		for id, v := range values {
			lost := bytes.Replace(v, []byte(`"state":"calling"`), []byte(`"state":"armed"`), 1)
			if bytes.Equal(lost, v) {
				continue
			}
			lost = bytes.Replace(lost, []byte(`"attempt":1`), []byte(`"attempt":0`), 1)
			if err := errors.Join(tx.Put(scripts.Bucket, []byte(id), lost), tx.Put("runsopen", []byte(id), []byte("fix\x00armed"))); err != nil {
				return err
			}
			var keys [][]byte
			tx.Scan("runcalls", nil, func(k, _ []byte, _ error) bool { keys = append(keys, bytes.Clone(k)); return true })
			for _, k := range keys {
				if err := tx.Delete("runcalls", k); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// survive runs f in life after life until it has come to its end.
func (l *life) survive(f func()) {
	for !l.try(f) {
		l.stop()
		l.killAt = 0
		l.set(l.at().Add(3 * time.Second)) // until it is up again
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
func (l *life) hear(alerts ...alert.Alert) {
	l.survive(func() {
		must(l.t, l.Update(l.t.Context(), func(tx *store.Tx) error {
			var errs []error
			for _, a := range alerts {
				if a.Status == alert.Resolved {
					errs = append(errs, l.s.Recovered(tx, a.AlarmID(), a.StartsAt, a.EndsAt))
				} else {
					errs = append(errs, l.s.Fires(tx, &a, l.s.Match(&a), false))
				}
			}
			return errors.Join(errs...)
		}))
	})
}

// pass does what is due, in order, until the clock has moved on by d.
func (l *life) pass(d time.Duration) {
	until := l.at().Add(d)
	for range 5000 {
		id, run, due := l.next()
		if id == 0 || due.After(until) {
			l.set(until)
			return
		}
		if due.After(l.at()) {
			l.set(due)
		}
		l.survive(func() { l.work(id, run) })
	}
	l.t.Fatal("there is no end of steps")
}

// next is the task that is due first.
func (l *life) next() (id uint64, run string, due time.Time) {
	must(l.t, l.store.View(func(tx *store.Tx) error {
		tx.Scan(tasks, nil, func(k, value []byte, _ error) bool {
			at := time.Unix(0, int64(binary.BigEndian.Uint64(value)))
			if id == 0 || at.Before(due) {
				id, run, due = binary.BigEndian.Uint64(k), string(value[8:]), at
			}
			return true
		})
		return nil
	}))
	return id, run, due
}

// work is what the forwarder does with a task.
func (l *life) work(id uint64, run string) {
	_, err := l.s.Do(l.t.Context(), run)
	var trouble *scripts.Trouble
	var e *coc.Error
	var local *scripts.StoreError
	buried, again := errors.As(err, &trouble), errors.As(err, &e) || errors.As(err, &local)
	if err != nil && !buried && !again && !errors.Is(err, scripts.ErrIdle) {
		l.t.Fatalf("step of %s: %v", run, err)
	}
	must(l.t, l.Update(l.t.Context(), func(tx *store.Tx) error {
		value, err := tx.Get(tasks, key(id))
		if err != nil || value == nil {
			return err // a life before has done it, and was not told
		}
		switch {
		case buried:
			l.letters = append(l.letters, trouble.Code)
			return errors.Join(tx.Delete(tasks, key(id)), l.s.Failed(tx, run, id, trouble.Text))
		case again:
			due := binary.BigEndian.AppendUint64(nil, uint64(l.at().Add(time.Second).UnixNano()))
			return tx.Put(tasks, key(id), append(due, run...))
		}
		return errors.Join(tx.Delete(tasks, key(id)), l.s.Settle(tx, run, id))
	}))
}

const script = "SC2023102521413701c4a8a62"

// fix is a rule that runs a script on two hosts.
func fix() scripts.Rule {
	c := scripts.DefaultScript()
	c.UUID, c.DryRun, c.Cooldown = script, false, 0
	c.Parameters = map[string]scripts.Param{"unit": {Value: "{{ .Labels.unit }}", Allow: unitAllow}}
	c.Targets.Hosts = []scripts.Host{{ResourceID: "web-1"}, {ResourceID: "web-2"}}
	c.Parallel, c.MaxPerHour = 100, 1000
	return scripts.Rule{Name: "fix", Actions: scripts.Actions{Script: &c}}
}

func newLife(t *testing.T, o coctest.Options, change func(*life)) *life {
	t.Helper()
	l := &life{t: t, folder: t.TempDir(), rules: []scripts.Rule{fix()}}
	l.set(noon)
	o.AccessKey, o.SecretKey, o.Now = "AK", "SK", l.at
	l.sim = coctest.New(o)
	l.sim.AddScript(coctest.Script{UUID: script, Name: "restart", Type: "SHELL", Content: "x", Params: []coctest.ScriptParam{{Name: "unit", Value: "x"}}})
	var hosts []coctest.Host
	for _, id := range []string{"web-1", "web-2"} {
		hosts = append(hosts, coctest.Host{ResourceID: id, Name: id, RegionID: "cn-north-4", ProjectID: "p", AgentID: "sn", AgentState: "ONLINE", Takes: 10 * time.Second})
	}
	l.sim.SetHosts(hosts...)
	srv := httptest.NewServer(l.sim)
	t.Cleanup(func() { l.stop(); l.Close(); l.sim.Close(); srv.Close() })
	cfg := coc.DefaultConfig()
	cfg.Endpoint, cfg.ProjectID, cfg.Auth.AccessKey, cfg.Auth.SecretKey = srv.URL, "p", "AK", "SK"
	cfg.RateLimits = coc.RateLimits{Tickets: 1e6, Execute: 1e6, Reads: 1e6}
	if change != nil {
		change(l)
	}
	var err error
	l.Client, err = coc.New(cfg, coc.Options{Now: l.at})
	must(t, err)
	l.open()
	return l
}

func nginx(fingerprint string) alert.Alert {
	return alert.Alert{Receiver: "am", Status: alert.Firing, Fingerprint: fingerprint, StartsAt: noon, Labels: map[string]string{"alertname": "NginxDown", "unit": "nginx"}}
}

// story hears of alarms, which their source repeats, and follows to the end.
func (l *life) story(fingerprints ...string) {
	var all []alert.Alert
	for _, f := range fingerprints {
		all = append(all, nginx(f))
	}
	l.hear(all...)
	l.pass(30 * time.Second)
	for range 10 {
		l.hear(all...)
		l.pass(time.Minute)
	}
}

// run is the only one there is.
func (l *life) run() *scripts.Run {
	all := l.runs()
	if len(all) != 1 {
		l.t.Fatalf("%d runs", len(all))
	}
	return all[0]
}

func (l *life) runs() (all []*scripts.Run) {
	must(l.t, l.store.View(func(tx *store.Tx) error { all = scripts.Runs(tx, 1000); return nil }))
	return all
}

// modes are what may become of the call, whether COC then runs it, and how the run
// ends where nobody is killed.
var modes = []struct {
	name    string
	fault   coctest.Fault
	acts    bool
	outcome scripts.Outcome
}{
	{"ok", coctest.Fault{}, true, scripts.Succeeded},
	{"act then reset", coctest.Fault{Do: coctest.Reset, After: true}, true, scripts.Succeeded},
	{"hang", coctest.Fault{Do: coctest.Hang, After: true}, true, scripts.Succeeded},
	{"500", coctest.Fault{Status: 500, After: true}, true, scripts.Succeeded},
	{"reset before", coctest.Fault{Do: coctest.Reset}, false, scripts.NoTrace},
	{"204", coctest.Fault{Status: 204}, false, scripts.NoTrace},
	{"html", coctest.Fault{Do: coctest.HTML, After: true}, true, scripts.Succeeded},
	{"empty", coctest.Fault{Do: coctest.Empty}, false, scripts.NoTrace},
}

// check holds a life that has come to its end against what must never be.
func (l *life) check(name string) {
	l.t.Helper()
	runs := l.runs()
	if l.calls > len(runs) || len(l.sim.Orders()) > len(runs) {
		l.t.Errorf("%s: %d calls, COC has run %d times what should run %d times", name, l.calls, len(l.sim.Orders()), len(runs))
	}
	for _, r := range runs {
		l.checkRun(name, r)
	}
}

func (l *life) checkRun(name string, r *scripts.Run) {
	l.t.Helper()
	orders := l.ordersOf(r)
	switch {
	case len(orders) > 1:
		l.t.Errorf("%s: COC has run it %d times", name, len(orders))
	case r.Ended.IsZero():
		l.t.Errorf("%s: it never ends: %s", name, r.State)
	case len(orders) == 1 && (r.State != scripts.Done || r.Order != orders[0] || r.Outcome != scripts.Succeeded):
		l.t.Errorf("%s: COC has run %s, the run is %s %s %s", name, orders[0], r.State, r.Order, r.Outcome)
	case len(orders) == 0 && r.State != scripts.Absent:
		l.t.Errorf("%s: COC has run nothing, the run is %s %s", name, r.State, r.Outcome)
	case r.State == scripts.Absent && !slices.Contains(l.letters, "absent"):
		l.t.Errorf("%s: absent, and no dead letter says so: %v", name, l.letters)
	}
}

// ordersOf are those in COC that carry the run's mark.
func (l *life) ordersOf(r *scripts.Run) (all []string) {
	for _, o := range l.sim.Orders() {
		if o.Batches[0].Hosts[0].Attributes["brid"] == r.Mark() {
			all = append(all, o.UUID)
		}
	}
	return all
}

var everyPoint = flag.Bool("scripts.every", false, "TestCrash_runsAtMostOnce kills at every point, not at a sample")

// Killed at each point of two runs, with each thing that COC may do to the calls:
// each runs at most once, nothing is called again, and what is in doubt is visible.
func TestCrash_runsAtMostOnce(t *testing.T) {
	const leastPoints = 100
	step := 5 * thorough
	if *everyPoint {
		step = 1
	}
	for i, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			long := func(l *life) {
				l.fault, l.faults = mode.fault, 2
				for _, id := range []string{"web-1", "web-2"} {
					must(t, l.sim.EditHost(id, func(h *coctest.Host) { h.Takes = time.Minute }))
				}
			}
			whole := newLife(t, coctest.Options{}, long)
			whole.story("1", "2")
			whole.check("not killed")
			for _, r := range whole.runs() {
				if r.Outcome != mode.outcome || len(whole.ordersOf(r)) == 1 != mode.acts {
					t.Errorf("%s, %d orders", r.Outcome, len(whole.ordersOf(r)))
				}
			}
			if whole.points < leastPoints {
				t.Errorf("only %d points", whole.points)
			}
			kills := 0
			for at := 1 + i%step; at <= whole.points; at += step {
				l := newLife(t, coctest.Options{}, long)
				l.killAt = at
				l.story("1", "2")
				l.check(fmt.Sprintf("killed at point %d of %d", at, whole.points))
				kills++
			}
			t.Logf("%d kills at %d points", kills, whole.points)
		})
	}
}

// The store loses the commit that entered CALLING: the journal knows of the call.
func TestCrash_aLostCommitCallsNothingAgain(t *testing.T) {
	for i, mode := range modes[:2] {
		forgetful := func(l *life) { l.fault, l.amnesia = mode.fault, true }
		whole := newLife(t, coctest.Options{}, forgetful)
		whole.story("1")
		for at := 1 + i%thorough; at <= whole.points; at += thorough {
			l := newLife(t, coctest.Options{}, forgetful)
			l.killAt = at
			l.story("1")
			if n := len(l.sim.Orders()); n > 1 {
				t.Errorf("%s, killed at point %d: COC has run it %d times", mode.name, at, n)
			}
		}
	}
}

// The negative control: without the second record, a lost commit is a second run.
func TestCrash_withoutTheJournalALostCommitRunsTwice(t *testing.T) {
	twice := 0
	forgetful := func(l *life) { l.amnesia, l.noJournal = true, true }
	whole := newLife(t, coctest.Options{}, forgetful)
	whole.story("1")
	for at := 1; at <= whole.points; at++ {
		l := newLife(t, coctest.Options{}, forgetful)
		l.killAt = at
		l.story("1")
		if len(l.sim.Orders()) > 1 {
			twice++
		}
	}
	if twice == 0 {
		t.Error("nothing runs twice: the experiment shows nothing")
	}
}

// A store that is new, beside a journal that is not: what was called is not called again.
func TestResume_rebuildsWhatTheStoreHasLost(t *testing.T) {
	l := newLife(t, coctest.Options{}, nil)
	l.hear(nginx("1"))
	l.pass(time.Second)
	l.stop()
	must(t, removeStore(l.folder))
	l.open()
	l.hear(nginx("1"))
	l.pass(10 * time.Minute)
	l.check("a new store")
}

// Fifty in doubt.

func doubts(t *testing.T, o coctest.Options, fault coctest.Fault) *life {
	t.Helper()
	l := newLife(t, o, nil)
	var all []alert.Alert
	for i := range 50 {
		all = append(all, nginx(fmt.Sprint(i)))
	}
	l.hear(all...)
	fault.On, fault.Times = "", 0
	for range all {
		id, run, _ := l.next()
		l.calls, l.fault = 0, fault
		l.work(id, run)
	}
	l.fault = coctest.Fault{}
	must(t, l.store.View(func(tx *store.Tx) error {
		if n, _ := scripts.InDoubt(tx); n != 50 {
			t.Fatalf("%d in doubt, want 50", n)
		}
		return nil
	}))
	return l
}

func (l *life) count() map[string]int {
	n := map[string]int{}
	must(l.t, l.store.View(func(tx *store.Tx) error {
		for _, r := range scripts.Runs(tx, 1000) {
			n[string(r.State)]++
		}
		return nil
	}))
	return n
}

func TestSettle_findsTheRightOrders(t *testing.T) {
	l := doubts(t, coctest.Options{}, coctest.Fault{Do: coctest.Reset, After: true})
	l.pass(30 * time.Second)
	if n := l.count(); n["done"] != 50 || len(l.sim.Orders()) != 50 {
		t.Fatalf("%v, %d orders", n, len(l.sim.Orders()))
	}
	marks := map[string]string{}
	for _, o := range l.sim.Orders() {
		marks[o.UUID] = o.Batches[0].Hosts[0].Attributes["brid"]
	}
	must(t, l.store.View(func(tx *store.Tx) error {
		for _, r := range scripts.Runs(tx, 1000) {
			if marks[r.Order] != r.Mark() {
				t.Errorf("run %s has order %s of %s", r.ID, r.Order, marks[r.Order])
			}
		}
		return nil
	}))
}

func TestSettle_findsNothing(t *testing.T) {
	l := doubts(t, coctest.Options{}, coctest.Fault{Do: coctest.Reset})
	l.pass(time.Minute)
	if n := l.count(); n["unknown"] != 50 {
		t.Errorf("after a minute: %v", n)
	}
	l.pass(5 * time.Minute)
	if n := l.count(); n["absent"] != 50 || len(l.sim.Orders()) != 0 || len(l.letters) != 50 {
		t.Errorf("%v, %d orders, %d dead letters", n, len(l.sim.Orders()), len(l.letters))
	}
}

// An order that does not show at once is found by a later look.
func TestSettle_waitsForAListThatLags(t *testing.T) {
	l := newLife(t, coctest.Options{OrderDelay: 80 * time.Second}, func(l *life) { l.fault = coctest.Fault{Do: coctest.Reset, After: true} })
	l.story("1")
	l.check("a list that lags")
}

// A list serves several runs, but none whose look was not due yet when it was read.
func TestSettle_findsByAListFromAfterTheCall(t *testing.T) {
	lost := coctest.Fault{Do: coctest.Reset, After: true}
	l := newLife(t, coctest.Options{}, func(l *life) { l.fault = lost })
	l.hear(nginx("1"))
	l.pass(6 * time.Second)
	l.calls = 0
	l.hear(nginx("2"))
	l.pass(6 * time.Second)
	must(t, l.store.View(func(tx *store.Tx) error {
		for _, r := range scripts.Runs(tx, 10) {
			if r.State != scripts.Done || r.Looks != 0 {
				t.Errorf("%s after %d looks that found nothing", r.State, r.Looks)
			}
		}
		return nil
	}))
	if n := len(l.sim.Orders()); n != 2 {
		t.Errorf("%d orders", n)
	}
}

func TestSettle_isNotSureWithoutAttributes(t *testing.T) {
	l := doubts(t, coctest.Options{Switches: coctest.Switches{HideAttributes: true}}, coctest.Fault{Do: coctest.Reset, After: true})
	l.pass(5 * time.Minute)
	if n := l.count(); n["conflict"] != 50 || len(l.sim.Orders()) != 50 {
		t.Errorf("%v, %d orders", n, len(l.sim.Orders()))
	}
}

// A list that ends before its total, for it tells no place to go on from, proves
// nothing.
func TestSettle_isNotSureOfAListThatIsCut(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) { l.fault = coctest.Fault{Do: coctest.Reset, After: true} })
	foreign, _, err := l.Client.ExecuteScript(t.Context(), (&scripts.Run{ID: strings.Repeat("f", 32), Request: scripts.Request{What: script, User: "root",
		Seconds: 60, SuccessRate: 100, BatchSize: 10, Hosts: []scripts.Target{{ResourceID: "web-1", RegionID: "cn-north-4"}}}}).ForCOC())
	must(t, err)
	l.cut = func(p *coc.OrderPage) {
		p.Orders = slices.DeleteFunc(p.Orders, func(o coc.Order) bool { return o.UUID != foreign })
		p.Next = 0
	}
	l.hear(nginx("1"))
	l.pass(5 * time.Minute)
	if r := l.run(); r.State != scripts.Unknown {
		t.Fatalf("%s: %s", r.State, r.Text)
	}
	l.cut = nil
	l.pass(5 * time.Minute)
	if r := l.run(); r.State != scripts.Done || r.Order == foreign {
		t.Errorf("%s %s: %s", r.State, r.Order, r.Text)
	}
}

// So does one that goes on to an empty page before its total.
func TestSettle_isNotSureOfAListWithoutItsEnd(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) { l.fault = coctest.Fault{Do: coctest.Reset, After: true} })
	l.cut = func(p *coc.OrderPage) { p.Orders, p.Next = nil, 0 }
	l.hear(nginx("1"))
	l.pass(5 * time.Minute)
	if r := l.run(); r.State != scripts.Unknown || r.Looks != 0 {
		t.Errorf("%s after %d clean looks: %s", r.State, r.Looks, r.Text)
	}
}

// What a look cannot prove is nothing that COC suffers from: the gate that tickets
// share learns nothing bad, and the look is taken again in its time, for ever.
func TestSettle_anUncleanLookIsNoFaultOfCOC(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) { l.fault = coctest.Fault{Do: coctest.Reset, After: true} })
	l.cut = func(p *coc.OrderPage) { p.Orders, p.Next = nil, 0 }
	l.hear(nginx("1"))
	l.pass(time.Second)
	_, run, due := l.next()
	l.set(due)
	if _, err := l.s.Do(t.Context(), run); !errors.Is(err, scripts.ErrRead) {
		t.Errorf("an unclean look: %v", err)
	}
	if r := l.run(); !r.Next.After(due) || r.History[len(r.History)-1].What != "looked" {
		t.Errorf("next look at %s, history %v", r.Next, r.History)
	}
}

// A run is absent only by a list that was read late enough, not by one that was
// late to be looked at.
func TestSettle_countsFromWhenTheListWasRead(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) { l.fault = coctest.Fault{Do: coctest.Reset} })
	l.hear(nginx("1"))
	l.pass(90 * time.Second)
	l.cut = func(*coc.OrderPage) { l.set(l.at().Add(time.Minute)) }
	id, run, due := l.next()
	l.set(due)
	l.work(id, run)
	if r := l.run(); r.State != scripts.Unknown {
		t.Errorf("%s by a list that was begun %s after the call", r.State, due.Sub(r.Called))
	}
}

func TestSettle_isNotSureOfExecutionsThatAreCut(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) {
		c := scripts.DefaultJob()
		c.Document, c.DryRun = "DM1", false
		l.rules = []scripts.Rule{{Name: "job", Actions: scripts.Actions{Job: &c}}}
	})
	l.sim.SetDocuments(coctest.Document{ID: "DM1", Name: "fail over", Content: "steps", Steps: []coctest.DocumentStep{{Name: "move", Takes: 10 * time.Second}}})
	l.jobFault, l.cutJobs = &coctest.Fault{On: "/v1/documents/DM1", Times: 1, Do: coctest.Reset, After: true}, true
	l.hear(nginx("1"))
	l.pass(5 * time.Minute)
	if r := l.run(); r.State != scripts.Unknown || r.Looks != 0 || len(l.sim.Executions()) != 1 {
		t.Errorf("%s after %d clean looks, %d executions: %s", r.State, r.Looks, len(l.sim.Executions()), r.Text)
	}
}

// An order that is so new that it shows no hosts is no conflict yet.
func TestSettle_waitsForTheHostsOfAnOrder(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) { l.fault = coctest.Fault{Do: coctest.Reset, After: true} })
	l.noHosts = true
	l.hear(nginx("1"))
	l.pass(10 * time.Second)
	l.noHosts = false
	l.pass(5 * time.Minute)
	l.check("hosts that show late")
}

// One that never shows any is one.
func TestSettle_isNotSureOfAnOrderWithoutHosts(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) { l.fault = coctest.Fault{Do: coctest.Reset, After: true} })
	l.noHosts = true
	l.hear(nginx("1"))
	l.pass(5 * time.Minute)
	if r := l.run(); r.State != scripts.Conflict {
		t.Errorf("%s: %s", r.State, r.Text)
	}
}
