package bridge

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/oklog/run"
	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/store"
)

// hungCommit is how long a commit may take before the process counts as sick:
// a disk that does not answer is the one thing a restart might mend.
const hungCommit = time.Minute

// Run serves until ctx is done or a part fails, and returns when every part has
// ended and the store is closed. After ctx nothing new is accepted or taken,
// senders and calls in flight have shutdown_grace to end, and the committer stops
// last. An error of the committer ends everything: nothing may be promised any more.
func (b *Bridge) Run(ctx context.Context) error {
	var parts run.Group
	until, stop := context.WithCancel(ctx)
	parts.Add(func() error { return b.commits.watch(until) }, func(error) { b.stopping.Store(true); b.tell(daemon.SdNotifyStopping); stop() })
	b.addPart(&parts, func(ctx context.Context) error { return b.forward.Run(ctx, b.queue) })
	b.addPart(&parts, func(ctx context.Context) error { return b.tickets.Run(ctx, b.queue) })
	b.addPart(&parts, b.sweeping)
	b.addPart(&parts, b.watching)
	b.addPart(&parts, b.troubling)
	b.addPart(&parts, b.feedWatchdog)
	b.addServer(&parts, b.webServer()) // last, because the group waits here for each to shut down
	b.addServer(&parts, b.adminServer())
	b.announce()
	return errors.Join(parts.Run(), b.Close())
}

// announce tells where everything is, and what is left from before.
func (b *Bridge) announce() {
	folder, err := filepath.Abs(b.live.Load().cfg.Store.Path)
	if err != nil {
		folder = b.live.Load().cfg.Store.Path
	}
	waiting, dead := 0, 0
	for _, k := range b.queue.Stats().Kinds {
		waiting, dead = waiting+k.Waiting, dead+k.Dead
	}
	b.o.Log.Info("ready", zap.String("web", b.Addr()), zap.String("admin", b.AdminAddr()),
		zap.String("store", folder), zap.Int("waiting", waiting), zap.Int("dead_letters", dead))
	b.tell(daemon.SdNotifyReady)
}

// addPart runs a part under its own context, which the group ends.
func (b *Bridge) addPart(parts *run.Group, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	parts.Add(func() error { return f(ctx) }, func(error) { cancel() })
}

// healthy fails only when a restart could help.
func (b *Bridge) healthy() error {
	if d := b.store.Committing(); d > hungCommit {
		return fmt.Errorf("the disk has not answered for %s", d.Truncate(time.Second))
	}
	return nil
}

// ready says whether alerts are accepted, whether or not COC is up: we are a buffer.
func (b *Bridge) ready() error {
	if b.stopping.Load() {
		return errors.New("stopping")
	}
	if err := b.store.Accepting(); err != nil {
		if errors.Is(err, store.ErrFull) {
			return errors.New("the store is full: senders get 503 and repeat; see store.max_size")
		}
		return err
	}
	return nil
}
