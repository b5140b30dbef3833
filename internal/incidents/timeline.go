package incidents

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/render"
	"github.com/cocbridge/cocbridge/internal/store"
)

// view is what templates see of an episode: its first member, with the last
// recovery as its end, and what scripts have done.
func (r *rule) view(tx *store.Tx, rec *Record, now time.Time, runs string) view {
	crowd := crowdOf(tx, rec, now)
	a := render.NewAlert(&rec.First)
	a.EndsAt = crowd.Ended
	return view{Alert: a, Number: rec.Number, Members: crowd.Members, Timeline: timeline(tx, rec, crowd, runs), ScriptSummary: runs}
}

// Members and runs leave room for what was done in the ticket, within what COC takes
// of a solution.
const (
	shownMembers = 30
	shownRuns    = 3000 // UTF-16 units
	timeForm     = "2006-01-02 15:04:05"
)

// clockTime is a time for people: in UTC, because they are not all in one place.
func clockTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(timeForm) + " UTC"
}

// timeline tells the episode in a few lines: its alerts, its runs, its ticket.
func timeline(tx *store.Tx, rec *Record, c Crowd, runs string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "First seen %s, %d alerts, %d flaps\n", clockTime(rec.First.StartsAt), c.Members, c.Flaps)
	all := membersOf(tx, rec)
	for i, m := range all {
		if i == shownMembers {
			fmt.Fprintf(&b, "and %d more\n", len(all)-shownMembers)
			break
		}
		fmt.Fprintf(&b, "- %s: %s to %s\n", m.Name, clockTime(m.StartsAt), ending(m))
	}
	if short, _ := coc.Shorten(runs, shownRuns); short != "" {
		b.WriteString(short + "\n")
	}
	for _, e := range rec.History {
		fmt.Fprintf(&b, "%s %s %s\n", clockTime(e.At), e.What, e.Detail)
	}
	return strings.TrimSpace(b.String())
}

func ending(m member) string {
	if m.Firing {
		return "now"
	}
	return clockTime(m.EndsAt)
}

// memberIDs lists the alarms of the episode.
func memberIDs(tx *store.Tx, rec *Record) (ids []string) {
	eachMember(tx, rec.Group, func(alarmID string, m member) {
		if m.Episode == rec.Episode {
			ids = append(ids, alarmID)
		}
	})
	return ids
}

// membersOf lists the members of the episode, the first to fire first.
func membersOf(tx *store.Tx, rec *Record) []member {
	return slices.DeleteFunc(startsOf(tx, rec.Group), func(m member) bool { return m.Episode != rec.Episode })
}

// startsOf lists the members of a group, of whichever episode, the first to fire
// first.
func startsOf(tx *store.Tx, group string) (all []member) {
	eachMember(tx, group, func(_ string, m member) { all = append(all, m) })
	slices.SortFunc(all, func(a, b member) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt), cmp.Compare(a.Name, b.Name))
	})
	return all
}
