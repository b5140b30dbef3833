package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// A group is closed at this many changes, or once it has written this much.
const (
	maxGroup      = 1000
	maxGroupBytes = 4 << 20
)

// Run is the committer. It returns nil once ctx has ended and everything submitted
// before is committed, or the error of a commit whose outcome is unknown: then all
// that waits and all later calls get ErrFailed. It must be called once.
func (s *Store) Run(ctx context.Context) error {
	if !s.started.CompareAndSwap(false, true) {
		return errors.New("store: the committer was started twice")
	}
	for {
		ending := ctx.Err() != nil
		if ending {
			s.refuse(ErrClosed)
		}
		group := s.takeDue(ending)
		if len(group) == 0 {
			if ending {
				return nil
			}
			s.await(ctx)
			continue
		}
		if err := s.commitAll(ctx, group); err != nil {
			return err
		}
		s.letIn()
	}
}

// letIn yields until no more requests come in. Those who were just answered often
// come straight back; taken at once, the next group would be the first of them
// alone, and all others would wait for its sync.
func (s *Store) letIn() {
	const enough = 4
	for before, tries := -1, 0; tries < enough; tries++ {
		runtime.Gosched()
		s.mu.Lock()
		waiting := len(s.waiting)
		s.mu.Unlock()
		if waiting == before {
			return
		}
		before = waiting
	}
}

// takeDue takes a group if one is due, or at the end whatever waits.
func (s *Store) takeDue(ending bool) []*request {
	s.mu.Lock()
	due := ending || s.due()
	s.mu.Unlock()
	if !due {
		return nil
	}
	return s.take(maxGroup)
}

// await returns when a group may be due, or ctx has ended.
func (s *Store) await(ctx context.Context) {
	select {
	case <-s.wake:
	case <-s.patience.C:
		s.ripen()
	case <-ctx.Done():
	}
}

// take removes up to n of the waiting requests.
func (s *Store) take(n int) []*request {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, len(s.waiting))
	group := s.waiting[:n:n]
	s.waiting = s.waiting[n:]
	for _, r := range group {
		if !r.patient {
			s.pressing--
		}
	}
	if len(s.waiting) == 0 {
		s.waiting, s.ripe = nil, false
		s.patience.Stop()
	}
	return group
}

// commitAll sees to it that every request of the group gets its answer.
func (s *Store) commitAll(ctx context.Context, group []*request) error {
	for len(group) > 0 {
		left, err := s.attempt(group)
		switch {
		case errors.Is(err, ErrFull):
			s.markFull()
			var rest []*request
			if rest = refuseIntake(left, err); len(rest) == len(left) {
				return s.squeeze(ctx, rest)
			}
			group = rest
		case err != nil:
			return s.fail(err, left)
		default:
			group = left
		}
	}
	return nil
}

// attempt runs the group in one transaction and commits it. It returns what is
// left to do: nothing, what no longer fitted into the group, the group without a
// change that had to be taken out, or with an error all of it.
func (s *Store) attempt(group []*request) (left []*request, err error) {
	began := s.now()
	s.committing.Store(&began)
	defer s.committing.Store(nil)

	btx, err := s.db.Begin(true)
	if err != nil {
		return group, fmt.Errorf("store: begin a transaction: %w", err)
	}
	b := &batch{btx: btx, fits: s.fits}
	left, again := b.run(group)
	if again || b.written == 0 {
		_ = btx.Rollback()
	} else if err := s.commit(btx); err != nil {
		undo(b.members)
		return append(b.members, left...), err
	}
	if again {
		return left, nil
	}
	if b.written > 0 {
		s.stats.committed(len(b.members), s.now().Sub(began))
	}
	b.settle()
	return left, nil
}

// batch is one bbolt transaction with the requests that are part of it.
type batch struct {
	btx     *bbolt.Tx
	fits    func(written int) error
	buckets bucketCache
	members []*request
	written int
}

// run runs the changes of the group until the batch is large enough and returns
// the rest. A change that fails before it has written anything is answered and
// simply no member. One that fails later spoils the transaction: again says that
// it must be rolled back, and the rest is then all others.
func (b *batch) run(group []*request) (rest []*request, again bool) {
	for i, r := range group {
		if b.written >= maxGroupBytes {
			return group[i:], false
		}
		if !r.phase.CompareAndSwap(phaseWaiting, phaseRunning) {
			continue
		}
		r.tx = &Tx{btx: b.btx, buckets: &b.buckets}
		clean, err := r.run()
		if err == nil && r.intake {
			clean, err = r.tx.written == 0, b.fits(r.tx.written)
		}
		if err == nil {
			b.members = append(b.members, r)
			b.written += r.tx.written
			continue
		}
		if clean {
			r.answerFailure(err)
			continue
		}
		r.answerFailure(err)
		undo(b.members)
		return append(b.members, group[i+1:]...), true
	}
	return nil, false
}

// run runs the change. A panic is the change's own failure, as a web server
// treats it; what it has left in the transaction is not to be trusted.
func (r *request) run() (clean bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			clean, err = false, fmt.Errorf("store: the change panicked: %v\n%s", p, debug.Stack())
		}
	}()
	err = r.change(r.tx)
	return r.tx.written == 0, err
}

func (r *request) answerFailure(err error) {
	r.undo()
	r.finish(err)
}

// settle tells the members that they are committed: first what they asked to be
// done, for all in order, then the answers.
func (b *batch) settle() {
	for _, r := range b.members {
		for _, f := range r.tx.commit {
			f()
		}
	}
	for _, r := range b.members {
		r.done(nil)
	}
}

func undo(members []*request) {
	for i := len(members) - 1; i >= 0; i-- {
		members[i].undo()
	}
}

// commit makes the transaction durable. An error that is ErrFull means that it
// certainly is not on disk; after any other error nobody knows, since bbolt writes
// the page that makes a transaction visible before its last sync.
func (s *Store) commit(btx *bbolt.Tx) (err error) {
	id := btx.ID()
	defer func() {
		if p := recover(); p != nil {
			_ = btx.Rollback()
			err = fmt.Errorf("store: commit: %w: %v", ErrCorrupt, p)
		}
	}()
	before := time.Now()
	err = btx.Commit()
	s.stats.synced(time.Since(before))
	if err == nil {
		s.measure()
		return nil
	}
	if isNoSpace(err) && s.visible() < id {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return fmt.Errorf("store: commit: %w", err)
}

// visible is the number of the last transaction that a reader sees.
func (s *Store) visible() int {
	btx, err := s.db.Begin(false)
	if err != nil {
		return int(^uint(0) >> 1)
	}
	defer func() { _ = btx.Rollback() }()
	return btx.ID()
}

// isNoSpace knows the errors of a commit that found no room. bbolt keeps only the
// text of a failed truncate.
func isNoSpace(err error) bool {
	if errors.Is(err, berrors.ErrMaxSizeReached) {
		return true
	}
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		resize := strings.HasPrefix(err.Error(), "file resize error:") && strings.HasSuffix(err.Error(), errno.Error())
		if errors.Is(err, errno) || resize {
			return true
		}
	}
	return false
}

// fail stops the store for good.
func (s *Store) fail(cause error, group []*request) error {
	err := fmt.Errorf("%w: %w", ErrFailed, cause)
	s.refuse(err)
	group = append(group, s.take(math.MaxInt)...)
	undo(group)
	finishAll(group, err)
	return err
}
