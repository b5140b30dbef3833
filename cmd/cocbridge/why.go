package main

import (
	"context"
	"fmt"

	"github.com/alecthomas/kingpin/v2"
)

func whyCommand(app *kingpin.Application) (string, command) {
	var r remote
	var question []string
	cmd := app.Command("why", "Say why an alarm is in COC, or is not.")
	r.add(cmd)
	cmd.Arg("question", "An alarmId, a fingerprint, or labels of the alert: alertname=Disk instance=web-1.").Required().StringsVar(&question)
	return cmd.FullCommand(), func(ctx context.Context, c console) error { return why(ctx, c, r, question) }
}

func why(ctx context.Context, c console, r remote, question []string) error {
	answers, err := r.client(c).Why(ctx, question)
	if err != nil {
		return err
	}
	if r.output == "json" {
		return printJSON(c, answers)
	}
	for i, a := range answers {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		fmt.Fprintln(c.stdout, printable(a.Text))
		if a.AlarmID != "" {
			fmt.Fprintf(c.stdout, "  alarm %s\n", a.AlarmID)
		}
		for _, line := range a.Evidence {
			fmt.Fprintf(c.stdout, "  %s\n", printable(line))
		}
	}
	return nil
}
