package bridge_test

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

const twoIntegrations = "integrations: [{name: default, key: " + testKey + ", rate_limit: 0}, {name: other, key: " + otherKey + ", rate_limit: 0}]\n"

// toBoth sends what has the label team to the integration other.
const toBoth = twoIntegrations + `routes:
  - {matchers: ['team="other"'], integration: other}
  - {integration: default}
`

// storm is n alarms of one name.
func (r *rig) storm(name string, n int) []msg {
	all := make([]msg, n)
	for i := range all {
		all[i] = r.firing(name, time.Hour)
		all[i].Labels["instance"] = fmt.Sprintf("web-%d", i)
	}
	return all
}

// identified gives the alarm a known fingerprint and returns its alarmId.
func identified(m *msg, fingerprint string) string {
	m.Fingerprint = fingerprint
	return alert.Alert{Receiver: "alertmanager", Fingerprint: fingerprint}.AlarmID()
}

// gate is the cause with which an integration's gate is closed; empty = open.
func (r *rig) gate(integration string) string {
	r.t.Helper()
	for _, cause := range []string{"auth", "config", "down"} {
		if r.metric("cocbridge_gate_closed", "integration", integration, "cause", cause) == 1 {
			return cause
		}
	}
	return ""
}

// closed waits until the gate is closed with the cause and nothing is under way.
func (r *rig) closed(integration, cause string, waiting float64) {
	r.t.Helper()
	r.until("the gate closes: "+cause, func() bool { return r.gate(integration) == cause })
	r.idle(waiting)
}

// delivered waits until COC has accepted n alarms in all and nothing waits.
func (r *rig) delivered(n int) {
	r.t.Helper()
	r.until(fmt.Sprintf("%d alarms arrive", n), func() bool { return r.sim.Requests().Accepted >= n })
	r.idle(0)
	if got := len(r.sim.Alarms()); got != n {
		r.t.Errorf("%d alarms arrived, want %d", got, n)
	}
}

// unharmed checks on disk that the n tasks of a stopped bridge have no attempts
// counted, and that there are no dead letters.
func (r *rig) unharmed(n int) {
	r.t.Helper()
	for _, it := range r.tasks(n) {
		if it.Attempts != 0 || it.Spent != 0 || it.Crashes != 0 {
			r.t.Errorf("task %d has %d attempts, %s spent, %d crashes counted", it.ID, it.Attempts, it.Spent, it.Crashes)
		}
	}
	if dead := r.dead(); len(dead) > 0 {
		r.t.Errorf("%d dead letters, such as %+v", len(dead), dead[0].Cause)
	}
}

func TestGate_closesAndKeepsEverything(t *testing.T) {
	for name, tc := range map[string]struct {
		fault coctest.Fault
		cause string
	}{
		"bad credentials": {coctest.Fault{Status: 401}, "auth"},
		"no permission":   {coctest.Fault{Status: 403}, "auth"},
		"arrears":         {coctest.Fault{Status: 405, Code: "APIGW.0502"}, "auth"},
		"no such path":    {coctest.Fault{Status: 404}, "config"},
		"redirected":      {coctest.Fault{Status: 302, Location: "https://elsewhere.example/"}, "config"},
		"5xx for all":     {coctest.Fault{Status: 503}, "down"},
		"silence for all": {coctest.Fault{Do: coctest.Reset}, "down"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			r.sim.Inject(tc.fault)
			r.send(r.storm("Storm", 20)...)
			r.closed("default", tc.cause, 20)
			for range 5 { // the probes fail too
				r.advance(time.Minute)
				r.closed("default", tc.cause, 20)
			}
			r.sim.ClearFaults()
			r.advance(time.Minute)
			r.delivered(20)
			if cause := r.gate("default"); cause != "" {
				t.Errorf("the gate is still closed: %s", cause)
			}
			if n := r.metric("cocbridge_dead_letters"); n != 0 {
				t.Errorf("%v dead letters", n)
			}
			r.clean()
		})
	}
}

func TestGate_countsNoAttempts(t *testing.T) {
	r := newRig(t, "")
	r.sim.Inject(coctest.Fault{Status: 401})
	r.send(r.storm("Storm", 20)...)
	r.closed("default", "auth", 20)
	r.advance(time.Minute)
	r.closed("default", "auth", 20)
	r.stop()
	r.unharmed(20)
	r.start()
	r.closed("default", "auth", 20)
	r.sim.ClearFaults()
	r.advance(time.Minute)
	r.delivered(20)
	r.clean()
}

func TestGate_probesWithBackoffUpToOnceAMinute(t *testing.T) {
	r := newRig(t, "")
	r.sim.Inject(coctest.Fault{Status: 401})
	r.send(r.storm("Storm", 3)...)
	r.closed("default", "auth", 3)
	probes := func(in time.Duration) int {
		before := r.sim.Requests().Requests
		for range in / (5 * time.Second) {
			r.advance(5 * time.Second)
			r.idle(3)
		}
		return r.sim.Requests().Requests - before
	}
	if n := probes(time.Minute); n < 4 || n > 7 { // after 1, 2, 4 … s, less jitter
		t.Errorf("%d probes in the first minute", n)
	}
	if n := probes(5 * time.Minute); n < 4 || n > 12 {
		t.Errorf("%d probes in the five minutes after it", n)
	}
}

func TestGate_aReloadOpensItAtOnce(t *testing.T) {
	r := newRig(t, "")
	r.secret = "wrong"
	r.restart()
	r.send(r.storm("Storm", 20)...)
	r.closed("default", "auth", 20)
	r.secret = testSecret
	if err := r.reload(""); err != nil {
		t.Fatal(err)
	}
	r.delivered(20) // the clock has not moved
	r.clean()
}

// Whoever refuses what an alarm says can be reached, and knows us.
func TestGate_opensWhenCOCHasJudgedAnAlarm(t *testing.T) {
	for cause, fault := range map[string]coctest.Fault{"auth": {Status: 401}, "down": {Do: coctest.Reset}} {
		t.Run(cause, func(t *testing.T) {
			r := newRig(t, "")
			r.sim.Inject(fault)
			r.send(r.storm("Storm", 3)...)
			r.closed("default", cause, 3)
			r.sim.ClearFaults()
			r.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Message: "alarmName must not be null", Times: 2})
			r.advance(time.Minute)
			r.until("two are refused", func() bool { return r.metric("cocbridge_dead_letters") == 2 })
			r.arrived(0, "Storm alarm Minor") // the clock has not moved again
			if cause := r.gate("default"); cause != "" {
				t.Errorf("the gate is still closed: %s", cause)
			}
		})
	}
}

func TestGate_opensWhenTheEndpointCanBeReached(t *testing.T) {
	r := newRig(t, "")
	address := freeAddress(t)
	r.simURL = "http://" + address
	r.restart()
	r.send(r.storm("Storm", 5)...)
	r.closed("default", "down", 5)
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	coc := &http.Server{Handler: r.sim}
	go func() { _ = coc.Serve(l) }()
	defer coc.Close()
	r.advance(time.Minute)
	r.delivered(5)
	r.clean()
}

func TestGate_threeDifferentAlarmsRefusedAlikeAreTheConfigurationsFault(t *testing.T) {
	r := newRig(t, "integrations: [{name: default, key: nobodyknowsthiskey, rate_limit: 0}]\n")
	storm := r.storm("Storm", 5)
	r.send(storm...)
	r.closed("default", "config", 3)
	if n := r.metric("cocbridge_dead_letters"); n != 2 {
		t.Errorf("%v dead letters, want the two before it was clear", n)
	}
	if err := r.reload(""); err != nil {
		t.Fatal(err)
	}
	r.delivered(3)
	r.send(storm...)
	r.delivered(5)
	if n := r.metric("cocbridge_dead_letters"); n != 0 {
		t.Errorf("%v dead letters after their repeat was told", n)
	}
	r.clean()
}

func TestGate_staysOpenForOnePoisonAlarm(t *testing.T) {
	r := newRig(t, "")
	poison := r.firing("Poison", time.Hour)
	r.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Message: "alarmName must not be null", AlarmID: identified(&poison, "00000000000000aa")})
	r.send(append(r.storm("Storm", 5), poison)...)
	r.delivered(5)
	if cause, n := r.gate("default"), r.metric("cocbridge_dead_letters"); cause != "" || n != 1 {
		t.Errorf("gate %q, %v dead letters, want an open gate and one", cause, n)
	}
	r.clean()
}

func TestGate_aFailureOfOneAlarmHoldsBackItsLaneOnly(t *testing.T) {
	r := newRig(t, "")
	stuck := r.firing("Stuck", time.Hour)
	r.sim.Inject(coctest.Fault{Status: 503, AlarmID: identified(&stuck, "00000000000000aa")})
	r.send(append(r.storm("Storm", 5), stuck)...)
	r.idle(1)
	r.send(resolve(stuck, r.clock.Now()))
	r.send(r.storm("More", 5)...)
	r.until("all others arrive", func() bool { return len(r.sim.Alarms()) == 10 })
	r.idle(2)
	if cause := r.gate("default"); cause != "" {
		t.Errorf("the gate is closed: %s", cause)
	}
	r.sim.ClearFaults()
	r.advance(time.Minute)
	r.arrived(10, "Stuck alarm Minor", "Stuck ok Minor")
	r.clean()
}

func TestGate_throttlingPausesOneIntegrationOnly(t *testing.T) {
	r := newRig(t, toBoth)
	r.sim.Inject(coctest.Fault{Status: 429, RetryAfter: "120", Key: testKey, Times: 1})
	r.send(r.firing("First", time.Hour))
	r.until("COC throttles", func() bool { return r.sim.Requests().Requests == 1 })
	r.idle(1)
	r.send(r.storm("Storm", 5)...)
	other := r.storm("Other", 5)
	for i := range other {
		other[i].Labels["team"] = "other"
	}
	r.send(other...)
	r.until("the other integration's arrive", func() bool { return len(r.sim.Alarms()) == 5 })
	r.advance(119 * time.Second)
	r.idle(6)
	if n := r.sim.Requests().Requests; n != 6 {
		t.Errorf("%d requests before Retry-After is over, want 6", n)
	}
	if cause := r.gate("default"); cause != "" {
		t.Errorf("throttling closed the gate: %s", cause)
	}
	r.advance(time.Second)
	r.delivered(11)
	r.clean()
}

func TestGate_closesForOneIntegrationOnly(t *testing.T) {
	r := newRig(t, toBoth)
	r.sim.Inject(coctest.Fault{Status: 401, Key: testKey})
	m := r.firing("Other", time.Hour)
	m.Labels["team"] = "other"
	r.send(r.firing("Default", time.Hour))
	r.closed("default", "auth", 1)
	r.send(m)
	r.until("the other one's alarm arrives", func() bool { return len(r.sim.Alarms()) == 1 })
	r.idle(1)
	if cause := r.gate("other"); cause != "" {
		t.Errorf("the other gate is closed: %s", cause)
	}
}

func TestGate_giveUpAfterCountsOwnFailuresOnly(t *testing.T) {
	r := newRig(t, "delivery: {give_up_after: 30s}\n")
	stuck := r.firing("Stuck", time.Hour)
	failing := coctest.Fault{Status: 503, AlarmID: identified(&stuck, "00000000000000aa")}
	r.sim.Inject(failing)
	r.send(stuck)
	r.until("it has failed once", func() bool { return r.sim.Requests().Requests == 1 })
	r.idle(1)
	r.sim.ClearFaults()
	r.sim.Inject(coctest.Fault{Status: 401})
	r.advance(time.Minute)
	r.closed("default", "auth", 1)
	for range 100 {
		r.advance(time.Hour)
		r.idle(1)
	}
	r.sim.ClearFaults()
	r.sim.Inject(failing)
	r.send(r.firing("Fine", time.Hour))
	r.advance(time.Minute)
	r.until("the gate opens", func() bool {
		if r.gate("default") != "" {
			r.tick(time.Minute)
		}
		return len(r.sim.Alarms()) == 1
	})
	r.idle(1)
	if n := r.metric("cocbridge_dead_letters"); n != 0 {
		t.Fatalf("given up after 100 hours behind a closed gate")
	}
	r.until("it gives up by its own failures", func() bool { r.tick(time.Minute); return r.metric("cocbridge_dead_letters") == 1 })
	r.stop()
	if dead := r.dead(); dead[0].Cause.Code != "gave_up" {
		t.Errorf("buried for %+v", dead[0].Cause)
	}
}

// Each of these is an answer that says nothing of success. The alarm goes out
// again, its recovery behind it.
func TestDelivery_isNotEndedByWhatIsNoAnswer(t *testing.T) {
	for name, fault := range map[string]coctest.Fault{
		"200 with an error code":   {Code: "COC.00040701", Message: "internal"},
		"200 with a web page":      {Do: coctest.HTML},
		"200 without a body":       {Do: coctest.Empty},
		"200 that never ends":      {Do: coctest.Endless},
		"204":                      {Status: 204},
		"a reset before the work":  {Do: coctest.Reset},
		"a reset after the work":   {Do: coctest.Reset, After: true},
		"a 503 after the work":     {Status: 503, After: true},
		"a page of a proxy":        {Status: 502, Do: coctest.HTML},
		"408":                      {Status: 408},
		"a wrong clock, corrected": {Do: coctest.Clock},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			fault.Times = 1
			r.sim.Inject(fault)
			m := r.firing("Disk", time.Hour)
			r.send(m)
			r.until("the fault struck", func() bool { return len(r.sim.Requests().Faults) == 1 })
			r.until("the call is over", func() bool { return r.metric("cocbridge_tasks", "state", "in_flight") == 0 })
			r.send(resolve(m, r.clock.Now()))
			r.advance(time.Minute)
			r.until("the recovery arrives", func() bool {
				all := r.sim.Alarms()
				return len(all) > 0 && all[len(all)-1].Alarm.AlarmStatus == "ok"
			})
			r.idle(0)
			var got []string
			for _, e := range r.sim.Alarms() {
				got = append(got, e.Alarm.AlarmStatus)
			}
			if want := "alarm ok"; strings.Join(slices.Compact(got), " ") != want {
				t.Errorf("arrived: %q, want %q in this order", got, want)
			}
			if len(got) > 2 && !fault.After {
				t.Errorf("%q arrived, but the first call was not executed", got)
			}
			if v := r.sim.Violations(); len(v) > 0 {
				t.Errorf("violations: %q", v)
			}
			if n := r.metric("cocbridge_dead_letters"); n != 0 {
				t.Errorf("%v dead letters", n)
			}
		})
	}
}

func TestDelivery_aRefusalUnder200IsADeadLetter(t *testing.T) {
	r := newRig(t, "")
	r.sim.Inject(coctest.Fault{Code: "COC.00000001", Message: "alarmName must not be null", Times: 1})
	r.send(r.firing("Disk", time.Hour))
	r.until("a dead letter", func() bool { return r.metric("cocbridge_dead_letters") == 1 })
	r.idle(0)
	if n := len(r.sim.Alarms()); n != 0 {
		t.Errorf("%d alarms arrived", n)
	}
}

func TestGate_tasksOfAnUnknownIntegrationAreKept(t *testing.T) {
	r := newRig(t, toBoth)
	r.sim.Inject(coctest.Fault{Status: 401})
	m := r.firing("Other", time.Hour)
	m.Labels["team"] = "other"
	r.send(m)
	r.closed("other", "auth", 1)
	r.stop()
	r.sim.ClearFaults()
	r.extra = ""
	r.start()
	r.closed("other", "config", 1)
	r.send(r.firing("Default", time.Hour))
	r.until("the known integration's arrives", func() bool { return len(r.sim.Alarms()) == 1 })
	r.idle(1)
	r.stop()
	r.unharmed(1)
	r.start()
	if err := r.reload(toBoth); err != nil {
		t.Fatal(err)
	}
	r.delivered(2)
	r.clean()
}
