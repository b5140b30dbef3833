package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// message is one row of what Zabbix recorded as sent (its table of alerts). A
// recovery is an event of its own, which names its problem.
type message struct {
	EventID string
	Problem string `json:"p_eventid"` // 0 = EventID is the problem
	Clock   string
	Subject string
	Status  string // index of statuses
	Retries string
	Error   string
}

var statuses = []string{"not sent", "sent", "failed", "new"}

func (l *lab) messages(ctx context.Context) (all []message, err error) {
	err = l.call(ctx, "alert.get", m{"output": "extend", "sortfield": "alertid"}, &all)
	return all, err
}

// about says whether a message is about the host's problem, and how its subject
// begins.
func (a message) about(h host, subject string) bool {
	return (a.EventID == h.event || a.Problem == h.event) && strings.HasPrefix(a.Subject, subject)
}

func (a message) status() string {
	i, err := strconv.Atoi(a.Status)
	if err != nil || i < 0 || i >= len(statuses) {
		return a.Status
	}
	return statuses[i]
}

func (a message) print(w *tabwriter.Writer) {
	seconds, _ := strconv.ParseInt(a.Clock, 10, 64)
	problem, _, _ := strings.Cut(a.Error, "\n")
	_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\n", time.Unix(seconds, 0).Local().Format("15:04:05"), a.EventID, a.status(), a.Retries, a.Subject, problem)
}

// printMessages shows what Zabbix recorded so far.
func (s *story) printMessages(ctx context.Context) {
	if s.lab == nil {
		return
	}
	all, _ := s.lab.messages(ctx) // what cannot be asked is not shown
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "  MADE\tEVENT\tSTATUS\tRETRIES\tSUBJECT\tERROR")
	for _, a := range all {
		a.print(w)
	}
	_ = w.Flush()
}

// verdict prints what Zabbix recorded, and judges the whole run.
func (s *story) verdict(ctx context.Context) error {
	fmt.Println("\n4. What Zabbix recorded")
	var all []message
	err := stage.Until(ctx, "all messages to be sent", func(ctx context.Context) (bool, error) {
		var err error
		all, err = s.lab.messages(ctx)
		for _, a := range all {
			if a.Status != "1" {
				return false, err
			}
		}
		return err == nil, err
	})
	s.printMessages(ctx)
	s.check(err == nil, "all %d messages are sent%s", len(all), because(err))
	r, err := s.sim.Report(ctx)
	if err != nil {
		return err
	}
	s.check(r.Counts.Violations == 0 && len(r.Counts.Refused) == 0, "COC saw no violation %q and refused nothing %v", r.Violations, r.Counts.Refused)
	s.check(r.Counts.Duplicates == 0 && r.Counts.OKWithoutAlarm == 0, "no duplicate (%d), no recovery without its alarm (%d)", r.Counts.Duplicates, r.Counts.OKWithoutAlarm)
	return nil
}
