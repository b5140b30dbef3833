package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// lostAfter is the end that a source gives its alerts in advance, as Prometheus
// does: if it is not refreshed by then, Alertmanager resolves the alert itself.
const lostAfter = 6 * time.Second

// lostSource is a source that goes silent and comes back. Alertmanager resolves
// the alert and then fires it with the start that it had. Nothing follows, so it
// is no stale message and must reach COC after the fence.
func (s *story) lostSource(ctx context.Context) error {
	alerts := newAlerts("LostSource", 3)
	over := time.Now().Add(lostAfter)
	for i := range alerts {
		alerts[i].EndsAt = over
	}
	if err := s.step(ctx, step{title: "6a. alerts fire, to end at " + clock(over) + " unless refreshed", post: alerts}); err != nil {
		return err
	}
	ended := s.changes(alerts, over)
	if err := s.step(ctx, step{title: "6b. their source is lost: Alertmanager resolves them", expect: ended, kills: []moment{anyTime}}); err != nil {
		return err
	}
	return s.sourceReturns(ctx, alerts, ended)
}

func (s *story) sourceReturns(ctx context.Context, alerts []alert, ended []change) error {
	fmt.Println("\n6c. the source is back: the same alerts with the same start")
	for i := range alerts {
		alerts[i].EndsAt = time.Time{}
	}
	posted := time.Now()
	if err := s.postHeld(ctx, alerts); err != nil {
		return err
	}
	returned := s.changes(alerts, posted)
	for i := range returned { // in COC an alarm must not be older than the recovery before it
		returned[i].time, returned[i].later = ended[i].time, true
	}
	from := len(s.events)
	if err := s.step(ctx, step{title: "6d. nothing follows: they are delivered after the fence", expect: returned, kills: []moment{anyTime}}); err != nil {
		return err
	}
	for _, r := range pair(returned, s.events[from:]) {
		if r.change != nil && r.event != nil {
			behind := r.event.At.Sub(posted)
			s.check(behind >= fence, "%s was held for the fence of %s: it arrived %s after it had fired",
				r.change.resource, fence, behind.Round(time.Millisecond))
		}
	}
	return nil
}

// postHeld posts firings that the bridge must hold behind the fence, and
// returns when it does.
func (s *story) postHeld(ctx context.Context, alerts []alert) error {
	before, err := s.bridge.decided(ctx, "held")
	if err != nil {
		return err
	}
	if err := s.am.post(ctx, alerts); err != nil {
		return err
	}
	return stage.Until(ctx, "the bridge to hold the firings", func(ctx context.Context) (bool, error) {
		held, err := s.bridge.decided(ctx, "held")
		return held >= before+len(alerts), err
	})
}
