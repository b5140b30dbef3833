package scripts_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/scripts"
)

// armedOnly hears of an alert and arms its run, and then the process is told to stop.
func armedOnly(l *life) {
	l.hear(nginx("1"))
	l.stopping = true
	_, run, _ := l.next()
	if _, err := l.s.Do(l.t.Context(), run); !errors.Is(err, context.Canceled) || l.run().State != scripts.Armed {
		l.t.Fatalf("%s, %v", l.run().State, err)
	}
	l.stop()
	l.stopping = false
	l.open()
}

// What an earlier life has armed is checked again before the call.
func TestRun_checksAgainWhatAnEarlierLifeHasArmed(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*coctest.Server) error
		code   string
	}{
		"nothing has changed": {func(*coctest.Server) error { return nil }, ""},
		"the script is not approved any more": {func(s *coctest.Server) error {
			return s.EditScript(script, func(s *coctest.Script) { s.Status = "PENDING_APPROVE" })
		}, "script"},
		"somebody has edited it": {func(s *coctest.Server) error {
			return s.EditScript(script, func(s *coctest.Script) { s.Content = "y" })
		}, "script"},
		"the script is gone": {func(s *coctest.Server) error { return s.RemoveScript(script) }, "script"},
		"a host is offline": {func(s *coctest.Server) error {
			return s.EditHost("web-2", func(h *coctest.Host) { h.AgentState = "OFFLINE" })
		}, "target"},
		"a host has moved": {func(s *coctest.Server) error {
			return s.EditHost("web-2", func(h *coctest.Host) { h.ProjectID = "other" })
		}, "target"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, coctest.Options{}, func(l *life) { l.rules[0].Script.Pin = fmt.Sprintf("%x", sha256.Sum256([]byte("x"))) })
			armedOnly(l)
			must(t, tc.change(l.sim))
			l.pass(5 * time.Minute)
			orders, want := 0, fmt.Sprintf("[%s]", tc.code)
			if tc.code == "" {
				orders, want = 1, "[]"
			}
			if got := fmt.Sprint(l.letters); len(l.sim.Orders()) != orders || got != want {
				t.Errorf("%d orders, dead letters %s, want %d and %s", len(l.sim.Orders()), got, orders, want)
			}
		})
	}
}

// Credentials that a receiver asks for from now on say nothing about who has sent
// what came before.
func TestRun_isNotTrustedByALaterConfiguration(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) { l.untrusted = true })
	l.hear(nginx("1"))
	l.stop()
	l.untrusted = false
	l.open()
	l.pass(time.Minute)
	if r := l.run(); len(l.sim.Orders()) != 0 || r.Code != "receiver_not_authenticated" {
		t.Errorf("%d orders, the run is %s %s", len(l.sim.Orders()), r.State, r.Code)
	}
}

// An armed run whose check gets no answer keeps its place no longer than it may be
// called.
func TestRun_armedIsNotKeptForEver(t *testing.T) {
	l := newLife(t, coctest.Options{}, nil)
	armedOnly(l)
	l.sim.Inject(coctest.Fault{On: "/v1/job/scripts/" + script, Method: "GET", Status: 500})
	l.pass(15 * time.Minute)
	if r := l.run(); r.State != scripts.Refused || r.Code != "too_late" || len(l.sim.Orders()) != 0 {
		t.Errorf("%s %s, %d orders", r.State, r.Code, len(l.sim.Orders()))
	}
}

// The queue may have lost the due time, or its clock was ahead.
func TestRun_isNotCalledBeforeItsHoldIsOver(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) { l.rules[0].Hold = 2 * time.Minute })
	l.hear(nginx("1"))
	id, run, _ := l.next()
	l.set(l.at().Add(2*time.Minute - time.Second))
	l.work(id, run)
	if r := l.run(); r.State != scripts.Planned || len(l.sim.Orders()) != 0 {
		t.Errorf("%s, %d orders before the hold is over", r.State, len(l.sim.Orders()))
	}
	l.pass(time.Minute)
	if n := len(l.sim.Orders()); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}
