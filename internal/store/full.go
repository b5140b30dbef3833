package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// While there is hardly any room, what must get through (acknowledgements, which
// free space) is committed in ever smaller groups. When not even single changes
// fit, this many are tried one by one before a pause of this length.
const (
	squeezeTries = 16
	squeezePause = 250 * time.Millisecond
)

// refuseIntake answers the requests of the group that may be refused and returns
// the others.
func refuseIntake(group []*request, err error) []*request {
	var rest []*request
	for _, r := range group {
		if r.intake {
			r.finish(err)
		} else {
			rest = append(rest, r)
		}
	}
	return rest
}

// markFull begins the pause in which Intake is refused without a try.
func (s *Store) markFull() {
	now := s.now()
	s.fullSince.Store(&now)
}

// squeeze commits changes that found no room, in any order, until all are done or
// ctx has ended; then those left get ErrFull.
func (s *Store) squeeze(ctx context.Context, group []*request) error {
	size, misses := len(group), 0
	for len(group) > 0 {
		size = min(size, len(group))
		left, err := s.attempt(group[:size:size])
		switch {
		case err == nil:
			group = append(left, group[size:]...)
			size, misses = size*2, 0
		case !errors.Is(err, ErrFull):
			return s.fail(err, append(left, group[size:]...))
		case size > 1:
			group, size = append(left, group[size:]...), size/2
		default:
			group, misses = append(group[1:], left...), misses+1
			if misses < min(squeezeTries, len(group)) {
				continue
			}
			if !s.pause(ctx) {
				finishAll(group, fmt.Errorf("%w: given up at the end", err))
				return nil
			}
			group, misses = append(group, s.takeUrgent(err)...), 0
		}
	}
	return nil
}

// pause waits a little and reports whether it makes sense to go on.
func (s *Store) pause(ctx context.Context) bool {
	s.markFull()
	timer := time.NewTimer(squeezePause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// takeUrgent takes all that waits and must not be refused.
func (s *Store) takeUrgent(err error) []*request {
	return refuseIntake(s.take(maxGroup), err)
}

func finishAll(group []*request, err error) {
	for _, r := range group {
		r.finish(err)
	}
}
