package bridge

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/mapping"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
)

// maxHistory bounds the lines of history in an answer's evidence.
const maxHistory = 6

// Why implements admin.Operations. The question is one alarmId or fingerprint, or
// label=value pairs that an alert must have all of.
func (o operations) Why(ctx context.Context, question []string) ([]admin.Answer, error) {
	labels, err := labelsOf(question)
	if err != nil {
		return nil, err
	}
	found := &search{}
	if labels != nil {
		found, err = o.b.findByLabels(ctx, labels)
	} else {
		found.ids, err = o.b.findByName(question[0])
	}
	if err != nil {
		return nil, err
	}
	if len(found.ids) == 0 {
		return []admin.Answer{o.b.unheardOf(labels)}, nil
	}
	answers := make([]admin.Answer, len(found.ids))
	for i, id := range found.ids {
		if answers[i], err = o.b.explainAlarm(id); err != nil {
			return nil, err
		}
		found.doubt(&answers[i])
	}
	if len(answers) == maxAnswers {
		last := &answers[maxAnswers-1]
		last.Evidence = append(last.Evidence, fmt.Sprintf("only the first %d alarms are shown: ask with more labels", maxAnswers))
	}
	return answers, nil
}

// doubt says in the verdict itself that it may be about another alarm.
func (s *search) doubt(a *admin.Answer) {
	var list []string
	for _, name := range s.unseen[a.AlarmID] {
		list = append(list, fmt.Sprintf("%s=%q", name, s.labels[name]))
	}
	if len(list) == 0 {
		return
	}
	slices.Sort(list)
	a.Text += fmt.Sprintf("; perhaps another alarm: %s did not decide", strings.Join(list, ", "))
	a.Evidence = append([]string{"found by what COC was told of it; these labels show in nothing of that: " + strings.Join(list, ", ")}, a.Evidence...)
}

// labelsOf returns nil when the question is a name.
func labelsOf(question []string) (map[string]string, error) {
	labels := map[string]string{}
	for _, part := range question {
		name, value, isPair := strings.Cut(part, "=")
		if isPair && name != "" {
			labels[name] = strings.Trim(value, `"`)
		}
	}
	switch {
	case len(question) == 1 && len(labels) == 0 && question[0] != "":
		return nil, nil
	case len(question) == 0 || len(labels) != len(question):
		return nil, fmt.Errorf("%w: ask for one alarmId or fingerprint, or for label=value pairs with different labels", admin.ErrInvalid)
	}
	return labels, nil
}

// known is all that is known of one alarm, read at once.
type known struct {
	alarmID string
	entry   *ledger.Entry // nil = none
	tasks   []queue.Item  // in their order
	dead    []queue.Dead  // newest last
	quiet   *quiet        // nil = none is remembered
	live    *live
	deeds   deeds
}

func (b *Bridge) know(alarmID string) (known, error) {
	k := known{alarmID: alarmID, live: b.live.Load()}
	err := b.store.View(func(tx *store.Tx) (err error) {
		k.tasks, k.dead = b.queue.Lane(tx, alarmID), b.queue.DeadIn(tx, alarmID)
		k.entry, err = b.book.Get(tx, alarmID)
		if undamaged(err) != nil {
			return err
		}
		k.deeds, err = b.deedsOf(tx, alarmID)
		return err
	})
	slices.SortFunc(k.dead, byID)
	if q, ok := b.recent.of(alarmID); ok {
		k.quiet = &q
	}
	return k, err
}

// nothing says whether there is no trace of the alarm at all.
func (k known) nothing() bool {
	return k.entry == nil && len(k.tasks) == 0 && len(k.dead) == 0 && k.quiet == nil && !k.acted()
}

// acted says whether there is a trace of a rule.
func (k known) acted() bool { return len(k.deeds.tickets)+len(k.deeds.runs) > 0 }

func (b *Bridge) explainAlarm(alarmID string) (admin.Answer, error) {
	k, err := b.know(alarmID)
	if err != nil {
		return admin.Answer{}, err
	}
	a := admin.Answer{AlarmID: alarmID}
	if k.entry != nil {
		alarm := operations{b}.whole(alarmID, k)
		a.Alarm = &alarm
	}
	switch {
	case len(k.tasks) > 0:
		a.Verdict, a.Text = b.waiting(k)
	case len(k.dead) > 0:
		a.Verdict, a.Text = k.buried()
	case k.quiet != nil && !k.quiet.at.Before(k.lastEvent().At):
		a.Verdict, a.Text = k.hushed()
	default:
		a.Verdict, a.Text = k.told()
	}
	a.Evidence = b.evidence(k)
	return a, nil
}

// waiting explains the first task of the alarm's lane.
func (b *Bridge) waiting(k known) (admin.Verdict, string) {
	first := k.tasks[0]
	flying := b.queue.InFlight(first)
	for _, g := range b.forward.Gates() {
		if g.Integration == first.Gate && g.Cause != "" {
			text := fmt.Sprintf("gate of integration %s closed since %s (%s): %s", g.Integration, at(g.Since), g.Cause, g.Problem)
			if flying {
				text += "; a probe is under way with it"
			}
			return admin.GateClosed, text
		}
	}
	if flying {
		return admin.Waiting, fmt.Sprintf("waiting: attempt %d of task %d is being made now", first.Attempts+1, first.ID)
	}
	if k.entry != nil && k.entry.Held != nil && k.entry.Held.Task == first.ID {
		return admin.HeldByFence, fmt.Sprintf("held by the fence until %s: it fires again with its old start; a resolve before that drops it", at(k.entry.Held.Until))
	}
	if first.Attempts == 0 {
		return admin.Waiting, fmt.Sprintf("waiting: task %d was made at %s, due at %s, no attempt yet", first.ID, at(first.Created), at(first.Due))
	}
	return admin.Waiting, fmt.Sprintf("waiting: attempt %d is due at %s; the last answer was: %s", first.Attempts+1, at(first.Due), first.LastError)
}

// buried explains the newest dead letter. One without an attempt that could not
// be mapped or used was refused at its arrival.
func (k known) buried() (admin.Verdict, string) {
	d := k.dead[len(k.dead)-1]
	if d.Cause.Code == codeInvalid || strings.HasPrefix(d.Cause.Code, codeMapping) {
		return admin.Rejected, fmt.Sprintf("rejected at its arrival at %s, dead letter %d: %s", at(d.Last), d.ID, d.Cause.Detail)
	}
	return admin.DeadLettered, fmt.Sprintf("dead letter %d since %s (%s, %d times): %s", d.ID, at(d.First), d.Cause.Code, d.Count, d.Cause.Detail)
}

// hushed explains a message that led to nothing.
func (k known) hushed() (admin.Verdict, string) {
	q := k.quiet
	switch q.verdict {
	case ledger.Dropped:
		return admin.DroppedByRoute, fmt.Sprintf("dropped at %s by %s", at(q.at), mapping.Describe(k.live.cfg.Routes, q.route))
	case ledger.Stale:
		text := fmt.Sprintf("stale: the message of %s is about an episode that is over", at(q.at))
		if k.entry != nil {
			text += "; a later one began at " + at(k.entry.StartsAt)
		}
		return admin.StaleNews, text
	case ledger.Unknown:
		return admin.UnknownResolve, fmt.Sprintf("the message of %s resolves what COC was never told, and the receiver's unknown_resolved is drop", at(q.at))
	}
	text := fmt.Sprintf("repeat: the message of %s says nothing new", at(q.at))
	if k.entry == nil || k.entry.Told == nil {
		return admin.RepeatOf, text
	}
	text += fmt.Sprintf("; COC was told %s at %s", stateOf(k.entry.Told.Firing), at(k.entry.Told.At))
	if due := k.live.ledger.RefreshDue(k.entry); !due.IsZero() {
		text += fmt.Sprintf(", and is told again when the sender repeats it after %s", at(due))
	}
	return admin.RepeatOf, text
}

// told explains by the alarm's history.
func (k known) told() (admin.Verdict, string) {
	switch {
	case k.entry == nil && k.acted():
		return admin.NotTold, "forgotten: the ledger remembers nothing of it any more (store.history), only what rules did; its next repeat is told"
	case k.entry == nil:
		return admin.NeverReceived, neverReceived
	}
	for _, e := range slices.Backward(k.entry.History) {
		switch e.What {
		case ledger.EventSent:
			return admin.Sent, fmt.Sprintf("sent: COC took %s at %s with request id %s", k.inCOC(), at(e.At), orNone(e.Detail))
		case ledger.EventUnsaid:
			return admin.NotTold, fmt.Sprintf("not told at %s: %s; its next repeat is told", at(e.At), e.Detail)
		case ledger.EventDiscarded:
			return admin.Discarded, fmt.Sprintf("discarded at %s: %s", at(e.At), e.Detail)
		case ledger.EventStale:
			return admin.StaleNews, fmt.Sprintf("stale, dropped behind the fence at %s: %s", at(e.At), e.Detail)
		}
	}
	if t := k.entry.Told; t != nil { // the history is bounded
		return admin.Sent, fmt.Sprintf("sent: COC took %s at %s; its request id is in the history no more", k.inCOC(), at(t.At))
	}
	return admin.NotTold, "nothing of it was ever told to COC, and nothing waits; its next repeat is told"
}

func (k known) inCOC() string {
	if k.entry.Told == nil {
		return "it"
	}
	return stateOf(k.entry.Told.Firing)
}

func (k known) lastEvent() ledger.Event {
	if k.entry == nil || len(k.entry.History) == 0 {
		return ledger.Event{}
	}
	return k.entry.History[len(k.entry.History)-1]
}

func orNone(text string) string {
	if text == "" {
		return "(none given)"
	}
	return text
}

// evidence lists what the verdict rests on, and what else there is.
func (b *Bridge) evidence(k known) (list []string) {
	for _, it := range k.tasks {
		t := operations{b}.taskOf(it, false)
		list = append(list, fmt.Sprintf("task %d: %s for %s, %s, made at %s, %d attempts, due at %s", it.ID, t.Reason, it.Gate, t.State, at(it.Created), it.Attempts, at(it.Due)))
	}
	for _, d := range k.dead {
		list = append(list, deadLine(d))
	}
	list = append(append(list, k.deeds.lines()...), b.brakes(len(k.deeds.runs) > 0)...)
	if k.quiet != nil {
		list = append(list, fmt.Sprintf("last message without effect: %s at %s", k.quiet.verdict, at(k.quiet.at)))
	}
	if e := k.entry; e != nil {
		list = append(list, fmt.Sprintf("ledger: %s, episode began at %s, last heard about %s", stateOf(e.Firing), at(e.StartsAt), at(e.Heard)))
		for _, h := range e.History[max(0, len(e.History)-maxHistory):] {
			list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s", at(h.At), h.What, h.Detail)))
		}
	}
	return list
}
