package main

import (
	"context"
	"fmt"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// group is the life of a group: it fires, grows, is resolved in part and as a
// whole, and fires again.
func (s *story) group(ctx context.Context) error {
	hosts := newAlerts("GroupOfFifty", 50)
	if err := s.step(ctx, step{title: "1. 49 alerts of one group fire", post: hosts[:49], kills: []moment{duringAll, anyTime}}); err != nil {
		return err
	}
	if err := s.grow(ctx, again(hosts[49:])); err != nil {
		return err
	}
	if err := s.step(ctx, step{title: "3a. 5 of the 50 are resolved", post: resolved(hosts[:5]), kills: []moment{missed}}); err != nil {
		return err
	}
	if err := s.step(ctx, step{title: "3b. the other 45 are resolved", post: resolved(hosts[5:]), kills: []moment{duringAll, anyTime}}); err != nil {
		return err
	}
	return s.step(ctx, step{title: "4. 10 of them fire again, with a later start", post: again(hosts[20:30]), kills: []moment{duringAll}})
}

// grow adds an alert to the group. Alertmanager then sends the whole group; COC
// must hear of one alarm.
func (s *story) grow(ctx context.Context, added []alert) error {
	before, err := s.bridge.metric(ctx, alertsHeard)
	if err != nil {
		return err
	}
	if err := s.step(ctx, step{title: "2. one more alert joins the group", post: added, kills: []moment{duringAll}}); err != nil {
		return err
	}
	if s.kills != nil {
		return nil // the kill has reset the counter
	}
	after, err := s.bridge.metric(ctx, alertsHeard)
	s.check(after-before >= 50, "Alertmanager sent the whole group: the bridge heard of %d alerts", after-before)
	return err
}

// repeats is an alert that Alertmanager sends again and again without news.
func (s *story) repeats(ctx context.Context) error {
	one := newAlerts(repeatedAlert, 1)
	if err := s.step(ctx, step{title: "5a. an alert fires that Alertmanager repeats every " + repeatInterval.String(), post: one, kills: []moment{anyTime}}); err != nil {
		return err
	}
	before, err := s.bridge.decided(ctx, "repeat")
	if err != nil {
		return err
	}
	fmt.Println("\n5b. it is repeated")
	heard := before
	err = stage.Until(ctx, "two repeats", func(ctx context.Context) (bool, error) {
		heard, err = s.bridge.decided(ctx, "repeat")
		return heard >= before+2, err
	})
	if err != nil {
		return err
	}
	if err := s.arrive(ctx, nil); err != nil {
		return err
	}
	s.check(heard >= before+2, "%d repeats were heard", heard-before)
	return s.step(ctx, step{title: "5c. it is resolved", post: resolved(one), kills: []moment{missed}})
}
