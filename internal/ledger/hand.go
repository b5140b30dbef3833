package ledger

import (
	"fmt"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// What an alarm's history says besides the verdicts that led to a task.
const (
	EventSent   = "sent"    // COC has confirmed; with its request id
	EventUnsaid = "unsaid"  // a task ended without COC having taken it; with the reason
	EventStale  = "dropped" // a firing was dropped from behind the fence

	EventReplayed  = "replayed"      // a dead letter was queued again
	EventDiscarded = "discarded"     // a dead letter was dropped
	EventDropped   = "run discarded" // the dead letter of a rule's script or job was; COC may know the alarm all the same
	EventClosed    = "closed"        // the alarm was closed by hand
)

// Replayed is a dead letter that is to be told after all.
type Replayed struct {
	Heard
	Created time.Time // when its task was made
	Force   bool      // tell it even if it is older than the alarm's state
	By      string    // whose wish it is
}

// Replay decides on a dead letter: Again, and Queued must follow, or Stale with
// the reason why newer news has overtaken it. It writes nothing itself.
func (l *Ledger) Replay(tx *store.Tx, r Replayed) (d *Decision, overtaken string, err error) {
	now := l.now()
	e, known, err := l.book.load(tx, r.AlarmID, now)
	if err != nil {
		return nil, "", err
	}
	d = &Decision{Verdict: Again, book: l.book, alarmID: r.AlarmID, entry: e, now: now, starts: e.order(r.StartsAt, now), began: r.StartsAt, level: r.Level, firing: r.Firing}
	if why := e.overtakes(d.starts, r); known && why != "" && !r.Force {
		d.Verdict = Stale
		return d, why, nil
	}
	if r.Firing {
		d.floor, d.Stay = e.afterRecovery(), e.shownIn()
	} else {
		d.Told, d.floor = e.identity(), e.lastTime()
	}
	e.note(now, EventReplayed, "by "+r.By)
	return d, "", nil
}

// overtakes says which newer news of the alarm there is; empty = none.
func (e *Entry) overtakes(starts time.Time, r Replayed) string {
	switch {
	case e.Newest != nil && e.Newest.At.After(r.Created):
		return "newer news of the alarm waits since " + stamp(e.Newest.At)
	case e.StartsAt.After(starts):
		return "a later episode has begun at " + stamp(e.StartsAt)
	case r.Firing && e.hasEnded(starts):
		return "the episode has ended since"
	default:
		return ""
	}
}

// hasEnded says whether the episode that began then is known to be over. A later one
// than the newest that was accepted is not: a dead letter may be all there is of it.
func (e *Entry) hasEnded(starts time.Time) bool {
	return e.Over || !e.Firing && !starts.After(e.StartsAt)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// CloseByHand decides to tell COC that an alarm is over: Recovery, with the
// identity COC knows it under, and Queued must follow; or Repeat when COC does not
// show it as firing. A firing behind the fence is dropped.
func (l *Ledger) CloseByHand(tx *store.Tx, alarmID, by, reason string) (*Decision, error) {
	now := l.now()
	e, known, err := l.book.load(tx, alarmID, now)
	if err != nil {
		return nil, err
	}
	d := &Decision{Verdict: Repeat, book: l.book, alarmID: alarmID, entry: e, now: now, starts: e.StartsAt, began: e.Began}
	if e.Held != nil {
		if err := l.dropHeld(tx, d); err != nil {
			return nil, err
		}
	}
	if known && e.Shown() && e.identity() != nil {
		d.Verdict, d.Told, d.floor = Recovery, e.identity(), e.lastTime()
		e.note(now, EventClosed, fmt.Sprintf("by %s: %s", by, reason))
	}
	return d, nil
}

// Shown says whether COC shows the alarm as firing, now or once what waits has
// gone out.
func (e *Entry) Shown() bool {
	return e.Firing && e.open() || e.Waiting == 0 && e.Told != nil && e.Told.Firing
}

// Note adds a line to an alarm's history, which begins with it if the alarm was
// not known: what a person did must be found again.
func (l *Ledger) Note(tx *store.Tx, alarmID, what, detail string) error {
	now := l.now()
	e, known, err := l.book.load(tx, alarmID, now)
	if err != nil {
		return err
	}
	if !known {
		e.Heard = now
	}
	e.note(now, what, detail)
	return l.book.save(tx, alarmID, e)
}

// RefreshDue is when a repeat of the alarm is told again; zero = never.
func (l *Ledger) RefreshDue(e *Entry) time.Time {
	if l.refresh <= 0 || e.Told == nil {
		return time.Time{}
	}
	return e.Told.At.Add(l.refresh)
}
