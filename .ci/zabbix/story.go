package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// story is the run with its processes.
type story struct {
	options
	folder   string
	sim      *stage.Simulator
	bridge   *stage.Bridge
	postgres *postgres
	server   *server
	frontend *stage.Process
	at       struct{ coc, web, admin, server, frontend string }
	lab      *lab
	failed   int // checks
}

// run starts everything and plays the scenarios. An error is what keeps it from
// going on; whatever else is wrong is a failed check.
func (s *story) run(ctx context.Context) error {
	if err := s.start(ctx); err != nil {
		return err
	}
	for _, scenario := range []func(context.Context) error{s.oneProblem, s.outage, s.script, s.verdict} {
		if err := scenario(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) start(ctx context.Context) error {
	at, err := stage.Addresses(ctx, 5)
	if err != nil {
		return err
	}
	s.at.coc, s.at.web, s.at.admin, s.at.server, s.at.frontend = at[0], at[1], at[2], at[3], at[4]
	// The others pass through the folder to what is theirs in it.
	if err := os.Chmod(s.folder, 0o711); err != nil { //nolint:gosec // nothing but names of folders could be guessed
		return err
	}
	if err := s.startBridge(ctx); err != nil {
		return err
	}
	as, err := unprivileged()
	if err != nil {
		return err
	}
	if s.postgres, err = startPostgres(ctx, s.folder, as); err != nil {
		return err
	}
	if s.server, err = startServer(ctx, s.folder, s.at.server, s.postgres); err != nil {
		return err
	}
	if s.frontend, err = startFrontend(ctx, s.folder, s.at.frontend, s.postgres); err != nil {
		return err
	}
	a, err := login(ctx, s.at.frontend)
	if err != nil {
		return err
	}
	s.lab, err = setUp(ctx, a, s.media, s.webhook())
	s.check(err == nil, "%s is imported, twice; macros, a user who may only read, media and action are made%s", s.media, because(err))
	return err
}

// stop ends what start has started, newest first.
func (s *story) stop() {
	s.frontend.End()
	if s.server != nil {
		s.server.End()
	}
	if s.postgres != nil {
		s.postgres.End()
	}
	if s.bridge != nil && s.bridge.Process != nil {
		err := s.bridge.Stop()
		s.check(err == nil, "the bridge ends by itself after SIGTERM%s", because(err))
	}
	if s.sim != nil {
		s.sim.Kill()
	}
	s.checkLogs("bridge.log", "zabbix.log")
}

func (s *story) checkLogs(names ...string) {
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(s.folder, name))
		found := slices.ContainsFunc([]string{stage.BearerToken, stage.IntegrationKey, stage.SecretKey}, func(secret string) bool {
			return bytes.Contains(text, []byte(secret))
		})
		s.check(err == nil && !found, "no secret in %s%s", name, because(err))
	}
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// check prints one thing that must hold, and whether it does.
func (s *story) check(holds bool, format string, args ...any) {
	word := "PASS"
	if !holds {
		word = "FAIL"
		s.failed++
	}
	fmt.Printf("  %s  %s\n", word, fmt.Sprintf(format, args...))
}

// arrive waits until COC was told so much of a host, and compares: each as
// "status level".
func (s *story) arrive(ctx context.Context, h host, want ...string) error {
	var events []stage.Event
	late := stage.Until(ctx, fmt.Sprintf("%d alarms of %s", len(want), h.name), func(ctx context.Context) (bool, error) {
		var err error
		events, err = s.events(ctx, h)
		return len(events) >= len(want), err
	})
	s.show(events)
	got := states(events)
	s.check(late == nil && slices.Equal(got, want), "COC was told of %s: %s, in this order%s", h.name, strings.Join(want, ", "), because(late))
	s.check(sameAlarm(events), "all under the same alarmId")
	return late
}

func states(events []stage.Event) []string {
	all := make([]string, len(events))
	for i, e := range events {
		all[i] = e.Alarm.Status + " " + e.Alarm.Level
	}
	return all
}

func sameAlarm(events []stage.Event) bool {
	return !slices.ContainsFunc(events, func(e stage.Event) bool { return e.Alarm.ID != events[0].Alarm.ID || e.Alarm.Source != "zabbix" })
}

func (s *story) show(events []stage.Event) {
	for _, e := range events {
		description, _, _ := strings.Cut(e.Alarm.Description, "\n")
		fmt.Printf("  %s  %-5s %-8s %s  %s | %s\n", clock(e.At), e.Alarm.Status, e.Alarm.Level, e.Alarm.ID, e.Alarm.Name, description)
	}
}

func clock(t time.Time) string { return t.Local().Format("15:04:05.000") }

// events are the alarms of one host so far, in the order of their acceptance.
func (s *story) events(ctx context.Context, h host) ([]stage.Event, error) {
	all, err := s.sim.Events(ctx)
	return slices.DeleteFunc(all, func(e stage.Event) bool { return e.Alarm.Resource != h.name }), err
}
