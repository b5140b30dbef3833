package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/mapping"
	"github.com/cocbridge/cocbridge/internal/receivers"
	"github.com/cocbridge/cocbridge/internal/scripts"
)

// maxMapInput bounds what is read from standard input.
const maxMapInput = 32 << 20

func mapCommand(app *kingpin.Application) (string, command) {
	var s settings
	var p piped
	cmd := app.Command("map", "Show what COC would be told, and what rules would do: the body of a request on standard input; normalised alerts, routes, alarms, tickets and runs on standard output.")
	s.addConfig(cmd)
	cmd.Flag("receiver", "Name of the receiver the alerts would come through; default: the first.").StringVar(&p.receiver)
	cmd.Flag("content-type", "Content type of the body, for a receiver that also takes forms.").Default("application/json").StringVar(&p.contentType)
	cmd.Flag("output", "json or table.").Short('o').Default("json").EnumVar(&p.output, "json", "table")
	return cmd.FullCommand(), func(_ context.Context, c console) error { return mapAlerts(c, s, p) }
}

// piped says how standard input is to be taken.
type piped struct{ receiver, contentType, output string }

func mapAlerts(c console, s settings, p piped) error {
	cfg, err := s.load(c)
	if err != nil {
		return err
	}
	rc, err := chooseReceiver(cfg, p.receiver)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(c.stdin, maxMapInput))
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	format, err := receivers.NewFormat(rc)
	if err != nil {
		return fmt.Errorf("receiver %s: %w", rc.Name, err)
	}
	batch, err := format.Decode(receivers.Message{Body: body, ContentType: p.contentType, Arrived: time.Now()})
	if err != nil {
		return fmt.Errorf("%w: standard input: %w", errUsage, err)
	}
	d, err := newDesk(cfg)
	if err != nil {
		return err
	}
	if batch.Notice != "" {
		fmt.Fprintf(c.stderr, "notice for the operator: %s\n", batch.Notice)
	}
	if len(batch.Alerts)+len(batch.Rejected) == 0 {
		fmt.Fprintln(c.stderr, "the body holds no alerts")
	}
	if p.output == "table" {
		return d.mapAll(batch, func(l line) error { l.show(c); return nil })
	}
	out := json.NewEncoder(c.stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return d.mapAll(batch, func(l line) error { return out.Encode(l) })
}

func newMapper(cfg *config.Config) (*mapping.Mapper, error) {
	names := make([]string, len(cfg.Integrations))
	for i, in := range cfg.Integrations {
		names[i] = in.Name
	}
	return mapping.New(mapping.Options{Config: cfg.Mapping, Routes: cfg.Routes, Integrations: names, Region: cfg.COC.Region})
}

func chooseReceiver(cfg *config.Config, name string) (receivers.Config, error) {
	known := make([]string, len(cfg.Receivers))
	for i, rc := range cfg.Receivers {
		if name == "" || rc.Name == name {
			return rc, nil
		}
		known[i] = rc.Name
	}
	return receivers.Config{}, fmt.Errorf("%w: there is no receiver %q, only %s", errUsage, name, strings.Join(known, ", "))
}

// desk is what map works with.
type desk struct {
	cfg    *config.Config
	mapper *mapping.Mapper
	rules  *incidents.Incidents
	runs   *scripts.Scripts
}

func newDesk(cfg *config.Config) (d desk, err error) {
	d.cfg = cfg
	if d.mapper, err = newMapper(cfg); err != nil {
		return d, err
	}
	d.rules, err = incidents.New(incidents.Options{Rules: cfg.IncidentRules(), Templates: cfg.Mapping.Templates, Application: cfg.Mapping.ApplicationID})
	if err != nil {
		return d, err
	}
	d.runs, err = newRuns(cfg)
	return d, err
}

// line is what map prints for one alert.
type line struct {
	Alert       alert.Alert  `json:"alert"`
	Route       string       `json:"route,omitempty"`
	Integration string       `json:"integration,omitempty"`
	Problem     string       `json:"problem,omitempty"`
	Cut         []string     `json:"cut,omitempty"`
	Alarm       *coc.Alarm   `json:"alarm,omitempty"`
	Incidents   []ticket     `json:"incidents,omitempty"`
	Runs        []plannedRun `json:"runs,omitempty"`
}

// bad says whether a part of it would become a dead letter.
func (l line) bad() bool {
	return l.Problem != "" || slices.ContainsFunc(l.Incidents, func(t ticket) bool { return t.Problem != "" }) || slices.ContainsFunc(l.Runs, plannedRun.bad)
}

// mapAll shows each alert, and fails if one of them would become a dead letter.
func (d desk) mapAll(batch receivers.Batch, show func(line) error) error {
	bad := 0
	for _, a := range batch.Alerts {
		l := d.mapOne(a)
		if l.bad() {
			bad++
		}
		if err := show(l); err != nil {
			return err
		}
	}
	for _, r := range batch.Rejected {
		bad++
		if err := show(line{Alert: r.Alert, Problem: r.Field + ": " + r.Problem}); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d alerts would become dead letters", bad, len(batch.Alerts)+len(batch.Rejected))
	}
	return nil
}

func (d desk) mapOne(a alert.Alert) line {
	l := line{Alert: a}
	r, err := d.mapper.Map(a)
	l.Route, l.Integration, l.Cut = mapping.Describe(d.cfg.Routes, r.Route), r.Integration, r.Cut
	if a.Status == alert.Firing && !r.Drop {
		l.Incidents, l.Runs = d.tickets(a), d.planned(a)
	}
	switch {
	case err != nil:
		l.Problem = err.Error()
	case r.Drop:
		l.Route += ", dropped"
	default:
		l.Alarm = &r.Alarm
	}
	return l
}
