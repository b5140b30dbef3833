package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/scripts"
)

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
	if _, err := client.ListIncidentTickets(ctx, coc.TicketQuery{Limit: 1}); err != nil {
		return fmt.Errorf("ask COC as the configuration says: %w", err)
	}
	fmt.Fprintln(c.stdout, "online: COC takes the credentials and the project")
	bad := false
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
