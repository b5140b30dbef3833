package queue

import (
	"context"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

const defaultMaxCrashes = 3

// Open reads which tasks there are; payloads stay on disk. Tasks that were in
// flight when the last process crashed have that counted, and at MaxCrashes they
// become dead letters. What is damaged is put aside. The store's committer must be
// running.
func Open(o Options) (*Queue, error) {
	q := &Queue{
		store: o.Store, now: o.Now, admit: o.Admit, maxCrashes: o.MaxCrashes,
		seed: maphash.MakeSeed(), index: newIndex(), unborn: map[uint64]struct{}{},
	}
	if q.now == nil {
		q.now = time.Now
	}
	q.buried, q.maxWait, q.share.limit = o.Buried, o.MaxWait, o.MaxDead
	if q.maxCrashes == 0 {
		q.maxCrashes = defaultMaxCrashes
	}
	q.start = q.now()
	q.timer = time.NewTimer(time.Hour)
	q.timer.Stop()
	var crashed []uint64
	var err error
	if q.crashes, crashed, err = openCrashFile(o.CrashFile); err != nil {
		return nil, err
	}
	if err := q.read(crashed); err != nil {
		_ = q.crashes.close()
		return nil, fmt.Errorf("queue: open: %w", err)
	}
	return q, nil
}

// Close says that the work has ended in good order: what is in flight now did not
// crash the process. No lease may be settled after it.
func (q *Queue) Close() error {
	if err := q.crashes.close(); err != nil {
		return fmt.Errorf("queue: close the crash file: %w", err)
	}
	return nil
}

func (q *Queue) read(crashed []uint64) error {
	if len(crashed) > 0 {
		if err := q.store.Update(context.Background(), q.countCrashes(crashed)); err != nil {
			return err
		}
	}
	var broken [][]byte
	err := q.store.View(func(tx *store.Tx) error {
		broken = q.readTasks(tx)
		return nil
	})
	if err != nil {
		return err
	}
	if len(broken) > 0 {
		if err := q.store.Update(context.Background(), q.repair(broken)); err != nil {
			return err
		}
	}
	return q.readDead()
}

// readTasks fills the index and returns the keys of the records that are damaged.
func (q *Queue) readTasks(tx *store.Tx) (broken [][]byte) {
	now, at := q.clock()
	tx.Scan(tasks, nil, func(key, value []byte, err error) bool {
		id, ok := keyID(key)
		x, formErr := decodeIndexed(value)
		if !ok || err != nil || formErr != nil {
			broken = append(broken, append([]byte{}, key...))
			return true
		}
		q.lastID = max(q.lastID, id)
		if latest := nanos(now.Add(q.maxWait)); q.maxWait > 0 && x.due > latest {
			x.due = latest
		}
		q.enter(id, x, now, at)
		return true
	})
	return broken
}

// readDead counts the dead letters, what they take, and what was put aside.
func (q *Queue) readDead() error {
	var broken bool
	err := q.store.View(func(tx *store.Tx) error {
		broken = len(collect(tx, deadKeys, isDamaged)) > 0
		return nil
	})
	if err != nil {
		return err
	}
	if broken {
		if err := q.store.Update(context.Background(), q.rebuildDeadKeys); err != nil {
			return err
		}
	}
	return q.store.View(func(tx *store.Tx) error {
		q.mu.Lock()
		defer q.mu.Unlock()
		for _, k := range q.index.kinds {
			k.dead = 0
		}
		tx.Scan(deadKeys, nil, func(key, _ []byte, _ error) bool {
			kind := kindOf(key)
			q.index.kind(kind).dead++
			return true
		})
		q.share = share{limit: q.share.limit}
		q.ScanDead(tx, 0, func(d Dead, _ error) bool { q.share.weigh(d, 1); return true })
		q.damaged = len(collect(tx, damaged, func(_, _ []byte, _ error) bool { return true }))
		return nil
	})
}

// countCrashes counts a crash for each of the tasks.
func (q *Queue) countCrashes(ids []uint64) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		for _, id := range ids {
			if err := q.countCrash(tx, id); err != nil {
				return err
			}
		}
		return nil
	}
}

func (q *Queue) countCrash(tx *store.Tx, id uint64) error {
	found, err := exhume(tx, idKey(id))
	if err != nil || found.problem != "" {
		return err // gone, or damaged and found again later
	}
	it := found.item
	if it.Crashes++; it.Crashes < q.maxCrashes {
		return tx.Put(tasks, idKey(id), encodeItem(it))
	}
	detail := fmt.Sprintf("the process crashed %d times while working on it", it.Crashes)
	if err := q.buryOwn(tx, it, Cause{CodeCrash, detail}); err != nil {
		return err
	}
	return q.erase(tx, id)
}
