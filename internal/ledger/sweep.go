package ledger

import (
	"errors"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// sweepChunk bounds the entries looked at in one transaction.
const sweepChunk = 1000

// Due is what a look through a part of the ledger found to do.
type Due struct {
	Forget []string // unheard of for longer than the history
	Close  []string // firing, and unheard of for longer than stale_after
	Next   []byte   // where to go on; nil at the end
}

// Look reads one chunk of the ledger, from a key on (nil = the beginning), in a
// short read transaction.
func (l *Ledger) Look(tx *store.Tx, from []byte) Due {
	var due Due
	now, seen := l.now(), 0
	due.Next = l.book.Scan(tx, from, func(alarmID string, e *Entry) bool {
		if seen++; seen > sweepChunk {
			return false
		}
		if e != nil { // a damaged entry is replaced by the alarm's next message
			l.judge(&due, alarmID, e, now)
		}
		return true
	})
	return due
}

func (l *Ledger) judge(due *Due, alarmID string, e *Entry, now time.Time) {
	switch {
	case l.closable(e, now):
		due.Close = append(due.Close, alarmID)
	case l.forgettable(e, now):
		due.Forget = append(due.Forget, alarmID)
	}
}

// openFactor: an alarm that COC shows as firing is remembered that much longer
// than one that has ended, because its recovery needs the identity COC knows. For
// ever would let alarms whose source is gone fill the store.
const openFactor = 4

func (l *Ledger) forgettable(e *Entry, now time.Time) bool {
	keep := l.history
	if e.open() {
		keep *= openFactor
	}
	return e.Waiting == 0 && e.Held == nil && now.Sub(e.Heard) > keep && (e.Told == nil || now.Sub(e.Told.At) > keep)
}

// silent is how long the alarm could have been heard of but was not: a sender
// cannot reach a daemon that does not run or turns it away, and a message that came
// less than touchEvery after the one that is noted was not noted.
func (l *Ledger) silent(e *Entry, now time.Time) time.Duration {
	last := e.Heard.Add(l.touchEvery())
	if open := l.open(); last.Before(open) {
		last = open
	}
	return now.Sub(last)
}

// closable: COC shows the alarm as firing, or will, and its source is silent. That
// includes a recovery that never got there, such as one acknowledged in a dry run.
func (l *Ledger) closable(e *Entry, now time.Time) bool {
	return l.stale > 0 && e.Held == nil && e.Shown() && e.identity() != nil && l.silent(e, now) > l.stale
}

// Forget removes the entries that are still due to be forgotten, and returns which.
func (l *Ledger) Forget(tx *store.Tx, alarmIDs []string) (forgotten []string, err error) {
	now := l.now()
	for _, id := range alarmIDs {
		e, err := l.book.Get(tx, id)
		if errors.Is(err, store.ErrCorrupt) || e == nil || !l.forgettable(e, now) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := l.book.remove(tx, id); err != nil {
			return nil, err
		}
		forgotten = append(forgotten, id)
	}
	return forgotten, nil
}

// Close decides on an alarm that Look found silent: Recovery, with the identity
// COC knows it under, or Repeat if it was heard of meanwhile.
func (l *Ledger) Close(tx *store.Tx, alarmID string) (*Decision, error) {
	now := l.now()
	e, _, err := l.book.load(tx, alarmID, now)
	if err != nil {
		return nil, err
	}
	d := &Decision{Verdict: Repeat, book: l.book, alarmID: alarmID, entry: e, now: now, starts: e.StartsAt, began: e.Began}
	if l.closable(e, now) {
		d.Verdict, d.Told, d.floor = Recovery, e.identity(), e.lastTime()
		e.note(now, "silent", "not heard of for longer than delivery.stale_after")
	}
	return d, nil
}
