package forwarder_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/forwarder"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

// records is where the handler of these tests keeps its own state.
const records store.Bucket = "records"

var errSettle = errors.New("the record cannot be written")

// bench is a forwarder over a real queue on disk, with a handler that the test
// scripts. It works in a bubble of synctest, so that waiting takes no time.
type bench struct {
	t     *testing.T
	reg   *prometheus.Registry
	store *store.Store
	queue *queue.Queue
	f     *forwarder.Forwarder
	stop  context.CancelFunc
	ended chan error

	closeStore func() // once

	mu      sync.Mutex
	calls   []string // alarmIds, in order
	do      func(ctx context.Context, t task.Task) error
	spoiled int // so many settlements fail, after they have written
}

// bubble runs the test in a bubble with a bench that ends with it.
func bubble(t *testing.T, run func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, reg: prometheus.NewRegistry(), do: func(context.Context, task.Task) error { return nil }}
		b.open()
		run(b)
		b.halt()
		b.closeStore()
	})
}

func (b *bench) open() {
	b.t.Helper()
	var err error
	if b.store, err = store.Open(store.Options{Path: filepath.Join(b.t.TempDir(), "x.db"), MaxSize: 16 << 20}); err != nil {
		b.t.Fatal(err)
	}
	committing, finish := context.WithCancel(context.Background())
	committed := make(chan error, 1)
	go func() { committed <- b.store.Run(committing) }()
	cfg := forwarder.DefaultConfig()
	cfg.GiveUpAfter = model.Duration(time.Hour)
	b.f = forwarder.New(forwarder.Options{
		Config: cfg, Integrations: []forwarder.Integration{{Name: "default"}}, Pool: "alarms", Store: b.store,
		Handlers: map[task.Kind]forwarder.Handler{task.Report: {Do: b.handle, Settle: b.settle}},
		Metrics:  forwarder.NewMetrics(b.reg, task.Report), Log: zap.NewNop(),
	})
	if b.queue, err = queue.Open(queue.Options{Store: b.store, Admit: b.f.Admit}); err != nil {
		b.t.Fatal(err)
	}
	b.closeStore = sync.OnceFunc(func() {
		finish()
		if err := errors.Join(<-committed, b.store.Close()); err != nil {
			b.t.Error(err)
		}
	})
}

func (b *bench) start() {
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.ended = stop, make(chan error, 1)
	go func() { b.ended <- b.f.Run(ctx, b.queue) }()
	synctest.Wait()
}

// halt stops the forwarder and returns when it has ended.
func (b *bench) halt() {
	b.t.Helper()
	if b.stop == nil {
		return
	}
	b.stop()
	if err := <-b.ended; err != nil {
		b.t.Errorf("Run: %v", err)
	}
	b.stop = nil
}

func (b *bench) handle(ctx context.Context, t task.Task) (string, error) {
	b.mu.Lock()
	b.calls = append(b.calls, t.Alarm.AlarmID)
	b.mu.Unlock()
	return "request-1", b.do(ctx, t)
}

func (b *bench) settle(tx *store.Tx, _ task.Task, s forwarder.Settlement) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := tx.Put(records, []byte(s.Lane), fmt.Appendf(nil, "sent=%v note=%s reason=%s", s.Sent, s.Note, s.Reason)); err != nil {
		return err
	}
	if b.spoiled > 0 {
		b.spoiled--
		return errSettle
	}
	return nil
}

// put adds a task of each alarm.
func (b *bench) put(alarms ...string) {
	b.t.Helper()
	for _, id := range alarms {
		payload, err := task.Encode(task.Task{Kind: task.Report, Integration: "default", Alarm: coc.Alarm{AlarmID: id}})
		if err != nil {
			b.t.Fatal(err)
		}
		b.putRaw(id, string(payload))
	}
}

// putRaw adds a task with this payload.
func (b *bench) putRaw(lane, payload string) {
	b.t.Helper()
	err := b.store.Update(b.t.Context(), func(tx *store.Tx) error {
		_, err := b.queue.Put(tx, queue.Item{Lane: lane, Kind: "report", Pool: "alarms", Gate: "default", Payload: []byte(payload)})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	synctest.Wait()
}

// record is what the handler has on disk about the alarm; empty = nothing.
func (b *bench) record(alarm string) (text string) {
	b.t.Helper()
	err := b.store.View(func(tx *store.Tx) error {
		value, err := tx.Get(records, []byte(alarm))
		text = string(value)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

// rest lets outcomes be written, which wait a moment for company.
func (b *bench) rest() {
	<-time.After(100 * time.Millisecond)
	synctest.Wait()
}

func (b *bench) expect(waiting, inFlight, dead int) {
	b.t.Helper()
	b.rest()
	if k := b.queue.Stats().Kinds["report"]; k.Waiting != waiting || k.InFlight != inFlight || k.Dead != dead {
		b.t.Errorf("%d waiting, %d in flight, %d dead; want %d, %d, %d", k.Waiting, k.InFlight, k.Dead, waiting, inFlight, dead)
	}
}

func (b *bench) expectCalls(n int) {
	b.t.Helper()
	b.rest()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.calls) != n {
		b.t.Errorf("calls: %q, want %d", b.calls, n)
	}
}

// head takes the first task of a stopped forwarder's only lane.
func (b *bench) head() queue.Item {
	b.t.Helper()
	l, err := b.queue.Take(b.t.Context(), "alarms")
	if err != nil {
		b.t.Fatal(err)
	}
	defer l.Release()
	return l.Item()
}

func TestRun_settlesATaskTogetherWithItsRecord(t *testing.T) {
	bubble(t, func(b *bench) {
		b.start()
		b.put("a1")
		b.expect(0, 0, 0)
		if got, want := b.record("a1"), "sent=true note=request-1 reason="; got != want {
			b.t.Errorf("record %q, want %q", got, want)
		}
		b.do = func(context.Context, task.Task) error { return forwarder.ErrDryRun }
		b.put("a2")
		b.do = func(context.Context, task.Task) error { return &forwarder.Unsendable{Code: "removed", Text: "gone"} }
		b.put("a3")
		b.expect(0, 0, 1)
		if got := b.record("a2"); !strings.HasPrefix(got, "sent=false ") || !strings.HasSuffix(got, "reason=dry run: not sent") {
			b.t.Errorf("record %q, want that of a dry run", got)
		}
		if got, want := b.record("a3"), "sent=false note= reason=gone"; got != want {
			b.t.Errorf("record %q, want %q", got, want)
		}
	})
}

// If the record cannot be written the task is not gone either: it is done again.
func TestRun_anOutcomeThatCannotBeWrittenReleasesTheTask(t *testing.T) {
	bubble(t, func(b *bench) {
		b.spoiled = 2
		b.start()
		b.put("a1")
		b.expectCalls(3)
		b.expect(0, 0, 0)
		if got := b.record("a1"); got == "" {
			b.t.Error("the third time it is not settled")
		}
		b.spoiled = 1
		b.do = func(context.Context, task.Task) error { return &forwarder.Unsendable{Code: "removed", Text: "gone"} }
		b.put("a2")
		b.expect(0, 0, 1)
	})
}

// Nothing is written any more: until the process ends, COC must not be told again and again.
func TestRun_aStoreThatHasEndedDoesNotReleaseTheTask(t *testing.T) {
	bubble(t, func(b *bench) {
		b.do = func(ctx context.Context, _ task.Task) error {
			b.closeStore()
			b.mu.Lock()
			again := len(b.calls) > 1
			b.mu.Unlock()
			if again {
				<-ctx.Done()
			}
			return nil
		}
		b.start()
		b.put("a1")
		b.expect(0, 1, 0)
		b.expectCalls(1)
	})
}

func TestRun_aRetryWaitsAndKeepsItsRecordUntouched(t *testing.T) {
	bubble(t, func(b *bench) {
		b.do = func(context.Context, task.Task) error {
			return &coc.Error{Op: "report alarm", Class: coc.Throttled, Status: 429, RetryAfter: time.Minute, Message: "slow down"}
		}
		b.start()
		began := time.Now()
		b.put("a1")
		b.expect(1, 0, 0)
		b.halt()
		if got := b.record("a1"); got != "" {
			b.t.Errorf("record %q", got)
		}
		it := b.head()
		if waited := time.Since(began); waited != time.Minute || it.Attempts != 1 || it.Spent != time.Minute {
			b.t.Errorf("due after %s, %d attempts, %s spent", waited, it.Attempts, it.Spent)
		}
	})
}

func TestRun_endsCallsThatHangAfterTheGrace(t *testing.T) {
	bubble(t, func(b *bench) {
		b.do = func(ctx context.Context, _ task.Task) error {
			<-ctx.Done()
			return &coc.Error{Op: "report alarm", Class: coc.Retry, Err: ctx.Err()}
		}
		b.start()
		b.put("a1", "a2")
		b.expect(0, 2, 0)
		began := time.Now()
		b.halt()
		if took, grace := time.Since(began), 10*time.Second; took != grace {
			b.t.Errorf("it took %s to stop, want the grace of %s", took, grace)
		}
		b.expect(2, 0, 0)
		if it := b.head(); it.Attempts != 0 || it.Spent != 0 {
			b.t.Errorf("%d attempts, %s spent: a shutdown is no failure", it.Attempts, it.Spent)
		}
	})
}

func TestRun_settlesCallsThatEndWithinTheGraceAndTakesNoMore(t *testing.T) {
	bubble(t, func(b *bench) {
		b.do = func(context.Context, task.Task) error {
			<-time.After(9 * time.Second)
			return nil
		}
		b.start()
		b.put("a1")
		b.expect(0, 1, 0)
		b.stop()
		synctest.Wait() // until every idle worker has seen it
		b.put("a2")
		b.halt()
		b.expect(1, 0, 0)
		if b.record("a1") == "" || b.record("a2") != "" {
			b.t.Errorf("records %q and %q", b.record("a1"), b.record("a2"))
		}
	})
}

// A forwarder that cannot take must not look alive.
func TestRun_endsWhenNothingCanBeTaken(t *testing.T) {
	bubble(t, func(b *bench) {
		b.put("a1")
		q, err := queue.Open(queue.Options{Store: b.store, Admit: b.f.Admit}) // one that must read the task
		if err != nil {
			b.t.Fatal(err)
		}
		b.closeStore()
		if err := b.f.Run(b.t.Context(), q); !errors.Is(err, store.ErrClosed) {
			b.t.Errorf("Run: %v", err)
		}
	})
}

// A task of a newer version is kept for it, and holds back its lane only.
func TestRun_aTaskThatCannotBeReadIsADeadLetterAndRecorded(t *testing.T) {
	bubble(t, func(b *bench) {
		b.start()
		b.putRaw("a1", "not a task")
		b.putRaw("a2", `{"v":1,"kind":"dance"}`)
		b.expect(0, 0, 2)
		b.expectCalls(0)
		for _, lane := range []string{"a1", "a2"} {
			if got := b.record(lane); !strings.HasPrefix(got, "sent=false note= reason=") {
				b.t.Errorf("record of %s: %q", lane, got)
			}
		}
	})
}

// After a rollback to an older version the newer one's tasks wait for it.
func TestRun_aTaskOfANewerVersionIsKept(t *testing.T) {
	bubble(t, func(b *bench) {
		b.start()
		b.putRaw("a1", `{"v":9,"kind":"report"}`)
		<-time.After(2 * time.Hour) // longer than give_up_after
		b.expect(1, 0, 0)
		b.expectCalls(0)
		b.halt()
		if it := b.head(); it.Spent != 0 {
			b.t.Errorf("%s is spent of give_up_after", it.Spent)
		}
	})
}

// Reloads come whenever they like: before Run, while it starts, and after it.
func TestConfigure_isSafeAtAnyTime(t *testing.T) {
	bubble(t, func(b *bench) {
		var reloads sync.WaitGroup
		reloads.Go(func() {
			for range 100 {
				b.f.Configure(forwarder.DefaultConfig(), []forwarder.Integration{{Name: "default"}}, true)
			}
		})
		b.start()
		b.put("a1", "a2", "a3")
		reloads.Wait()
		b.expect(0, 0, 0)
		b.halt()
		b.f.Configure(forwarder.DefaultConfig(), nil, true)
	})
}

func TestMetrics_existFromTheStartAndFollowTheConfiguration(t *testing.T) {
	bubble(t, func(b *bench) {
		count := func(name string) int {
			n, err := testutil.GatherAndCount(b.reg, name)
			if err != nil {
				b.t.Fatal(err)
			}
			return n
		}
		check := func(integrations int) {
			b.t.Helper()
			if closed, rate := count("cocbridge_gate_closed"), count("cocbridge_rate_limit_alarms_per_second"); closed != 3*integrations || rate != integrations {
				b.t.Errorf("%d series of gates and %d of rates for %d integrations", closed, rate, integrations)
			}
		}
		check(1)
		b.f.Configure(forwarder.DefaultConfig(), []forwarder.Integration{{Name: "default"}, {Name: "second"}}, true)
		check(2)
		b.f.Configure(forwarder.DefaultConfig(), []forwarder.Integration{{Name: "second"}}, true)
		check(1)
		if want := len(forwarder.Outcomes()); count("cocbridge_deliveries_total") != want {
			b.t.Errorf("%d outcomes, want %d", count("cocbridge_deliveries_total"), want)
		}
	})
}

// On a full disk an outcome may never be written: the grace ends the wait for it.
func TestRun_endsWhileAnOutcomeCannotBeWritten(t *testing.T) {
	bubble(t, func(b *bench) {
		stuck := make(chan struct{})
		b.do = func(context.Context, task.Task) error {
			b.store.Submit(func(*store.Tx) error { <-stuck; return nil }, func(error) {}) // the committer comes no further
			return nil
		}
		b.start()
		b.put("a1")
		began := time.Now()
		b.halt()
		if took, grace := time.Since(began), 10*time.Second; took != grace {
			b.t.Errorf("it took %s to stop, want the grace of %s", took, grace)
		}
		close(stuck)
		b.expect(0, 0, 0) // written after all
	})
}
