package queue_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
)

func TestQueue_looks(t *testing.T) {
	b := openAt(t, t.TempDir(), queue.Options{})
	put := func(lane, payload string) {
		t.Helper()
		err := b.Store.Update(t.Context(), func(tx *store.Tx) error {
			_, err := b.Queue.Put(tx, queue.Item{Lane: lane, Kind: "report", Payload: []byte(payload)})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put("a", "1")
	put("ab", "2")
	put("a", "3")
	lease, err := b.Queue.Take(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	err = b.Store.Update(t.Context(), func(tx *store.Tx) error {
		_, err := b.Queue.BuryNew(tx, queue.Item{Lane: "ab", Kind: "report"}, queue.Cause{Code: "c"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Store.View(func(tx *store.Tx) error {
		payloads := func(items []queue.Item) (text string) {
			for _, it := range items {
				text += string(it.Payload)
				if b.Queue.InFlight(it) {
					text += "!"
				}
			}
			return text
		}
		if diff := cmp.Diff("1!3", payloads(b.Queue.Lane(tx, "a"))); diff != "" {
			t.Errorf("lane a: %s", diff)
		}
		if got := b.Queue.Lane(tx, "none"); got != nil {
			t.Errorf("a lane without tasks: %+v", got)
		}
		var all []queue.Item
		b.Queue.ScanTasks(tx, 2, func(it queue.Item, err error) bool { all = append(all, it); return err == nil })
		if diff := cmp.Diff("23", payloads(all)); diff != "" {
			t.Errorf("from 2 on: %s", diff)
		}
		if n := len(b.Queue.DeadIn(tx, "ab")); n != 1 {
			t.Errorf("%d dead letters in ab", n)
		}
		if n := len(b.Queue.DeadIn(tx, "a")); n != 0 {
			t.Errorf("%d dead letters in a", n)
		}
		if _, err := b.Queue.Task(tx, 99); !errors.Is(err, queue.ErrNoTask) {
			t.Errorf("a task that is not there: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lease.Release()
}
