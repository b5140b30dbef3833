package ledger

import (
	"fmt"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// historySize bounds the events kept per alarm; the oldest go first.
const historySize = 16

// Entry is what is known about one alarm. Its times are in UTC.
type Entry struct {
	Firing   bool      // the newest accepted state
	StartsAt time.Time // of the newest accepted episode, as ordered (see order)
	Began    time.Time // the same as its source says it
	Level    string    // of that episode
	Revision string    // of the last change that was heard of
	Over     bool      // its source said that its only episode has ended
	Heard    time.Time // last message, coarse: see touchEvery
	Waiting  int       // tasks of this alarm that are not settled
	Unsaid   bool      // the newest telling did not reach COC: tell again when repeated
	Newest   *Telling  // what the newest task says, until it is confirmed
	Told     *Telling  // what COC last confirmed
	Held     *Held     // a firing behind the fence
	History  []Event   // newest last
}

// Telling is what one task says to COC, as far as later tasks must agree with it.
type Telling struct {
	Firing        bool
	At            time.Time // when it was queued or confirmed
	Time          int64     // the alarm's time, milliseconds
	Level         string
	Integration   string
	Name          string
	NameSpace     string
	RegionID      string
	ApplicationID string
	ResourceName  string
	ResourceID    string
	Source        string
}

// Held is a firing that waits behind the fence for a resolve to prove it stale.
type Held struct {
	Task     uint64
	StartsAt time.Time
	Began    time.Time
	Level    string
	Until    time.Time
	Before   *Telling // what Newest was before
}

// Event is one line of an alarm's history.
type Event struct {
	At     time.Time // to the millisecond
	What   string
	Detail string
}

func (e *Entry) note(now time.Time, what, detail string) {
	e.History = append(e.History, Event{At: now.UTC().Truncate(time.Millisecond), What: what, Detail: detail})
	if over := len(e.History) - historySize; over > 0 {
		e.History = append(e.History[:0], e.History[over:]...)
	}
}

// identity is what COC was, or is about to be, told last; nil if nothing.
func (e *Entry) identity() *Telling {
	if e.Newest != nil {
		return e.Newest
	}
	return e.Told
}

// shownIn is the integration in which COC shows the alarm as firing, or will; empty =
// in none. Told through another one, it would never recover there.
func (e *Entry) shownIn() string {
	if t := e.identity(); t != nil && t.Firing {
		return t.Integration
	}
	return ""
}

// open says whether COC shows the alarm as firing, now or once what waits has gone out.
func (e *Entry) open() bool {
	return e.Waiting > 0 || (e.Told != nil && e.Told.Firing)
}

func decode(alarmID string, b []byte) (*Entry, error) {
	e, err := decodeEntry(b)
	if err != nil {
		return nil, fmt.Errorf("ledger: entry %s: %w: %w", alarmID, store.ErrCorrupt, err)
	}
	return e, nil
}
