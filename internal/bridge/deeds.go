package bridge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/scripts"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

// maxAlarmRuns bounds the runs that are told of one alarm.
const maxAlarmRuns = 10

// deeds are what rules have done about one alarm, or have tried.
type deeds struct {
	tickets []*incidents.Record
	runs    []*scripts.Run // the newest first
	dead    []queue.Dead   // of these tickets and runs, the newest last
}

func (b *Bridge) deedsOf(tx *store.Tx, alarmID string) (d deeds, err error) {
	if d.tickets, err = incidents.Of(tx, alarmID); err != nil {
		return d, err
	}
	d.runs = scripts.Of(tx, alarmID, maxAlarmRuns)
	for _, t := range d.tickets {
		d.dead = append(d.dead, b.queue.DeadIn(tx, t.Group)...)
	}
	for _, r := range d.runs {
		d.dead = append(d.dead, b.queue.DeadIn(tx, r.ID)...)
	}
	slices.SortFunc(d.dead, byID)
	return d, nil
}

func byID(a, b queue.Dead) int { return cmp.Compare(a.Item.ID, b.Item.ID) }

// actors are the alarms that a run or a group of alarms is about; none = there is
// neither under this name.
func (b *Bridge) actors(name string) (alarmIDs []string, err error) {
	err = b.store.View(func(tx *store.Tx) error {
		r, err := scripts.Get(tx, name)
		if r != nil {
			alarmIDs = []string{r.AlarmID}
			return nil
		}
		alarmIDs = incidents.Members(tx, name)
		return undamaged(err)
	})
	return alarmIDs[:min(len(alarmIDs), maxAnswers)], err
}

// lines tell of them in an answer's evidence.
func (d deeds) lines() (list []string) {
	for _, r := range d.tickets {
		list = append(list, ticketLine(ticketOf(r)))
	}
	for _, r := range d.runs {
		list = append(list, runLine(runOf(r)))
	}
	for _, l := range d.dead {
		list = append(list, deadLine(l))
	}
	return list
}

func ticketLine(t admin.Ticket) string {
	return sentence(fmt.Sprintf("ticket of rule %s: %s", t.Rule, t.State), t.Number, t.Status, "since "+at(t.Last.At)+" "+t.Last.What, t.Problem)
}

func runLine(r admin.Run) string {
	return sentence(fmt.Sprintf("%s of rule %s: %s since %s", r.Kind, r.Rule, r.State, at(r.Since)), r.Order, r.Status, r.Outcome, r.Reason, r.Detail)
}

// sentence adds what is not empty, each thing once.
func sentence(text string, more ...string) string {
	for i, one := range more {
		if one != "" && !slices.Contains(more[:i], one) {
			text += ", " + one
		}
	}
	return text
}

func deadLine(d queue.Dead) string {
	of := ""
	if t, err := task.Decode(d.Item.Payload); err == nil && t.Rule != "" {
		of = fmt.Sprintf(" (%s of rule %s)", t.Kind, t.Rule)
	}
	return fmt.Sprintf("dead letter %d%s: %s, %d times from %s to %s: %s", d.ID, of, d.Cause.Code, d.Count, at(d.First), at(d.Last), d.Cause.Detail)
}

// brakes are what keeps all rules from running anything now, and what a rule that
// has run nothing may be about. ran: there is a run that can be looked at.
func (b *Bridge) brakes(ran bool) (list []string) {
	l := b.live.Load()
	if !l.scripts.Any() {
		return nil
	}
	if l.cfg.COC.DryRun {
		list = append(list, "nothing runs now: coc.dry_run is set")
	}
	if a, err := (operations{b}).standing(); err == nil && !a.Armed {
		list = append(list, strings.TrimSpace(fmt.Sprintf("nothing runs now: automation is not armed (%s) %s", a.Cause, a.Why)))
	}
	if !ran {
		list = append(list, "no script and no job was planned for it: no rule that runs one matched when this episode began, or its route drops it, or coc.dry_run was set")
	}
	return list
}
