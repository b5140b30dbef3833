package bridge

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// Manager is the service manager that has started us. The zero value is none.
type Manager struct {
	Notify   func(state string) error // takes what sd_notify(3) defines; called from any goroutine; nil = nobody listens
	Watchdog time.Duration            // the manager kills whoever is silent for longer; 0 = nobody is
}

// tell is best effort: a manager that hears nothing acts by itself.
func (b *Bridge) tell(state string) {
	if b.o.Manager.Notify == nil {
		return
	}
	if err := b.o.Manager.Notify(state); err != nil {
		b.o.Log.Warn("service manager not told", zap.String("state", state), zap.Error(err))
	}
}

// feedWatchdog speaks up twice per interval, as sd_watchdog_enabled(3) asks for.
func (b *Bridge) feedWatchdog(ctx context.Context) error {
	if b.o.Manager.Watchdog <= 0 {
		<-ctx.Done()
		return nil
	}
	return b.every(ctx, rounds{pause: b.o.Manager.Watchdog / 2, problem: "watchdog not fed"}, b.feed)
}

// feed says that we are well if the committer is: not while a commit hangs, which
// a restart might mend, but while the disk is full, which it would not.
func (b *Bridge) feed(context.Context) error {
	if err := b.healthy(); err != nil {
		return err
	}
	b.tell(daemon.SdNotifyWatchdog)
	return nil
}

// tellReload brackets a reload, in the form that Type=notify-reload needs too.
func (b *Bridge) tellReload() (done func()) {
	b.tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	return func() { b.tell(daemon.SdNotifyReady) }
}
