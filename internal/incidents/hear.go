package incidents

import (
	"errors"
	"slices"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/store"
)

// lull is how far news of a member pulls the group's task forward: not to now,
// so that what comes in a burst is looked at once.
const lull = time.Second

// Fires notes news that an alert fires for the groups of all rules it matches.
// It belongs into the transaction that accepts the alert and may run again.
func (in *Incidents) Fires(tx *store.Tx, a *alert.Alert, matches []Match) error {
	for _, m := range matches {
		if err := in.fires(tx, m.rule, a); err != nil {
			return err
		}
	}
	return nil
}

func (in *Incidents) fires(tx *store.Tx, r *rule, a *alert.Alert) error {
	now, alarmID := in.o.Now(), a.AlarmID()
	g, err := in.home(tx, r, a)
	if err != nil {
		return err
	}
	rec, err := in.episode(tx, r, g, a)
	if err != nil {
		return err
	}
	m, known, err := loadMember(tx, g.id, alarmID)
	if err != nil {
		return err
	}
	before := m
	began := m.fires(a, rec.Episode, now, in.o.Fence)
	if level := r.level(a); level != "" {
		m.Level = level
	}
	if !known {
		if err := tx.Put(memberships, memberKey(alarmID, g.id), nil); err != nil {
			return err
		}
	}
	if m != before {
		if err := saveMember(tx, g.id, alarmID, m); err != nil {
			return err
		}
	}
	changed := false
	switch {
	case !began:
	case rec.State == Pending && !rec.LookFirst:
		rec.LookFirst, err = in.older(tx, a)
		changed = rec.LookFirst
	case (rec.ended() || rec.solving()) && rec.Again == nil && !rec.Quiet.IsZero():
		rec.Again, changed = &Again{At: now, Alert: *a}, true
	}
	return errors.Join(err, in.wake(tx, rec, now, changed))
}

// older: the alert fires since before this store's first episode began, so its group
// may have a ticket that the store knows nothing of.
func (in *Incidents) older(tx *store.Tx, a *alert.Alert) (bool, error) {
	born, err := in.born(tx, in.o.Now())
	return a.StartsAt.Before(born), err
}

// home is the group that the alert belongs to: by its labels, unless it is in a ticket
// of the rule that is not over. So another group_by opens no second ticket for what
// has one.
func (in *Incidents) home(tx *store.Tx, r *rule, a *alert.Alert) (group, error) {
	g, alarmID := r.groupOf(a), a.AlarmID()
	others := slices.DeleteFunc(groupsOf(tx, alarmID), func(id string) bool { return id == g.id })
	if len(others) == 0 {
		return g, nil
	}
	for _, id := range append([]string{g.id}, others...) {
		rec, err := Get(tx, id)
		if undamaged(err) != nil {
			return g, err
		}
		if err != nil || rec == nil || !rec.holds(r) {
			continue
		}
		m, _, err := loadMember(tx, id, alarmID)
		if err != nil {
			return g, err
		}
		if m.Episode == rec.Episode {
			return group{id: id, values: rec.Values}, nil
		}
	}
	return g, nil
}

// holds says that the rule's alerts which are in this episode stay there.
func (r *Record) holds(now *rule) bool {
	return r.Rule == now.name && r.State.live() && (r.State != Pending || r.RuleHash == now.hash)
}

// ended: a member that fires now is a new chapter of the ticket, or a new one.
func (r *Record) ended() bool {
	return r.State == Solved || r.State == Closed || r.State == Rejected
}

// solving: our solution may have left, and is not known to stand in the ticket.
func (r *Record) solving() bool { return r.State == Accepted && r.Tried == coc.CommitSolution }

// episode returns the group's record, a new one when none is under way. A
// damaged record is replaced; the new one looks for the ticket before it opens one.
func (in *Incidents) episode(tx *store.Tx, r *rule, g group, a *alert.Alert) (*Record, error) {
	old, err := Get(tx, g.id)
	damaged := errors.Is(err, store.ErrCorrupt)
	if err != nil && !damaged {
		return nil, err
	}
	if old != nil && old.State.live() {
		if !old.stuck(r) {
			return old, nil
		}
		if err := in.end(tx, old, "its rule was mended"); err != nil {
			return nil, err
		}
	}
	rec, err := in.begin(tx, beginning{rule: r, group: g.id, values: g.values, alert: *a, at: in.o.Now(), old: old})
	if damaged {
		rec.LookFirst = true
	}
	return rec, err
}

// stuck: it became a dead letter before there was a ticket, and its rule has been
// changed since.
func (r *Record) stuck(now *rule) bool {
	return r.State == Pending && r.Task == 0 && r.Problem != "" && r.RuleHash != now.hash
}

// end makes the episode history.
func (in *Incidents) end(tx *store.Tx, r *Record, why string) error {
	from, now := r.State, in.o.Now()
	r.State, r.Ended, r.Task = Over, now, 0
	r.note(now, string(Over), why)
	in.count(tx, from, r)
	return save(tx, r)
}

// Retry has the group looked at again, at a person's request, by the rule as it
// is now; false when there is nothing to be done about it any more.
func (in *Incidents) Retry(tx *store.Tx, group string) (bool, error) {
	r, err := Get(tx, group)
	if r == nil || err != nil || !r.State.live() {
		return false, undamaged(err)
	}
	if rule := in.byName[r.Rule]; rule != nil {
		r.RuleHash = rule.hash
	}
	if r.Task != 0 {
		return true, save(tx, r)
	}
	return true, in.put(tx, r, in.o.Now())
}

// beginning is what a new episode is made from.
type beginning struct {
	rule   *rule
	group  string
	values []string
	alert  alert.Alert
	at     time.Time
	old    *Record // the episode before; nil = none is known
}

// maxEarlier bounds the numbers of earlier tickets that a record remembers.
const maxEarlier = 20

func (in *Incidents) begin(tx *store.Tx, b beginning) (*Record, error) {
	n, err := tx.Next(Bucket)
	if err != nil {
		return nil, err
	}
	rec := &Record{
		Group: b.group, Episode: n, Rule: b.rule.name, RuleHash: b.rule.hash, Values: b.values, State: Pending,
		Mark: markOf(b.rule.name, b.values, b.alert.StartsAt), First: b.alert, Began: b.at,
	}
	if b.old != nil {
		rec.Earlier = b.old.Earlier
		if b.old.Number != "" {
			rec.Earlier = append(rec.Earlier, b.old.Number)
		}
		if over := len(rec.Earlier) - maxEarlier; over > 0 {
			rec.Earlier = rec.Earlier[over:]
		}
	}
	rec.note(b.at, "began", b.alert.Labels["alertname"])
	in.count(tx, "", rec)
	return rec, save(tx, rec)
}

// born is when this store's first episode began.
func (in *Incidents) born(tx *store.Tx, now time.Time) (time.Time, error) {
	var born time.Time
	b, err := tx.Get(meta, []byte("born"))
	if err == nil && b != nil && born.UnmarshalBinary(b) == nil {
		return born, nil
	}
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		return now, err
	}
	if b, err = now.MarshalBinary(); err != nil {
		return now, err
	}
	return now, tx.Put(meta, []byte("born"), b)
}

// Recovered notes that an alarm has recovered, in all groups it is a member of,
// whatever the rules are today. Zero times: nobody speaks of it any more.
func (in *Incidents) Recovered(tx *store.Tx, alarmID string, startsAt, endsAt time.Time) error {
	now := in.o.Now()
	for _, group := range groupsOf(tx, alarmID) {
		m, known, err := loadMember(tx, group, alarmID)
		if err != nil {
			return err
		}
		if !known || !m.recovers(startsAt, endsAt, now) {
			continue
		}
		if err := saveMember(tx, group, alarmID, m); err != nil {
			return err
		}
		rec, err := Get(tx, group)
		if rec == nil && (err == nil || errors.Is(err, store.ErrCorrupt)) {
			continue
		}
		if err == nil {
			err = in.wake(tx, rec, now, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wake sees to it that the group is looked at soon, and its ticket, if that needs
// something now. While a ticket is about to be opened, its task knows when.
func (in *Incidents) wake(tx *store.Tx, rec *Record, now time.Time, changed bool) error {
	due := now.Add(lull)
	waits := rec.Task != 0 && (rec.State == Pending || rec.State == Opening || !rec.Due.After(due))
	if !rec.State.live() || waits {
		if changed {
			return save(tx, rec)
		}
		return nil
	}
	rec.NotUntil = time.Time{}
	if rec.Task != 0 {
		cancelled, err := in.o.Cancel(tx, rec.Task)
		if err != nil {
			return err
		}
		if !cancelled { // it is in flight, and plans again when it settles
			return save(tx, rec)
		}
	}
	if rec.State == Pending {
		due = now
	}
	return in.put(tx, rec, due)
}

// put gives the group its task.
func (in *Incidents) put(tx *store.Tx, rec *Record, due time.Time) (err error) {
	if rec.Task, err = in.o.Put(tx, rec.Group, rec.Rule, due); err != nil {
		return err
	}
	rec.Due = due
	return save(tx, rec)
}
