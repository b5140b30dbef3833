package scripts_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/scripts"
	"github.com/cocbridge/cocbridge/internal/store"
)

// COC answers with the order of a run that is known: that proves nothing, and the
// lists show which is ours.
func TestRun_anAnswerWithAnotherRunsOrderIsInDoubt(t *testing.T) {
	l := newLife(t, coctest.Options{}, nil)
	l.hear(nginx("1"))
	l.pass(time.Second)
	first := l.sim.Orders()[0].UUID
	l.lie = func(string) string { return first }
	l.hear(nginx("2"))
	l.pass(time.Second)
	if n := l.count(); n["unknown"] != 1 || n["done"] != 1 {
		t.Fatalf("%v", n)
	}
	l.pass(time.Minute)
	if n := l.count(); n["done"] != 2 || len(l.sim.Orders()) != 2 {
		t.Errorf("%v, %d orders", n, len(l.sim.Orders()))
	}
}

// COC answers with an order that is nobody's here.
func TestRun_aForeignOrderIsNotTakenForOurs(t *testing.T) {
	l := newLife(t, coctest.Options{}, nil)
	other := l.sim.AddScript(coctest.Script{Name: "other", Type: "SHELL", Content: "y"})
	run := (&scripts.Run{ID: strings.Repeat("f", 32), Request: scripts.Request{What: other, User: "root", Seconds: 60, SuccessRate: 100, BatchSize: 10,
		Hosts: []scripts.Target{{ResourceID: "web-1", RegionID: "cn-north-4"}}}}).ForCOC()
	foreign, _, err := l.Client.ExecuteScript(t.Context(), run)
	must(t, err)
	l.lie = func(string) string { return foreign }
	l.hear(nginx("1"))
	l.pass(5 * time.Minute)
	if r := l.run(); r.Outcome != scripts.Wrong || fmt.Sprint(l.letters) != "[wrong_order]" {
		t.Errorf("%s %s, dead letters %v", r.State, r.Outcome, l.letters)
	}
}

// COC answers with the order of a run that is in doubt: the one that is in doubt
// finds it all the same.
func TestRun_aWrongAnswerHidesNoOrder(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) { l.fault = coctest.Fault{Do: coctest.Reset, After: true} })
	l.hear(nginx("1"))
	l.pass(time.Second)
	first := l.run()
	if first.State != scripts.Unknown || !strings.Contains(first.Text, "execute script") {
		t.Fatalf("%s: %q, want the reason for the doubt", first.State, first.Text)
	}
	l.lie = func(string) string { return l.sim.Orders()[0].UUID }
	l.hear(nginx("2"))
	l.pass(10 * time.Minute)
	must(t, l.store.View(func(tx *store.Tx) (err error) { first, err = scripts.Get(tx, first.ID); return err }))
	if first.State != scripts.Done || first.Order != l.sim.Orders()[0].UUID || first.Text != "" || fmt.Sprint(l.letters) != "[wrong_order]" {
		t.Errorf("%s %s %q, dead letters %v", first.State, first.Order, first.Text, l.letters)
	}
}

func TestRun_isLostWhenItIsNotSeenToEnd(t *testing.T) {
	l := newLife(t, coctest.Options{OrderStart: time.Hour}, nil)
	l.hear(nginx("1"))
	l.pass(20 * time.Minute)
	if r := l.run(); r.Outcome != scripts.Lost || r.State != scripts.Done {
		t.Errorf("%s %s", r.State, r.Outcome)
	}
}

func TestRun_keepsWhatHostsSaidWithinBounds(t *testing.T) {
	l := newLife(t, coctest.Options{}, nil)
	must(t, l.sim.EditHost("web-2", func(h *coctest.Host) {
		h.Fails, h.Output = true, strings.Repeat("noise\n", 1000)+"disk \x1b[31mfull\n"
	}))
	l.hear(nginx("1"))
	l.pass(2 * time.Minute)
	r := l.run()
	if r.Outcome != scripts.Failed || len(r.Results) != 2 || !strings.HasSuffix(r.Results[1].Output, "full") || len(r.Results[1].Output) > 500 || strings.Contains(r.Results[1].Output, "\x1b") {
		t.Errorf("%s: %+v", r.Outcome, r.Results)
	}
}

func TestRun_beginsNothingWhileStopping(t *testing.T) {
	l := newLife(t, coctest.Options{}, nil)
	l.hear(nginx("1"))
	l.stopping = true
	id, run, _ := l.next()
	if _, err := l.s.Do(t.Context(), run); !errors.Is(err, context.Canceled) || l.calls != 0 {
		t.Fatalf("%d calls, %v", l.calls, err)
	}
	l.stopping = false
	l.work(id, run)
	l.pass(time.Minute)
	l.check("after the stop was taken back")
}

// A call that has left ends although its caller does not wait any more.
func TestRun_finishesACallThatHasLeft(t *testing.T) {
	l := newLife(t, coctest.Options{}, nil)
	l.hear(nginx("1"))
	ctx, leave := context.WithCancel(t.Context())
	l.lie = func(order string) string { leave(); return order }
	_, run, _ := l.next()
	_, _ = l.s.Do(ctx, run)
	if r := l.run(); r.State != scripts.Done || r.Order != l.sim.Orders()[0].UUID {
		t.Errorf("%s %s", r.State, r.Order)
	}
}

func TestRun_waitsForAPlaceAndKeepsToTheBudget(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) {
		l.rules[0].Script.Parallel, l.rules[0].Script.MaxPerHour = 1, 3
		l.rules[0].Script.NotAfter = model.Duration(time.Hour)
	})
	for i := range 6 {
		l.hear(nginx(fmt.Sprint(i)))
	}
	for range 600 {
		l.pass(time.Second)
		running := 0
		for _, o := range l.sim.Orders() {
			if o.Finished.IsZero() {
				running++
			}
		}
		if running > 1 {
			t.Fatalf("%d at once", running)
		}
	}
	if n := l.count(); n["done"] != 3 || n["refused"] != 3 {
		t.Errorf("%v", n)
	}
}

func TestRun_keepsToTheCooldownOfATarget(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) {
		l.rules[0].Script.Cooldown = model.Duration(30 * time.Minute)
		l.rules[0].Script.Targets = scripts.Targets{Max: 1, Lookup: &scripts.Lookup{Label: "host", By: "name", Within: scripts.Fence{Application: "shop"}}}
	})
	for _, id := range []string{"web-1", "web-2"} {
		must(t, l.sim.EditHost(id, func(h *coctest.Host) { h.Application = "shop" }))
	}
	on := func(fingerprint, host string) {
		a := nginx(fingerprint)
		a.Labels["host"], a.StartsAt = host, l.at()
		l.hear(a)
		l.pass(time.Minute)
	}
	on("1", "web-1")
	on("2", "web-1") // too soon
	on("3", "web-2")
	l.pass(30 * time.Minute)
	on("4", "web-1")
	if n := l.count(); n["done"] != 3 || n["refused"] != 1 || len(l.sim.Orders()) != 3 {
		t.Errorf("%v, %d orders", n, len(l.sim.Orders()))
	}
}

func TestTargets(t *testing.T) {
	shop := scripts.Fence{Application: "shop"}
	lookup := func(by string, f scripts.Fence) scripts.Targets {
		return scripts.Targets{Max: 10, Lookup: &scripts.Lookup{Label: "host", By: by, Within: f}}
	}
	hosts := func(ids ...string) (t scripts.Targets) {
		t.Max = 10
		for _, id := range ids {
			t.Hosts = append(t.Hosts, scripts.Host{ResourceID: id})
		}
		return t
	}
	for name, tc := range map[string]struct {
		targets scripts.Targets
		label   string
		options coctest.Options
		want    string // hosts of the order; empty = refused
	}{
		"by id":                          {targets: lookup("resource_id", shop), label: "h1", want: "[h1]"},
		"by name, exactly":               {targets: lookup("name", shop), label: "web", want: "[h1]"},
		"by name that two have":          {targets: lookup("name", shop), label: "twin"},
		"by a part of a name":            {targets: lookup("name", shop), label: "we"},
		"by address":                     {targets: lookup("ip", shop), label: "10.0.0.1", want: "[h1]"},
		"by a part of an address":        {targets: lookup("ip", shop), label: "10.0.0."},
		"by what is no address":          {targets: lookup("ip", shop), label: "web"},
		"by several ids":                 {targets: lookup("resource_id", shop), label: "h1,h2"},
		"by an id with another question": {targets: lookup("resource_id", shop), label: "h1&application_id=other"},
		"outside the fence":              {targets: lookup("resource_id", shop), label: "h5"},
		"a fence that COC ignores":       {targets: lookup("resource_id", shop), label: "h1", options: coctest.Options{Switches: coctest.Switches{IgnoreFences: true}}},
		"a fence by tag":                 {targets: lookup("resource_id", scripts.Fence{Tag: "env=prod"}), label: "h1", want: "[h1]"},
		"outside a fence by tag":         {targets: lookup("resource_id", scripts.Fence{Tag: "env=prod"}), label: "h2"},
		"outside a fence by group":       {targets: lookup("resource_id", scripts.Fence{Group: "g"}), label: "h1"},
		"offline":                        {targets: lookup("resource_id", shop), label: "h4"},
		"fixed":                          {targets: hosts("h2", "h1"), want: "[h2 h1]"},
		"fixed, one unknown":             {targets: hosts("h1", "h9")},
		"fixed, one offline":             {targets: hosts("h1", "h4")},
		"fixed, elsewhere":               {targets: scripts.Targets{Max: 1, Hosts: []scripts.Host{{ResourceID: "h1", RegionID: "cn-east-3"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, tc.options, func(l *life) { l.rules[0].Script.Targets = tc.targets })
			host := func(id, name, ip, application, state string) coctest.Host {
				return coctest.Host{ResourceID: id, Name: name, IP: ip, RegionID: "cn-north-4", ProjectID: "p", AgentID: "sn", AgentState: state, Application: application}
			}
			h1 := host("h1", "web", "10.0.0.1", "shop", "ONLINE")
			h1.Tags = map[string]string{"env": "prod"}
			l.sim.SetHosts(h1, host("h2", "twin", "10.0.0.10", "shop", "ONLINE"), host("h3", "twin", "10.0.0.100", "shop", "ONLINE"),
				host("h4", "web-4", "10.0.0.4", "shop", "OFFLINE"), host("h5", "web-5", "10.0.0.5", "other", "ONLINE"))
			a := nginx("1")
			a.Labels["host"] = tc.label
			l.hear(a)
			l.pass(time.Minute)
			got := []string{}
			for _, o := range l.sim.Orders() {
				for _, h := range o.Batches[0].Hosts {
					got = append(got, h.ResourceID)
				}
			}
			switch {
			case tc.want == "" && (len(got) > 0 || fmt.Sprint(l.letters) != "[target]"):
				t.Errorf("it runs on %v, dead letters %v", got, l.letters)
			case tc.want != "" && fmt.Sprint(got) != tc.want:
				t.Errorf("it runs on %v, want %s (%v)", got, tc.want, l.run().Text)
			}
		})
	}
}

func TestJob_runsOnceAndIsFollowed(t *testing.T) {
	for _, mode := range []coctest.Fault{{}, {Do: coctest.Reset, After: true}} {
		l := newLife(t, coctest.Options{}, func(l *life) {
			c := scripts.DefaultJob()
			c.Document, c.DryRun, c.Description = "DM1", false, "by hand of [cb:nobody]"
			c.Parameters = map[string]scripts.Param{"unit": {Value: "{{ .Labels.unit }}", Allow: unitAllow}}
			l.rules = []scripts.Rule{{Name: "job", Actions: scripts.Actions{Job: &c}}}
		})
		l.sim.SetDocuments(coctest.Document{ID: "DM1", Name: "fail over", Content: "steps", Parameters: []string{"unit"}, Steps: []coctest.DocumentStep{{Name: "move", Takes: 10 * time.Second}}})
		if mode != (coctest.Fault{}) {
			mode.On, mode.Times = "/v1/documents/DM1", 1
			l.jobFault = &mode
		}
		l.story("1")
		r := l.run()
		if n := len(l.sim.Executions()); n != 1 || r.Outcome != scripts.Succeeded || r.Order != l.sim.Executions()[0].ID || len(r.Results) != 1 {
			t.Errorf("%+v: %d executions, %s %s %v", mode, n, r.State, r.Outcome, r.Results)
		}
	}
}

func TestSummary_tellsWhatRan(t *testing.T) {
	l := newLife(t, coctest.Options{}, nil)
	a := nginx("1")
	l.hear(a)
	l.pass(2 * time.Minute)
	var text string
	must(t, l.store.View(func(tx *store.Tx) error { text = scripts.Summary(tx, []string{a.AlarmID(), "other"}, noon); return nil }))
	for _, want := range []string{"fix: script " + script, "FINISHED", l.sim.Orders()[0].UUID, "web-1", "web-2"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
	must(t, l.store.View(func(tx *store.Tx) error { text = scripts.Summary(tx, []string{a.AlarmID()}, l.at()); return nil }))
	if text != "" {
		t.Errorf("of an earlier episode: %q", text)
	}
}

func TestForget_removesAllTraces(t *testing.T) {
	l := newLife(t, coctest.Options{}, nil)
	l.hear(nginx("1"))
	l.pass(2 * time.Minute)
	l.set(l.at().Add(8 * 24 * time.Hour))
	must(t, l.store.Update(t.Context(), func(tx *store.Tx) error {
		ids, next := l.s.Old(tx, "")
		if len(ids) != 1 || next != "" {
			t.Errorf("%v, %q", ids, next)
		}
		return l.s.Forget(tx, ids)
	}))
	must(t, l.store.View(func(tx *store.Tx) error {
		for _, bucket := range []store.Bucket{"runs", "runsopen", "runsof", "runorders", "runcalls"} {
			tx.Scan(bucket, nil, func(key, _ []byte, _ error) bool { t.Errorf("%s has %s", bucket, key); return true })
		}
		return nil
	}))
}

// COC answers with another order of the same script. Whether it shows at once, late,
// without its hosts, or only when it has ended: it is not taken for ours.
func TestRun_aForeignOrderIsNotTakenForOursHoweverLateItShows(t *testing.T) {
	for name, tc := range map[string]struct {
		delay, hidden time.Duration
	}{
		"at once": {}, "after the first poll": {8 * time.Second, 0}, "after its end": {time.Minute, 0}, "its hosts late": {0, 8 * time.Second}, "its hosts after its end": {0, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, coctest.Options{OrderDelay: tc.delay}, nil)
			run := (&scripts.Run{ID: strings.Repeat("f", 32), Request: scripts.Request{What: script, User: "root", Seconds: 60, SuccessRate: 100, BatchSize: 10,
				Hosts: []scripts.Target{{ResourceID: "web-1", RegionID: "cn-north-4"}}}}).ForCOC()
			foreign, _, err := l.Client.ExecuteScript(t.Context(), run)
			must(t, err)
			l.lie = func(string) string { return foreign }
			l.noHosts = tc.hidden > 0
			l.hear(nginx("1"))
			l.pass(tc.hidden)
			l.noHosts = false
			l.pass(5 * time.Minute)
			if r := l.run(); r.Outcome != scripts.Wrong || fmt.Sprint(l.letters) != "[wrong_order]" || r.Verified {
				t.Errorf("%s %s, verified %v, dead letters %v", r.State, r.Outcome, r.Verified, l.letters)
			}
		})
	}
}

// An order that shows no hosts for ever ends all the same.
func TestRun_endsWithAnOrderThatShowsNoHosts(t *testing.T) {
	l := newLife(t, coctest.Options{}, func(l *life) { l.noHosts = true })
	l.hear(nginx("1"))
	l.pass(20 * time.Minute)
	if r := l.run(); r.Outcome != scripts.Succeeded || r.Verified {
		t.Errorf("%s %s, verified %v", r.State, r.Outcome, r.Verified)
	}
}

// What happens while a run waits for its turn keeps it from being called.
func TestRun_isBrakedWhileItWaitsForItsTurn(t *testing.T) {
	for name, tc := range map[string]struct {
		turn func(l *life)
		want string // its code; empty = it is not over
	}{
		"stopped by hand": {func(l *life) {
			must(l.t, l.store.Update(l.t.Context(), func(tx *store.Tx) error { return l.s.Stop(tx, "alice", "maintenance") }))
		}, "stopped"},
		"recovered": {func(l *life) {
			over := nginx("1")
			over.Status, over.EndsAt = alert.Resolved, l.at()
			l.hear(over)
		}, "resolved"},
		"too late":          {func(l *life) { l.set(l.at().Add(time.Hour)) }, "too_late"},
		"the process stops": {func(l *life) { l.stopping = true }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, coctest.Options{}, nil)
			l.turn = func() { l.turn = nil; tc.turn(l) }
			l.hear(nginx("1"))
			_, run, _ := l.next()
			_, err := l.s.Do(t.Context(), run)
			if r := l.run(); l.calls != 0 || r.Attempt != 0 || r.Code != tc.want || (tc.want == "") != errors.Is(err, context.Canceled) {
				t.Errorf("%d calls, the run is %s %s: %v", l.calls, r.State, r.Code, err)
			}
		})
	}
}

// The wait ends with its caller's patience, and nothing has left.
func TestRun_needNotWaitForItsTurn(t *testing.T) {
	l := newLife(t, coctest.Options{}, nil)
	l.hear(nginx("1"))
	ctx, leave := context.WithCancel(t.Context())
	l.turn = leave
	_, run, _ := l.next()
	if _, err := l.s.Do(ctx, run); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if r := l.run(); l.calls != 0 || r.State != scripts.Armed || r.Attempt != 0 {
		t.Errorf("%d calls, %s", l.calls, r.State)
	}
}

// A cooldown is kept to its end, however short the history is.
func TestRun_keepsToALongCooldown(t *testing.T) {
	const cooldown = 30 * 24 * time.Hour
	l := newLife(t, coctest.Options{}, func(l *life) { l.rules[0].Script.Cooldown = model.Duration(cooldown) })
	again := func(fingerprint string) {
		must(t, l.store.Update(t.Context(), func(tx *store.Tx) error {
			ids, _ := l.s.Old(tx, "")
			return l.s.Forget(tx, ids)
		}))
		a := nginx(fingerprint)
		a.StartsAt = l.at()
		l.hear(a)
		l.pass(time.Hour)
	}
	again("1")
	l.set(noon.Add(cooldown - 2*time.Hour))
	again("2")
	if n := len(l.sim.Orders()); n != 1 {
		t.Errorf("%d orders within the cooldown", n)
	}
	again("3")
	again("4")
	if n := len(l.sim.Orders()); n != 2 {
		t.Errorf("%d orders after it", n)
	}
}
