package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/admin"
)

func automationCommands(app *kingpin.Application) map[string]command {
	automation := app.Command("automation", "What runs scripts and jobs by itself.")
	var status, arming, stopping remote
	var arm, stop admin.Switch
	statusCmd := automation.Command("status", "Show whether runs may begin, and the runs.")
	status.add(statusCmd)
	armCmd := automation.Command("arm", "Let runs begin again, after a storm or a stop.")
	arming.add(armCmd)
	armCmd.Flag("why", "The reason, which is kept.").Required().StringVar(&arm.Why)
	stopCmd := automation.Command("stop", "Let no run begin; those that COC has begun go on.")
	stopping.add(stopCmd)
	stopCmd.Flag("why", "The reason, which is kept.").Required().StringVar(&stop.Why)
	return map[string]command{
		statusCmd.FullCommand(): func(ctx context.Context, c console) error {
			a, err := status.client(c).Automation(ctx)
			return showAutomation(c, status, a, err)
		},
		armCmd.FullCommand(): func(ctx context.Context, c console) error {
			a, err := arming.client(c).Arm(ctx, arm)
			return showAutomation(c, arming, a, err)
		},
		stopCmd.FullCommand(): func(ctx context.Context, c console) error {
			a, err := stopping.client(c).Stop(ctx, stop)
			return showAutomation(c, stopping, a, err)
		},
	}
}

func showAutomation(c console, r remote, a admin.Automation, err error) error {
	if err != nil {
		return err
	}
	if r.output == "json" {
		return printJSON(c, a)
	}
	fmt.Fprintln(c.stdout, standing(a))
	fmt.Fprintf(c.stdout, "%d of %d calls within the last hour, %d runs in doubt\n\n", a.Calls, a.MaxPerHour, a.Unknown)
	p := newPrinter(c, r.output, "PLANNED RULE STATE OUTCOME ORDER STATUS DETAIL", func(x admin.Run) []string {
		detail := x.Detail
		if detail == "" {
			detail = x.What
		}
		return []string{when(x.Planned), x.Rule, x.State, x.Outcome, x.Order, x.Status, detail}
	})
	return printAll(p, a.Runs, "no runs")
}

// standing says in one line whether runs may begin.
func standing(a admin.Automation) string {
	text := "armed: runs may begin"
	if !a.Armed {
		text = "not armed: nothing runs (" + a.Cause + ")"
	}
	if !a.Since.IsZero() {
		text += " since " + when(a.Since)
	}
	if a.By != "" {
		text += ", by " + shown(a.By) + ": " + strconv.Quote(a.Why)
	}
	return text
}
