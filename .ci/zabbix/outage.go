package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// outage takes the bridge away while one problem begins, changes and ends, and
// the trigger of another is disabled: nothing of it may be lost.
func (s *story) outage(ctx context.Context) error {
	if s.down == 0 {
		return nil
	}
	fmt.Printf("\n2. The bridge is down for %s\n", s.down)
	disabled, err := s.fire(ctx, "ci-disabled")
	if err != nil {
		return err
	}
	if err := s.arrive(ctx, disabled, "alarm Major"); err != nil {
		return err
	}
	err = s.bridge.Stop()
	stopped := time.Now()
	s.check(err == nil, "the bridge is stopped%s", because(err))
	h, err := s.during(ctx, disabled)
	if err != nil {
		return err
	}
	if err := stage.Pause(ctx, time.Until(stopped.Add(s.down))); err != nil {
		return err
	}
	fmt.Printf("  %s  the bridge is back after %s\n", clock(time.Now()), time.Since(stopped).Round(time.Second))
	if err := s.bridge.Start(ctx); err != nil {
		return err
	}
	return s.afterwards(ctx, h, disabled)
}

// during is what happens while the bridge is away.
func (s *story) during(ctx context.Context, disabled host) (host, error) {
	if err := s.lab.call(ctx, "trigger.update", m{"triggerid": disabled.trigger, "status": 1}, nil); err != nil {
		return host{}, err
	}
	h, err := s.fire(ctx, "ci-outage")
	if err != nil {
		return h, err
	}
	if err := s.tried(ctx, h, "Problem"); err != nil {
		return h, err
	}
	if err := s.update(ctx, h, m{"action": changeSeverity, "severity": disaster}); err != nil {
		return h, err
	}
	if err := s.tried(ctx, h, "Updated problem"); err != nil {
		return h, err
	}
	fmt.Printf("  %s  the trigger of %s is disabled; the problem of %s has begun and become a disaster, both messages have failed once; now it recovers\n",
		clock(time.Now()), disabled.name, h.name)
	return h, s.server.send(ctx, h.name, "0")
}

// tried waits until Zabbix has met the bridge down with such a message.
func (s *story) tried(ctx context.Context, h host, subject string) error {
	return stage.Until(ctx, fmt.Sprintf("an attempt to send %q", subject), func(ctx context.Context) (bool, error) {
		all, err := s.lab.messages(ctx)
		return slices.ContainsFunc(all, func(a message) bool { return a.about(h, subject) && a.Error != "" }), err
	})
}

func (s *story) afterwards(ctx context.Context, h, disabled host) error {
	if err := s.sent(ctx, h, "Resolved"); err != nil {
		return err
	}
	var events []stage.Event
	err := stage.Until(ctx, "the recovery", func(ctx context.Context) (bool, error) {
		var err error
		events, err = s.events(ctx, h)
		return len(events) > 0 && events[len(events)-1].Alarm.Status == "ok", err
	})
	s.show(events)
	got := states(events)
	// An update may be accepted before its problem, which is then a repeat.
	whole := slices.Equal(got, []string{"alarm Major", "alarm Critical", "ok Critical"}) || slices.Equal(got, []string{"alarm Critical", "ok Critical"})
	s.check(err == nil && whole && sameAlarm(events), "nothing was lost: %s%s", strings.Join(got, ", "), because(err))
	if err != nil {
		return err
	}
	if err := s.arrive(ctx, disabled, "alarm Major", "ok Major"); err != nil {
		return err
	}
	events, err = s.events(ctx, disabled)
	s.check(err == nil && strings.Contains(events[1].Alarm.Description, "Escalation canceled"), "the recovery of %s says why: the escalation was canceled%s", disabled.name, because(err))
	return nil
}
