package queue_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/queue/queuetest"
	"github.com/cocbridge/cocbridge/internal/store"
)

// ended is a context that has ended: with it Run commits what waits and returns.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// state is all that the queue has on disk, by bucket and key.
type state map[string]string

func stateOf(t *testing.T, s *store.Store) state {
	t.Helper()
	all := state{}
	err := s.View(func(tx *store.Tx) error {
		for _, b := range []store.Bucket{"tasks", "payloads", "dead", "deadkeys", "damaged"} {
			tx.Scan(b, nil, func(key, value []byte, err error) bool {
				if err != nil {
					t.Error(err)
				}
				all[fmt.Sprintf("%s %x", b, key)] = string(value)
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The file is copied at each step of each commit: before, with the data pages but
// without the page that makes them count, and after. The copies hold exactly the
// state before the transaction or the one after it, never a part, and the queue
// opens on them.
func TestQueue_everyStepOfEveryCommit(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, dir, queue.Options{})
	path := filepath.Join(dir, "cocbridge.db")
	random := rand.New(rand.NewPCG(5, 6))
	var held []*queue.Lease
	images := 0
	for n := range 40 {
		old, oldFile := stateOf(t, b.Store), readFile(t, path)
		var atCommit []byte
		err := b.Store.Update(t.Context(), func(tx *store.Tx) error {
			tx.OnCommit(func() { atCommit = readFile(t, path) }) // before anybody is told
			return transaction(tx, b.Queue, random, held, n)
		})
		if err != nil {
			t.Fatal(err)
		}
		held = takeSome(t, b)
		new := stateOf(t, b.Store)
		for _, image := range []struct {
			content []byte
			want    state
		}{{oldFile, old}, {withMetas(atCommit, oldFile), old}, {atCommit, new}} {
			checkImage(t, image.content, image.want)
			images++
		}
		if t.Failed() {
			t.Fatalf("after transaction %d", n)
		}
	}
	t.Logf("%d images, %d records at the end", images, len(stateOf(t, b.Store)))
}

// transaction settles what is held, and puts and cancels something.
func transaction(tx *store.Tx, q *queue.Queue, random *rand.Rand, held []*queue.Lease, n int) error {
	for i, l := range held {
		var err error
		switch (n + i) % 4 {
		case 0:
			err = l.Retry(tx, queue.Retry{LastError: fmt.Sprint(n)})
		case 1:
			err = l.Bury(tx, queue.Cause{Code: "invalid"})
		default:
			err = l.Ack(tx)
		}
		if err != nil {
			return err
		}
	}
	for i := range 1 + random.IntN(4) {
		it := queue.Item{Lane: fmt.Sprint("lane", random.IntN(20)), Kind: "k", Pool: "p", Payload: make([]byte, random.IntN(9000))}
		id, err := q.Put(tx, it)
		if err != nil {
			return err
		}
		if i == 0 {
			if _, err := q.Cancel(tx, id-uint64(random.IntN(10))); err != nil {
				return err
			}
		}
	}
	return nil
}

func takeSome(t *testing.T, b *queuetest.Bench) (held []*queue.Lease) {
	t.Helper()
	for range min(3, b.Queue.Stats().Kinds["k"].Waiting/10) { // so many lanes are free for sure
		l, err := b.Queue.Take(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, l)
	}
	return held
}

// withMetas returns the file with the two first pages of another.
func withMetas(content, metas []byte) []byte {
	const page = 4096
	if binary.NativeEndian.Uint32(content[16+8:]) != page {
		panic("the machine has other pages")
	}
	return append(slices.Clone(metas[:2*page]), content[2*page:]...)
}

func checkImage(t *testing.T, content []byte, want state) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cocbridge.db"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	b := openAt(t, dir, queue.Options{})
	if diff := cmp.Diff(want, stateOf(t, b.Store)); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	waiting := 0
	for key := range maps.Keys(want) {
		if key[:5] == "tasks" {
			waiting++
		}
	}
	if got := b.Queue.Stats(); got.Kinds["k"].Waiting != waiting || got.Damaged > 0 {
		t.Errorf("%+v, want %d waiting", got, waiting)
	}
	b.Close()
}

func readFile(t *testing.T, path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return b
}
