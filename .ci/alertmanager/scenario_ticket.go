package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// Each group of alerts of this scenario has a rule of its own, which differs from
// the others in what it does when the group fires again: see ticketRules.
var refires = []string{"remark", "new", "unsolve"}

// solveAfter is how many seconds a group must stay recovered.
const solveAfter = 3

// ticketRules is the section rules of the bridge's configuration.
func ticketRules() string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for _, do := range refires {
		fmt.Fprintf(&b, `  - name: %s
    matchers: ['alertname="Ticket-%s"', 'severity="critical"']
    incident:
      group_by: [alertname]
      creator: oncall
      assignee: oncall
      solve: {after: %ds}
      refire: {within: 2m, do: %s}
`, do, do, solveAfter, do)
	}
	return b.String()
}

// tickets is the life of a COC ticket: two critical alerts of one group open one,
// it stays open while one of them fires, it is solved when both have recovered
// and stay so, and each rule does its own when one fires again.
func (s *story) tickets(ctx context.Context) error {
	var all, firsts, seconds []alert
	for _, do := range refires {
		pair := newAlerts("Ticket-"+do, 2)
		pair[1].Labels["severity"] = "critical"
		all, firsts, seconds = append(all, pair...), append(firsts, pair[0]), append(seconds, pair[1])
	}
	if err := s.step(ctx, step{title: "9a. two critical alerts of each of three groups fire: a ticket each, accepted", post: all}); err != nil {
		return err
	}
	if err := s.ticketsBecome(ctx, "Ticket-new ACKNOWLEDGED 0", "Ticket-remark ACKNOWLEDGED 0", "Ticket-unsolve ACKNOWLEDGED 0"); err != nil {
		return err
	}
	if err := s.step(ctx, step{title: "9b. one of each recovers: the tickets stay", post: resolved(firsts)}); err != nil {
		return err
	}
	if err := stage.Pause(ctx, 2*solveAfter*time.Second); err != nil {
		return err
	}
	if err := s.ticketsBecome(ctx, "Ticket-new ACKNOWLEDGED 0", "Ticket-remark ACKNOWLEDGED 0", "Ticket-unsolve ACKNOWLEDGED 0"); err != nil {
		return err
	}
	if err := s.step(ctx, step{title: "9c. the others recover, and stay so: solved", post: resolved(seconds)}); err != nil {
		return err
	}
	if err := s.ticketsBecome(ctx, "Ticket-new RESOLVED 0", "Ticket-remark RESOLVED 0", "Ticket-unsolve RESOLVED 0"); err != nil {
		return err
	}
	if err := s.step(ctx, step{title: "9d. one of each fires again: a new ticket, a remark, a solution taken back", post: again(firsts)}); err != nil {
		return err
	}
	return s.ticketsBecome(ctx, "Ticket-new ACKNOWLEDGED 0", "Ticket-new RESOLVED 0", "Ticket-remark RESOLVED 1", "Ticket-unsolve ACKNOWLEDGED 0")
}

// ticketsBecome waits until COC has exactly these tickets: title, status, and
// how many remarks.
func (s *story) ticketsBecome(ctx context.Context, want ...string) error {
	var got []string
	late := stage.Until(ctx, "the tickets", func(ctx context.Context) (same bool, err error) {
		got, err = s.openTickets(ctx)
		return slices.Equal(got, want), err
	})
	s.check(late == nil, "tickets: %s", strings.Join(got, ", "))
	if late != nil {
		return fmt.Errorf("%w: want the tickets %s", late, strings.Join(want, ", "))
	}
	return nil
}

// tickets are "title status remarks" of all tickets, sorted.
func (s *story) openTickets(ctx context.Context) ([]string, error) {
	text, err := stage.Call(ctx, http.MethodGet, s.sim.Base+"/incidents", nil)
	if err != nil {
		return nil, err
	}
	var known []struct {
		Title   string   `json:"title"`
		Status  string   `json:"status"`
		Remarks []string `json:"remarks"`
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, fmt.Errorf("read the simulator's incidents: %w", err)
	}
	all := make([]string, len(known))
	for i, k := range known {
		title, _, _ := strings.Cut(k.Title, " [cb:")
		all[i] = fmt.Sprintf("%s %s %d", title, strings.TrimPrefix(k.Status, "INCIDENT_STATUS_"), len(k.Remarks))
	}
	slices.Sort(all)
	return all, nil
}
