package bridge

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/store"
)

// sweepEvery is how often the ledger is looked through for what has become old.
const sweepEvery = time.Minute

func (b *Bridge) sweeping(ctx context.Context) error {
	return b.every(ctx, rounds{pause: sweepEvery, problem: "ledger not swept"}, b.Sweep)
}

// rounds says when something is done again and again.
type rounds struct {
	pause   time.Duration
	soon    <-chan struct{} // asks for a round out of turn; nil = never
	problem string          // what an error means
}

// every calls f until ctx is done; an error is logged, the next round tries again.
func (b *Bridge) every(ctx context.Context, r rounds, f func(context.Context) error) error {
	tick := time.NewTicker(r.pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-r.soon:
		}
		if err := f(ctx); err != nil && ctx.Err() == nil {
			b.o.Log.Warn(r.problem, zap.Error(err))
		}
	}
}

// Sweep forgets alarms that have been silent for longer than store.history and
// closes those that have been for longer than delivery.stale_after, in short
// transactions.
func (b *Bridge) Sweep(ctx context.Context) error {
	if b.store.Accepting() != nil {
		b.hears.turnedAway(b.o.Now())
	}
	l := b.live.Load().ledger
	var from []byte
	for {
		var due ledger.Due
		if err := b.store.View(func(tx *store.Tx) error { due = l.Look(tx, from); return nil }); err != nil {
			return err
		}
		if err := b.sweep(ctx, l, due); err != nil {
			return err
		}
		if from = due.Next; ctx.Err() != nil {
			return ctx.Err()
		}
		if from == nil {
			return errors.Join(b.sweepIncidents(ctx), b.sweepRuns(ctx))
		}
	}
}

// sweep decides again about what was found, which may have been heard of meanwhile.
func (b *Bridge) sweep(ctx context.Context, l *ledger.Ledger, due ledger.Due) error {
	if len(due.Forget)+len(due.Close) == 0 {
		return nil
	}
	return b.store.Update(ctx, func(tx *store.Tx) error {
		over, err := l.Forget(tx, due.Forget)
		if err != nil {
			return err
		}
		for _, id := range due.Close {
			closed, err := b.closeSilent(tx, l, id)
			if err != nil {
				return err
			}
			if closed {
				over = append(over, id)
			}
		}
		if cfg := b.live.Load(); cfg.hasRules() {
			return cfg.fellSilent(tx, over...)
		}
		return nil
	})
}

// closeSilent tells COC that an alarm is over because nobody speaks of it any more.
func (b *Bridge) closeSilent(tx *store.Tx, l *ledger.Ledger, alarmID string) (closed bool, err error) {
	d, err := l.Close(tx, alarmID)
	if err != nil || !d.Verdict.IsNews() {
		return false, err
	}
	return true, b.enqueueEnd(tx, d, end{
		alarmID: alarmID, reason: "silent",
		text: "closed by cocbridge: its source has not spoken of it for longer than delivery.stale_after",
	})
}
