package forwarder

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

// maxSettling bounds the outcomes that wait for their sync. After a crash at
// most these and the calls in flight are told twice.
const maxSettling = 200

// Handler does the work of one kind of task. Both functions may be called from
// several goroutines at once, for different lanes.
type Handler struct {
	// Do tells COC. The note (a request id) goes into the record. An error is
	// a *coc.Error, ErrDryRun, ErrIdle, ErrRead, a *Later, or the task's own fault for good.
	Do func(context.Context, task.Task) (note string, err error)
	// Settle writes what the outcome means for the record behind the task.
	Settle func(*store.Tx, task.Task, Settlement) error
}

// Settlement is how a task left the queue.
type Settlement struct {
	ID     uint64 // of the task
	Lane   string // of the task, also when the task itself could not be read
	Sent   bool   // COC has taken it
	Buried bool   // it is a dead letter now
	Note   string // what Do returned
	Reason string // why not, when it was not sent
}

// Options are a forwarder's collaborators.
type Options struct {
	Config       Config
	Integrations []Integration
	Pool         string // which tasks of the queue
	Store        *store.Store
	Handlers     map[task.Kind]Handler
	Metrics      *Metrics
	Log          *zap.Logger
	Now          func() time.Time // nil = time.Now
}

// Forwarder works off one queue. Its methods may be called from any goroutine.
type Forwarder struct {
	o     Options
	gates gates

	mu    sync.Mutex
	cfg   Config
	queue *queue.Queue // once Run runs

	settling chan struct{} // one slot per outcome that waits for its sync
	pending  sync.WaitGroup
}

// New returns a forwarder with all gates open. Admit must be given to the queue
// that is then passed to Run.
func New(o Options) *Forwarder {
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Forwarder{o: o, cfg: o.Config, gates: gates{all: map[string]*gate{}}, settling: make(chan struct{}, maxSettling)}
	f.Configure(o.Config, o.Integrations, false)
	return f
}

// Admit answers the queue whether a task of the integration may leave now.
func (f *Forwarder) Admit(integration string, now time.Time) time.Duration {
	return f.gates.admit(integration, now)
}

// Configure takes over a new configuration: limits, backoff, integrations.
// reopen opens all gates at once, for new credentials. The number of workers stays.
func (f *Forwarder) Configure(cfg Config, integrations []Integration, reopen bool) {
	f.mu.Lock()
	f.cfg = cfg
	f.mu.Unlock()
	f.gates.mu.Lock()
	for name, g := range f.gates.all {
		if reopen {
			g.open()
		}
		f.o.Metrics.forget(name)
	}
	for _, in := range integrations {
		g := f.gates.get(in.Name)
		g.limit(in.RateLimit)
		f.o.Metrics.gate(in.Name, g.cause)
		f.o.Metrics.rate(in.Name, g.perSecond())
	}
	f.gates.mu.Unlock()
	f.wake()
}

func (f *Forwarder) config() Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cfg
}

func (f *Forwarder) wake() {
	f.mu.Lock()
	q := f.queue
	f.mu.Unlock()
	if q != nil {
		q.Wake()
	}
}

// Run works until ctx is done, or nothing can be taken any more. Then what is in
// flight has shutdown_grace to end, and Run returns when all of it is settled:
// nil, or why nothing could be taken.
func (f *Forwarder) Run(ctx context.Context, q *queue.Queue) error {
	f.mu.Lock()
	f.queue = q
	f.mu.Unlock()
	taking, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	calls, cancel := f.graceful(taking)
	defer cancel()
	var workers sync.WaitGroup
	for range f.config().Workers {
		workers.Go(func() { stop(f.work(taking, calls, q)) })
	}
	workers.Wait()
	f.settleUntil(calls)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("forwarder: take a task: %w", context.Cause(taking))
}

// settleUntil waits for the outcomes that are being written. On a full disk they
// may never be; then the grace ends the wait, and these tasks are done again.
func (f *Forwarder) settleUntil(calls context.Context) {
	settled := make(chan struct{})
	go func() {
		f.pending.Wait()
		close(settled)
	}()
	select {
	case <-settled:
	case <-calls.Done():
	}
}

// graceful returns a context for calls that outlives ctx by shutdown_grace.
func (f *Forwarder) graceful(ctx context.Context) (context.Context, context.CancelFunc) {
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(time.Duration(f.config().ShutdownGrace), cancel)
		context.AfterFunc(calls, func() { timer.Stop() })
	})
	return calls, func() { stop(); cancel() }
}

// work returns what Take does in the end.
func (f *Forwarder) work(ctx, calls context.Context, q *queue.Queue) error {
	for {
		lease, err := q.Take(ctx, f.o.Pool)
		if err != nil {
			return err
		}
		f.process(ctx, calls, lease)
	}
}

func (f *Forwarder) process(ctx, calls context.Context, lease *queue.Lease) {
	item := lease.Item()
	f.gates.with(item.Gate, func(g *gate) { g.inFlight++ })
	began := f.o.Now()
	t, note, err := f.attempt(calls, item)
	took := f.o.Now().Sub(began)
	gate := f.note(item, err)
	d := f.config().decide(attempt{err: err, stopping: ctx.Err() != nil, item: item, took: took, gate: gate})
	f.o.Metrics.delivery(item.Kind, d.outcome, took)
	f.shut(item.Gate, d.gate, err)
	f.end(calls, ending{lease: lease, task: t, decision: d, due: f.o.Now().Add(d.wait), note: note, err: err})
	f.left(item.Gate, gate)
}

// left counts the call as over and wakes the queue if a gate's answer to it
// may have changed; waking it after every call would be wasteful.
func (f *Forwarder) left(integration string, view gateView) {
	changed := view.opened
	f.gates.with(integration, func(g *gate) {
		g.inFlight--
		changed = changed || g.cause != ""
	})
	if changed {
		f.wake()
	}
}

func (f *Forwarder) attempt(ctx context.Context, item queue.Item) (t task.Task, note string, err error) {
	if t, err = taskOf(item); err != nil {
		return t, "", err
	}
	h, ok := f.o.Handlers[t.Kind]
	if !ok {
		return t, "", errors.New("no handler for tasks of kind " + string(t.Kind))
	}
	note, err = h.Do(ctx, t)
	return t, note, err
}

// taskOf saves reading again what was just written.
func taskOf(item queue.Item) (task.Task, error) {
	if t, fresh := item.Value.(task.Task); fresh {
		return t, nil
	}
	return task.Decode(item.Payload)
}

// note lets the gate learn from an answer and returns its view for decide.
func (f *Forwarder) note(item queue.Item, err error) (view gateView) {
	now := f.o.Now()
	var e *coc.Error
	failed := errors.As(err, &e)
	f.gates.with(item.Gate, func(g *gate) {
		switch {
		case err == nil, errors.Is(err, ErrRead):
			view.opened = g.succeeded(now)
		case !failed:
		case e.Class == coc.Throttled:
			g.throttled(e.RetryAfter, now)
		case e.Class == coc.Permanent, e.Class == coc.NotFound, e.Class == coc.Conflict:
			view.opened = g.judged()
			view.refusedAlike = g.failed("refused "+e.Alike(), item.ID)
		case e.Class == coc.Retry:
			view.failing = g.failed(failing, item.ID)
		}
		view.closed = g.cause != ""
		f.o.Metrics.rate(item.Gate, g.perSecond())
		f.opened(item.Gate, view.opened)
	})
	return view
}

// opened tells of a gate under its lock, as shut does: the last word is the true one.
func (f *Forwarder) opened(integration string, news bool) {
	if news {
		f.o.Metrics.gate(integration, "")
		f.o.Log.Info("gate opened", zap.String("integration", integration))
	}
}

func (f *Forwarder) shut(integration string, cause gateCause, err error) {
	if cause == "" {
		return
	}
	f.gates.with(integration, func(g *gate) {
		news := g.shut(cause, f.o.Now())
		g.problem = err.Error()
		if news {
			f.o.Metrics.gate(integration, cause)
			f.o.Log.Error("gate closed, alarms are kept", zap.String("integration", integration), zap.String("cause", string(cause)), zap.Error(err))
		}
	})
}

// ending is what is needed to end a lease.
type ending struct {
	lease    *queue.Lease
	task     task.Task
	decision decision
	due      time.Time // of a retry
	note     string
	err      error // of the attempt
}

// end finishes the lease. An outcome that must be written is settled by the
// committer while this worker goes on.
func (f *Forwarder) end(calls context.Context, e ending) {
	if e.decision.action == release {
		e.lease.Release()
		return
	}
	select {
	case f.settling <- struct{}{}:
	case <-calls.Done():
		e.lease.Release()
		return
	}
	f.log(e)
	f.pending.Add(1)
	f.o.Store.Submit(func(tx *store.Tx) error { return f.settle(tx, e) }, func(err error) { f.settled(e.lease, err) })
}

func (f *Forwarder) settle(tx *store.Tx, e ending) error {
	switch e.decision.action {
	case retry:
		return e.lease.Retry(tx, queue.Retry{Due: e.due, Spent: e.decision.spent, LastError: e.err.Error()})
	case bury:
		return errors.Join(e.lease.Bury(tx, e.decision.cause), f.record(tx, e, Settlement{Buried: true, Reason: e.decision.cause.Detail}))
	}
	if e.err != nil { // a dry run, or nothing to tell: nobody was told, so it settles no earlier dead letter
		return errors.Join(e.lease.Discard(tx), f.record(tx, e, Settlement{Note: e.note, Reason: e.err.Error()}))
	}
	return errors.Join(e.lease.Ack(tx), f.record(tx, e, Settlement{Sent: true, Note: e.note}))
}

// record goes by what the queue knows: a task that does not decode has a record too.
func (f *Forwarder) record(tx *store.Tx, e ending, s Settlement) error {
	item := e.lease.Item()
	s.ID, s.Lane = item.ID, item.Lane
	if h, ok := f.o.Handlers[task.Kind(item.Kind)]; ok && h.Settle != nil {
		return h.Settle(tx, e.task, s)
	}
	return nil
}

// settled runs after the sync. When the outcome could not be written the task
// goes back: telling COC once more is safe, forgetting the task is not. A store that
// has ended will write no other outcome either, so then that is left to the next start.
func (f *Forwarder) settled(lease *queue.Lease, err error) {
	if err != nil {
		if !errors.Is(err, store.ErrFailed) && !errors.Is(err, store.ErrClosed) {
			lease.Release()
		}
		f.o.Log.Error("outcome not written, the task is done again", zap.Uint64("task_id", lease.Item().ID), zap.Error(err))
	}
	<-f.settling
	f.pending.Done()
}

// log tells of what an operator should know: dead letters, and failures that are news.
func (f *Forwarder) log(e ending) {
	item, d := e.lease.Item(), e.decision
	if d.action == ack || d.action == retry && item.LastError == e.err.Error() {
		return
	}
	fields := []zap.Field{zap.Uint64("task_id", item.ID), zap.String("key", item.Lane), zap.String("kind", item.Kind), zap.Int("attempt", item.Attempts+1), zap.Error(e.err)}
	if d.action == bury {
		f.o.Log.Error("dead letter", append(fields, zap.String("cause", d.cause.Code))...)
		return
	}
	f.o.Log.Warn("will be tried again", append(fields, zap.Duration("next", d.wait))...)
}
