package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/coc"
)

// tool is what all commands below coc share.
type tool struct {
	settings
	output   string
	yes      bool
	dryRun   bool
	follow   bool
	interval time.Duration
	commands map[string]command
}

// cocCommands are the operator's commands over COC's API, by their full names.
func cocCommands(app *kingpin.Application) map[string]command {
	t := &tool{commands: map[string]command{}}
	root := app.Command("coc", "Look at what is in COC and act on it, with the client and credentials of the configuration. Needs no running daemon.")
	t.addConfig(root)
	root.Flag("output", "table for people, json for programs.").Short('o').Default("table").EnumVar(&t.output, "table", "json")
	t.addIncidents(root.Command("incident", "Incident tickets."))
	t.addScripts(root.Command("script", "Scripts. show prints the sha256 that rules pin."))
	t.addOrders(root.Command("order", "Runs of scripts."))
	t.addResources(root.Command("resource", "Hosts that scripts can run on."))
	t.addJobs(root.Command("job", "Jobs (documents). show prints the sha256 that rules pin."))
	t.addExecutions(root.Command("execution", "Runs of jobs."))
	return t.commands
}

// session is one run of a command below coc.
type session struct {
	*tool
	console
	client *coc.Client
}

// on registers what a command does.
func (t *tool) on(cmd *kingpin.CmdClause, do func(ctx context.Context, s session) error) {
	t.commands[cmd.FullCommand()] = func(ctx context.Context, c console) error {
		cfg, err := t.load(c)
		if err != nil {
			return err
		}
		client, err := coc.New(cfg.COC, coc.Options{Version: version().number})
		if err != nil {
			return err
		}
		defer client.Close()
		t.dryRun = t.dryRun || cfg.COC.DryRun
		return do(ctx, session{t, c, client})
	}
}

// act is one change of what is in COC.
type act struct {
	question string // of a person, without the question mark
	request  any    // what a dry run shows
	check    func() error
	do       func(ctx context.Context) (done, requestID string, err error)
	look     string // the command that tells whether it was done, when nobody knows
}

// acting registers a command that acts: it asks first.
func (t *tool) acting(cmd *kingpin.CmdClause, prepare func(ctx context.Context, s session) (act, error)) {
	t.actingThen(cmd, prepare, nil)
}

// actingThen goes on with what was done.
func (t *tool) actingThen(cmd *kingpin.CmdClause, prepare func(ctx context.Context, s session) (act, error), then func(ctx context.Context, s session, done string) error) {
	cmd.Flag("yes", "Do it without asking; needed where nobody can be asked.").Short('y').BoolVar(&t.yes)
	cmd.Flag("dry-run", "Check and show what would be asked of COC, and do not ask it.").BoolVar(&t.dryRun)
	t.on(cmd, func(ctx context.Context, s session) error {
		a, err := prepare(ctx, s)
		if err != nil {
			return err
		}
		done, err := s.perform(ctx, a)
		if err != nil || then == nil || s.dryRun || !s.follow {
			return err
		}
		return then(ctx, s, done)
	})
}

// perform checks, asks and acts, at most once.
func (s session) perform(ctx context.Context, a act) (string, error) {
	if a.check != nil {
		if err := a.check(); err != nil {
			return "", fmt.Errorf("%w: %w", errUsage, err)
		}
	}
	if s.dryRun {
		return "", s.showDryRun(a)
	}
	if err := s.confirm(a.question); err != nil {
		return "", err
	}
	done, requestID, err := a.do(ctx)
	if err != nil {
		return "", inDoubt(err, a.look)
	}
	return done, s.showDone(done, requestID)
}

// inDoubt says what to do when nobody knows whether COC has acted.
func inDoubt(err error, look string) error {
	var e *coc.Error
	if look == "" || !errors.As(err, &e) || e.NotBegun() {
		return err
	}
	return fmt.Errorf("%w; COC may have done it all the same: look with cocbridge %s before you repeat it", err, look)
}
