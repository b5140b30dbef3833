package store_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// patience is how long what nobody waits for may wait for company.
const patience = 10 * time.Millisecond

// bubble runs the test in a bubble of synctest, where time passes only when
// nothing else can happen, with a store that has made no commit since open.
func bubble(t *testing.T, test func(t *testing.T, s *store.Store, commits func() uint64, end func() error)) {
	t.Helper()
	path := newPath(t)
	synctest.Test(t, func(t *testing.T) {
		s, end := run(t, store.Options{Path: path, MaxSize: 16 << 20})
		update(t, s, put("a", "bucket", "made"))
		before := s.Stats().Commits
		test(t, s, func() uint64 { return s.Stats().Commits - before }, end)
	})
}

// submit returns how long after now each of n changes was on disk.
func submit(s *store.Store, n int) []time.Duration {
	began, took := time.Now(), make([]time.Duration, n)
	for i := range n {
		s.Submit(put("a", strconv.Itoa(i), "x"), func(error) { took[i] = time.Since(began) })
	}
	return took
}

func TestSubmit_waitsForCompany(t *testing.T) {
	bubble(t, func(t *testing.T, s *store.Store, commits func() uint64, _ func() error) {
		took := submit(s, 3)
		<-time.After(patience - 1)
		synctest.Wait()
		if n := commits(); n != 0 {
			t.Errorf("%d commits before its patience is over", n)
		}
		<-time.After(time.Second)
		synctest.Wait()
		if n := commits(); n != 1 || took[2] != patience {
			t.Errorf("%d commits, the last change was on disk after %s, want one after %s", n, took[2], patience)
		}
	})
}

func TestSubmit_joinsWhoeverWaits(t *testing.T) {
	bubble(t, func(t *testing.T, s *store.Store, commits func() uint64, _ func() error) {
		began, took := time.Now(), submit(s, 3)
		update(t, s, put("a", "pressing", "x"))
		if waited := time.Since(began); waited != 0 || took[2] != 0 || commits() != 1 {
			t.Errorf("%d commits after %s, the company was on disk after %s", commits(), waited, took[2])
		}
	})
}

func TestSubmit_muchIsCompanyEnough(t *testing.T) {
	bubble(t, func(t *testing.T, s *store.Store, commits func() uint64, _ func() error) {
		took := submit(s, 64)
		synctest.Wait()
		if n := commits(); n == 0 || took[0] != 0 {
			t.Errorf("%d commits, the first change was on disk after %s", n, took[0])
		}
	})
}

func TestSubmit_isCommittedAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, s *store.Store, commits func() uint64, end func() error) {
		began, done := time.Now(), false
		s.Submit(put("a", "last", "x"), func(err error) { done = err == nil })
		if err := end(); err != nil || !done || time.Since(began) != 0 {
			t.Errorf("%v, done %v after %s", err, done, time.Since(began))
		}
	})
}
