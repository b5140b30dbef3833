package queue

import (
	"time"

	"github.com/cocbridge/cocbridge/internal/store"
)

// share is what dead letters take of the store. They are kept until a person acts, so
// without a bound one source's poison would fill it and stop the intake of all. A
// source may take as much as is left to the others: each finds some room in the end.
type share struct {
	limit int64 // bytes; 0 = none
	all   int64
	of    map[string]int64 // by the source of their tasks
	bare  int              // how often only the cause was kept
}

func (s *share) takes(source string, more int64) bool {
	return s.limit == 0 || more <= 0 || s.of[source]+more <= s.limit-s.all
}

// weigh counts the dead letter sign times, so -1 takes it out again.
func (s *share) weigh(d Dead, sign int) {
	if s.of == nil {
		s.of = map[string]int64{}
	}
	n := int64(sign) * d.weight()
	s.all += n
	if s.of[d.Item.Source] += n; s.of[d.Item.Source] == 0 {
		delete(s.of, d.Item.Source)
	}
	s.bare += sign * d.bare()
}

// weight is about what the dead letter takes of the store.
func (d Dead) weight() int64 {
	if d.Count == 0 { // there is none, or nothing is known of it
		return 0
	}
	const fixed = 256
	return int64(fixed + len(d.Item.Payload) + len(d.Cause.Detail) + len(d.Item.LastError) + 2*len(d.Item.Lane))
}

func (d Dead) bare() int {
	if len(d.Item.Payload) > 0 {
		return 0
	}
	return d.Count
}

// again is the dead letter after one more like it.
func (d Dead) again(it Item, c Cause, now time.Time) Dead {
	if d.Count == 0 {
		d.First = now
	}
	d.Item, d.Cause, d.Last = it, c, now
	d.Count++
	return d
}

// moreOf begins the lane of the dead letters that stand for all of a source that
// found no room: they have cause and number, and nothing of what it was about.
const moreOf = "more of "

func summary(it Item) Item {
	return Item{ID: it.ID, Lane: moreOf + it.Source, Kind: it.Kind, Source: it.Source, Created: it.Created, Due: it.Due}
}

// fitting is what the dead letter before becomes, within the share of its source. A
// new one for which there is no room becomes part of a summary, which is another one.
func (q *Queue) fitting(before Dead, it Item, c Cause) (after Dead, fits bool) {
	after = before.again(it, c, instant(nanos(q.now())))
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(it.Payload) == 0 || q.share.takes(it.Source, after.weight()-before.weight()) {
		return after, true
	}
	after.Item = before.Item // what was kept goes on to be
	return after, before.Count > 0
}

// reweigh counts a change of a dead letter; no Count = there is none before, or after.
func (q *Queue) reweigh(tx *store.Tx, before, after Dead) {
	q.locked(func() { q.share.weigh(before, -1); q.share.weigh(after, 1) })()
	tx.OnAbort(q.locked(func() { q.share.weigh(before, 1); q.share.weigh(after, -1) }))
}
