package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// Bucket holds one entry per alarm, see encodeEntry:
//
//	place 8, big-endian | alarmId -> entry
//
// Places are given in the order in which alarms are first written. Those that are
// heard of together lie together, and are confirmed together, so a commit writes
// a few pages; alarmIds are as random as hashes, and would touch one page each.
const Bucket store.Bucket = "alarms"

// Book is the entries of a store and, in memory, their places: about 40 bytes per
// alarm. Its methods may be called from any goroutine that holds a transaction.
type Book struct {
	mu     sync.RWMutex
	places map[name]uint64 // of what is on disk, or will be with the transaction that runs
}

// name is an alarmId in 16 bytes.
type name [16]byte

func nameOf(alarmID string) name {
	sum := sha256.Sum256([]byte(alarmID))
	return name(sum[:])
}

const placeSize = 8

func keyOf(place uint64, alarmID string) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, placeSize+len(alarmID)), place), alarmID...)
}

// splitKey takes a key apart; ok = false for one that was damaged.
func splitKey(key []byte) (place uint64, alarmID string, ok bool) {
	if len(key) < placeSize {
		return 0, "", false
	}
	return binary.BigEndian.Uint64(key), string(key[placeSize:]), true
}

// OpenBook reads the places of all entries, before anything is written.
func OpenBook(s *store.Store) (*Book, error) {
	b := &Book{places: map[name]uint64{}}
	err := s.View(func(tx *store.Tx) error {
		tx.Scan(Bucket, nil, func(key, _ []byte, _ error) bool {
			if place, id, ok := splitKey(key); ok {
				b.places[nameOf(id)] = place
			}
			return true
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: open: %w", err)
	}
	return b, nil
}

func (b *Book) place(n name) (place uint64, known bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	place, known = b.places[n]
	return place, known
}

func (b *Book) set(n name, place uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.places[n] = place
}

func (b *Book) forget(n name) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.places, n)
}

// Get reads the entry of an alarm; nil if it is not known.
func (b *Book) Get(tx *store.Tx, alarmID string) (*Entry, error) {
	place, known := b.place(nameOf(alarmID))
	if !known {
		return nil, nil
	}
	record, err := tx.Get(Bucket, keyOf(place, alarmID))
	if err != nil || record == nil {
		return nil, err
	}
	return decode(alarmID, record)
}

// load is Get for a decision: a damaged entry counts as an unknown alarm, whose
// next message is told (again), because a repeat is safe and a silence is not.
func (b *Book) load(tx *store.Tx, alarmID string, now time.Time) (e *Entry, known bool, err error) {
	e, err = b.Get(tx, alarmID)
	switch {
	case errors.Is(err, store.ErrCorrupt):
		e = new(Entry)
		e.note(now, "damaged", "the record on disk was damaged and has been replaced")
		return e, false, nil
	case err != nil:
		return nil, false, err
	case e == nil:
		return new(Entry), false, nil
	}
	return e, true, nil
}

func (b *Book) save(tx *store.Tx, alarmID string, e *Entry) error {
	n := nameOf(alarmID)
	place, known := b.place(n)
	if !known {
		var err error
		if place, err = tx.Next(Bucket); err != nil {
			return err
		}
		b.set(n, place)
		tx.OnAbort(func() { b.forget(n) })
	}
	return tx.Put(Bucket, keyOf(place, alarmID), encodeEntry(e))
}

func (b *Book) remove(tx *store.Tx, alarmID string) error {
	n := nameOf(alarmID)
	place, known := b.place(n)
	if !known {
		return nil
	}
	b.forget(n)
	tx.OnAbort(func() { b.set(n, place) })
	return tx.Delete(Bucket, keyOf(place, alarmID))
}

// Scan visits the entries from a key on (nil = the first) in the order in which
// they were first written, until visit returns false, and returns the key of that
// one; nil at the end. The entry of a damaged record is nil. Visit must not change
// the store.
func (b *Book) Scan(tx *store.Tx, from []byte, visit func(alarmID string, e *Entry) (more bool)) (next []byte) {
	tx.Scan(Bucket, from, func(key, value []byte, err error) bool {
		_, id, ok := splitKey(key)
		if !ok {
			return true
		}
		var e *Entry
		if err == nil {
			e, _ = decode(id, value)
		}
		if visit(id, e) {
			return true
		}
		next = append([]byte(nil), key...)
		return false
	})
	return next
}
