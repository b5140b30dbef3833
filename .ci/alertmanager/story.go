package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// story is one telling with its processes and what COC had to be told so far.
type story struct {
	am     *alertmanager
	bridge *bridge
	sim    *stage.Simulator
	kills  *killer // nil = the bridge is left alone

	usual  []string          // the faults of COC when a step wants nothing else
	ids    map[string]string // alarmId by the alert's key
	due    []change          // all so far, in order
	events []stage.Event     // all that have been shown and compared
	failed int               // checks
}

// run starts everything and plays the scenarios. An error is what keeps it from
// going on; whatever else is wrong is a failed check.
func (s *story) run(ctx context.Context, p programs, folder string) error {
	if err := s.start(ctx, p, folder); err != nil {
		return err
	}
	for _, scenario := range []func(context.Context) error{s.group, s.repeats, s.lostSource, s.staleFiring, s.outage, s.tickets, s.script, s.verdict} {
		if err := scenario(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) start(ctx context.Context, p programs, folder string) error {
	at, err := stage.Addresses(ctx, 4)
	if err != nil {
		return err
	}
	if s.sim, err = stage.StartSimulator(ctx, p.cocbridge, folder, at[0]); err != nil {
		return err
	}
	if s.bridge, err = startBridge(ctx, at[0], stage.BridgeOptions{Path: p.cocbridge, Folder: folder, Web: at[1], Admin: at[2]}); err != nil {
		return err
	}
	s.am, err = startAlertmanager(ctx, p.alertmanager, folder, alertmanagerAddresses{web: at[3], webhook: s.bridge.webhook()})
	return err
}

// stop ends what start has started; the bridge as a service manager would.
func (s *story) stop() {
	if s.am != nil {
		s.am.Kill()
	}
	if s.bridge != nil && s.bridge.Bridge != nil && s.bridge.Process != nil {
		err := s.bridge.Stop()
		s.check(err == nil, "the bridge ends by itself after SIGTERM%s", because(err))
		s.checkLog()
	}
	if s.sim != nil {
		s.sim.Kill()
	}
}

func (s *story) checkLog() {
	leaks, err := s.bridge.leaks()
	s.check(err == nil && len(leaks) == 0, "no secret in %s %v%s", filepath.Base(s.bridge.Program.Log), leaks, because(err))
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

// errMissing ends a story: what follows would build on what is not there.
var errMissing = errors.New("a change did not arrive")

// step is what happens at once, and what COC must be told of it.
type step struct {
	title  string
	post   []alert
	expect []change // besides those that the posted alerts lead to
	kills  []moment // in a run with kills
}

// step posts the alerts, disturbs the bridge, and returns when COC was told all.
func (s *story) step(ctx context.Context, st step) error {
	fmt.Printf("\n%s\n", st.title)
	if err := s.prepare(ctx, st.kills); err != nil {
		return err
	}
	before, err := s.sim.Requests(ctx)
	if err != nil {
		return err
	}
	changes, err := s.post(ctx, st.post)
	if err != nil {
		return err
	}
	if err := s.disturb(ctx, st.kills, before); err != nil {
		return err
	}
	return s.arrive(ctx, append(changes, st.expect...))
}

// post gives the alerts to Alertmanager and returns what they must lead to.
func (s *story) post(ctx context.Context, alerts []alert) ([]change, error) {
	if len(alerts) == 0 {
		return nil, nil
	}
	if err := s.am.post(ctx, alerts); err != nil {
		return nil, err
	}
	fingerprints, err := s.am.fingerprints(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range alerts {
		if f, fires := fingerprints[a.key()]; fires {
			s.ids[a.key()] = alarmID(receiverName, f)
		}
	}
	return s.changes(alerts, time.Now()), nil
}

// changes are what alerts must lead to that were posted, or end, at a time.
func (s *story) changes(alerts []alert, at time.Time) []change {
	all := make([]change, len(alerts))
	for i, a := range alerts {
		all[i] = changeOf(a, s.ids[a.key()], at)
	}
	return all
}

// arrive waits until COC was told every change, and compares.
func (s *story) arrive(ctx context.Context, changes []change) error {
	var all []stage.Event
	late := stage.Until(ctx, "all changes", func(ctx context.Context) (told bool, err error) {
		all, err = s.sim.Events(ctx)
		return err == nil && allTold(changes, all[len(s.events):]), err
	})
	if len(all) < len(s.events) {
		return late
	}
	fresh := all[len(s.events):]
	s.due, s.events = append(s.due, changes...), all
	s.compare(changes, fresh)
	if late != nil {
		return errors.Join(errMissing, late)
	}
	return nil
}

func allTold(changes []change, events []stage.Event) bool {
	for _, r := range pair(changes, events) {
		if r.event == nil {
			return false
		}
	}
	return true
}

// compare prints and checks what has arrived in a step.
func (s *story) compare(changes []change, events []stage.Event) {
	rows := pair(changes, events)
	printTable(rows)
	told := 0
	for _, r := range rows {
		if r.change != nil && r.event != nil {
			told++
		}
	}
	if len(changes) > 0 {
		s.check(told == len(changes), "%d of %d changes arrived", told, len(changes))
	}
	more := len(events) - told
	if s.kills == nil {
		s.check(more == 0, "nothing else arrived (%d)", more)
		return
	}
	breaks := compare(s.due, s.events).breaks
	s.check(breaks == 0, "nothing else arrived but %d duplicates", more)
}
