package bridge

import (
	"context"
	"net/http"
	"time"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/receivers"
	"github.com/cocbridge/cocbridge/internal/store"
)

// Ready is what /-/ready asks, for when nobody can connect any more.
func (b *Bridge) Ready() error { return b.ready() }

// Watcher returns what the ticker calls to find changed files.
func (b *Bridge) Watcher() func(context.Context) error { return b.watcher() }

// CheckTrouble is what the ticker calls to look at what is wrong.
func (b *Bridge) CheckTrouble(ctx context.Context) error { return b.checkTrouble(ctx) }

// LookSeldom keeps the ticker from looking at what is wrong; before Run.
func (b *Bridge) LookSeldom() { b.trouble.every = time.Hour }

// SweepFound is what Sweep does about what it has found.
func (b *Bridge) SweepFound(ctx context.Context, due ledger.Due) error {
	return b.sweep(ctx, b.live.Load().ledger, due)
}

// Feed is what the watchdog's ticker calls.
func (b *Bridge) Feed(ctx context.Context) error { return b.feed(ctx) }

// ToldBy is the verdict on an alarm of which only its entry is known.
func ToldBy(e *ledger.Entry) (admin.Verdict, string) { return known{entry: e}.told() }

// HoldCommit keeps a commit under way until the returned function is called.
func (b *Bridge) HoldCommit() (release func()) {
	held, end := make(chan struct{}), make(chan struct{})
	b.store.Submit(func(*store.Tx) error { close(held); <-end; return nil }, func(error) {})
	<-held
	return func() { close(end) }
}

// LimitConnections gives a server the limits of the web listener.
func LimitConnections(s *http.Server, closed func(receivers.Reason)) {
	newConnections(closed).attach(s)
}
