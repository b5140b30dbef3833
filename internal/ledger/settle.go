package ledger

import (
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// Queued writes that the decision became the given task, which will say t.
func (d *Decision) Queued(tx *store.Tx, id uint64, t Telling) error {
	e := d.entry
	before := e.Newest
	t.At = d.now
	e.Heard = d.now
	e.Newest = &t
	e.Waiting++
	e.note(d.now, string(d.Verdict), t.Integration)
	if d.Verdict == Hold {
		e.Held = &Held{Task: id, StartsAt: d.starts, Began: d.began, Level: d.level, Until: d.Due, Before: before}
		return d.book.save(tx, d.alarmID, e)
	}
	e.Unsaid = false
	d.accept()
	return d.book.save(tx, d.alarmID, e)
}

// accept makes the message the alarm's newest state. Within an episode the
// start stays: senders that merge alerts lower it while the alert fires.
func (d *Decision) accept() {
	e := d.entry
	e.Firing = d.firing
	if d.starts.After(e.StartsAt) {
		e.StartsAt, e.Began = d.starts, d.began
	}
	if d.firing && d.level != "" {
		e.Level = d.level
	}
}

// Keep writes what the message changed although nothing is told; most repeats
// change nothing and cost no write.
func (d *Decision) Keep(tx *store.Tx) error {
	if d.Verdict == Unknown && d.entry.Firing {
		d.entry.Firing, d.changed = false, true
	}
	if !d.changed {
		return nil
	}
	return d.book.save(tx, d.alarmID, d.entry)
}

// Confirmed writes that COC has taken what the task said. It is part of the
// transaction that removes the task.
func (l *Ledger) Confirmed(tx *store.Tx, alarmID string, t Telling, requestID string) error {
	return l.settle(tx, alarmID, func(e *Entry, now time.Time) {
		l.passFence(e, now)
		t.At = now
		e.Told = &t
		e.Unsaid = false
		e.note(now, EventSent, requestID)
	})
}

// Lost writes that a task left the queue without COC having taken it: buried,
// or a dry run. The alarm's next repeat is told again.
func (l *Ledger) Lost(tx *store.Tx, alarmID string, why string) error {
	return l.settle(tx, alarmID, func(e *Entry, now time.Time) {
		l.passFence(e, now)
		e.Unsaid = e.Waiting == 0 || e.Waiting == 1 && e.Held != nil // what is held may yet be dropped
		e.note(now, EventUnsaid, why)
	})
}

// settle counts one task of the alarm as done, then lets change finish the entry.
func (l *Ledger) settle(tx *store.Tx, alarmID string, change func(*Entry, time.Time)) error {
	now := l.now()
	e, known, err := l.book.load(tx, alarmID, now)
	if err != nil {
		return err
	}
	if !known {
		e.Heard = now
	}
	if e.Waiting > 0 {
		e.Waiting--
	}
	change(e, now)
	if e.Waiting == 0 {
		e.Newest = nil
	}
	return l.book.save(tx, alarmID, e)
}
