package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/admin"
)

// pollEvery is how often the daemon is asked for the outcome.
const pollEvery = 200 * time.Millisecond

func sendTestCommand(app *kingpin.Application) (string, command) {
	var r remote
	var limit time.Duration
	cmd := app.Command("send-test", "Have the running daemon tell COC one Info alarm that means nothing, and its end.")
	r.addAddress(cmd)
	cmd.Flag("timeout", "How long to wait for each of the two.").Default("60s").DurationVar(&limit)
	return cmd.FullCommand(), func(ctx context.Context, c console) error { return sendTest(ctx, c, r.client(c), limit) }
}

func sendTest(ctx context.Context, c console, daemon *admin.Client, limit time.Duration) error {
	for _, step := range []struct {
		resolve bool
		state   string // as the ledger has it when COC has confirmed
	}{{false, "firing"}, {true, "ok"}} {
		began := time.Now()
		t, err := daemon.SendTest(ctx, admin.SendTest{Resolve: step.resolve})
		if err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "queued: alarm %s, %s, for integration %s\n", t.AlarmID, step.state, t.Integration)
		a, err := arrival(ctx, daemon, expected{alarmID: t.AlarmID, state: step.state, limit: limit})
		if err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "%s (%s)\n", printable(a.Text), time.Since(began).Round(time.Millisecond))
	}
	fmt.Fprintln(c.stdout, "COC took both: the path works from here to COC. What COC makes of an alarm is its conversion rule's matter.")
	return nil
}

// expected is what must become true of the test alarm.
type expected struct {
	alarmID, state string
	limit          time.Duration
}

// arrival waits until COC has confirmed; the error is the verdict that says why not.
func arrival(ctx context.Context, daemon *admin.Client, e expected) (admin.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last admin.Answer
	for {
		answers, err := daemon.Why(ctx, []string{e.alarmID})
		if err != nil && ctx.Err() == nil {
			return last, err
		}
		if err == nil && len(answers) > 0 {
			last = answers[0]
		}
		switch last.Verdict {
		case admin.Sent:
			if last.Alarm.InCOC == e.state {
				return last, nil
			}
		case admin.DeadLettered, admin.NotTold, admin.Discarded, admin.Rejected:
			return last, errors.New(last.Text)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return last, fmt.Errorf("not confirmed within %s: %s", e.limit, last.Text)
		}
	}
}
