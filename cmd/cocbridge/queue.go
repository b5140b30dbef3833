package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/admin"
)

func queueCommands(app *kingpin.Application) map[string]command {
	queue := app.Command("queue", "What waits to be told to COC.")
	var list, show, stats remote
	var chosen, one admin.SelectTasks
	listCmd := queue.Command("list", "List the tasks that wait or are in flight, oldest first.")
	list.add(listCmd)
	listCmd.Flag("integration", "Those for this integration.").StringVar(&chosen.Integration)
	showCmd := queue.Command("show", "Show one task with its alarm and its alert.")
	show.add(showCmd)
	showCmd.Arg("id", "Its number.").Required().Uint64Var(&one.ID)
	statsCmd := queue.Command("stats", "Show numbers about queue, gates and store.")
	stats.add(statsCmd)
	return map[string]command{
		listCmd.FullCommand(): func(ctx context.Context, c console) error { return listTasks(ctx, c, list, chosen) },
		showCmd.FullCommand(): func(ctx context.Context, c console) error {
			if one.ID == 0 {
				return fmt.Errorf("%w: numbers of tasks begin at 1", errUsage)
			}
			return showTask(ctx, c, show, one)
		},
		statsCmd.FullCommand(): func(ctx context.Context, c console) error { return showStats(ctx, c, stats) },
	}
}

func listTasks(ctx context.Context, c console, r remote, chosen admin.SelectTasks) error {
	p := newPrinter(c, r.output, "ID STATE CREATED DUE ATTEMPTS INTEGRATION NAME ALARM_ID LAST_ERROR", func(t admin.Task) []string {
		return []string{id(t.ID), t.State, when(t.Created), when(t.Due), strconv.Itoa(t.Attempts), t.Integration, t.Name, t.AlarmID, t.LastError}
	})
	if err := r.client(c).Tasks(ctx, chosen, p.print); err != nil {
		return err
	}
	return p.end("nothing waits")
}

func showTask(ctx context.Context, c console, r remote, one admin.SelectTasks) error {
	one.Full = true
	return r.client(c).Tasks(ctx, one, func(t admin.Task) error {
		if r.output == "json" {
			return printJSON(c, t)
		}
		printTask(c, t)
		return nil
	})
}

func printTask(c console, t admin.Task) {
	printPairs(c, [][2]string{
		{"task", id(t.ID)}, {"state", t.State}, {"kind", t.Kind}, {"reason", t.Reason}, {"rule", t.Rule}, {"alarm id", t.AlarmID}, {"name", t.Name},
		{"integration", t.Integration}, {"receiver", t.Receiver}, {"created", when(t.Created)}, {"due", when(t.Due)},
		{"attempts", strconv.Itoa(t.Attempts)}, {"last error", t.LastError},
	})
	for _, part := range []struct {
		name string
		text json.RawMessage
	}{{"alarm", t.Alarm}, {"alert", t.Alert}} {
		var pretty bytes.Buffer
		if len(part.text) > 0 && json.Indent(&pretty, part.text, "", "  ") == nil {
			for i, line := range strings.Split(pretty.String(), "\n") {
				if i == 0 {
					line = part.name + ": " + line
				}
				fmt.Fprintln(c.stdout, printable(line))
			}
		}
	}
}

// printPairs shows names with their values, those that are empty left out.
func printPairs(c console, pairs [][2]string) {
	for _, pair := range pairs {
		if pair[1] != "" {
			fmt.Fprintf(c.stdout, "%s: %s\n", pair[0], printable(pair[1]))
		}
	}
}

func showStats(ctx context.Context, c console, r remote) error {
	stats, err := r.client(c).Stats(ctx)
	if err != nil {
		return err
	}
	if r.output == "json" {
		return printJSON(c, stats)
	}
	kinds := newPrinter(c, r.output, "KIND WAITING IN_FLIGHT DEAD OLDEST", func(k admin.KindStats) []string {
		return []string{k.Kind, strconv.Itoa(k.Waiting), strconv.Itoa(k.InFlight), strconv.Itoa(k.Dead), when(k.Oldest)}
	})
	gates := newPrinter(c, r.output, "INTEGRATION GATE SINCE TASKS PER_SECOND PROBLEM", func(g admin.Gate) []string {
		state, rate := "open", "unlimited"
		if g.Closed != "" {
			state = "closed: " + g.Closed
		}
		if g.PerSecond > 0 {
			rate = strconv.FormatFloat(g.PerSecond, 'f', -1, 64)
		}
		return []string{g.Integration, state, when(g.Since), strconv.Itoa(g.Waiting), rate, g.Problem}
	})
	if err := printAll(kinds, stats.Kinds, "no tasks yet"); err != nil {
		return err
	}
	fmt.Fprintln(c.stdout)
	if err := printAll(gates, stats.Gates, "no integrations"); err != nil {
		return err
	}
	s := stats.Store
	fmt.Fprintf(c.stdout, "\nstore: %d of %d bytes used, senders get 503 from %d on; the file has %d; %d damaged records\n", s.Used, s.MaxSize, s.Limit, s.Size, stats.Damaged)
	return nil
}

func printAll[T any](p *printer[T], all []T, none string) error {
	for _, one := range all {
		if err := p.print(one); err != nil {
			return err
		}
	}
	return p.end(none)
}
