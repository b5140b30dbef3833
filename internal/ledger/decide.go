package ledger

import (
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// maxAhead is how far in the future a start may lie before it is taken for a
// wrong clock; without the clamp such an episode would make all later ones stale.
const maxAhead = 5 * time.Minute

// Verdict is the ledger's word on one message.
type Verdict string

// News leads to a task; the rest does not.
const (
	NewEpisode Verdict = "new"      // news: a new episode fires
	Changed    Verdict = "changed"  // news: another level
	Recovery   Verdict = "resolved" // news: the episode has ended
	Refresh    Verdict = "refresh"  // a repeat that is due to be told again
	Again      Verdict = "again"    // a repeat whose last telling became a dead letter or a dry run
	Hold       Verdict = "held"     // news that may be stale: told after the fence unless a resolve follows

	Repeat  Verdict = "repeat"  // known, and told recently enough
	Stale   Verdict = "stale"   // about an episode that is over
	Unknown Verdict = "unknown" // a resolve of what was never told, which the receiver wants dropped
	Dropped Verdict = "dropped" // today's route drops it
)

// Verdicts lists all of them, for metrics.
func Verdicts() []Verdict {
	return []Verdict{NewEpisode, Changed, Recovery, Refresh, Again, Hold, Repeat, Stale, Unknown, Dropped}
}

// IsNews says whether a task follows.
func (v Verdict) IsNews() bool {
	switch v {
	case NewEpisode, Changed, Recovery, Refresh, Again, Hold:
		return true
	default:
		return false
	}
}

// Heard is one message about an alarm.
type Heard struct {
	AlarmID     string
	Firing      bool
	StartsAt    time.Time
	EndsAt      time.Time // zero while firing
	Level       string    // as mapped; empty when it could not be mapped
	Dropped     bool      // today's route drops it
	SendUnknown bool      // tell COC of resolves of alarms it was never told
	Once        bool      // the alarm has one episode in its life: its end is final, and its times only say when it was heard of
	Revision    string    // not empty: no repeat but a change; sorts after those of earlier ones
}

// Decision is the answer to one Heard. It holds the entry as it will be; the
// caller finishes it with exactly one of Queued, Buried or Keep, in the same transaction.
type Decision struct {
	Verdict Verdict
	Due     time.Time // when the task may go out; zero = now
	Told    *Telling  // the identity the task must take; nil = as mapped today
	Level   string    // that a firing must carry because its own is out of date; empty = as mapped
	Stay    string    // the integration that a firing must not leave; empty = as mapped today

	book    *Book
	alarmID string
	entry   *Entry
	now     time.Time
	changed bool  // the entry must be written even without a task
	time    int64 // the time the alarm must carry; 0 = as mapped, but not before floor
	floor   int64
	starts  time.Time // as ordered
	began   time.Time // as the source says it
	level   string
	firing  bool
}

// Cancel takes a waiting task out of the queue; false when it is already in flight or gone.
type Cancel func(tx *store.Tx, id uint64) (bool, error)

// Options are a ledger's collaborators and limits.
type Options struct {
	Config
	Book    *Book
	History time.Duration    // how long an entry outlives its last message
	Open    func() time.Time // since when no message was turned away; nil = since New is called
	Cancel  Cancel           // for held tasks
	Now     func() time.Time // nil = time.Now
}

// Ledger decides. It has no state of its own: everything is in the book.
// All methods that take a transaction may be called from any goroutine that holds one.
type Ledger struct {
	book                           *Book
	refresh, fence, stale, history time.Duration
	open                           func() time.Time
	cancel                         Cancel
	now                            func() time.Time
}

// New returns a ledger over the entries of the store its transactions belong to.
func New(o Options) *Ledger {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Open == nil {
		started := o.Now()
		o.Open = func() time.Time { return started }
	}
	return &Ledger{
		book: o.Book, open: o.Open,
		refresh: time.Duration(o.Refresh), fence: time.Duration(o.Fence), stale: time.Duration(o.StaleAfter),
		history: o.History, cancel: o.Cancel, now: o.Now,
	}
}

// Decide compares a message with what is known (design: "What is news"). It may
// take a held task out of the queue, but writes nothing itself.
func (l *Ledger) Decide(tx *store.Tx, h Heard) (*Decision, error) {
	now := l.now()
	e, known, err := l.book.load(tx, h.AlarmID, now)
	if err != nil {
		return nil, err
	}
	if h.Once && (e.Firing || e.Over) { // whatever the clock says, it is about the same episode
		h.StartsAt = e.Began
	}
	d := &Decision{book: l.book, alarmID: h.AlarmID, entry: e, now: now, starts: e.order(h.StartsAt, now), began: h.StartsAt, level: h.Level, firing: h.Firing}
	passed, touched := l.passFence(e, now), l.touch(e, known, now)
	d.changed = passed || touched
	if e.Held != nil && (!h.Firing || d.starts.After(e.Held.StartsAt)) {
		if err := l.dropHeld(tx, d); err != nil {
			return nil, err
		}
	}
	if h.Firing {
		l.firing(d, h, known)
	} else {
		l.resolved(d, h)
	}
	return d, nil
}

// order is the start by which episodes are compared: a start that lies too far
// in the future counts as arrival + maxAhead, the same at each repeat.
func (e *Entry) order(startsAt, now time.Time) time.Time {
	if startsAt.Equal(e.Began) {
		return e.StartsAt
	}
	if limit := now.Add(maxAhead); startsAt.After(limit) {
		return limit
	}
	return startsAt
}

// passFence lets a held firing become the accepted state once its time is over.
// An end further away than the fence comes from a clock that was ahead.
func (l *Ledger) passFence(e *Entry, now time.Time) bool {
	if e.Held == nil || now.Before(e.Held.Until) && e.Held.Until.Sub(now) <= l.fence {
		return false
	}
	e.release()
	return true
}

// release makes the held firing the accepted state.
func (e *Entry) release() {
	h := e.Held
	e.Firing, e.StartsAt, e.Began, e.Level, e.Held = true, h.StartsAt, h.Began, h.Level, nil
}

// touch notes that the source still speaks of the alarm, coarsely, so that a
// suppressed repeat costs no write. An unknown alarm is written by its first news.
func (l *Ledger) touch(e *Entry, known bool, now time.Time) bool {
	old := e.Heard
	if age := now.Sub(old); known && age >= 0 && age < l.touchEvery() {
		return false
	}
	e.Heard = now
	return known
}

// touchEvery is a tenth of the shortest time after which silence has an effect.
func (l *Ledger) touchEvery() time.Duration {
	shortest := l.history
	if l.stale > 0 {
		shortest = min(shortest, l.stale)
	}
	return min(shortest/10, time.Hour)
}

func (l *Ledger) firing(d *Decision, h Heard, known bool) {
	e := d.entry
	// A change that was made later has overtaken it: it is no news, and what it is
	// told for says the level of that change, in the alarm that was told of it.
	overtaken := h.Level != "" && h.Level != e.Level && h.Revision < e.Revision
	if overtaken {
		d.Level, d.level = e.Level, e.Level
	}
	switch {
	case h.Dropped:
		d.Verdict = Dropped
	case e.Over:
		d.Verdict = Stale
	case e.Held != nil:
		d.Verdict = Repeat
	case !known || d.starts.After(e.StartsAt):
		d.Verdict = NewEpisode
	case !e.Firing:
		l.hold(d)
	case e.Unsaid:
		d.Verdict = Again
	case overtaken:
		d.repeat(h.Revision == "" && l.refreshDue(e, d.now))
		d.Told = e.identity()
	case h.Level != "" && h.Level != e.Level:
		d.Verdict, d.time = Changed, e.lastTime()
	default:
		d.repeat(h.Revision == "" && l.refreshDue(e, d.now))
	}
	if h.Revision > e.Revision && d.Verdict != Dropped && d.Verdict != Stale {
		e.Revision, d.changed = h.Revision, true
	}
	d.floor, d.Stay = e.afterRecovery(), e.shownIn()
}

func (l *Ledger) hold(d *Decision) {
	d.Verdict = NewEpisode
	if l.fence > 0 {
		d.Verdict, d.Due = Hold, d.now.Add(l.fence)
	}
}

// dropHeld takes a firing out from behind the fence because a resolve or a
// later episode follows it. If its task has just left, the firing counts as told.
func (l *Ledger) dropHeld(tx *store.Tx, d *Decision) error {
	e := d.entry
	cancelled, err := l.cancel(tx, e.Held.Task)
	if err != nil {
		return err
	}
	d.changed = true
	if !cancelled {
		e.release()
		return nil
	}
	e.Newest, e.Held = e.Held.Before, nil
	if e.Waiting--; e.Waiting == 0 {
		e.Newest = nil
	}
	e.note(d.now, EventStale, "the held firing was stale: newer news followed")
	return nil
}

func (l *Ledger) resolved(d *Decision, h Heard) {
	e := d.entry
	d.Told, d.floor = e.identity(), e.lastTime()
	if h.Once && !e.Over {
		e.Over, d.changed = true, true
	}
	switch {
	case e.Firing && h.StartsAt.Before(e.StartsAt) && !h.EndsAt.After(e.StartsAt):
		d.Verdict = Stale
	case e.Firing && e.open():
		d.Verdict = Recovery
	case e.Told == nil && e.Waiting == 0, e.Firing:
		d.unknown(h)
	case e.Unsaid:
		d.Verdict = Again
	default:
		d.repeat(h.Revision == "" && l.refreshDue(e, d.now))
	}
	if d.starts.After(e.StartsAt) && !d.Verdict.IsNews() {
		e.StartsAt, e.Began, d.changed = d.starts, d.began, true
	}
}

// unknown answers a resolve of an alarm that COC was never told of.
func (d *Decision) unknown(h Heard) {
	d.Told = nil
	switch {
	case h.Dropped:
		d.Verdict = Dropped
	case h.SendUnknown:
		d.Verdict = Recovery
	default:
		d.Verdict = Unknown
	}
}

func (d *Decision) repeat(refresh bool) {
	d.Verdict = Repeat
	if refresh {
		d.Verdict, d.time = Refresh, d.entry.lastTime()
	}
}

// refreshDue: the last confirmed telling is old enough, or was dated by a clock
// that was ahead, and nothing of this alarm waits.
func (l *Ledger) refreshDue(e *Entry, now time.Time) bool {
	if l.refresh <= 0 || e.Waiting > 0 || e.Told == nil {
		return false
	}
	age := now.Sub(e.Told.At)
	return age >= l.refresh || age < -maxAhead
}

// lastTime is the alarm time of the newest telling; 0 if there is none.
func (e *Entry) lastTime() int64 {
	if t := e.identity(); t != nil {
		return t.Time
	}
	return 0
}

// afterRecovery is the earliest time a firing may carry, so that COC never sees
// an alarm that is not newer than the recovery before it.
func (e *Entry) afterRecovery() int64 {
	if t := e.identity(); t != nil && !t.Firing {
		return t.Time + 1
	}
	return e.lastTime()
}

// Time is the time the alarm must carry, in milliseconds, when mapping says
// mapped: a refresh or another level keeps the time COC was told, and within an
// alarm time never runs backwards (a re-fire may come with its old start). A time
// that lies too far in the future is a wrong clock's and would stay the floor for ever.
func (d *Decision) Time(mapped int64) int64 {
	if d.time > 0 {
		return d.time
	}
	return max(min(mapped, d.now.Add(maxAhead).UnixMilli()), d.floor)
}
