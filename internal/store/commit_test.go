package store_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/store"
)

var errOwn = errors.New("the change's own error")

// hold keeps the committer busy until the returned function is called, so that
// what is submitted meanwhile becomes one group.
func hold(s *store.Store) (release func()) {
	running, goOn := make(chan struct{}), make(chan struct{})
	s.Submit(func(*store.Tx) error {
		close(running)
		<-goOn
		return nil
	}, func(error) {})
	<-running
	return func() { close(goOn) }
}

// member is a change of a group that notes what happens to it.
type member struct {
	name   string
	before error // before it has written anything
	after  error // after it has
	silent bool  // writes nothing
}

func (m member) change(log *[]string) func(*store.Tx) error {
	note := func(what string) func() { return func() { *log = append(*log, m.name+" "+what) } }
	return func(tx *store.Tx) error {
		note("runs")()
		tx.OnAbort(note("aborts"))
		tx.OnAbort(note("aborts first"))
		tx.OnCommit(note("commits"))
		if m.before != nil {
			return m.before
		}
		if !m.silent {
			if err := tx.Put("a", []byte(m.name), []byte("x")); err != nil {
				return err
			}
		}
		return m.after
	}
}

func TestRun_group(t *testing.T) {
	for _, c := range []struct {
		name    string
		members []member
		want    []string
		kept    map[string]string
		commits uint64
	}{
		{
			name:    "is one commit, then all hooks, then all answers",
			members: []member{{name: "1"}, {name: "2"}},
			want:    []string{"1 runs", "2 runs", "1 commits", "2 commits", "1: <nil>", "2: <nil>"},
			kept:    map[string]string{"1": "x", "2": "x"},
			commits: 1,
		},
		{
			name:    "goes on without a change that fails before it writes",
			members: []member{{name: "1"}, {name: "2", before: errOwn}, {name: "3"}},
			want: []string{"1 runs", "2 runs", "2 aborts first", "2 aborts", "2: the change's own error", "3 runs",
				"1 commits", "3 commits", "1: <nil>", "3: <nil>"},
			kept:    map[string]string{"1": "x", "3": "x"},
			commits: 1,
		},
		{
			name:    "is run again without a change that fails after it has written",
			members: []member{{name: "1"}, {name: "2", after: errOwn}, {name: "3"}},
			want: []string{"1 runs", "2 runs", "2 aborts first", "2 aborts", "2: the change's own error", "1 aborts first", "1 aborts",
				"1 runs", "3 runs", "1 commits", "3 commits", "1: <nil>", "3: <nil>"},
			kept:    map[string]string{"1": "x", "3": "x"},
			commits: 1,
		},
		{
			name:    "is not synced when nobody has written",
			members: []member{{name: "1", silent: true}, {name: "2", before: errOwn}},
			want:    []string{"1 runs", "2 runs", "2 aborts first", "2 aborts", "2: the change's own error", "1 commits", "1: <nil>"},
			kept:    map[string]string{},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, end := run(t, store.Options{Path: newPath(t)})
			var log []string
			release := hold(s)
			for _, m := range c.members {
				s.Submit(m.change(&log), func(err error) { log = append(log, m.name+": "+text(err)) })
			}
			release()
			update(t, s, func(*store.Tx) error { return nil })
			if diff := cmp.Diff(c.want, log); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
			kept, _ := dump(t, s, "a")
			if diff := cmp.Diff(c.kept, kept); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if got := s.Stats(); got.Commits != c.commits || got.TotalSync > 0 != (c.commits > 0) {
				t.Errorf("%d commits, %v of syncing, want %d", got.Commits, got.TotalSync, c.commits)
			}
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}

func TestRun_bytesOfAGroupAreBounded(t *testing.T) {
	s, _ := run(t, store.Options{Path: newPath(t)})
	release := hold(s)
	const changes = 12
	for i := range changes {
		s.Submit(put("a", string(rune('a'+i)), strings.Repeat("x", 1<<20)), func(error) {})
	}
	release()
	update(t, s, func(*store.Tx) error { return nil })
	if got := s.Stats(); got.MaxGroup > 4 || got.Changes != changes {
		t.Errorf("stats = %+v, want %d changes in groups of at most 4", got, changes)
	}
}

func TestRun_panicOfAChange(t *testing.T) {
	s, _ := run(t, store.Options{Path: newPath(t)})
	release := hold(s)
	var good error = errOwn
	s.Submit(put("a", "good", "x"), func(err error) { good = err })
	var bad error
	s.Submit(func(tx *store.Tx) error { panic("the label was odd") }, func(err error) { bad = err })
	release()
	update(t, s, put("a", "later", "x"))
	if good != nil {
		t.Errorf("the change beside it: %v", good)
	}
	if bad == nil || !strings.Contains(bad.Error(), "the label was odd") {
		t.Errorf("the panicking change: %v", bad)
	}
}

func TestRun_end(t *testing.T) {
	s, err := store.Open(store.Options{Path: newPath(t)})
	if err != nil {
		t.Fatal(err)
	}
	var outcome error = errOwn
	s.Submit(put("a", "before", "x"), func(err error) { outcome = err })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ended); err != nil || outcome != nil {
		t.Errorf("Run = %v; what was submitted before: %v", err, outcome)
	}
	if err := s.Update(t.Context(), put("a", "after", "x")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Update after the end: %v", err)
	}
	if err := s.Run(t.Context()); err == nil {
		t.Error("the committer can be started twice")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.View(func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("View after Close: %v", err)
	}
}

func TestUpdate_contextEnds(t *testing.T) {
	t.Run("before the commit", func(t *testing.T) {
		s, _ := run(t, store.Options{Path: newPath(t)})
		release := hold(s)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := s.Update(ctx, put("a", "k", "x"))
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "before the commit") {
			t.Errorf("error = %v", err)
		}
		release()
		update(t, s, func(*store.Tx) error { return nil })
		if got, _ := dump(t, s, "a"); len(got) > 0 {
			t.Errorf("it was committed: %v", got)
		}
	})
	t.Run("during the commit", func(t *testing.T) {
		s, _ := run(t, store.Options{Path: newPath(t)})
		ctx, cancel := context.WithCancel(t.Context())
		goOn := make(chan struct{})
		outcome := make(chan error)
		go func() {
			outcome <- s.Update(ctx, func(tx *store.Tx) error {
				cancel()
				<-goOn
				return put("a", "k", "x")(tx)
			})
		}()
		err := <-outcome
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "unknown") {
			t.Errorf("error = %v", err)
		}
		close(goOn)
	})
}

func TestCommitting(t *testing.T) {
	s, _ := run(t, store.Options{Path: newPath(t)})
	if got := s.Committing(); got != 0 {
		t.Errorf("idle, but Committing = %v", got)
	}
	release := hold(s)
	if got := s.Committing(); got <= 0 {
		t.Errorf("a commit runs, but Committing = %v", got)
	}
	release()
	update(t, s, func(*store.Tx) error { return nil })
}

// The error is real: the descriptor is pointed at a device that takes writes and
// cannot be synced.
func TestRun_failStop(t *testing.T) {
	s, end := run(t, store.Options{Path: newPath(t)})
	update(t, s, put("a", "k", "old"))
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	release := hold(s)
	var log []string
	var outcomes []error
	keep := func(err error) { outcomes = append(outcomes, err) }
	s.Submit(member{name: "1"}.change(&log), keep)
	s.Submit(member{name: "2"}.change(&log), keep)
	if err := syscall.Dup3(int(null.Fd()), s.Fd(), 0); err != nil {
		t.Fatal(err)
	}
	release()
	if err := s.Intake(t.Context(), put("a", "k", "new")); !errors.Is(err, store.ErrFailed) {
		t.Errorf("a later Intake: %v", err)
	}
	if err := end(); !errors.Is(err, store.ErrFailed) {
		t.Errorf("Run = %v", err)
	}
	for i, err := range outcomes {
		if !errors.Is(err, store.ErrFailed) || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("change %d: %v", i+1, err)
		}
	}
	want := []string{"1 runs", "2 runs", "2 aborts first", "2 aborts", "1 aborts first", "1 aborts"}
	if diff := cmp.Diff(want, log); diff != "" || len(outcomes) != 2 {
		t.Errorf("%d outcomes, log (-want +got):\n%s", len(outcomes), diff)
	}
	if err := s.View(func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrFailed) {
		t.Errorf("View: %v", err)
	}
}
