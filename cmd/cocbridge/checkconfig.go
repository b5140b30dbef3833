package main

import (
	"context"
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/incidents"
)

func checkConfigCommand(app *kingpin.Application) (string, command) {
	var s settings
	var online bool
	cmd := app.Command("check-config", "Check a configuration and say what is in it. Exits with 2 if it is wrong.")
	cmd.Arg("file", "The file; default: --config.file.").StringVar(&s.file)
	cmd.Flag("online", "Also ask COC whether it takes the credentials and the project, and has the scripts, jobs and hosts of the rules. Changes nothing there.").BoolVar(&online)
	s.addConfig(cmd)
	return cmd.FullCommand(), func(ctx context.Context, c console) error {
		cfg, err := checkConfig(c, s)
		if err != nil || !online {
			return err
		}
		return checkOnline(ctx, c, cfg)
	}
}

func checkConfig(c console, s settings) (*config.Config, error) {
	cfg, err := s.load(c)
	if err != nil {
		return nil, err
	}
	for _, warning := range cfg.Warnings {
		fmt.Fprintf(c.stdout, "warning: %s\n", warning)
	}
	for _, note := range incidents.Notes(cfg.IncidentRules()) {
		fmt.Fprintf(c.stdout, "note: %s\n", note)
	}
	name := s.file
	if name == "" {
		name = "the environment"
	}
	_, err = fmt.Fprintf(c.stdout, "%s is valid: %d receivers, %d integrations, %d routes, %d rules\n", name, len(cfg.Receivers), len(cfg.Integrations), len(cfg.Routes), len(cfg.Rules))
	return cfg, err
}
