package scripts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/store"
)

// placePause is when a run that waits for a place looks again.
const placePause = 5 * time.Second

// work is one look at a run.
type work struct {
	s *Scripts
	r *Run // as last read or written

	checked  bool // in this look: COC has what the run was armed for
	answered bool // in this look: COC has answered, so the way to it is open
}

// Do takes the run as far as it can be taken now. Everything that must survive is
// synced before it returns, and before each call. The note is a request id. The
// error is a *coc.Error, a *Trouble, a *StoreError, ErrIdle, ErrRead, or wraps
// context.Canceled when the process is stopping.
func (s *Scripts) Do(ctx context.Context, id string) (note string, err error) {
	w := &work{s: s}
	if err := s.o.Store.View(func(tx *store.Tx) (err error) { w.r, err = Get(tx, id); return err }); err != nil {
		return "", s.storeError(id, err)
	}
	for more := true; more && err == nil; {
		more, err = w.step(ctx)
	}
	if err == nil || errors.Is(err, ErrIdle) {
		err = errors.Join(w.letter(), w.idle())
	}
	var trouble *Trouble
	if w.r != nil && err != nil && !errors.Is(err, ErrIdle) && !errors.As(err, &trouble) {
		err = fmt.Errorf("rule %s: run %s (%s): %w", w.r.Rule, w.r.ID, w.r.State, err)
	}
	return "", err
}

// idle: the end of a look tells only whether COC has answered.
func (w *work) idle() error {
	if w.answered {
		return ErrRead
	}
	return ErrIdle
}

// letter is what a person must be told of the run, until that is written.
func (w *work) letter() error {
	if w.r != nil && w.r.Letter && !w.r.Buried {
		return &Trouble{Code: w.r.Code, Text: w.r.Text}
	}
	return nil
}

// step takes one arrow, or one look; more says that there may be another.
func (w *work) step(ctx context.Context) (more bool, err error) {
	switch {
	case w.r == nil || !w.r.Ended.IsZero():
		return false, nil
	case w.r.State == Planned:
		return w.prepare(ctx)
	case w.r.State == Armed:
		return w.call(ctx)
	case w.r.State == Calling: // it is nobody's any more
		return true, w.change(ctx, func(tx *store.Tx, r *Run) error { return w.s.toDoubt(tx, r, "the process ended during the call") })
	case w.s.o.Now().Before(w.r.Next):
		return false, nil
	case w.r.State == Unknown:
		return false, w.settle(ctx)
	default:
		return false, w.follow(ctx)
	}
}

// storeError: damage is for a person, all else passes.
func (s *Scripts) storeError(id string, err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return &Trouble{Code: "corrupt", Text: fmt.Sprintf("the record of run %s is damaged: look into COC whether it has run; it is not called again", id)}
	}
	return &StoreError{err}
}

// errOvertaken says that the run has moved on since it was read.
var errOvertaken = errors.New("the run has moved on")

// change applies f to the run as it is now, and syncs it. Where the run is not in
// the state that was read any more, nothing happens, and ErrIdle is returned.
func (w *work) change(ctx context.Context, f func(*store.Tx, *Run) error) error {
	var next *Run
	err := w.s.o.Store.Update(ctx, func(tx *store.Tx) error {
		r, err := Get(tx, w.r.ID)
		if err != nil {
			return err
		}
		if r == nil || r.State != w.r.State || !r.Ended.IsZero() {
			return errOvertaken
		}
		if err := f(tx, r); err != nil {
			return err
		}
		next = r
		return save(tx, r)
	})
	var known interface{ keep() }
	switch {
	case err == nil:
		w.r = next
		return nil
	case errors.Is(err, errOvertaken):
		w.r = nil
		return ErrIdle
	case errors.As(err, &known), errors.Is(err, context.Canceled):
		return err
	default:
		return w.s.storeError(w.r.ID, err)
	}
}

// moved is change along one arrow.
func (w *work) moved(ctx context.Context, by arrow, detail string, and func(*store.Tx, *Run) error) error {
	return w.change(ctx, func(tx *store.Tx, r *Run) error {
		from := r.State
		if err := r.move(by, w.s.o.Now(), detail); err != nil {
			return err
		}
		if and != nil {
			if err := and(tx, r); err != nil {
				return err
			}
		}
		w.s.o.Metrics.moved(tx, from, r)
		return nil
	})
}

// refused ends the run with a dead letter.
func (w *work) refused(ctx context.Context, code Reason, text string) error {
	return w.change(ctx, func(tx *store.Tx, r *Run) error {
		r.Letter = true
		return w.s.refuse(tx, r, judgement{reason: code, text: text})
	})
}

// held ends the run by a brake. Only one that is a fault becomes a dead letter.
func (w *work) held(ctx context.Context, j judgement) error {
	if j.reason == codeRemoved {
		return w.refused(ctx, j.reason, j.text)
	}
	return w.change(ctx, func(tx *store.Tx, r *Run) error { return w.s.refuse(tx, r, j) })
}

func (s *Scripts) toDoubt(tx *store.Tx, r *Run, why string) error {
	from := r.State
	if err := r.move(doubt, s.o.Now(), why); err != nil {
		return err
	}
	r.Next, r.Text = r.Since.Add(firstLook), why
	s.o.Metrics.moved(tx, from, r)
	tx.OnCommit(func() {
		s.o.Log.Error("nobody knows whether a run has begun, COC's list is searched", zap.String("rule", r.Rule), zap.String("run", r.ID), zap.String("key", r.AlarmID), zap.String("detail", why))
		if s.o.Doubted != nil {
			s.o.Doubted()
		}
	})
	return nil
}

// Settle puts the run's next task, in the transaction that removes this one.
func (s *Scripts) Settle(tx *store.Tx, id string, task uint64) error {
	r, err := Get(tx, id)
	if r == nil || err != nil || r.Task != 0 && r.Task != task {
		return undamaged(err)
	}
	r.Task = 0
	if !r.Ended.IsZero() {
		return save(tx, r)
	}
	due := s.o.Now()
	if r.State == Planned {
		due = due.Add(placePause)
	}
	if r.Next.After(due) {
		due = r.Next
	}
	return s.put(tx, r, due)
}

// Failed notes that the run's task has become a dead letter. What was not called is
// not called any more; what may run stays as it is, for the next start to go on.
func (s *Scripts) Failed(tx *store.Tx, id string, task uint64, why string) error {
	r, err := Get(tx, id)
	if r == nil || err != nil || r.Task != 0 && r.Task != task {
		return undamaged(err)
	}
	r.Task = 0
	switch {
	case r.Letter:
		r.Buried = true
	case r.State.before():
		return s.refuse(tx, r, judgement{reason: codeGivenUp, text: why})
	default:
		r.note(s.o.Now(), "dead letter", why)
	}
	return save(tx, r)
}

// Remembered is how long ended runs and calls are kept: no cooldown outlives that.
func (s *Scripts) Remembered() time.Duration {
	longest := max(s.o.History, minHistory)
	for _, r := range s.rules {
		longest = max(longest, time.Duration(r.limits.Cooldown))
	}
	return longest
}

// minHistory is longer than any sender repeats an episode within not_after.
const minHistory = 7 * 24 * time.Hour

func classOf(err error) coc.Class {
	var e *coc.Error
	if errors.As(err, &e) {
		return e.Class
	}
	return -1
}
