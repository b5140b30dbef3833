package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

func receiversCommand(app *kingpin.Application) (string, command) {
	var s settings
	var kind string
	cmd := app.Command("receivers", "List the configured receivers and the types there are, or show the expressions of one type.")
	s.addConfig(cmd)
	cmd.Flag("expressions", "Show the jq expressions of this type, which a receiver can replace one by one.").StringVar(&kind)
	return cmd.FullCommand(), func(_ context.Context, c console) error {
		if kind != "" {
			return printExpressions(c, kind)
		}
		return listReceivers(c, s)
	}
}

func printExpressions(c console, kind string) error {
	text, ok := receivers.Expressions(kind)
	if !ok {
		return fmt.Errorf("%w: there is no type %q made of expressions; these are: %s", errUsage, kind, strings.Join(receivers.ShippedTypes(), ", "))
	}
	_, err := fmt.Fprint(c.stdout, text)
	return err
}

func listReceivers(c console, s settings) error {
	cfg, err := s.load(c)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tTYPE\tPATH\tAUTH\tLIMITS")
	for _, rc := range cfg.Receivers {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", rc.Name, rc.Type, rc.Path, authOf(rc), limitsOf(rc))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "\ntypes: %s\nmade of expressions (see --expressions=TYPE): %s\n",
		strings.Join(receivers.Types(), ", "), strings.Join(receivers.ShippedTypes(), ", "))
	return err
}

// authOf names what a sender can show; any one is enough.
func authOf(rc receivers.Config) string {
	switch methods := rc.AuthMethods(); {
	case len(methods) > 0:
		return strings.Join(methods, " or ")
	case rc.Auth.InsecureNone:
		return "none, open to everybody"
	}
	return "none, loopback only"
}

func limitsOf(rc receivers.Config) string {
	limits := []string{fmt.Sprintf("%s, %d alerts", rc.MaxBody, rc.MaxAlerts)}
	if rc.Gzip {
		limits = append(limits, "gzip")
	}
	if rc.RateLimit > 0 {
		limits = append(limits, fmt.Sprintf("%v requests/s", rc.RateLimit))
	}
	return strings.Join(limits, ", ")
}
