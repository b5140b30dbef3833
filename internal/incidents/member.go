package incidents

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/store"
)

// A membership is written twice, so that it is found from both ends:
//
//	members      group "/" alarmId -> JSON of member
//	memberships  alarmId "/" group -> nothing
const (
	members     store.Bucket = "members"
	memberships store.Bucket = "memberships"
)

// member is what a group knows of one of its alarms. Its JSON form lies on disk:
// names may be added, never changed.
type member struct {
	Episode  uint64    `json:"episode"` // of the group; an older one counts no more
	Name     string    `json:"name"`
	Firing   bool      `json:"firing,omitzero"`
	StartsAt time.Time `json:"startsAt"`        // as its source says
	EndsAt   time.Time `json:"endsAt,omitzero"` // as its source says
	Since    time.Time `json:"since"`           // counts as firing from then on; later than its arrival behind the fence
	Quiet    time.Time `json:"quiet,omitzero"`  // when its recovery arrived
	Level    string    `json:"level,omitzero"`  // that its newest message asks for
	Flaps    int       `json:"flaps,omitzero"`  // how often it fired again within the episode
}

// maxName bounds the name of a member, in UTF-16 units.
const maxName = 120

func nameOf(a *alert.Alert) string {
	name := a.Labels["alertname"]
	if where := a.Labels["instance"]; where != "" {
		name += " " + where
	}
	name, _ = coc.Shorten(name, maxName)
	return name
}

// fires takes in a message that the alarm fires. A start that is not later than
// that of an episode which is over may come from a slow peer: then it counts only
// after the fence, if no recovery follows. began says that it fires anew.
func (m *member) fires(a *alert.Alert, episode uint64, now time.Time, fence time.Duration) (began bool) {
	known := !m.StartsAt.IsZero()
	began = !m.Firing || m.Episode != episode
	if m.Episode != episode {
		m.Flaps = 0
	}
	if began {
		m.Since = now
		if known && !m.Firing && !a.StartsAt.After(m.StartsAt) {
			m.Since = now.Add(fence)
		}
		if known && m.Episode == episode {
			m.Flaps++
		}
	}
	m.Episode, m.Firing, m.Name, m.EndsAt = episode, true, nameOf(a), time.Time{}
	if a.StartsAt.After(m.StartsAt) {
		m.StartsAt = a.StartsAt
	}
	return began
}

// recovers takes in a recovery; false when it is not news, or about an episode
// of the alarm that is over.
func (m *member) recovers(startsAt, endsAt, now time.Time) bool {
	stale := startsAt.Before(m.StartsAt) && !endsAt.After(m.StartsAt)
	if !m.Firing || stale && !endsAt.IsZero() {
		return false
	}
	m.Firing, m.EndsAt, m.Quiet = false, endsAt, now
	if endsAt.IsZero() {
		m.EndsAt = now
	}
	return true
}

func memberKey(first, second string) []byte { return []byte(first + "/" + second) }

// loadMember returns an empty member when there is none, or a damaged one.
func loadMember(tx *store.Tx, group, alarmID string) (m member, known bool, err error) {
	b, err := tx.Get(members, memberKey(group, alarmID))
	if errors.Is(err, store.ErrCorrupt) {
		return member{}, false, nil
	}
	if err != nil || b == nil {
		return member{}, false, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return member{}, false, nil
	}
	return m, true, nil
}

func saveMember(tx *store.Tx, group, alarmID string, m member) error {
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("incidents: member %s: %w", alarmID, err)
	}
	return tx.Put(members, memberKey(group, alarmID), b)
}

// groupsOf lists the groups that an alarm is, or was, a member of.
func groupsOf(tx *store.Tx, alarmID string) (groups []string) {
	prefix := alarmID + "/"
	tx.Scan(memberships, []byte(prefix), func(key, _ []byte, _ error) bool {
		group, ok := strings.CutPrefix(string(key), prefix)
		if ok {
			groups = append(groups, group)
		}
		return ok
	})
	return groups
}

// eachMember visits the members of a group. A damaged one is left out.
func eachMember(tx *store.Tx, group string, visit func(alarmID string, m member)) {
	prefix := group + "/"
	tx.Scan(members, []byte(prefix), func(key, value []byte, err error) bool {
		alarmID, ok := strings.CutPrefix(string(key), prefix)
		var m member
		if ok && err == nil && json.Unmarshal(value, &m) == nil {
			visit(alarmID, m)
		}
		return ok
	})
}

// Crowd is what the members of an episode come to at one moment.
type Crowd struct {
	Members, Firing int
	FiringSince     time.Time // since when at least one of those that fire does
	QuietSince      time.Time // when the last recovery arrived
	Ended           time.Time // the last recovery, as its source says
	Level           string    // the worst of those that fire
	Flaps           int
	Next            time.Time // when one comes out from behind the fence; zero = none is
}

// add counts one member.
func (c *Crowd) add(m member, now time.Time) {
	c.Members++
	c.Flaps += m.Flaps
	if m.Quiet.After(c.QuietSince) {
		c.QuietSince = m.Quiet
	}
	if m.EndsAt.After(c.Ended) {
		c.Ended = m.EndsAt
	}
	switch {
	case !m.Firing:
	case m.Since.After(now):
		if c.Next.IsZero() || m.Since.Before(c.Next) {
			c.Next = m.Since
		}
	default:
		c.Firing++
		if c.FiringSince.IsZero() || m.Since.Before(c.FiringSince) {
			c.FiringSince = m.Since
		}
		if m.Level != "" && (c.Level == "" || m.Level < c.Level) {
			c.Level = m.Level
		}
	}
}

func crowdOf(tx *store.Tx, r *Record, now time.Time) (c Crowd) {
	eachMember(tx, r.Group, func(_ string, m member) {
		if m.Episode == r.Episode {
			c.add(m, now)
		}
	})
	return c
}
