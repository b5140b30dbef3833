package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/store"
)

// alarmsOf lists what the book has, in its order.
func (b *book) alarmsOf(entries *ledger.Book) (ids []string) {
	b.t.Helper()
	err := b.store.View(func(tx *store.Tx) error {
		entries.Scan(tx, nil, func(id string, e *ledger.Entry) bool {
			if e == nil {
				b.t.Errorf("the entry of %s cannot be read", id)
			}
			ids = append(ids, id)
			return true
		})
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return ids
}

// has says whether the book finds the alarm.
func (b *book) has(entries *ledger.Book, alarmID string) (found bool) {
	b.t.Helper()
	err := b.store.View(func(tx *store.Tx) error {
		e, err := entries.Get(tx, alarmID)
		found = e != nil
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

func (b *book) note(tx *store.Tx, alarmIDs ...string) error {
	for _, id := range alarmIDs {
		if err := b.l.Note(tx, id, "noted", ""); err != nil {
			return err
		}
	}
	return nil
}

// abort runs a change and rolls it back.
func (b *book) abort(change func(*store.Tx) error) {
	b.t.Helper()
	undone := errors.New("undone")
	err := b.store.Update(b.t.Context(), func(tx *store.Tx) error { return errors.Join(change(tx), undone) })
	if !errors.Is(err, undone) {
		b.t.Fatal(err)
	}
}

// expectBook compares the book in use, and one that is opened now, with what
// should be on disk.
func (b *book) expectBook(want ...string) {
	b.t.Helper()
	reopened, err := ledger.OpenBook(b.store)
	if err != nil {
		b.t.Fatal(err)
	}
	for name, entries := range map[string]*ledger.Book{"in use": b.book, "opened now": reopened} {
		if diff := cmp.Diff(want, b.alarmsOf(entries)); diff != "" {
			b.t.Errorf("the book %s: %s", name, diff)
		}
		if n := entries.Places(); n != len(want) {
			b.t.Errorf("the book %s remembers %d places for %d alarms", name, n, len(want))
		}
		for _, id := range want {
			if !b.has(entries, id) {
				b.t.Errorf("the book %s does not find %s", name, id)
			}
		}
	}
}

func TestBook_followsWhatIsCommitted(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	b.update(func(tx *store.Tx) error { return b.note(tx, "c", "a") })
	b.abort(func(tx *store.Tx) error { return b.note(tx, "b", "a") })
	b.expectBook("c", "a")
	if b.has(b.book, "b") {
		t.Error("what was rolled back is found")
	}
	b.update(func(tx *store.Tx) error { return b.note(tx, "b", "a") })
	b.expectBook("c", "a", "b")
}

func TestBook_forgets(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	b.update(func(tx *store.Tx) error { return b.note(tx, "a", "b") })
	b.now = b.now.Add(200 * time.Hour)
	forget := func(tx *store.Tx) error {
		_, err := b.l.Forget(tx, []string{"a"})
		return err
	}
	b.abort(forget)
	b.expectBook("a", "b")
	b.update(func(tx *store.Tx) error { return errors.Join(forget(tx), b.note(tx, "a")) })
	b.expectBook("b", "a")
	b.now = b.now.Add(200 * time.Hour)
	b.update(forget)
	b.expectBook("b")
}

func TestBook_Scan_goesOnWhereItStopped(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	b.update(func(tx *store.Tx) error { return b.note(tx, "c", "a", "b") })
	var ids []string
	var from []byte
	for range 3 {
		err := b.store.View(func(tx *store.Tx) error {
			first := true
			from = b.book.Scan(tx, from, func(id string, _ *ledger.Entry) bool {
				if !first {
					return false
				}
				first, ids = false, append(ids, id)
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"c", "a", "b"}, ids); diff != "" || from != nil {
		t.Errorf("%s, next %x", diff, from)
	}
}
