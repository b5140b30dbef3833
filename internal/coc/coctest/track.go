package coctest

import (
	"fmt"
	"hash/maphash"
	"slices"
	"time"
)

// The order of one alarm's events, as coc-api.md 3.1 wants it: never an older
// state after a newer one was accepted.
//
// Events are compared by their field time. Of two events the one with the
// greater time is the newer. At equal time both sequences of the two statuses
// are in order, since an episode may end in the millisecond in which it began
// (alarm, ok) and the next may begin in the millisecond in which one ended (ok,
// alarm); but a status that was left at a time does not come back at the same
// time: alarm, ok, alarm is a redelivered older event. An absent alarmStatus
// counts as alarm.
//
// An exact repeat of the newest event (status, level and time) is in order:
// sooner than Options.Refresh it is a duplicate, as a retry or a redelivery
// after a crash makes it, else a refresh. The same event after a newer one is
// out of order, whatever made it.

const (
	statusAlarm = "alarm"
	statusOK    = "ok"
)

// verdict is the place of an event among those of its alarm.
type verdict int

const (
	advanced   verdict = iota // newer, or the first
	duplicate                 // the newest event again, too soon
	refreshed                 // the newest event again, when it was due
	returned                  // an earlier level of this status and time again
	refired                   // older than the last ok, but long enough after it
	reopened                  // an alarm older than the last ok
	disordered                // older than the newest event in another way
)

// point is what the order of an event depends on.
type point struct {
	seq    int
	at     time.Time // acceptance
	time   int64     // the alarm's own
	status string    // alarm or ok
	level  string
}

func pointOf(e Event) point {
	p := point{seq: e.Seq, at: e.At, time: e.Alarm.Time, status: e.Alarm.AlarmStatus, level: e.Alarm.AlarmLevel}
	if p.status == "" {
		p.status = statusAlarm
	}
	return p
}

// String is how a violation names the event.
func (p point) String() string {
	return fmt.Sprintf("%d (%s %s of %d)", p.seq, p.level, p.status, p.time)
}

// repeats reports whether p says nothing that q did not.
func (p point) repeats(q point) bool {
	return p.time == q.time && p.status == q.status && p.level == q.level
}

// bit is the place of a status and level in track.seen.
func (p point) bit() uint8 {
	bit := uint8(1) << max(slices.Index(levels, p.level), 0)
	if p.status == statusOK {
		bit <<= 4
	}
	return bit
}

// left is the bits of all levels of p's status.
func (p point) left() uint8 {
	if p.status == statusOK {
		return 0xF0
	}
	return 0x0F
}

// track is what is remembered of one alarm, whatever happens to its events.
type track struct {
	started   bool
	last      point    // the newest event that was in order
	seen      uint8    // statuses and levels accepted at last.time
	recovered int64    // the greatest time of an ok; 0 = none
	fired     bool     // an alarm was accepted
	identity  identity // of the last alarm
}

// place files p. An event that is out of order does not move the track: the
// next one is held against the newest, not against the stray.
func (t *track) place(p point, refresh, refire time.Duration) verdict {
	switch {
	case !t.started:
		t.restart(p)
		return advanced
	case t.refires(p, refire):
		t.restart(p)
		return refired
	case t.stale(p):
		return t.stray(p)
	case p.repeats(t.last):
		return t.repeat(p, refresh)
	case p.time == t.last.time && t.seen&p.bit() != 0:
		t.last = p
		return returned
	}
	t.advance(p)
	return advanced
}

func (t *track) restart(p point) {
	t.started, t.recovered, t.seen = true, 0, 0
	t.advance(p)
}

func (t *track) advance(p point) {
	if p.time > t.last.time {
		t.seen = 0
	}
	t.last = p
	t.seen |= p.bit()
	t.recover(p)
}

func (t *track) recover(p point) {
	if p.status == statusOK {
		t.recovered = max(t.recovered, p.time)
	}
}

// stale reports whether something newer than p was accepted.
func (t *track) stale(p point) bool {
	return p.time < t.last.time ||
		p.time == t.last.time && p.status != t.last.status && t.seen&p.left() != 0
}

// refires reports whether p may open the alarm again although it is stale.
func (t *track) refires(p point, refire time.Duration) bool {
	return refire > 0 && p.status == statusAlarm && t.last.status == statusOK &&
		t.stale(p) && p.at.Sub(t.last.at) >= refire
}

func (t *track) stray(p point) verdict {
	late := p.status == statusAlarm && p.time < t.recovered
	t.recover(p)
	if late {
		return reopened
	}
	return disordered
}

func (t *track) repeat(p point, refresh time.Duration) verdict {
	gap := p.at.Sub(t.last.at)
	t.last = p
	if refresh <= 0 || gap < refresh {
		return duplicate
	}
	return refreshed
}

// identity is a hash of each field by which an ok finds its alarm. Hashes keep
// a track small; a collision would only hide a difference.
type identity [7]uint64

var identityNames = [len(identity{})]string{
	"integration key", "alarmName", "nameSpace", "applicationId", "resourceName", "resourceId", "alarmSource",
}

var identitySeed = maphash.MakeSeed()

func identityOf(e Event) identity {
	a := e.Alarm
	var id identity
	for i, value := range [len(id)]string{
		e.Key, a.AlarmName, a.NameSpace, a.ApplicationID, a.ResourceName, a.ResourceID, a.AlarmSource,
	} {
		id[i] = maphash.String(identitySeed, value)
	}
	return id
}

func (id identity) differences(other identity) []string {
	var names []string
	for i, name := range identityNames {
		if id[i] != other[i] {
			names = append(names, name)
		}
	}
	return names
}
