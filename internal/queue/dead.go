package queue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

const (
	dead     store.Bucket = "dead"
	deadKeys store.Bucket = "deadkeys"
)

// Causes that the queue itself gives.
const (
	CodeCrash   = "crash"   // the process crashed several times with the task in flight
	CodeCorrupt = "corrupt" // the task's records are damaged
)

// ErrNoDead says that there is no such dead letter.
var ErrNoDead = errors.New("queue: no such dead letter")

// Cause says why a task was buried.
type Cause struct {
	Code   string // of a small, fixed set
	Detail string // for people; cut at 1 KiB
}

// Dead is a dead letter. There is one per lane, kind and code; a repeat keeps its
// ID and First.
type Dead struct {
	ID    uint64
	Item  Item  // the newest
	Cause Cause // the newest
	First time.Time
	Last  time.Time
	Count int

	Untried bool // the newest never was a task
}

// BuryNew makes a dead letter of something that never was a task. It gets the id
// that a task would have got, which says what is older. ErrShare says that the dead
// letters of its source are too many for another one.
func (q *Queue) BuryNew(tx *store.Tx, it Item, c Cause) (id uint64, err error) {
	if err := checkLane(it); err != nil {
		return 0, err
	}
	it = q.complete(it)
	c.Detail = cut(c.Detail)
	before, err := q.earlier(tx, deadKey(it.Lane, it.Kind, c.Code))
	if err != nil {
		return 0, err
	}
	if before.Count == 0 {
		if err := q.room(Dead{Item: it, Cause: c, Count: 1, Untried: true}); err != nil {
			return 0, err
		}
	}
	if it.ID, err = q.nextID(tx); err != nil {
		return 0, err
	}
	after := before.again(it, c, q.now())
	after.Untried = true
	return it.ID, q.putDead(tx, before, after)
}

// Dead returns the dead letter, or ErrNoDead.
func (q *Queue) Dead(tx *store.Tx, id uint64) (Dead, error) {
	record, err := tx.Get(dead, idKey(id))
	if err != nil {
		return Dead{ID: id}, err
	}
	if record == nil {
		return Dead{}, ErrNoDead
	}
	return decodeDead(id, record)
}

// ScanDead visits the dead letters with this id or a higher one in ascending order
// until visit returns false. Of a damaged one only the ID is known. Visit must not
// change the store.
func (q *Queue) ScanDead(tx *store.Tx, from uint64, visit func(Dead, error) (more bool)) {
	tx.Scan(dead, idKey(from), func(key, value []byte, err error) bool {
		id, _ := keyID(key)
		d := Dead{ID: id}
		if err == nil {
			d, err = decodeDead(id, bytes.Clone(value))
		}
		return visit(d, err)
	})
}

// Drop removes the dead letter and returns it, or ErrNoDead. To replay one is to
// drop it and Put its Item in the same transaction. A damaged one is removed too;
// then only its ID is returned.
func (q *Queue) Drop(tx *store.Tx, id uint64) (Dead, error) {
	d, err := q.Dead(tx, id)
	if err != nil && undamaged(err) != nil && !errors.Is(err, store.ErrForm) {
		return Dead{}, err
	}
	key := deadKey(d.Item.Lane, d.Item.Kind, d.Cause.Code)
	if err != nil {
		key = findDeadKey(tx, id)
	}
	if err := tx.Delete(dead, idKey(id)); err != nil {
		return Dead{}, err
	}
	q.reweigh(tx, d, Dead{})
	return d, q.dropKey(tx, key)
}

func (q *Queue) dropKey(tx *store.Tx, key []byte) error {
	if key == nil {
		return nil
	}
	kind := kindOf(key)
	tx.OnCommit(q.locked(func() { q.index.kind(kind).dead-- }))
	return tx.Delete(deadKeys, key)
}

// bury writes a dead letter for the item, in place of an earlier one like it.
func (q *Queue) bury(tx *store.Tx, it Item, c Cause) error {
	c.Detail = cut(c.Detail)
	before, err := q.earlier(tx, deadKey(it.Lane, it.Kind, c.Code))
	if err != nil {
		return err
	}
	return q.putDead(tx, before, before.again(it, c, q.now()))
}

// again is the dead letter after one more like it.
func (d Dead) again(it Item, c Cause, now time.Time) Dead {
	now = instant(nanos(now))
	if d.Count == 0 {
		d.First = now
	}
	d.Item, d.Cause, d.Last, d.Untried = it, c, now, false
	d.Count++
	return d
}

// room says whether there is some for a new dead letter.
func (q *Queue) room(d Dead) (err error) {
	q.locked(func() { err = q.share.takes(d) })()
	return err
}

func (q *Queue) putDead(tx *store.Tx, before, after Dead) (err error) {
	key := deadKey(after.Item.Lane, after.Item.Kind, after.Cause.Code)
	if after.ID == 0 {
		if after.ID, err = tx.Next(dead); err != nil {
			return err
		}
		tx.OnCommit(q.locked(func() { q.index.kind(after.Item.Kind).dead++ }))
	}
	q.reweigh(tx, before, after)
	if err := tx.Put(dead, idKey(after.ID), encodeDead(after)); err != nil {
		return err
	}
	return tx.Put(deadKeys, key, idKey(after.ID))
}

// buryOwn buries a task for a reason of the queue's own, and tells of it.
func (q *Queue) buryOwn(tx *store.Tx, it Item, c Cause) error {
	if err := q.bury(tx, it, c); err != nil || q.buried == nil {
		return err
	}
	return q.buried(tx, it, c)
}

// earlier returns the dead letter with this key: without an id there is none, with an
// id alone it is damaged, and the next one takes its place.
func (q *Queue) earlier(tx *store.Tx, key []byte) (Dead, error) {
	value, err := tx.Get(deadKeys, key)
	if undamaged(err) != nil {
		return Dead{}, err
	}
	id, ok := keyID(value)
	if !ok {
		return Dead{}, nil
	}
	if d, err := q.Dead(tx, id); err == nil {
		return d, nil
	}
	return Dead{ID: id}, nil
}

// forgive removes the dead letters of the item's lane and kind that are older than
// the item: what was buried later is news that nobody has been told yet.
func (q *Queue) forgive(tx *store.Tx, it Item) error {
	prefix := deadKey(it.Lane, it.Kind, "")
	var keys, ids [][]byte
	tx.Scan(deadKeys, prefix, func(key, value []byte, _ error) bool {
		if !bytes.HasPrefix(key, prefix) {
			return false
		}
		keys, ids = append(keys, bytes.Clone(key)), append(ids, bytes.Clone(value))
		return true
	})
	for i, key := range keys {
		if id, ok := keyID(ids[i]); ok {
			d, err := q.Dead(tx, id)
			if err == nil && d.Item.ID > it.ID {
				continue
			}
			q.reweigh(tx, d, Dead{})
		}
		if err := q.dropKey(tx, key); err != nil {
			return err
		}
		if err := tx.Delete(dead, ids[i]); err != nil {
			return err
		}
	}
	return nil
}

// deadKey begins with what a lane and kind have in common.
func deadKey(lane, kind, code string) []byte {
	return append(store.AppendText(store.AppendText(nil, lane), kind), code...)
}

// kindOf is the kind in the key of a dead letter.
func kindOf(deadKey []byte) string {
	r := store.ReadForm(deadKey)
	r.Text() // the lane
	return r.Text()
}

// findDeadKey returns the key that leads to the dead letter, or nil.
func findDeadKey(tx *store.Tx, id uint64) (found []byte) {
	tx.Scan(deadKeys, nil, func(key, value []byte, _ error) bool {
		if bytes.Equal(value, idKey(id)) {
			found = bytes.Clone(key)
		}
		return found == nil
	})
	return found
}

// A dead letter on disk, version 1, or 2 if it never was a task:
//
//	| 1 or 2 | state of the task, as in tasks | its id | payload | code | detail | first | last | count |
const (
	deadVersion    = 1
	untriedVersion = 2
)

func encodeDead(d Dead) []byte {
	version := byte(deadVersion)
	if d.Untried {
		version = untriedVersion
	}
	b := append(make([]byte, 0, 256+len(d.Item.Payload)), version)
	b = store.AppendText(b, encodeItem(d.Item))
	b = binary.AppendUvarint(b, d.Item.ID)
	b = store.AppendText(b, d.Item.Payload)
	b = store.AppendText(b, d.Cause.Code)
	b = store.AppendText(b, d.Cause.Detail)
	b = binary.AppendVarint(b, nanos(d.First))
	b = binary.AppendVarint(b, nanos(d.Last))
	return binary.AppendUvarint(b, uint64(d.Count))
}

// decodeDead keeps parts of the record.
func decodeDead(id uint64, record []byte) (Dead, error) {
	r := store.ReadForm(record)
	version := r.Byte()
	if version != deadVersion && version != untriedVersion {
		return Dead{ID: id}, store.ErrForm
	}
	it, err := decodeItem(r.Bytes())
	it.ID, it.Payload = r.Uvarint(), nonEmpty(r.Bytes())
	d := Dead{ID: id, Item: it, Cause: Cause{Code: r.Text(), Detail: r.Text()}, Untried: version == untriedVersion}
	d.First, d.Last, d.Count = instant(r.Varint()), instant(r.Varint()), int(r.Uvarint())
	if err := errors.Join(err, r.End()); err != nil {
		return Dead{ID: id}, store.ErrForm
	}
	return d, nil
}
