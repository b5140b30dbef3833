package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// verdict waits until the bridge is idle, and judges the whole story.
func (s *story) verdict(ctx context.Context) error {
	fmt.Println("\nThe whole story")
	if err := s.drain(ctx); err != nil {
		return err
	}
	// Whatever Alertmanager still has to say comes within its interval.
	if err := stage.Pause(ctx, groupInterval+time.Second); err != nil {
		return err
	}
	events, err := s.sim.Events(ctx)
	if err != nil {
		return err
	}
	r, err := s.sim.Report(ctx)
	if err != nil {
		return err
	}
	dead, err := s.bridge.metric(ctx, deadReports)
	if err != nil {
		return err
	}
	made, failed, err := s.am.messages(ctx)
	if err != nil {
		return err
	}
	t := compare(s.due, events)
	fmt.Printf("  %d changes fired; %d messages acknowledged, %d attempts failed; %d alarms arrived: %d changes, %d duplicates, %d order breaks\n",
		len(s.due), made-failed, failed, len(events), t.arrived, t.duplicates, t.breaks)
	s.judge(t, r)
	s.check(dead == 0, "no dead letters (%d)", dead)
	if s.kills == nil {
		s.judgeOnce(t, failed)
	} else {
		s.judgeKills(t, failed)
	}
	return nil
}

// drain waits until nothing waits and nothing is in flight.
func (s *story) drain(ctx context.Context) error {
	return stage.Until(ctx, "the queue to drain", func(ctx context.Context) (bool, error) {
		n, err := s.bridge.queued(ctx)
		return n == 0, err
	})
}

func (s *story) judge(t tally, r stage.Report) {
	s.check(len(t.missing) == 0, "every change arrived (%d missing)", len(t.missing))
	for _, c := range t.missing {
		fmt.Printf("        missing: %s %s %s %s\n", c.status, c.name, c.resource, c.alarm)
	}
	s.check(t.breaks == 0, "all in order (%d order breaks)", t.breaks)
	s.check(r.Counts.Violations == 0, "COC saw no violation %q", r.Violations)
	for _, lag := range []string{"400 COC.00067003", "400 GOM.00007256"} { // a ticket that does not show yet, or does not take the next step yet
		delete(r.Counts.Refused, lag)
	}
	s.check(len(r.Counts.Refused) == 0 && r.Counts.OKWithoutAlarm == 0,
		"COC refused nothing %v, and no recovery was without its alarm (%d)", r.Counts.Refused, r.Counts.OKWithoutAlarm)
	s.check(r.Counts.Duplicates == t.duplicates, "COC counts the same duplicates (%d)", r.Counts.Duplicates)
}

func (s *story) judgeOnce(t tally, failed int) {
	s.check(t.duplicates == 0, "each exactly once (%d duplicates)", t.duplicates)
	s.check(failed == 0, "Alertmanager's first attempt was always acknowledged (%d failed)", failed)
}

// judgeKills also checks that the kills were not idle.
func (s *story) judgeKills(t tally, failed int) {
	bound := s.kills.kills * repeatsAKill
	s.check(t.duplicates <= bound, "%d duplicates after %d kills with %d alarms in flight; at most %d calls and %d unsynced acknowledgements a kill, together %d",
		t.duplicates, s.kills.kills, s.kills.flying, workers, unsyncedAcks, bound)
	s.check(t.duplicates > 0, "the kills met calls in flight: there are duplicates (%d)", t.duplicates)
	s.check(failed > 0, "Alertmanager met the bridge down and tried again (%d attempts failed)", failed)
}
