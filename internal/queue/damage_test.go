package queue_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/queue/queuetest"
	"github.com/cocbridge/cocbridge/internal/store"
)

// edit changes the file of a closed store with bbolt itself.
func edit(t *testing.T, dir string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "cocbridge.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// spoil flips a bit in the middle of a record.
func spoil(bucket string, key []byte) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		raw := bytes.Clone(b.Get(key))
		raw[len(raw)/2] ^= 4
		return b.Put(key, raw)
	}
}

func key(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

// moveKey stores a record under another key, as if a bit of its key had flipped.
func moveKey(tx *bbolt.Tx) error {
	b := tx.Bucket([]byte("tasks"))
	raw := bytes.Clone(b.Get(key(2)))
	return errors.Join(b.Delete(key(2)), b.Put(key(2|1<<40), raw))
}

func put(bucket string, value string) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put(key(2), []byte(value)) }
}

func both(changes ...func(*bbolt.Tx) error) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		for _, change := range changes {
			if err := change(tx); err != nil {
				return err
			}
		}
		return nil
	}
}

// The second of three tasks is damaged. The others are delivered, it is not, and
// what is readable of it can be found, now and after the next starts.
func TestQueue_damagedTask(t *testing.T) {
	lost := queue.Item{ID: 2, Lane: "damaged-0000000000000002", Payload: []byte("second")}
	known := queue.Item{ID: 2, Lane: "b", Kind: "k", Pool: "p", Gate: "g", Source: "s"}
	for _, c := range []struct {
		name    string
		spoil   func(*bbolt.Tx) error
		dead    []queue.Item
		damaged int
	}{
		{"its state", spoil("tasks", key(2)), []queue.Item{lost}, 1},
		{"its state, of an unknown form", reencode("tasks", "\xffno such version"), []queue.Item{lost}, 1},
		{"its state, empty", put("tasks", ""), []queue.Item{lost}, 1},
		{"its payload", spoil("payloads", key(2)), []queue.Item{known}, 1},
		{"its payload is gone", func(tx *bbolt.Tx) error { return tx.Bucket([]byte("payloads")).Delete(key(2)) }, []queue.Item{known}, 0},
		{"both", both(spoil("tasks", key(2)), spoil("payloads", key(2))), nil, 2},
		{"the key of its state", moveKey, []queue.Item{lost}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			b := openAt(t, dir, queue.Options{})
			for i, payload := range []string{"first", "second", "third"} {
				putOne(t, b.Store, b.Queue, queue.Item{Lane: string(rune('a' + i)), Kind: "k", Pool: "p", Gate: "g", Source: "s", Payload: []byte(payload)})
			}
			b.Close()
			edit(t, dir, c.spoil)
			for n := range 3 {
				b := openAt(t, dir, queue.Options{})
				if n == 0 {
					takeAll(t, b, "first", "third")
				}
				if diff := cmp.Diff(c.dead, deadItems(t, b)); diff != "" {
					t.Errorf("start %d, dead letters (-want +got):\n%s", n, diff)
				}
				stats := b.Queue.Stats()
				if stats.Damaged != c.damaged || stats.Kinds["k"].Waiting+stats.Kinds["k"].InFlight > 0 {
					t.Errorf("start %d: %+v", n, stats)
				}
				b.Close()
			}
		})
	}
}

// reencode replaces the value of the task by another one that is stored properly.
func reencode(bucket store.Bucket, value string) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		path := tx.DB().Path() + ".other"
		s, err := store.Open(store.Options{Path: path})
		if err != nil {
			return err
		}
		s.Submit(func(tx *store.Tx) error { return tx.Put(bucket, key(2), []byte(value)) }, func(error) {})
		if err := errors.Join(s.Run(ended()), s.Close()); err != nil {
			return err
		}
		other, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			return err
		}
		defer other.Close()
		return other.View(func(from *bbolt.Tx) error {
			return put(string(bucket), string(from.Bucket([]byte(bucket)).Get(key(2))))(tx)
		})
	}
}

// takeAll takes and acknowledges exactly these payloads.
func takeAll(t *testing.T, b *queuetest.Bench, want ...string) {
	t.Helper()
	for _, payload := range want {
		l, err := b.Queue.Take(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		if got := string(l.Item().Payload); got != payload {
			t.Errorf("took %q, want %q", got, payload)
		}
		if err := b.Store.Update(t.Context(), l.Ack); err != nil {
			t.Fatal(err)
		}
	}
}

// deadItems returns the items of the dead letters, all with the cause corrupt,
// without their times.
func deadItems(t *testing.T, b *queuetest.Bench) (items []queue.Item) {
	t.Helper()
	err := b.Store.View(func(tx *store.Tx) error {
		b.Queue.ScanDead(tx, 0, func(d queue.Dead, err error) bool {
			if err != nil || d.Cause.Code != queue.CodeCorrupt || d.Cause.Detail == "" || d.Count != 1 {
				t.Errorf("dead letter %+v, %v", d, err)
			}
			it := d.Item
			it.Created, it.Due = queue.Item{}.Created, queue.Item{}.Due
			items = append(items, it)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// Damaged keys of dead letters are built again; a damaged dead letter is shown and
// can be dropped.
func TestQueue_damagedDeadLetter(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, dir, queue.Options{})
	bury := func(lane string) {
		err := b.Store.Update(t.Context(), func(tx *store.Tx) error {
			_, err := b.Queue.BuryNew(tx, queue.Item{Lane: lane, Kind: "k"}, queue.Cause{Code: "invalid"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, lane := range []string{"a", "b", "c"} {
		bury(lane)
	}
	b.Close()
	edit(t, dir, func(tx *bbolt.Tx) error {
		first, _ := tx.Bucket([]byte("deadkeys")).Cursor().First()
		return errors.Join(spoil("deadkeys", first)(tx), spoil("dead", key(2))(tx))
	})
	b = openAt(t, dir, queue.Options{})
	if got := b.Queue.Stats().Kinds["k"].Dead; got != 3 {
		t.Errorf("%d dead letters", got)
	}
	bury("a") // a repeat of the one whose key was damaged
	bury("b") // takes the place of the damaged one
	check := func(want ...string) {
		t.Helper()
		var got []string
		_ = b.Store.View(func(tx *store.Tx) error {
			b.Queue.ScanDead(tx, 0, func(d queue.Dead, err error) bool {
				got = append(got, fmt.Sprintf("%d %s %d %v", d.ID, d.Item.Lane, d.Count, err != nil))
				return true
			})
			return nil
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
		if dead := b.Queue.Stats().Kinds["k"].Dead; dead != len(want) {
			t.Errorf("stats say %d", dead)
		}
	}
	check("1 a 2 false", "2 b 1 false", "3 c 1 false")
	b.Close()
	edit(t, dir, spoil("dead", key(3)))
	b = openAt(t, dir, queue.Options{})
	check("1 a 2 false", "2 b 1 false", "3  0 true")
	err := b.Store.Update(t.Context(), func(tx *store.Tx) error {
		d, err := b.Queue.Drop(tx, 3)
		if d.ID != 3 {
			t.Errorf("dropped %+v", d)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	check("1 a 2 false", "2 b 1 false")
}

// bbolt has no checksum over the sequence. If it is damaged no task is overwritten.
func TestQueue_damagedSequence(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, dir, queue.Options{})
	putOne(t, b.Store, b.Queue, queue.Item{Lane: "a", Pool: "p", Payload: []byte("first")})
	putOne(t, b.Store, b.Queue, queue.Item{Lane: "b", Pool: "p", Payload: []byte("second")})
	b.Close()
	edit(t, dir, func(tx *bbolt.Tx) error { return tx.Bucket([]byte("tasks")).SetSequence(0) })
	b = openAt(t, dir, queue.Options{})
	putOne(t, b.Store, b.Queue, queue.Item{Lane: "c", Pool: "p", Payload: []byte("third")})
	putOne(t, b.Store, b.Queue, queue.Item{Lane: "d", Pool: "p", Payload: []byte("fourth")})
	takeAll(t, b, "first", "second", "third", "fourth")
}

func TestOpen_crashFile(t *testing.T) {
	t.Run("with anything in it", func(t *testing.T) {
		for _, content := range []string{"", "x", strings.Repeat("garbage", 1000), strings.Repeat("\xff", 33)} {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "in-flight"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			b := openAt(t, dir, queue.Options{})
			putOne(t, b.Store, b.Queue, queue.Item{Lane: "a", Pool: "p", Payload: []byte("x")})
			takeAll(t, b, "x")
			b.Close()
		}
	})
	t.Run("that cannot be opened", func(t *testing.T) {
		b := openAt(t, t.TempDir(), queue.Options{})
		_, err := queue.Open(queue.Options{Store: b.Store, CrashFile: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), "crash file") {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("not wanted", func(t *testing.T) {
		b := openAt(t, t.TempDir(), queue.Options{})
		q, err := queue.Open(queue.Options{Store: b.Store})
		if err != nil {
			t.Fatal(err)
		}
		putOne(t, b.Store, q, queue.Item{Lane: "a", Pool: "p"})
		if l, err := q.Take(t.Context(), "p"); err != nil || b.Store.Update(t.Context(), l.Ack) != nil {
			t.Error(err)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTake_storeHasEnded(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, dir, queue.Options{})
	putOne(t, b.Store, b.Queue, queue.Item{Lane: "a", Kind: "k", Pool: "p"})
	b.Reopen(false) // so that it must be read
	b.Close()
	if l, err := b.Queue.Take(t.Context(), "p"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Take = %v, %v", l, err)
	}
	if got := b.Queue.Stats().Kinds["k"]; got.Waiting != 1 || got.InFlight != 0 {
		t.Errorf("stats = %+v", got)
	}
}

// Due times at the ends of what can be kept neither overflow nor block anything.
func TestQueue_farDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openAt(t, t.TempDir(), queue.Options{})
		for i, due := range []string{"9999-12-31T00:00:00Z", "0001-01-02T00:00:00Z", "2262-01-01T00:00:00Z"} {
			it := queue.Item{Lane: fmt.Sprint(i), Pool: "p", Payload: []byte(due)}
			if err := it.Due.UnmarshalText([]byte(due)); err != nil {
				t.Fatal(err)
			}
			putOne(t, b.Store, b.Queue, it)
		}
		for range 2 {
			l, err := b.Queue.Take(t.Context(), "p")
			if err != nil || string(l.Item().Payload) != "0001-01-02T00:00:00Z" {
				t.Errorf("Take = %+v, %v", l, err)
			}
			l.Release()
			b.Reopen(false)
		}
	})
}

// What a clock that was ahead has put far into the future is due after MaxWait.
func TestOpen_maxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openAt(t, t.TempDir(), queue.Options{MaxWait: time.Hour})
		putOne(t, b.Store, b.Queue, queue.Item{Lane: "a", Pool: "p", Payload: []byte("x"), Due: time.Now().Add(1000 * time.Hour)})
		b.Reopen(false)
		began := time.Now()
		takeAll(t, b, "x")
		if waited := time.Since(began); waited != time.Hour {
			t.Errorf("it was due after %s, want MaxWait", waited)
		}
	})
}
