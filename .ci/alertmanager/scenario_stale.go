package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// staleFiring is what a slow second Alertmanager makes of an alert that is over:
// it fires once more with the old start, and the resolve follows. COC must hear
// nothing of it.
func (s *story) staleFiring(ctx context.Context) error {
	alerts := newAlerts("Stale", 3)
	if err := s.step(ctx, step{title: "7a. alerts fire", post: alerts}); err != nil {
		return err
	}
	if err := s.step(ctx, step{title: "7b. they are resolved", post: resolved(alerts)}); err != nil {
		return err
	}
	fmt.Println("\n7c. they fire with the old start, and the resolve follows within the fence")
	if err := s.postHeld(ctx, alerts); err != nil {
		return err
	}
	held := time.Now()
	if err := s.am.post(ctx, resolved(alerts)); err != nil {
		return err
	}
	if err := s.disturb(ctx, []moment{atOnce}, 0); err != nil {
		return err
	}
	if err := s.dropped(ctx, held); err != nil {
		return err
	}
	if err := stage.Pause(ctx, time.Until(held.Add(fence+groupInterval))); err != nil {
		return err
	}
	return s.arrive(ctx, nil)
}

// dropped waits until the bridge has nothing more to tell.
func (s *story) dropped(ctx context.Context, held time.Time) error {
	err := stage.Until(ctx, "the held firings to be dropped", func(ctx context.Context) (bool, error) {
		n, err := s.bridge.metric(ctx, reportsQueued)
		return n == 0, err
	})
	after := time.Since(held)
	s.check(after < fence, "the resolve dropped the held firings after %s, before the end of the fence", after.Round(time.Millisecond))
	return err
}
