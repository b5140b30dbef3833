package queue

import (
	"errors"
	"fmt"

	"github.com/cocbridge/cocbridge/internal/store"
)

// damaged keeps records that cannot be read, under a running number: the name of
// their bucket and their key, each with its length, then the record as found.
const damaged store.Bucket = "damaged"

// remains is what can be read of a task.
type remains struct {
	item    Item
	broken  []*store.CorruptError
	problem string // "" = it is whole
	useful  bool   // something of it is readable
}

// exhume reads a task as far as possible. The error is the store's.
func exhume(tx *store.Tx, key []byte) (remains, error) {
	var found remains
	state, err := found.read(tx, tasks, key)
	if err != nil {
		return found, err
	}
	payload, err := found.read(tx, payloads, key)
	if err != nil {
		return found, err
	}
	if state != nil {
		if found.item, err = decodeItem(state); err != nil {
			found.put(&store.CorruptError{Bucket: tasks, Key: key, Raw: state, Problem: err.Error()})
			state = nil
		}
	}
	if state == nil {
		// Each must keep a lane of its own, or their dead letters would replace one another.
		found.item = Item{Lane: fmt.Sprintf("damaged-%x", key)}
	}
	found.item.ID, _ = keyID(key)
	found.item.Payload = nonEmpty(payload)
	found.useful = state != nil || payload != nil
	return found, nil
}

func (f *remains) read(tx *store.Tx, b store.Bucket, key []byte) ([]byte, error) {
	value, err := tx.Get(b, key)
	var broken *store.CorruptError
	if errors.As(err, &broken) {
		f.put(broken)
		return nil, nil
	}
	if err == nil && value == nil {
		f.problem = fmt.Sprintf("no record %x in bucket %s", key, b)
	}
	return value, err
}

func (f *remains) put(broken *store.CorruptError) {
	f.broken = append(f.broken, broken)
	f.problem = broken.Error()
}

// putAside makes a dead letter of what can be read of a damaged task, and keeps
// the rest as it is.
func (q *Queue) putAside(tx *store.Tx, key []byte) error {
	found, err := exhume(tx, key)
	if err != nil {
		return err
	}
	for _, broken := range found.broken {
		if err := q.keepDamaged(tx, broken); err != nil {
			return err
		}
	}
	if found.useful {
		if err := q.buryOwn(tx, found.item, Cause{CodeCorrupt, found.problem}); err != nil {
			return err
		}
	}
	if err := tx.Delete(tasks, key); err != nil {
		return err
	}
	return tx.Delete(payloads, key)
}

func (q *Queue) keepDamaged(tx *store.Tx, broken *store.CorruptError) error {
	number, err := tx.Next(damaged)
	if err != nil {
		return err
	}
	tx.OnCommit(q.locked(func() { q.damaged++ }))
	record := store.AppendText(store.AppendText(nil, string(broken.Bucket)), broken.Key)
	return tx.Put(damaged, idKey(number), append(record, broken.Raw...))
}

// repair puts aside the tasks with these keys. Where the key itself was damaged
// the payload lies under another, so payloads without a task are put aside too.
func (q *Queue) repair(keys [][]byte) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		for _, key := range keys {
			if err := q.putAside(tx, key); err != nil {
				return err
			}
		}
		for _, key := range orphans(tx) {
			if err := q.putAside(tx, key); err != nil {
				return err
			}
		}
		return nil
	}
}

func orphans(tx *store.Tx) (keys [][]byte) {
	tx.Scan(payloads, nil, func(key, _ []byte, _ error) bool {
		if state, err := tx.Get(tasks, key); state == nil && err == nil {
			keys = append(keys, append([]byte{}, key...))
		}
		return true
	})
	return keys
}

// rebuildDeadKeys replaces damaged keys of dead letters.
func (q *Queue) rebuildDeadKeys(tx *store.Tx) error {
	for _, key := range collect(tx, deadKeys, isDamaged) {
		if err := tx.Delete(deadKeys, key); err != nil {
			return err
		}
	}
	missing := map[string]uint64{}
	q.ScanDead(tx, 0, func(d Dead, err error) bool {
		key := deadKey(d.Item.Lane, d.Item.Kind, d.Cause.Code)
		if known, _ := tx.Get(deadKeys, key); err == nil && known == nil {
			missing[string(key)] = d.ID
		}
		return true
	})
	for key, id := range missing {
		if err := tx.Put(deadKeys, []byte(key), idKey(id)); err != nil {
			return err
		}
	}
	return nil
}

func isDamaged(_, _ []byte, err error) bool { return err != nil }

// collect returns the keys of the records that match.
func collect(tx *store.Tx, b store.Bucket, match func(key, value []byte, err error) bool) (keys [][]byte) {
	tx.Scan(b, nil, func(key, value []byte, err error) bool {
		if match(key, value, err) {
			keys = append(keys, append([]byte{}, key...))
		}
		return true
	})
	return keys
}
