package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

// buriedLetter is a dead letter as read; of a damaged one only the id is known.
type buriedLetter struct {
	queue.Dead
	err error
}

// DeadLetters implements admin.Operations.
func (o operations) DeadLetters(ctx context.Context, s admin.Select, visit func(admin.DeadLetter) error) error {
	return o.eachDead(ctx, s, func(d buriedLetter) error { return visit(o.deadLetterOf(d, s.Full)) })
}

func (o operations) deadLetterOf(d buriedLetter, full bool) admin.DeadLetter {
	if d.err != nil {
		return admin.DeadLetter{ID: d.ID, Problem: d.err.Error()}
	}
	t := o.taskOf(d.Item, full)
	t.State = ""
	return admin.DeadLetter{ID: d.ID, Cause: d.Cause.Code, Detail: d.Cause.Detail, First: d.First, Last: d.Last, Count: d.Count, Task: t}
}

// eachDead visits the chosen dead letters outside of any transaction.
func (o operations) eachDead(ctx context.Context, s admin.Select, visit func(buriedLetter) error) error {
	if len(s.IDs) > readChunk {
		for chunk := range slices.Chunk(s.IDs, readChunk) {
			s.IDs = chunk
			if err := o.eachDead(ctx, s, visit); err != nil {
				return err
			}
		}
		return nil
	}
	for from := uint64(0); ; {
		found, next, err := o.deadFrom(s, from)
		if err != nil {
			return err
		}
		for _, d := range found {
			if err := visit(d); err != nil {
				return err
			}
		}
		if from = next; from == 0 || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// deadFrom reads a part of the dead letters; next is where to go on, 0 at the end.
func (o operations) deadFrom(s admin.Select, from uint64) (found []buriedLetter, next uint64, err error) {
	now := o.b.o.Now()
	err = o.b.store.View(func(tx *store.Tx) error {
		if len(s.IDs) > 0 {
			found = o.deadByID(tx, s, now)
			return nil
		}
		looked := 0
		o.b.queue.ScanDead(tx, from, func(d queue.Dead, err error) bool {
			if looked++; looked > readLook || len(found) == readChunk {
				next = d.ID
				return false
			}
			if chosen(s, d, err, now) {
				found = append(found, buriedLetter{d, err})
			}
			return true
		})
		return nil
	})
	return found, next, err
}

func (o operations) deadByID(tx *store.Tx, s admin.Select, now time.Time) (found []buriedLetter) {
	for _, id := range s.IDs {
		d, err := o.b.queue.Dead(tx, id)
		if !errors.Is(err, queue.ErrNoDead) && chosen(s, d, err, now) {
			d.ID = id
			found = append(found, buriedLetter{d, err})
		}
	}
	return found
}

// chosen says whether the filter takes the dead letter. Of a damaged one nothing
// but its id can be compared.
func chosen(s admin.Select, d queue.Dead, err error, now time.Time) bool {
	if err != nil {
		s.IDs = nil
		return s.Everything()
	}
	age := now.Sub(d.Last)
	switch {
	case s.Integration != "" && s.Integration != d.Item.Gate,
		s.Reason != "" && s.Reason != d.Cause.Code,
		s.OlderThan != 0 && age < time.Duration(s.OlderThan),
		s.NewerThan != 0 && age >= time.Duration(s.NewerThan):
		return false
	case s.Rule == "":
		return true
	}
	t, err := task.Decode(d.Item.Payload)
	return err == nil && t.Rule == s.Rule
}

// idsOf fixes what a change is about, before anything changes: what is replayed
// and buried again must not be met twice.
func (o operations) idsOf(ctx context.Context, s admin.Select) (ids []uint64, err error) {
	if s.Everything() && !s.All {
		return nil, fmt.Errorf("%w: say which dead letters: numbers, a filter such as --reason, or --all", admin.ErrInvalid)
	}
	slices.Sort(s.IDs)
	s.IDs = slices.Compact(s.IDs)
	err = o.eachDead(ctx, s, func(d buriedLetter) error {
		ids = append(ids, d.ID)
		return nil
	})
	switch missing := slices.DeleteFunc(slices.Clone(s.IDs), func(id uint64) bool { return slices.Contains(ids, id) }); {
	case err != nil:
		return nil, err
	case len(missing) > 0:
		return nil, fmt.Errorf("%w: there are no such dead letters: %v; nothing was done", admin.ErrNotFound, missing)
	case len(ids) == 0:
		return nil, fmt.Errorf("%w: there is no such dead letter", admin.ErrNotFound)
	}
	return ids, nil
}

// Drop implements admin.Operations.
func (o operations) Drop(ctx context.Context, q admin.Drop, visit func(admin.Outcome) error) error {
	why, err := reason(q.Why)
	if err != nil {
		return err
	}
	ids, err := o.idsOf(ctx, q.Select)
	if err != nil {
		return err
	}
	detail := fmt.Sprintf("by %s: %s", q.By, why)
	dropped := 0
	defer func() {
		o.audit("dead letters dropped by hand", q.By, zap.Int("count", dropped), zap.String("why", why))
	}()
	for chunk := range slices.Chunk(ids, changeChunk) {
		var outcomes []admin.Outcome
		err := o.b.store.Update(ctx, func(tx *store.Tx) (err error) {
			outcomes, err = o.dropAll(tx, chunk, detail)
			return err
		})
		if err != nil {
			return err
		}
		for _, one := range outcomes {
			if one.Result == admin.Dropped {
				dropped++
			}
			if err := visit(one); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o operations) dropAll(tx *store.Tx, ids []uint64, detail string) (outcomes []admin.Outcome, err error) {
	l := o.b.live.Load().ledger
	for _, id := range ids {
		d, err := o.b.queue.Drop(tx, id)
		if errors.Is(err, queue.ErrNoDead) {
			outcomes = append(outcomes, admin.Outcome{ID: id, Result: admin.Gone})
			continue
		}
		if err != nil {
			return nil, err
		}
		if alarmID, event := noteOf(d.Item); alarmID != "" {
			text := fmt.Sprintf("dead letter %d (%s) %s", id, d.Cause.Code, detail)
			if err := l.Note(tx, alarmID, event, text); err != nil {
				return nil, err
			}
		}
		outcomes = append(outcomes, admin.Outcome{ID: id, AlarmID: aboutAlarm(d.Item), Result: admin.Dropped})
	}
	return outcomes, nil
}

// noteOf is where it is written down that the task's dead letter was dropped: a
// run's with the alarm that it answers, a ticket's nowhere, as it may have many.
func noteOf(it queue.Item) (alarmID, event string) {
	switch task.Kind(it.Kind) {
	case task.Incident:
		return "", ""
	case task.Script, task.Job:
		if alarmID := aboutAlarm(it); alarmID != it.Lane {
			return alarmID, ledger.EventDropped
		}
		return "", ""
	default:
		return it.Lane, ledger.EventDiscarded
	}
}

// aboutAlarm is the alarm that a task is about, as far as the task knows; else its lane.
func aboutAlarm(it queue.Item) string {
	if kind := task.Kind(it.Kind); kind != task.Script && kind != task.Job {
		return it.Lane
	}
	t, err := task.Decode(it.Payload)
	if err != nil || t.Alert.Status == "" { // of a run that only the journal knew
		return it.Lane
	}
	return t.Alert.AlarmID()
}
