package bridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/forwarder"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/receivers"
)

// Reload reads the configuration again and puts it in force as a whole, or
// keeps the old one and says why. force allows to remove integrations and
// receivers whose tasks still wait, or whose alarms still fire: those become dead
// letters, or their recoveries will.
func (b *Bridge) Reload(ctx context.Context, force bool) error {
	b.reloading.Lock()
	defer b.reloading.Unlock()
	defer b.tellReload()()
	b.refused = ""
	return b.reloadAndTell(ctx, force)
}

// reloadUnasked is for a file that has changed. It may be called again and again:
// a problem that stays the same is logged once.
func (b *Bridge) reloadUnasked(ctx context.Context) error {
	b.reloading.Lock()
	defer b.reloading.Unlock()
	return b.reloadAndTell(ctx, false)
}

func (b *Bridge) reloadAndTell(ctx context.Context, force bool) error {
	err := b.reload(ctx, force)
	b.metrics.reloaded(err, b.o.Now())
	switch {
	case err == nil:
		b.refused = ""
		b.o.Log.Info("configuration reloaded")
	case err.Error() != b.refused:
		b.refused = err.Error()
		b.o.Log.Error("configuration not reloaded, the old one stays", zap.Error(err))
	}
	return err
}

func (b *Bridge) reload(ctx context.Context, force bool) error {
	cfg, err := b.o.Load()
	if err != nil {
		return err
	}
	if err := checkWebConfig(b.o.WebConfigFile); err != nil {
		return err
	}
	old := b.live.Load()
	if err := needsRestart(old.cfg, cfg); err != nil {
		return err
	}
	next, err := b.build(cfg)
	if err != nil {
		return err
	}
	refused := b.retire(old, next, force)
	if !force {
		refused = errors.Join(refused, b.mayClose(ctx, old, next))
	}
	if refused != nil {
		return refused
	}
	b.swap(next)
	for _, name := range missing(old.cfg.Receivers, cfg.Receivers, receiverName) {
		b.metrics.receivers.Delete(name)
	}
	b.forward.Configure(cfg.Delivery.Forwarder, cfg.Integrations, true)
	b.tickets.Configure(ticketConfig(cfg), ticketGates(), true)
	return nil
}

// needsRestart names what cannot change while the daemon runs.
func needsRestart(old, next *config.Config) error {
	var changed []string
	for name, same := range map[string]bool{
		"--web.listen-address":   old.WebListenAddress == next.WebListenAddress,
		"--admin.listen-address": old.AdminListenAddress == next.AdminListenAddress,
		"store.path":             old.Store.Path == next.Store.Path,
		"store.max_size":         old.Store.MaxSize == next.Store.MaxSize,
		"delivery.workers":       old.Delivery.Forwarder.Workers == next.Delivery.Forwarder.Workers,
	} {
		if !same {
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	slices.Sort(changed)
	return fmt.Errorf("a change of %s needs a restart", strings.Join(changed, ", "))
}

// shownLeft bounds the tickets and runs that are named of one rule.
const shownLeft = 20

// retire checks what the new configuration no longer has, and with force notes
// it, so that the tasks that still wait end as dead letters.
func (b *Bridge) retire(old, next *live, force bool) error {
	left := map[string]string{"integration": "tasks still wait", "receiver": "tasks still wait", "rule": "incidents and runs are not over"}
	var waiting []error
	maps.Copy(next.removed, old.removed)
	unfinished, err := b.unfinished()
	if err != nil {
		return err
	}
	gone := func(kind string, names []string, queued func(string) int) {
		for _, name := range names {
			next.removed[kind+" "+name] = fmt.Sprintf("%s %q was removed by a reload", kind, name)
			if n := queued(name); n > 0 {
				waiting = append(waiting, fmt.Errorf("%s %q is removed, but %d of its %s", kind, name, n, left[kind]))
			}
		}
	}
	gone("integration", missing(old.cfg.Integrations, next.cfg.Integrations, integrationName), b.queue.Queued)
	rules := missing(old.cfg.Rules, next.cfg.Rules, func(r config.Rule) string { return r.Name })
	gone("rule", rules, func(name string) int { return len(unfinished[name]) })
	gone("receiver", missing(old.cfg.Receivers, next.cfg.Receivers, receiverName), b.queue.QueuedFrom)
	if b.refused == "" { // else it was told at the first attempt
		b.warnOfLeft(rules, unfinished, force)
	}
	if force || len(waiting) == 0 {
		return nil
	}
	return errors.Join(append(waiting, errors.New("let them go out first, or reload with ?force=1 to make them dead letters; cocbridge automation stop keeps scripts and jobs from beginning at once"))...)
}

// warnOfLeft names the tickets and runs of rules that are to go: nobody sees to them
// after that.
func (b *Bridge) warnOfLeft(rules []string, unfinished map[string][]string, force bool) {
	for _, name := range rules {
		if left := unfinished[name]; len(left) > 0 {
			b.o.Log.Warn("what a removed rule has begun is not over", zap.String("rule", name), zap.Int("count", len(left)),
				zap.Strings("left", left[:min(len(left), shownLeft)]), zap.Bool("force", force))
		}
	}
}

// mayClose checks that every alarm that COC shows as firing can be closed there.
func (b *Bridge) mayClose(ctx context.Context, old, next *live) error {
	gone := missing(old.cfg.Integrations, next.cfg.Integrations, integrationName)
	if len(gone) == 0 {
		return nil
	}
	shown := map[string]int{}
	err := b.eachAlarm(ctx, func(_ string, e *ledger.Entry) error {
		if e.Told != nil && e.Told.Firing {
			shown[e.Told.Integration]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	var open []error
	for _, name := range gone {
		if n := shown[name]; n > 0 {
			open = append(open, fmt.Errorf("integration %q is removed, but COC shows %d of its alarms as firing: keep it until they have recovered, close them with cocbridge alarm close, or reload with ?force=1, and their recoveries become dead letters", name, n))
		}
	}
	return errors.Join(open...)
}

func integrationName(i forwarder.Integration) string { return i.Name }

func receiverName(r receivers.Config) string { return r.Name }

// missing names what is in old and no longer in next.
func missing[T any](old, next []T, name func(T) string) (gone []string) {
	kept := map[string]bool{}
	for _, one := range next {
		kept[name(one)] = true
	}
	for _, one := range old {
		if !kept[name(one)] {
			gone = append(gone, name(one))
		}
	}
	return gone
}
