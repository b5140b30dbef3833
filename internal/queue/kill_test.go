package queue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
)

// A process that works on a queue is killed again and again, at random moments.
// Nothing it has acknowledged is lost, and no lane loses its order. The control
// acknowledges before the commit and must be caught.
func TestQueue_killed(t *testing.T) {
	const kills = 8
	t.Run("loses nothing", func(t *testing.T) {
		for _, problem := range killed(t, "work", kills) {
			t.Error(problem)
		}
	})
	t.Run("control: acknowledged before the commit", func(t *testing.T) {
		if problems := killed(t, "work early", kills); len(problems) == 0 {
			t.Error("nothing was lost: this test would not notice")
		}
	})
}

// killed kills a child of this role so many times and returns what went wrong.
func killed(t *testing.T, role string, kills int) []string {
	dir := t.TempDir()
	j := &journal{put: map[string]bool{}, acked: map[string]bool{}, last: map[string]string{}}
	for n := range kills {
		j.follow(t, role, dir, 100+rand.IntN(600))
		if n == 0 && len(j.put) == 0 {
			t.Fatal("the child does not work")
		}
	}
	left := map[string]bool{}
	b := openAt(t, dir, queue.Options{MaxCrashes: kills + 1})
	for b.Queue.Stats().Kinds["k"].Waiting > 0 {
		l, err := b.Queue.Take(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		it := l.Item()
		j.start(it.Lane, string(it.Payload))
		left[string(it.Payload)] = true
		if err := b.Store.Update(t.Context(), l.Ack); err != nil {
			t.Fatal(err)
		}
	}
	for payload := range j.put {
		if !left[payload] && !j.acked[payload] {
			j.problems = append(j.problems, "lost: "+payload)
		}
	}
	t.Logf("%d put, %d worked off, %d left, %d problems", len(j.put), len(j.acked), len(left), len(j.problems))
	return j.problems
}

// journal is what the children have said. Payloads of a lane ascend.
type journal struct {
	put      map[string]bool   // acknowledged to the sender
	acked    map[string]bool   // worked off, and about to be acknowledged
	last     map[string]string // by lane: what was in flight last
	problems []string
}

// follow starts a child, kills it after so many lines, and reads what it has said.
func (j *journal) follow(t *testing.T, role, dir string, lines int) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], dir)
	cmd.Env = append(os.Environ(), "QUEUE_TEST_CHILD="+role)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(out)
	for n := 0; scanner.Scan(); n++ {
		if n == lines {
			_ = cmd.Process.Kill()
		}
		j.line(scanner.Text())
	}
	_ = cmd.Wait()
}

func (j *journal) line(text string) {
	fields := strings.Fields(text)
	if len(fields) != 4 || fields[3] != "." {
		return // cut by the kill
	}
	switch what, lane, payload := fields[0], fields[1], fields[2]; what {
	case "put":
		j.put[payload] = true
	case "take":
		j.start(lane, payload)
	case "ack":
		j.acked[payload] = true
	}
}

func (j *journal) start(lane, payload string) {
	if last := j.last[lane]; payload < last {
		j.problems = append(j.problems, fmt.Sprintf("order: %s after %s", payload, last))
	}
	j.last[lane] = payload
}

// child is the test binary in another role.
func child(role, dir string) int {
	s, err := store.Open(store.Options{Path: filepath.Join(dir, "cocbridge.db"), MaxSize: 64 << 20})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() { _ = s.Run(context.Background()) }()
	o := queue.Options{Store: s, CrashFile: filepath.Join(dir, "in-flight"), MaxCrashes: 1000}
	if role == "poison" {
		o.MaxCrashes = 3
	}
	q, err := queue.Open(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if role == "poison" {
		_, err := q.Take(context.Background(), "p")
		fmt.Println(err)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	w := &worker{store: s, queue: q, early: role == "work early"}
	w.run()
	return 0
}

// worker puts and takes until it is killed, and says what it does.
type worker struct {
	store *store.Store
	queue *queue.Queue
	early bool
}

func (w *worker) run() {
	var all sync.WaitGroup
	started := time.Now().UnixNano()
	for lane := range 6 {
		all.Go(func() {
			for n := 0; ; n++ {
				w.put(fmt.Sprint("lane", lane), fmt.Sprintf("%d-%d-%06d", lane, started, n))
			}
		})
		all.Go(func() {
			for {
				w.take()
			}
		})
	}
	all.Wait()
}

func (w *worker) put(lane, payload string) {
	acknowledge := func() { fmt.Printf("put %s %s .\n", lane, payload) }
	err := w.store.Intake(context.Background(), func(tx *store.Tx) error {
		_, err := w.queue.Put(tx, queue.Item{Lane: lane, Kind: "k", Pool: "p", Payload: []byte(payload)})
		if w.early {
			acknowledge()
		}
		return err
	})
	if err == nil && !w.early {
		acknowledge()
	}
}

func (w *worker) take() {
	l, err := w.queue.Take(context.Background(), "p")
	if err != nil {
		return
	}
	it := l.Item()
	fmt.Printf("take %s %s .\n", it.Lane, it.Payload)
	switch rand.IntN(4) {
	case 0:
		l.Release()
	case 1:
		_ = w.store.Update(context.Background(), func(tx *store.Tx) error { return l.Retry(tx, queue.Retry{Due: time.Now()}) })
	default:
		fmt.Printf("ack %s %s .\n", it.Lane, it.Payload)
		_ = w.store.Update(context.Background(), l.Ack)
	}
}

// The task that is in flight at three crashes is not taken a fourth time.
func TestQueue_poison(t *testing.T) {
	dir := t.TempDir()
	const payload = "poison"
	func() {
		b := openAt(t, dir, queue.Options{})
		putOne(t, b.Store, b.Queue, queue.Item{Lane: "a", Kind: "k", Pool: "p", Payload: []byte(payload)})
		putOne(t, b.Store, b.Queue, queue.Item{Lane: "b", Kind: "k", Pool: "p", Payload: []byte("good")})
		b.Close()
	}()
	for range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], dir)
		cmd.Env = append(os.Environ(), "QUEUE_TEST_CHILD=poison")
		out, err := cmd.CombinedOutput()
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.ProcessState.ExitCode() != -1 || string(out) != "<nil>\n" {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	b := openAt(t, dir, queue.Options{})
	l, err := b.Queue.Take(t.Context(), "p")
	if err != nil || string(l.Item().Payload) != "good" || l.Item().Crashes != 0 {
		t.Errorf("Take = %+v, %v", l.Item(), err)
	}
	err = b.Store.View(func(tx *store.Tx) error {
		d, err := b.Queue.Dead(tx, 1)
		if string(d.Item.Payload) != payload || d.Cause.Code != queue.CodeCrash {
			t.Errorf("dead letter: %+v", d)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
