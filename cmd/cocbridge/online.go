package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/scripts"
)

// checkTickets asks for a ticket: no question but this one needs nothing of the
// configuration. A user who only forwards alarms may lack the permission for it, but
// then COC has said who he is.
func checkTickets(ctx context.Context, c console, cfg *config.Config, client *coc.Client) (bad bool, err error) {
	_, err = client.ListIncidentTickets(ctx, coc.TicketQuery{Limit: 1})
	var e *coc.Error
	switch opens := slices.ContainsFunc(cfg.IncidentRules(), func(r incidents.Rule) bool { return r.Incident != nil }); {
	case err == nil:
		fmt.Fprintln(c.stdout, "online: COC takes the credentials and the project")
	case !errors.As(err, &e) || !e.Denied():
		return false, fmt.Errorf("ask COC as the configuration says: %w", err)
	case opens:
		fmt.Fprintf(c.stdout, "online: COC takes the credentials, but this user may not read tickets, which rules with an incident need: %s\n", printable(e.Error()))
		return true, nil
	default:
		fmt.Fprintf(c.stdout, "online: COC takes the credentials; this user may not read tickets (%s), which alarms do not need\n", printable(e.Cause()))
	}
	return false, nil
}

var errOnline = errors.New("COC does not have everything as the configuration means it")

// checkOnline asks COC, without changing anything, whether it takes the
// credentials and the project, and has the scripts, jobs and hosts of the rules.
// Whether it takes an integration key only an alarm can tell: send-test sends one.
func checkOnline(ctx context.Context, c console, cfg *config.Config) error {
	client, err := coc.New(cfg.COC, coc.Options{Version: version().number})
	if err != nil {
		return err
	}
	defer client.Close()
	bad, err := checkTickets(ctx, c, cfg, client)
	if err != nil {
		return err
	}
	o := scripts.Options{Rules: cfg.ScriptRules(), Templates: cfg.Mapping.Templates, COC: client}
	err = scripts.Verify(ctx, o, func(rule string, problem error) {
		if problem != nil {
			bad = true
			fmt.Fprintf(c.stdout, "online: rule %s: %s\n", rule, printable(problem.Error()))
			return
		}
		fmt.Fprintf(c.stdout, "online: rule %s: what it runs, and where, is in COC\n", rule)
	})
	if err == nil && bad {
		err = errOnline
	}
	return err
}
