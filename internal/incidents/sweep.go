package incidents

import (
	"bytes"
	"cmp"
	"errors"
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// eachRecord visits all episodes of all groups from a key on. Damaged ones are
// left out: the next news of their group replaces them.
func eachRecord(tx *store.Tx, from []byte, visit func(key []byte, r *Record) (more bool)) {
	tx.Scan(Bucket, from, func(key, value []byte, err error) bool {
		if err != nil {
			return true
		}
		r, err := decodeRecord(key, value)
		return err != nil || visit(key, r)
	})
}

func undamaged(err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	return err
}

// sweepChunk bounds the records looked at, and forgotten, in one transaction.
const sweepChunk = 500

// old: the episode has been over for longer than the history, or has stood still
// for so long because its rule is gone.
func (in *Incidents) old(r *Record, now time.Time) bool {
	last := r.Ended
	if n := len(r.History); n > 0 && r.State != Over {
		last = r.History[n-1].At
	}
	orphan := in.byName[r.Rule] == nil && r.Task == 0
	return (r.State == Over || orphan) && now.Sub(last) > in.o.History
}

// Old lists episodes to be forgotten, from a key on (nil = the beginning). next
// is nil at the end.
func (in *Incidents) Old(tx *store.Tx, from []byte) (keys [][]byte, next []byte) {
	now, seen := in.o.Now(), 0
	eachRecord(tx, from, func(key []byte, r *Record) bool {
		if seen++; seen > sweepChunk {
			next = bytes.Clone(key)
			return false
		}
		if in.old(r, now) {
			keys = append(keys, bytes.Clone(key))
		}
		return true
	})
	return keys, next
}

// Forget removes episodes that Old has listed, and with a group's newest its members.
func (in *Incidents) Forget(tx *store.Tx, keys [][]byte) error {
	for _, key := range keys {
		group, _, _ := bytes.Cut(key, []byte("/"))
		newest, err := Get(tx, string(group))
		if undamaged(err) != nil {
			return err
		}
		if newest != nil && bytes.Equal(recordKey(newest.Group, newest.Episode), key) {
			if !in.old(newest, in.o.Now()) {
				continue
			}
			in.count(tx, newest.State, &Record{State: Over})
			if err := forgetMembers(tx, newest.Group); err != nil {
				return err
			}
		}
		if err := tx.Delete(Bucket, key); err != nil {
			return err
		}
	}
	return nil
}

func forgetMembers(tx *store.Tx, group string) error {
	var ids []string
	eachMember(tx, group, func(alarmID string, _ member) { ids = append(ids, alarmID) })
	for _, id := range ids {
		err := errors.Join(tx.Delete(members, memberKey(group, id)), tx.Delete(memberships, memberKey(id, group)))
		if err != nil {
			return err
		}
	}
	return nil
}

// Of returns the newest episodes of the groups that an alarm is or was a member of.
func Of(tx *store.Tx, alarmID string) (all []*Record, err error) {
	for _, group := range groupsOf(tx, alarmID) {
		r, err := Get(tx, group)
		if undamaged(err) != nil {
			return nil, err
		}
		if r != nil {
			all = append(all, r)
		}
	}
	return all, nil
}

// Members lists the alarms that are or were members of a group; none = there is no
// such group.
func Members(tx *store.Tx, group string) (alarmIDs []string) {
	eachMember(tx, group, func(alarmID string, _ member) { alarmIDs = append(alarmIDs, alarmID) })
	return alarmIDs
}

// Unfinished names, by rule, the episodes that still need something: the number of
// the ticket, or its mark where none is known.
func Unfinished(tx *store.Tx) map[string][]string {
	all := map[string][]string{}
	eachRecord(tx, nil, func(_ []byte, r *Record) bool {
		if !r.ended() && r.State.live() {
			all[r.Rule] = append(all[r.Rule], "ticket "+cmp.Or(r.Number, r.Mark))
		}
		return true
	})
	return all
}
