package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// What event.acknowledge does, as Zabbix numbers it.
const (
	acknowledge    = 2
	comment        = 4
	changeSeverity = 8
)

// oneProblem is the life of one problem, step by step.
func (s *story) oneProblem(ctx context.Context) error {
	fmt.Println("\n1. A trigger fires, is acknowledged, changes its severity, recovers")
	h, err := s.fire(ctx, "ci-web")
	if err != nil {
		return err
	}
	if err := s.arrive(ctx, h, "alarm Major"); err != nil {
		return err
	}
	if err := s.update(ctx, h, m{"action": acknowledge + comment, "message": "on it"}); err != nil {
		return err
	}
	if err := s.sent(ctx, h, "Updated problem"); err != nil {
		return err
	}
	events, err := s.events(ctx, h)
	s.check(err == nil && len(events) == 1, "the acknowledgement has been sent, and is not told as an alarm%s", because(err))
	if err := s.update(ctx, h, m{"action": changeSeverity, "severity": disaster}); err != nil {
		return err
	}
	if err := s.arrive(ctx, h, "alarm Major", "alarm Critical"); err != nil {
		return err
	}
	if err := s.server.send(ctx, h.name, "0"); err != nil {
		return err
	}
	if err := s.arrive(ctx, h, "alarm Major", "alarm Critical", "ok Critical"); err != nil {
		return err
	}
	return s.checkTags(ctx, h)
}

// fire makes a host and lets its trigger fire. The server learns of the item
// before it learns of the trigger, now and then: such a value leads to nothing,
// and the next one does.
func (s *story) fire(ctx context.Context, name string) (host, error) {
	h, err := s.lab.makeHost(ctx, name)
	if err != nil {
		return h, err
	}
	err = stage.Until(ctx, "a problem of "+name, func(ctx context.Context) (bool, error) {
		if err := s.server.send(ctx, name, "1"); err != nil {
			return false, err
		}
		var problems []struct{ EventID string }
		err := s.lab.call(ctx, "problem.get", m{"objectids": h.trigger}, &problems)
		if len(problems) > 0 {
			h.event = problems[0].EventID
		}
		return h.event != "", err
	})
	return h, err
}

func (s *story) update(ctx context.Context, h host, change m) error {
	change["eventids"] = h.event
	return s.lab.call(ctx, "event.acknowledge", change, nil)
}

// checkTags looks for the answer of the bridge in the tags of the event.
func (s *story) checkTags(ctx context.Context, h host) error {
	events, err := s.events(ctx, h)
	if err != nil {
		return err
	}
	id := events[0].Alarm.ID
	want := map[string]string{"__zbx_coc_alarm": id, "__zbx_coc_link": "https://console.example.com/coc?alarm=" + id}
	var found []struct{ Tags []struct{ Tag, Value string } }
	if err := s.lab.call(ctx, "event.get", m{"eventids": h.event, "selectTags": "extend"}, &found); err != nil {
		return err
	}
	for _, t := range found[0].Tags {
		if want[t.Tag] == t.Value {
			delete(want, t.Tag)
		}
	}
	s.check(len(want) == 0, "Zabbix made tags of the answer: alarm and link (missing: %v)", want)
	return nil
}

// sent waits until Zabbix has recorded messages with such a beginning of their
// subjects as sent.
func (s *story) sent(ctx context.Context, h host, subject string) error {
	return stage.Until(ctx, fmt.Sprintf("%q of %s to be sent", subject, h.name), func(ctx context.Context) (bool, error) {
		all, err := s.lab.messages(ctx)
		return slices.ContainsFunc(all, func(a message) bool { return a.about(h, subject) && a.Status == "1" }), err
	})
}
