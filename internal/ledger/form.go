package ledger

import (
	"encoding/binary"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// An entry on disk, version 1. It is written twice for every alarm, so it is made
// of varints and texts. Parts in brackets are there if their bit of flags is set:
//
//	| 1 | flags | startsAt | began | level | revision | heard | waiting | [newest] | [told] | [held] | events | event… |
const entryVersion = 1

const (
	isFiring = 1 << iota
	isUnsaid
	hasNewest
	hasTold
	hasHeld
	hasBefore // of what is held
	isOver
)

func encodeEntry(e *Entry) []byte {
	b := make([]byte, 0, 512)
	b = append(b, entryVersion, e.flags())
	b = store.AppendTime(store.AppendTime(b, e.StartsAt), e.Began)
	b = store.AppendTime(store.AppendText(store.AppendText(b, e.Level), e.Revision), e.Heard)
	b = binary.AppendUvarint(b, uint64(e.Waiting))
	b = appendTelling(appendTelling(b, e.Newest), e.Told)
	b = appendHeld(b, e.Held)
	b = binary.AppendUvarint(b, uint64(len(e.History)))
	for _, event := range e.History {
		b = binary.AppendVarint(b, event.At.UnixMilli())
		b = store.AppendText(store.AppendText(b, event.What), event.Detail)
	}
	return b
}

func (e *Entry) flags() byte {
	return bit(e.Firing, isFiring) | bit(e.Unsaid, isUnsaid) | bit(e.Newest != nil, hasNewest) | bit(e.Told != nil, hasTold) |
		bit(e.Held != nil, hasHeld) | bit(e.Held != nil && e.Held.Before != nil, hasBefore) | bit(e.Over, isOver)
}

func bit(set bool, flag byte) byte {
	if set {
		return flag
	}
	return 0
}

func appendTelling(b []byte, t *Telling) []byte {
	if t == nil {
		return b
	}
	b = binary.AppendVarint(store.AppendTime(append(b, bit(t.Firing, 1)), t.At), t.Time)
	for _, text := range t.texts() {
		b = store.AppendText(b, *text)
	}
	return b
}

// texts lists the texts of a telling in their order on disk.
func (t *Telling) texts() [9]*string {
	return [...]*string{
		&t.Level, &t.Integration, &t.Name, &t.NameSpace, &t.RegionID,
		&t.ApplicationID, &t.ResourceName, &t.ResourceID, &t.Source,
	}
}

func appendHeld(b []byte, h *Held) []byte {
	if h == nil {
		return b
	}
	b = binary.AppendUvarint(b, h.Task)
	b = store.AppendTime(store.AppendTime(b, h.StartsAt), h.Began)
	b = store.AppendTime(store.AppendText(b, h.Level), h.Until)
	return appendTelling(b, h.Before)
}

func decodeEntry(record []byte) (*Entry, error) {
	f := store.ReadForm(record)
	if f.Byte() != entryVersion {
		return nil, store.ErrForm
	}
	flags := f.Byte()
	e := &Entry{
		Firing: flags&isFiring != 0, Unsaid: flags&isUnsaid != 0, Over: flags&isOver != 0,
		StartsAt: f.Time(), Began: f.Time(), Level: f.Text(), Revision: f.Text(), Heard: f.Time(), Waiting: int(f.Uvarint()),
		Newest: readTelling(&f, flags&hasNewest), Told: readTelling(&f, flags&hasTold),
	}
	if flags&hasHeld != 0 {
		e.Held = &Held{
			Task: f.Uvarint(), StartsAt: f.Time(), Began: f.Time(), Level: f.Text(), Until: f.Time(),
			Before: readTelling(&f, flags&hasBefore),
		}
	}
	for n := min(f.Uvarint(), historySize); n > 0; n-- {
		e.History = append(e.History, Event{At: time.UnixMilli(f.Varint()).UTC(), What: f.Text(), Detail: f.Text()})
	}
	return e, f.End()
}

func readTelling(f *store.Form, present byte) *Telling {
	if present == 0 {
		return nil
	}
	t := &Telling{Firing: f.Byte() == 1, At: f.Time(), Time: f.Varint()}
	for _, text := range t.texts() {
		*text = f.Text()
	}
	return t
}
