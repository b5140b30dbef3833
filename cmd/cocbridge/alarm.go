package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/admin"
)

func alarmCommands(app *kingpin.Application) map[string]command {
	alarm := app.Command("alarm", "What the ledger knows of alarms.")
	var list, show, closing remote
	var chosen admin.SelectAlarms
	var one string
	var end admin.Close
	listCmd := alarm.Command("list", "List the alarms that are remembered.")
	list.add(listCmd)
	listCmd.Flag("firing", "Only those that COC shows as firing.").BoolVar(&chosen.Firing)
	showCmd := alarm.Command("show", "Show one alarm with its history.")
	show.add(showCmd)
	showCmd.Arg("alarmId", "Its alarmId.").Required().StringVar(&one)
	closeCmd := alarm.Command("close", "Tell COC that an alarm is over, whatever its source says.")
	closing.add(closeCmd)
	closeCmd.Arg("alarmId", "Its alarmId.").Required().StringVar(&end.AlarmID)
	closeCmd.Flag("why", "The reason, which COC and the alarm's history get.").Required().StringVar(&end.Why)
	return map[string]command{
		listCmd.FullCommand():  func(ctx context.Context, c console) error { return listAlarms(ctx, c, list, chosen) },
		showCmd.FullCommand():  func(ctx context.Context, c console) error { return showAlarm(ctx, c, show, one) },
		closeCmd.FullCommand(): func(ctx context.Context, c console) error { return closeAlarm(ctx, c, closing, end) },
	}
}

func listAlarms(ctx context.Context, c console, r remote, chosen admin.SelectAlarms) error {
	p := newPrinter(c, r.output, "ALARM_ID STATE IN_COC CONFIRMED WAITING INTEGRATION LEVEL NAME RESOURCE", func(a admin.Alarm) []string {
		return []string{a.AlarmID, a.State, a.InCOC, when(a.Confirmed), strconv.Itoa(a.Waiting), a.Integration, a.Level, a.Name, a.Resource}
	})
	if err := r.client(c).Alarms(ctx, chosen, p.print); err != nil {
		return err
	}
	return p.end("no alarms")
}

func showAlarm(ctx context.Context, c console, r remote, alarmID string) error {
	a, err := r.client(c).Alarm(ctx, alarmID)
	if err != nil {
		return err
	}
	if r.output == "json" {
		return printJSON(c, a)
	}
	printPairs(c, [][2]string{
		{"alarm id", a.AlarmID}, {"name", a.Name}, {"namespace", a.NameSpace}, {"resource", a.Resource}, {"level", a.Level},
		{"state", a.State}, {"episode began", when(a.StartsAt)}, {"last heard", "about " + when(a.Heard)}, {"integration", a.Integration},
		{"in COC", a.InCOC}, {"confirmed", when(a.Confirmed)}, {"tasks waiting", strconv.Itoa(a.Waiting)},
	})
	for _, t := range a.Tickets {
		fmt.Fprintln(c.stdout)
		printPairs(c, [][2]string{
			{"ticket", t.Number}, {"of rule", t.Rule}, {"its state", t.State}, {"in COC", t.Status}, {"assignee", t.Assignee},
			{"last step", strings.TrimSpace(when(t.Last.At) + " " + t.Last.What + " " + t.Last.Detail)}, {"problem", t.Problem},
		})
	}
	for _, x := range a.Runs {
		fmt.Fprintln(c.stdout)
		printPairs(c, runPairs(x))
	}
	for _, d := range a.DeadLetters {
		fmt.Fprintln(c.stdout)
		printPairs(c, [][2]string{
			{"dead letter", id(d.ID)}, {"kind", d.Task.Kind}, {"of rule", d.Task.Rule}, {"cause", d.Cause}, {"detail", d.Detail}, {"last buried", when(d.Last)},
		})
	}
	fmt.Fprintln(c.stdout)
	p := newPrinter(c, r.output, "AT WHAT DETAIL", func(e admin.Event) []string { return []string{when(e.At), e.What, e.Detail} })
	return printAll(p, a.History, "no history")
}

func runPairs(r admin.Run) [][2]string {
	return [][2]string{
		{"run", r.Kind + " " + r.ID}, {"of rule", r.Rule}, {"runs", r.What}, {"its state", r.State + " since " + when(r.Since)}, {"order", r.Order}, {"in COC", r.Status},
		{"outcome", r.Outcome}, {"reason", r.Reason}, {"detail", r.Detail},
	}
}

func closeAlarm(ctx context.Context, c console, r remote, end admin.Close) error {
	out, err := r.client(c).Close(ctx, end)
	if err != nil {
		return err
	}
	if r.output == "json" {
		return printJSON(c, out)
	}
	if out.Result == admin.Closed {
		out.Detail = "COC is being told that it is over; if its source still fires, it opens again after delivery.fence"
	}
	fmt.Fprintf(c.stdout, "%s: %s\n", out.Result, out.Detail)
	return nil
}
