package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/store"
)

const smallSize = 1 << 20

func TestIntake_softLimit(t *testing.T) {
	s, _ := run(t, store.Options{Path: newPath(t), MaxSize: smallSize})
	n, err := fill(s.Intake, 3000)
	if !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "store.max_size") {
		t.Fatalf("after %d: %v", n, err)
	}
	stats := s.Stats()
	if stats.Used < stats.Limit || stats.Used > smallSize*9/10 || stats.Refused == 0 {
		t.Errorf("stats = %+v", stats)
	}
	update(t, s, put("a", "an acknowledgement", "fits"))
	update(t, s, remove(0, n))
	if got := s.Stats().Used; got > smallSize/10 {
		t.Errorf("%d bytes in use after everything was deleted", got)
	}
	if again, _ := fill(s.Intake, 3000); again < n*9/10 {
		t.Errorf("only %d fit after everything was deleted, %d before", again, n)
	}
}

// What must get through waits for room, and finds it in smaller groups.
func TestUpdate_hardLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, end := run(t, store.Options{Path: newPath(t), MaxSize: smallSize})
		n := 0 // values that share pages: larger ones need free pages side by side
		for ; s.Stats().Used < smallSize*88/100; n++ {
			update(t, s, putAt(n, 900))
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if err := s.Update(ctx, putAt(n, smallSize/4)); !errors.Is(err, context.Canceled) {
				t.Errorf("what cannot fit: %v", err)
			}
		}()
		time.Sleep(10 * time.Second) // stuck
		if err := s.Intake(t.Context(), put("a", "k", "x")); !errors.Is(err, store.ErrFull) {
			t.Errorf("Intake while even Update waits: %v", err)
		}
		if got := s.Stats().Refused; got != 1 {
			t.Errorf("%d were refused at once, want that one", got)
		}
		cancel()
		synctest.Wait()
		time.Sleep(time.Second)

		before := s.Stats().Commits
		release := hold(s)
		pending := n
		for i := range n {
			s.Submit(putAt(i, 800), func(err error) {
				pending--
				if err != nil {
					t.Errorf("change %d: %v", i, err)
				}
			})
		}
		release()
		time.Sleep(time.Minute)
		synctest.Wait()
		if pending > 0 {
			t.Errorf("%d changes without an answer", pending)
		}
		if got := s.Stats().Commits - before; got < 2 {
			t.Errorf("%d commits: the changes fitted at once and prove nothing", got)
		}
		update(t, s, remove(0, n))
		time.Sleep(2 * time.Second) // the deletes may have met the full disk too, and intake pauses after that
		if err := s.Intake(t.Context(), put("a", "k", "x")); err != nil {
			t.Errorf("Intake after the deletes: %v", err)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

// Of a group that finds no room, what may be refused is, and the rest is run again.
func TestIntake_refusedWithinAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, end := run(t, store.Options{Path: newPath(t), MaxSize: smallSize})
		var log []string
		release := hold(s)
		s.Submit(member{name: "ack"}.change(&log), func(err error) { log = append(log, "ack: "+text(err)) })
		outcome := make(chan error, 1)
		go func() {
			outcome <- s.Intake(t.Context(), func(tx *store.Tx) error {
				return errors.Join(member{name: "new"}.change(&log)(tx), tx.Put("a", []byte("k"), make([]byte, 2*smallSize)))
			})
		}()
		synctest.Wait()
		release()
		synctest.Wait()
		if err := <-outcome; !errors.Is(err, store.ErrFull) {
			t.Errorf("Intake: %v", err)
		}
		want := []string{"ack runs", "new runs", "new aborts first", "new aborts", "ack aborts first", "ack aborts", "ack runs", "ack commits", "ack: <nil>"}
		if diff := cmp.Diff(want, log); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

// One that never fits is its sender's own trouble.
func TestIntake_tooLargeForTheStorePausesNobodyElse(t *testing.T) {
	s, _ := run(t, store.Options{Path: newPath(t), MaxSize: smallSize})
	release := hold(s)
	outcome := make(chan error, 2)
	go func() { outcome <- s.Intake(t.Context(), putAt(0, 2*smallSize)) }()
	go func() { outcome <- s.Intake(t.Context(), putAt(1, 100)) }()
	release()
	if got := text(<-outcome) + text(<-outcome); !strings.Contains(got, "send less at once") || !strings.Contains(got, "<nil>") {
		t.Errorf("answers: %s", got)
	}
	if err := s.Accepting(); err != nil {
		t.Errorf("others are refused: %v", err)
	}
	if n, _ := fill(s.Intake, 3000); n < smallSize/2/3000 {
		t.Errorf("only %d others fit", n)
	}
}

func TestRun_endWhileFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, end := run(t, store.Options{Path: newPath(t), MaxSize: smallSize})
		outcome := make(chan error, 1)
		go func() {
			_, err := fill(s.Update, 3000)
			outcome <- err
		}()
		synctest.Wait()
		if err := end(); err != nil {
			t.Error(err)
		}
		if err := <-outcome; !errors.Is(err, store.ErrFull) {
			t.Errorf("what still waited for room: %v", err)
		}
	})
}

// The disk is made full by a limit on the size of files, for a whole process.
func TestIntake_diskFull(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], newPath(t))
	cmd.Env = append(os.Environ(), "STORE_TEST_CHILD=disk full")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// child is the test binary in another role.
func child(role string) int {
	if role != "disk full" {
		fmt.Println("unknown role", role)
		return 2
	}
	if err := diskFull(os.Args[1]); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func diskFull(path string) error {
	const large = 64 << 10
	var late atomic.Int64
	s, err := store.Open(store.Options{Path: path, Now: func() time.Time { return time.Now().Add(time.Duration(late.Load())) }})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { ended <- s.Run(ctx) }()

	const limit = 24 << 20
	setLimit(limit)
	n, err := fill(s.Intake, large)
	if !errors.Is(err, store.ErrFull) || !errors.Is(s.Intake(ctx, put("a", "k", "x")), store.ErrFull) {
		return fmt.Errorf("after %d puts: %w", n, err)
	}
	if err := s.Update(ctx, remove(0, n)); err != nil {
		return fmt.Errorf("delete on the full disk: %w", err)
	}
	late.Add(int64(time.Minute))
	if again, err := fill(s.Intake, large); again < n*9/10 {
		return fmt.Errorf("only %d puts after the deletes, %d before: %w", again, n, err)
	}

	setLimit(math.MaxUint64) // none
	late.Add(int64(time.Minute))
	for i := range n {
		if err := s.Intake(ctx, putAt(n+i, large)); err != nil {
			return fmt.Errorf("put %d on the larger disk: %w", i, err)
		}
	}
	if size := s.Stats().Size; size <= limit {
		return fmt.Errorf("the file has %d bytes and was never beyond the limit", size)
	}
	cancel()
	return errors.Join(<-ended, s.Close())
}

func setLimit(bytes uint64) {
	var old syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old)
	_ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: old.Max})
}

// fill puts records of this size until one is refused and returns how many were not.
func fill(write func(context.Context, func(*store.Tx) error) error, size int) (int, error) {
	for i := 0; ; i++ {
		if err := write(context.Background(), putAt(i, size)); err != nil {
			return i, err
		}
	}
}

func fillKey(i int) []byte { return fmt.Appendf(nil, "%08d", i) }

func putAt(i, size int) func(*store.Tx) error {
	return func(tx *store.Tx) error { return tx.Put("fill", fillKey(i), make([]byte, size)) }
}

func remove(from, to int) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		for i := from; i < to; i++ {
			if err := tx.Delete("fill", fillKey(i)); err != nil {
				return err
			}
		}
		return nil
	}
}
