package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/forwarder"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/receivers"
	"github.com/cocbridge/cocbridge/internal/secret"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

const (
	storeFile = "cocbridge.db"
	crashFile = "cocbridge.inflight"

	// alarmPool is the pool of workers that alarm reports have for themselves.
	alarmPool = "alarms"
	// maxCrashes is how often a task may be in flight when the process dies
	// before it is suspected to be the cause.
	maxCrashes = 3
	// deadShare is the part of the store that dead letters may take of alerts that
	// cannot be mapped.
	deadShare = 4
	// longWait is longer than any pause before a task that COC or our defaults ask for.
	longWait = time.Hour
)

var (
	// ErrStore says that the store cannot be used; the cause is wrapped beside it.
	ErrStore = errors.New("the store cannot be used")
	// ErrWebConfig says that the file of --web.config.file cannot be used.
	ErrWebConfig = errors.New("--web.config.file")
)

// Options are what a bridge is made from.
type Options struct {
	Config        *config.Config
	Load          func() (*config.Config, error) // reads the configuration again, for a reload
	WebConfigFile string                         // of exporter-toolkit; empty = plain HTTP
	Version       string                         // of cocbridge, for COC's logs
	Registry      Registry
	Log           *zap.Logger
	Now           func() time.Time // nil = time.Now
	Manager       Manager
}

// Bridge is the daemon in a process. Run must be called once; the other methods
// may be called from any goroutine while it runs.
type Bridge struct {
	o       Options
	live    atomic.Pointer[live]
	store   *store.Store
	commits *committer
	book    *ledger.Book
	queue   *queue.Queue
	forward *forwarder.Forwarder // of alarms
	tickets *forwarder.Forwarder
	budget  *receivers.Budget
	metrics metrics
	recent  recent
	hears   hearing
	trouble trouble
	runs    runs

	web, admin net.Listener
	token      secret.String

	reloading sync.Mutex
	refused   string                 // why the last reload was, as far as it is known; under reloading
	seen      map[string]fingerprint // the files as they were at the start
	stopping  atomic.Bool
	undo      []func() error
}

// New opens the store and the listeners; when it returns, alerts can connect.
// The error is config.Error, one of the store's, or that of a listener.
func New(ctx context.Context, o Options) (*Bridge, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Bridge{o: o, budget: receivers.NewBudget(receivers.DefaultBudget)}
	b.hears.turnedAway(o.Now()) // who has spoken before
	b.trouble.every, b.trouble.soon = troubleEvery, make(chan struct{}, 1)
	b.seen = b.fingerprints(o.Config) // first, so that no change after it is missed
	if err := b.setUp(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Bridge) setUp(ctx context.Context) error {
	cfg := b.o.Config
	if err := checkWebConfig(b.o.WebConfigFile); err != nil {
		return err
	}
	if err := b.openStore(cfg); err != nil {
		return err
	}
	b.metrics = newMetrics(b.o.Registry)
	b.forward = forwarder.New(forwarder.Options{
		Config: cfg.Delivery.Forwarder, Integrations: cfg.Integrations, Pool: alarmPool, Store: b.store,
		Handlers: map[task.Kind]forwarder.Handler{task.Report: {Do: b.report, Settle: b.settleReport}},
		Metrics:  b.metrics.forwarder, Log: b.o.Log, Now: b.o.Now,
	})
	b.tickets = b.newTickets(cfg)
	if err := b.openQueue(cfg); err != nil {
		return err
	}
	if err := b.openRuns(cfg); err != nil {
		return err
	}
	l, err := b.build(cfg)
	if err != nil {
		return err
	}
	b.swap(l)
	b.onClose(func() error { b.live.Load().client.Close(); return nil })
	if err := b.store.View(func(tx *store.Tx) error { l.incidents.Recount(tx); return nil }); err != nil {
		return err
	}
	if err := b.resumeRuns(ctx, l); err != nil {
		return err
	}
	b.metrics.observe(b.o.Registry, b)
	return b.listen(ctx, cfg)
}

func (b *Bridge) openStore(cfg *config.Config) error {
	s, err := store.Open(store.Options{Path: filepath.Join(cfg.Store.Path, storeFile), MaxSize: int64(cfg.Store.MaxSize), Now: b.o.Now})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	b.store, b.commits = s, startCommitter(s)
	b.onClose(func() error { return b.commits.close(s) })
	if b.token, err = admin.Token(cfg.Store.Path); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	if b.book, err = ledger.OpenBook(s); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return nil
}

func (b *Bridge) openQueue(cfg *config.Config) error {
	q, err := queue.Open(queue.Options{
		Store: b.store, Now: b.o.Now, Admit: b.admit,
		CrashFile: filepath.Join(cfg.Store.Path, crashFile), MaxCrashes: maxCrashes,
		MaxWait: maxWait(cfg), MaxDead: b.store.Stats().Limit / deadShare,
		Buried: func(tx *store.Tx, it queue.Item, c queue.Cause) error { return b.buried(tx, cfg, it, c) },
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	b.queue = q
	b.onClose(q.Close)
	return nil
}

// maxWait is the longest pause before a task that we or COC ask for.
func maxWait(cfg *config.Config) time.Duration {
	longest := max(longWait, time.Duration(cfg.Delivery.Ledger.Fence), time.Duration(cfg.Delivery.Forwarder.Backoff.Max))
	for _, r := range cfg.Rules {
		longest = max(longest, time.Duration(r.Hold))
	}
	return longest
}

func (b *Bridge) listen(ctx context.Context, cfg *config.Config) error {
	var err error
	if b.web, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.WebListenAddress); err != nil {
		return fmt.Errorf("listen for webhooks: %w; choose another --web.listen-address", err)
	}
	b.onClose(closing(b.web))
	if b.admin, err = admin.Listen(ctx, cfg.AdminListenAddress); err != nil {
		return fmt.Errorf("listen for the admin API: %w; choose another --admin.listen-address", err)
	}
	b.onClose(closing(b.admin))
	return nil
}

// closing closes a listener that its server may have closed before.
func closing(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

func (b *Bridge) onClose(undo func() error) { b.undo = append(b.undo, undo) }

// Close gives back what New opened, newest first. Run does so when it ends.
func (b *Bridge) Close() error {
	var errs []error
	for i := len(b.undo) - 1; i >= 0; i-- {
		errs = append(errs, b.undo[i]())
	}
	b.undo = nil
	return errors.Join(errs...)
}

// Addr is the address of the webhooks, for a listen address with port 0.
func (b *Bridge) Addr() string { return b.web.Addr().String() }

// AdminAddr is the address of the admin API.
func (b *Bridge) AdminAddr() string { return b.admin.Addr().String() }

// AdminToken is what a change over TCP must show.
func (b *Bridge) AdminToken() secret.String { return b.token }

// Wake makes the queue look at the clock again, for tests that move it.
func (b *Bridge) Wake() { b.queue.Wake() }
