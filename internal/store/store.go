package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Options say where the store is and how large it may become.
type Options struct {
	Path    string           // of the file; its folder is created if absent
	MaxSize int64            // of the file, in bytes; 0 = that of DefaultConfig
	Now     func() time.Time // nil = time.Now
}

// Store is an open file. All methods may be called by any goroutine.
type Store struct {
	file     *os.File // the one bbolt works on
	db       *bbolt.DB
	pageSize int64
	now      func() time.Time

	mu       sync.Mutex
	waiting  []*request
	pressing int           // those of them whose callers wait
	patience *time.Timer   // runs while others wait
	ripe     bool          // it has gone off
	refusal  error         // what new requests get: nil, ErrClosed or ErrFailed with its cause
	wake     chan struct{} // capacity 1: a group is due

	started    atomic.Bool
	fullSince  atomic.Pointer[time.Time] // when the disk last refused; nil = never
	committing atomic.Pointer[time.Time] // when the running commit began; nil = none
	stats      stats
}

// fullPause is how long nothing new is tried after the disk was full: a failed
// commit costs bbolt a scan of the whole file. It is longer than squeezePause, so
// that nothing new comes in while even acknowledgements wait for room.
const fullPause = time.Second

// Update runs the change in the next group and returns when it is synced, or why
// it is not. The change must have no effects besides those of Tx, since it is run
// again when another change of its group fails. When ctx ends first, the error
// says whether the outcome is unknown: the change may then still be committed.
func (s *Store) Update(ctx context.Context, change func(*Tx) error) error {
	return s.do(ctx, &request{change: change})
}

// Intake is Update for what could as well be refused: it fails with ErrFull at
// once when the store is so full that room is needed for what has been accepted.
func (s *Store) Intake(ctx context.Context, change func(*Tx) error) error {
	if err := s.room(); err != nil {
		s.stats.refused.Add(1)
		return err
	}
	return s.do(ctx, &request{change: change, intake: true})
}

// Submit is an Update that does not wait: done gets the outcome, from the
// committer's goroutine after the sync, or at once when the store has ended. The
// change joins the next group; if nobody asks for one it makes its own, after 10 ms
// or with 63 more of its kind: a commit costs as much for one as for many.
func (s *Store) Submit(change func(*Tx) error, done func(error)) {
	r := &request{change: change, done: done, patient: true}
	if err := s.enqueue(r); err != nil {
		done(err)
	}
}

// View runs a read on the last committed state. It must be short: while it runs
// no page is freed, so the file grows with every commit.
func (s *Store) View(read func(*Tx) error) error {
	if err := s.refused(); errors.Is(err, ErrFailed) {
		return err
	}
	btx, err := s.db.Begin(false)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	if err != nil {
		return fmt.Errorf("store: begin to read: %w", err)
	}
	defer func() { _ = btx.Rollback() }()
	return read(&Tx{btx: btx, buckets: &bucketCache{}})
}

// Close closes the file. What still waits gets ErrClosed; Run must have returned.
func (s *Store) Close() error {
	s.refuse(ErrClosed)
	finishAll(s.take(math.MaxInt), ErrClosed)
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("store: close: %w", err)
	}
	return nil
}

// Committing is how long the running commit has taken so far; 0 = none runs.
func (s *Store) Committing() time.Duration {
	if began := s.committing.Load(); began != nil {
		return max(s.now().Sub(*began), 1)
	}
	return 0
}

// room says whether something new may come in.
func (s *Store) room() error {
	used, limit := s.stats.used.Load(), s.stats.limit
	if used >= limit {
		return fmt.Errorf("%w: %d of %d bytes are used; raise store.max_size, or see why nothing is delivered", ErrFull, used, limit)
	}
	since := s.fullSince.Load()
	if since != nil && s.now().Sub(*since).Abs() < fullPause {
		return fmt.Errorf("%w: the disk is full; free space on it", ErrFull)
	}
	return nil
}

// fits says whether there is room for one change that writes so much. One for which
// there never is must not reach the disk: its failed commit would pause all intake.
func (s *Store) fits(written int) error {
	used := s.stats.used.Load()
	if used+int64(written) <= s.stats.brim {
		return nil
	}
	return fmt.Errorf("%w: %d bytes at once are too many while %d of %d are used; send less at once, or raise store.max_size", ErrFull, written, used, s.stats.limit)
}

func (s *Store) do(ctx context.Context, r *request) error {
	outcome := make(chan error, 1)
	r.done = func(err error) { outcome <- err }
	if err := s.enqueue(r); err != nil {
		return err
	}
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
		return r.leave(ctx, outcome)
	}
}

func (s *Store) enqueue(r *request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal != nil {
		return s.refusal
	}
	s.line(r)
	if s.due() {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// How long what nobody waits for may wait for company, and how much of it is enough.
const (
	maxPatience = 10 * time.Millisecond
	company     = 64
)

// line puts the request at the end of what waits.
func (s *Store) line(r *request) {
	s.waiting = append(s.waiting, r)
	switch {
	case !r.patient:
		s.pressing++
	case len(s.waiting) == s.pressing+1:
		s.patience.Reset(maxPatience)
	}
}

// due says whether a group should begin.
func (s *Store) due() bool { return s.pressing > 0 || s.ripe || len(s.waiting) >= company }

// ripen ends the patience of what waits.
func (s *Store) ripen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ripe = len(s.waiting) > 0
}

// refuse makes all later requests fail with err, unless they already fail.
func (s *Store) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal == nil {
		s.refusal = err
	}
}

func (s *Store) refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal
}

// request is a change on its way.
type request struct {
	change  func(*Tx) error
	done    func(error) // called exactly once, unless the request was withdrawn
	intake  bool
	patient bool // nobody waits for it
	tx      *Tx  // of the last run
	phase   atomic.Int32
}

// The phases of a request: it can be withdrawn whenever it is not running.
const (
	phaseWaiting = iota
	phaseRunning
	phaseWithdrawn
)

// leave gives up waiting for the outcome.
func (r *request) leave(ctx context.Context, outcome <-chan error) error {
	if r.phase.CompareAndSwap(phaseWaiting, phaseWithdrawn) {
		return fmt.Errorf("store: given up before the commit: %w", context.Cause(ctx))
	}
	select {
	case err := <-outcome:
		return err
	default:
		return fmt.Errorf("store: given up during the commit, its outcome is unknown: %w", context.Cause(ctx))
	}
}

func (r *request) finish(err error) {
	if r.phase.Load() != phaseWithdrawn {
		r.done(err)
	}
}

// undo runs what the last run left to be done on abort, and forgets the run.
func (r *request) undo() {
	if r.tx == nil {
		return
	}
	for i := len(r.tx.abort) - 1; i >= 0; i-- {
		r.tx.abort[i]()
	}
	r.tx = nil
	r.phase.CompareAndSwap(phaseRunning, phaseWaiting)
}
