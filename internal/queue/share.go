package queue

import (
	"errors"
	"fmt"

	"github.com/cocbridge/cocbridge/internal/store"
)

// ErrShare means that the dead letters of a source fill its share of the store.
var ErrShare = errors.New("queue: the dead letters of the source fill its share of the store")

// share is what dead letters that never were tasks take of the store. They are kept
// until a person acts, so without a bound one source's poison would fill it and stop
// the intake of all. A source may take as much as is left to the others: each finds
// some room in the end. What had been a task is kept whatever it takes, and does not count.
type share struct {
	limit int64 // bytes; 0 = none
	all   int64
	of    map[string]int64 // by the source of their tasks
}

// takes says whether there is room for a dead letter that is new.
func (s *share) takes(d Dead) error {
	if source := d.Item.Source; s.limit > 0 && s.of[source]+d.weight() > s.limit-s.all {
		return fmt.Errorf("%w: %s has %d bytes of them, all together %d of %d", ErrShare, source, s.of[source], s.all, s.limit)
	}
	return nil
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
}

// weight is about what the dead letter takes of the share.
func (d Dead) weight() int64 {
	if d.Count == 0 || !d.Untried { // there is none, or it was a task
		return 0
	}
	const fixed = 256
	return int64(fixed + len(d.Item.Payload) + len(d.Cause.Detail) + len(d.Item.LastError) + 2*len(d.Item.Lane))
}

// reweigh counts a change of a dead letter; no Count = there is none before, or after.
func (q *Queue) reweigh(tx *store.Tx, before, after Dead) {
	q.locked(func() { q.share.weigh(before, -1); q.share.weigh(after, 1) })()
	tx.OnAbort(q.locked(func() { q.share.weigh(before, 1); q.share.weigh(after, -1) }))
}
