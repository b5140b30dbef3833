package main

import (
	"context"
	"fmt"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// outage is COC failing for everybody while alerts fire and are resolved: the
// bridge keeps both, and tells them in order when COC is back.
func (s *story) outage(ctx context.Context) error {
	usual := s.usual
	s.usual = []string{"503"}
	if err := s.sim.Fail(ctx, s.usual...); err != nil {
		return err
	}
	fmt.Println("\n8a. COC answers 503 to everything; 10 alerts fire")
	alerts := newAlerts("DuringOutage", 10)
	fired, err := s.post(ctx, alerts)
	if err != nil {
		return err
	}
	if err := s.kept(ctx, len(alerts)); err != nil {
		return err
	}
	fmt.Println("\n8b. they are resolved")
	ended, err := s.post(ctx, resolved(alerts))
	if err != nil {
		return err
	}
	if err := s.disturb(ctx, []moment{anyTime}, 0); err != nil {
		return err
	}
	if err := s.kept(ctx, 2*len(alerts)); err != nil {
		return err
	}
	s.usual = usual
	return s.step(ctx, step{title: "8c. COC is back", expect: append(fired, ended...), kills: []moment{duringAll}})
}

// kept waits until the bridge keeps n alarms that COC does not take.
func (s *story) kept(ctx context.Context, n int) error {
	have := 0
	err := stage.Until(ctx, fmt.Sprintf("%d alarms in the queue", n), func(ctx context.Context) (ok bool, err error) {
		have, err = s.bridge.queued(ctx)
		return have == n, err
	})
	s.check(err == nil, "the bridge keeps %d alarms", have)
	return err
}
