package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

const (
	// readChunk bounds the records that are held in memory, and readLook those
	// that are looked at, in one read of the store: it must be short.
	readChunk = 100
	readLook  = 2000
	// changeChunk bounds the dead letters of one transaction, so that intake goes on.
	changeChunk = 100
	// maxReason bounds what a person gives as a reason, in characters.
	maxReason = 200
)

// operations are what the admin API does. Nothing of a list or a bulk change is
// a transaction from beginning to end.
type operations struct{ b *Bridge }

var _ admin.Operations = operations{}

// Tasks implements admin.Operations.
func (o operations) Tasks(ctx context.Context, s admin.SelectTasks, visit func(admin.Task) error) error {
	if s.ID != 0 {
		return o.task(s, visit)
	}
	return o.eachTask(ctx, s, func(it queue.Item) error { return visit(o.taskOf(it, s.Full)) })
}

// eachTask visits the chosen tasks outside of any transaction.
func (o operations) eachTask(ctx context.Context, s admin.SelectTasks, visit func(queue.Item) error) error {
	for from := uint64(0); ; {
		items, next, err := o.tasksFrom(s, from)
		if err != nil {
			return err
		}
		for _, it := range items {
			if err := visit(it); err != nil {
				return err
			}
		}
		if from = next; from == 0 || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (o operations) task(s admin.SelectTasks, visit func(admin.Task) error) error {
	var it queue.Item
	err := o.b.store.View(func(tx *store.Tx) (err error) {
		it, err = o.b.queue.Task(tx, s.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: task %d: it was sent, or became a dead letter, or never was: %w", admin.ErrNotFound, s.ID, err)
	}
	return visit(o.taskOf(it, s.Full))
}

// tasksFrom reads a part of the queue; next is where to go on, 0 at the end.
func (o operations) tasksFrom(s admin.SelectTasks, from uint64) (items []queue.Item, next uint64, err error) {
	err = o.b.store.View(func(tx *store.Tx) error {
		looked := 0
		o.b.queue.ScanTasks(tx, from, func(it queue.Item, err error) bool {
			if looked++; looked > readLook || len(items) == readChunk {
				next = it.ID
				return false
			}
			if err == nil && (s.Integration == "" || it.Gate == s.Integration) {
				items = append(items, it)
			}
			return true
		})
		return nil
	})
	return items, next, err
}

// taskOf shows a task; full adds what is to be told, and the alert it came from.
func (o operations) taskOf(it queue.Item, full bool) admin.Task {
	out := admin.Task{
		ID: it.ID, AlarmID: aboutAlarm(it), Kind: it.Kind, Integration: it.Gate, Receiver: it.Source, State: "waiting",
		Created: it.Created, Due: it.Due, Attempts: it.Attempts, LastError: it.LastError,
	}
	if o.b.queue.InFlight(it) {
		out.State = "in flight"
	}
	t, err := task.Decode(it.Payload)
	if err != nil {
		return out
	}
	out.Rule, out.Reason = t.Rule, t.Reason
	if out.Name = t.Alarm.AlarmName; out.Name == "" {
		out.Name = t.Alert.Labels["alertname"]
	}
	if full && t.Alarm.AlarmStatus != "" { // else it was never mapped
		out.Alarm, _ = json.Marshal(t.Alarm) // made of texts and numbers
	}
	if full && t.Alert.Status != "" { // else it is of our own making
		out.Alert, _ = json.Marshal(t.Alert)
	}
	return out
}

// Stats implements admin.Operations.
func (o operations) Stats(context.Context) (admin.Stats, error) {
	q, s := o.b.queue.Stats(), o.b.store.Stats()
	out := admin.Stats{Damaged: q.Damaged, Store: admin.StoreStats{Size: s.Size, Used: s.Used, Limit: s.Limit, MaxSize: s.MaxSize}}
	for kind, k := range q.Kinds {
		one := admin.KindStats{Kind: kind, Waiting: k.Waiting, InFlight: k.InFlight, Dead: k.Dead, Oldest: k.Oldest}
		out.Kinds = append(out.Kinds, one)
	}
	slices.SortFunc(out.Kinds, func(a, b admin.KindStats) int { return strings.Compare(a.Kind, b.Kind) })
	for _, g := range o.b.gates() {
		one := admin.Gate{Integration: g.Integration, Waiting: o.b.queue.Queued(g.Integration), Closed: g.Cause, Since: g.Since, Problem: g.Problem}
		if !math.IsInf(g.PerSecond, 1) {
			one.PerSecond = g.PerSecond
		}
		out.Gates = append(out.Gates, one)
	}
	return out, nil
}

// reason makes what a person wrote fit to be kept.
func reason(text string) (string, error) {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text))
	if text == "" {
		return "", fmt.Errorf("%w: a reason is needed: it is kept in the alarm's history", admin.ErrInvalid)
	}
	if long := []rune(text); len(long) > maxReason {
		text = string(long[:maxReason])
	}
	return text, nil
}

// audit is the line in the log about what a person did.
func (o operations) audit(what, by string, fields ...zap.Field) {
	o.b.o.Log.Info(what, append([]zap.Field{zap.String("actor", by)}, fields...)...)
}
