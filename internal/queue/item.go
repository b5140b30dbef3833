package queue

import (
	"encoding/binary"
	"math"
	"time"
	"unicode/utf8"

	"github.com/cocbridge/cocbridge/internal/store"
)

// Item is one task.
type Item struct {
	ID     uint64 // given by Put; ids ascend and are never used again
	Lane   string // tasks of one lane keep their order
	Kind   string // what sort of task it is
	Pool   string // which workers take it
	Gate   string // what must be open for it, see Options.Admit
	Source string // tasks of different sources get their turns alike

	Created   time.Time // Put: zero = now
	Due       time.Time // not before; Put: zero = now
	Attempts  int       // settled by Retry so far
	Crashes   int       // crashes of the process with this task in flight, since the last Retry
	Spent     time.Duration
	LastError string
	Payload   []byte // must not be changed by anyone once it is in an Item; empty becomes nil
	// Value is what Payload stands for, if whoever put the task had it at hand. It
	// is not on disk: a task that was read from there comes without it.
	Value any
}

// maxText bounds the error texts that are kept with tasks and dead letters.
const maxText = 1024

// The state of a task on disk, version 1: lengths and numbers are varints, times
// nanoseconds since 1970. kind, pool, gate and source come first and together:
// they are the task's class.
//
//	| 1 | kind | pool | gate | source | lane | created | due | attempts | crashes | spent | last error |
const itemVersion = 1

func encodeItem(it Item) []byte {
	b := make([]byte, 0, 64+len(it.Kind)+len(it.Pool)+len(it.Gate)+len(it.Source)+len(it.Lane)+len(it.LastError))
	b = append(b, itemVersion)
	for _, text := range []string{it.Kind, it.Pool, it.Gate, it.Source, it.Lane} {
		b = store.AppendText(b, text)
	}
	b = binary.AppendVarint(b, nanos(it.Created))
	b = binary.AppendVarint(b, nanos(it.Due))
	b = binary.AppendUvarint(b, uint64(it.Attempts))
	b = binary.AppendUvarint(b, uint64(it.Crashes))
	b = binary.AppendVarint(b, int64(it.Spent))
	return store.AppendText(b, it.LastError)
}

// decodeItem returns the item without id and payload.
func decodeItem(b []byte) (Item, error) {
	r := store.ReadForm(b)
	if r.Byte() != itemVersion {
		return Item{}, store.ErrForm
	}
	it := Item{
		Kind: r.Text(), Pool: r.Text(), Gate: r.Text(), Source: r.Text(), Lane: r.Text(),
		Created: instant(r.Varint()), Due: instant(r.Varint()),
		Attempts: int(r.Uvarint()), Crashes: int(r.Uvarint()), Spent: time.Duration(r.Varint()),
		LastError: r.Text(),
	}
	return it, r.End()
}

// indexed is the part of a task's state that memory needs.
type indexed struct {
	class, lane  []byte // parts of the record
	created, due int64
}

func decodeIndexed(b []byte) (indexed, error) {
	r := store.ReadForm(b)
	if r.Byte() != itemVersion {
		return indexed{}, store.ErrForm
	}
	before := r.Rest()
	for range 4 {
		r.Bytes()
	}
	x := indexed{class: before[:len(before)-len(r.Rest())]}
	x.lane, x.created, x.due = r.Bytes(), r.Varint(), r.Varint()
	return x, r.Err()
}

func nonEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func idKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

func keyID(key []byte) (uint64, bool) {
	if len(key) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(key), true
}

// nanos is the time as it is kept; far outside of its range means its ends.
func nanos(t time.Time) int64 {
	switch year := t.Year(); {
	case year > 2261:
		return math.MaxInt64
	case year < 1678:
		return math.MinInt64
	}
	return t.UnixNano()
}

func instant(n int64) time.Time { return time.Unix(0, n).UTC() }

// cut shortens a text to what is kept, at the border of a character.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
