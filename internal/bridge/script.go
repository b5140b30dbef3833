package bridge

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/forwarder"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/scripts"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

// runsFile is the second record of calls, beside the store.
const runsFile = "cocbridge.runs"

// runs is what outlives a reload of what runs scripts and jobs.
type runs struct {
	journal *scripts.Journal
	entries []scripts.Entry // that the journal held at the start
}

// openRuns opens the journal. One that cannot be opened stops the start: without it
// nothing may be called.
func (b *Bridge) openRuns(cfg *config.Config) (err error) {
	var damaged int
	b.runs.journal, b.runs.entries, damaged, err = scripts.OpenJournal(filepath.Join(cfg.Store.Path, runsFile))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	if damaged > 0 {
		b.o.Log.Error("lines of the journal of runs cannot be read", zap.Int("count", damaged))
	}
	b.onClose(b.runs.journal.Close)
	return nil
}

func (b *Bridge) newScripts(cfg *config.Config, client scripts.COC) (*scripts.Scripts, error) {
	return scripts.New(scripts.Options{
		Rules: cfg.ScriptRules(), Templates: cfg.Mapping.Templates, Automation: cfg.Automation, DryRun: cfg.COC.DryRun,
		Trusted: cfg.Trusts,
		Fence:   time.Duration(cfg.Delivery.Ledger.Fence), History: time.Duration(cfg.Store.History),
		Newest: func() *scripts.Scripts {
			if l := b.live.Load(); l != nil {
				return l.scripts
			}
			return nil
		},
		Stopping: b.stopping.Load,
		Store:    b.store, COC: client, Journal: func(e scripts.Entry) error { return b.runs.journal.Append(e) },
		Put: b.putRun, Cancel: func(tx *store.Tx, id uint64) (bool, error) { return b.queue.Cancel(tx, id) },
		Doubted: b.trouble.lookSoon,
		Metrics: b.metrics.scripts, Log: b.o.Log, Now: b.o.Now,
	})
}

// resumeRuns compares store and journal before any task is taken.
func (b *Bridge) resumeRuns(ctx context.Context, l *live) error {
	err := b.store.Update(ctx, func(tx *store.Tx) error { return l.scripts.Resume(tx, b.runs.entries) })
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	var missing []scripts.Entry
	if err := b.store.View(func(tx *store.Tx) error { missing = scripts.Unjournalled(tx, b.runs.entries); return nil }); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	if len(missing) > 0 {
		if err := b.runs.journal.Append(missing...); err != nil { // the store has them: no reason not to start
			b.o.Log.Error("the journal of runs lacks calls that the store knows", zap.Int("count", len(missing)), zap.Error(err))
		}
	}
	b.runs.entries = nil
	return b.store.View(func(tx *store.Tx) error {
		l.scripts.Recount(tx)
		if n, _ := scripts.InDoubt(tx); n > 0 { // perhaps nobody was told before the end
			b.trouble.lookSoon()
		}
		return nil
	})
}

func (b *Bridge) putRun(tx *store.Tx, r *scripts.Run, due time.Time) (uint64, error) {
	payload, err := task.Encode(task.Task{Kind: task.Kind(r.Kind), Reason: "rule " + r.Rule, Rule: r.Rule, Group: r.ID, Alert: r.Alert})
	if err != nil {
		return 0, err
	}
	return b.queue.Put(tx, queue.Item{
		Lane: r.ID, Kind: r.Kind, Pool: ticketPool, Gate: ticketGate, Source: "rule/" + r.Rule,
		Created: b.o.Now(), Due: due, Payload: payload,
	})
}

// run tells the rules' scripts and jobs of what the ledger has let through: they
// act on new episodes only, and hear of every end.
func (b *Bridge) run(tx *store.Tx, l *live, m mapped, v ledger.Verdict) error {
	switch {
	case m.alert.Status == alert.Resolved && v != ledger.Stale:
		return l.scripts.Recovered(tx, m.alert.AlarmID(), m.alert.StartsAt, m.alert.EndsAt)
	case m.alert.Status == alert.Firing && !m.result.Drop && (v == ledger.NewEpisode || v == ledger.Hold):
		return l.scripts.Fires(tx, &m.alert, m.runs, v == ledger.Hold)
	default:
		return nil
	}
}

func (b *Bridge) stepRun(ctx context.Context, t task.Task) (note string, err error) {
	note, err = b.live.Load().scripts.Do(ctx, t.Group)
	var trouble *scripts.Trouble
	var local *scripts.StoreError
	switch {
	case errors.As(err, &trouble):
		return note, &forwarder.Unsendable{Code: trouble.Code, Text: trouble.Text}
	case errors.Is(err, scripts.ErrRead):
		return note, forwarder.ErrRead
	case errors.Is(err, scripts.ErrIdle):
		return note, forwarder.ErrIdle
	case errors.As(err, &local), errors.Is(err, context.Canceled):
		return note, &forwarder.Later{Err: err}
	default:
		return note, err
	}
}

func (b *Bridge) settleRun(tx *store.Tx, _ task.Task, s forwarder.Settlement) error {
	l := b.live.Load().scripts
	if s.Buried {
		return l.Failed(tx, s.Lane, s.ID, s.Reason)
	}
	return l.Settle(tx, s.Lane, s.ID)
}

// buriedRun is told of each task of a run that the queue itself gives up.
func (b *Bridge) buriedRun(tx *store.Tx, cfg *config.Config, it queue.Item, c queue.Cause) error {
	b.o.Log.Error("dead letter", zap.Uint64("task_id", it.ID), zap.String("key", it.Lane), zap.String("cause", c.Code), zap.String("err", c.Detail))
	s, err := b.newScripts(cfg, nil)
	if err != nil {
		return err
	}
	return s.Failed(tx, it.Lane, it.ID, c.Detail)
}

// sweepRuns forgets runs that have been over for long enough, in store and journal.
func (b *Bridge) sweepRuns(ctx context.Context) error {
	s := b.live.Load().scripts
	for from := ""; ; {
		var old []string
		if err := b.store.View(func(tx *store.Tx) error { old, from = s.Old(tx, from); return nil }); err != nil {
			return err
		}
		if len(old) > 0 {
			if err := b.store.Update(ctx, func(tx *store.Tx) error { return s.Forget(tx, old) }); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if from == "" {
			return b.runs.journal.Forget(b.o.Now().Add(-s.Remembered()))
		}
	}
}

// runConditions are what runs need a person for.
func (b *Bridge) runConditions() (all []condition, err error) {
	err = b.store.View(func(tx *store.Tx) error {
		n, rules := scripts.InDoubt(tx)
		all = append(all, condition{
			name: troubleRuns, holds: n > 0,
			text: fmt.Sprintf("of %d runs of %s nobody knows whether COC has begun them; COC's list is searched, nothing is called again; see cocbridge automation status", n, strings.Join(rules, ", ")),
		})
		f, err := scripts.Standing(tx)
		all = append(all, condition{
			name: troubleStorm, holds: !f.Blown.IsZero(),
			text: fmt.Sprintf("more new alerts than automation.storm allows at %s: no script and no job runs until cocbridge automation arm", at(f.Blown)),
		})
		return err
	})
	return all, err
}
