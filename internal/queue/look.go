package queue

import (
	"bytes"
	"errors"

	"github.com/cocbridge/cocbridge/internal/store"
)

// ErrNoTask says that there is no such task, or no more.
var ErrNoTask = errors.New("queue: no such task")

// Task returns a task that waits or is in flight, or ErrNoTask.
func (q *Queue) Task(tx *store.Tx, id uint64) (Item, error) {
	state, err := tx.Get(tasks, idKey(id))
	if err != nil {
		return Item{ID: id}, err
	}
	if state == nil {
		return Item{}, ErrNoTask
	}
	return q.whole(tx, id, state)
}

// ScanTasks visits the tasks with this id or a higher one, oldest first, until
// visit returns false. Of a damaged one only the ID is known. Visit must not
// change the store.
func (q *Queue) ScanTasks(tx *store.Tx, from uint64, visit func(Item, error) (more bool)) {
	tx.Scan(tasks, idKey(from), func(key, value []byte, err error) bool {
		id, _ := keyID(key)
		it := Item{ID: id}
		if err == nil {
			it, err = q.whole(tx, id, value)
		}
		return visit(it, err)
	})
}

// whole puts state and payload together.
func (q *Queue) whole(tx *store.Tx, id uint64, state []byte) (Item, error) {
	it, err := decodeItem(state)
	if err != nil {
		return Item{ID: id}, err
	}
	payload, err := tx.Get(payloads, idKey(id))
	it.ID, it.Payload = id, nonEmpty(payload)
	return it, err
}

// Lane returns the tasks of a lane in their order. A damaged one is left out.
func (q *Queue) Lane(tx *store.Tx, lane string) (items []Item) {
	for _, id := range q.idsOf(lane) {
		if it, err := q.Task(tx, id); err == nil && it.Lane == lane { // lanes may share a hash
			items = append(items, it)
		}
	}
	return items
}

func (q *Queue) idsOf(lane string) (ids []uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.index.lanes[q.hash([]byte(lane))]
	if l == nil {
		return nil
	}
	for e := l.first; e != nil; e = e.next {
		ids = append(ids, e.id)
	}
	return ids
}

// InFlight says whether somebody works on the task now.
func (q *Queue) InFlight(it Item) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.index.lanes[q.hash([]byte(it.Lane))]
	return l != nil && l.state == laneBusy && l.first.id == it.ID
}

// DeadIn returns the dead letters of a lane, in no order. A damaged one is left out.
func (q *Queue) DeadIn(tx *store.Tx, lane string) (all []Dead) {
	prefix := store.AppendText(nil, lane)
	tx.Scan(deadKeys, prefix, func(key, value []byte, err error) bool {
		if !bytes.HasPrefix(key, prefix) {
			return false
		}
		if id, ok := keyID(value); ok && err == nil {
			if d, err := q.Dead(tx, id); err == nil {
				all = append(all, d)
			}
		}
		return true
	})
	return all
}
