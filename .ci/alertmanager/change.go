package main

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// change is one thing that COC must be told.
type change struct {
	fired          time.Time // when Alertmanager was given it, or resolved it by itself
	alarm          string    // alarmId
	name, resource string
	status, level  string
	time           int64 // the field time, in milliseconds
	later          bool  // the field time must be later than time, whatever it is
}

// levels is what the bridge's default mapping makes of the severities used here.
var levels = map[string]string{"critical": "Critical", "warning": "Minor"}

// changeOf is what an alert must lead to that was posted, or ends, at a time.
func changeOf(a alert, alarm string, at time.Time) change {
	c := change{
		fired: at, alarm: alarm, name: a.Labels["alertname"], resource: a.Labels["instance"],
		status: "alarm", level: levels[a.Labels["severity"]], time: a.StartsAt.UnixMilli(),
	}
	if !a.EndsAt.IsZero() && !a.EndsAt.After(at) {
		c.status, c.time = "ok", a.EndsAt.UnixMilli()
	}
	return c
}

// toldBy reports whether the event says what COC must be told.
func (c change) toldBy(e stage.Event) bool {
	a := e.Alarm
	timely := a.Time == c.time
	if c.later {
		timely = a.Time > c.time
	}
	return timely && a.ID == c.alarm && a.Status == c.status && a.Level == c.level && a.Name == c.name && a.Resource == c.resource
}

// alarmID is the rule by which an alarm is known to COC, worked out here from
// the fingerprint that Alertmanager gives the alert.
func alarmID(receiver, fingerprint string) string {
	sum := sha256.Sum256([]byte(receiver + "\x00" + fingerprint))
	return hex.EncodeToString(sum[:])[:32]
}

// tally compares the events of all alarms with what each had to say, in order.
type tally struct {
	arrived    int // changes that were told
	duplicates int // an event that says the same as the one before it
	breaks     int // an event that is neither the next change nor a duplicate
	missing    []change
}

func compare(changes []change, events []stage.Event) tally {
	var t tally
	due := map[string][]change{}
	for _, c := range changes {
		due[c.alarm] = append(due[c.alarm], c)
	}
	last := map[string]change{}
	for _, e := range events {
		id := e.Alarm.ID
		before, told := last[id]
		switch next := due[id]; {
		case len(next) > 0 && next[0].toldBy(e):
			t.arrived++
			last[id], due[id] = next[0], next[1:]
		case told && before.toldBy(e):
			t.duplicates++
		default:
			t.breaks++
		}
	}
	for _, c := range changes {
		if len(due[c.alarm]) > 0 {
			t.missing = append(t.missing, due[c.alarm]...)
			delete(due, c.alarm)
		}
	}
	return t
}
