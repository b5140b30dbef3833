package bridge_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// troubledRig is a rig that tells COC of its own trouble.
func troubledRig(t *testing.T, extra string) *rig {
	t.Helper()
	r := makeRig(t, extra, coctest.Options{})
	r.tells, r.seldom = true, true // looks when it is told to
	r.start()
	return r
}

func (r *rig) checkTrouble() {
	r.t.Helper()
	if err := r.b.CheckTrouble(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func TestTrouble_deadLetters(t *testing.T) {
	r := troubledRig(t, "")
	r.checkTrouble()
	r.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Times: 1})
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.until("it is buried", func() bool { return r.metric("cocbridge_dead_letters") == 1 })
	r.checkTrouble()
	r.checkTrouble() // only a change is told
	r.arrived(0, "CocbridgeDeadLetters alarm Major")
	if text := r.sim.Alarms()[0].Alarm.AlarmDesc; !strings.HasPrefix(text, "1 dead letters of kind report") {
		t.Errorf("COC is told %q", text)
	}
	r.restart() // what was told before is known
	r.advance(time.Minute)
	r.checkTrouble()
	r.arrived(1)
	r.advance(time.Minute)
	r.send(m)
	r.arrived(1, "Disk alarm Minor")
	r.checkTrouble()
	r.arrived(2, "CocbridgeDeadLetters ok Major")
	r.clean()
}

// COC refuses our own alarm as well. That must not lead to the next one.
func TestTrouble_aboutTroubleIsOnlyLogged(t *testing.T) {
	r := troubledRig(t, needsOwner+"") // no route takes our own alarm either
	r.send(r.firing("Disk", time.Hour))
	for range 3 {
		r.checkTrouble()
	}
	r.arrived(0)
	if n := r.metric("cocbridge_dead_letters"); n != 1 {
		t.Errorf("%v dead letters, want the one of the alert", n)
	}

	r = troubledRig(t, "routes: [{matchers: ['receiver=\"cocbridge\"'], integration: default}]\n")
	r.send(r.firing("Disk", time.Hour))
	r.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001"})
	r.checkTrouble()
	r.until("our own is buried", func() bool { return r.metric("cocbridge_dead_letters") == 2 })
	for range 3 {
		r.advance(time.Minute)
		r.checkTrouble()
		r.idle(0)
	}
	if n := r.metric("cocbridge_dead_letters"); n != 2 {
		t.Errorf("%v dead letters", n)
	}
	// Nor does the dead letter of a test.
	other := troubledRig(t, "")
	other.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Times: 1})
	if _, err := other.hands().SendTest(t.Context(), admin.SendTest{}); err != nil {
		t.Fatal(err)
	}
	other.until("it is buried", func() bool { return other.metric("cocbridge_dead_letters") == 1 })
	other.checkTrouble()
	other.arrived(0)
	// Without the first one ours is all that is left: that is no trouble to tell of.
	r.sim.ClearFaults()
	if err := r.hands().Drop(t.Context(), admin.Drop{Select: admin.Select{IDs: []uint64{1}}, Why: "x"}, func(admin.Outcome) error { return nil }); err != nil {
		t.Fatal(err)
	}
	r.checkTrouble()
	r.arrived(0)
	if left := r.deadLetters(admin.Select{}); len(left) != 1 || left[0].Task.Receiver != "cocbridge" {
		t.Errorf("left are %+v", left)
	}
}

func TestTrouble_aGateClosedForLong(t *testing.T) {
	for name, c := range map[string]struct {
		extra string
		fault coctest.Fault
		// while it is closed, and after
		during, after []string
	}{
		"tells through another integration": {twoIntegrations, coctest.Fault{Status: 401, Key: testKey},
			[]string{"CocbridgeGateClosed alarm Major"}, []string{"Disk alarm Minor", "CocbridgeGateClosed ok Major"}},
		"tells once it opens when there is none": {"", coctest.Fault{Status: 401},
			nil, []string{"Disk alarm Minor", "CocbridgeGateClosed alarm Major", "CocbridgeGateClosed ok Major"}},
		"is silent when asked to be": {"delivery: {report_trouble: false}\n", coctest.Fault{Status: 401},
			nil, []string{"Disk alarm Minor"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := troubledRig(t, c.extra)
			r.sim.Inject(c.fault)
			r.send(r.firing("Disk", time.Hour))
			r.closed("default", "auth", 1)
			r.advance(5 * time.Minute)
			r.checkTrouble()
			if n := len(r.sim.Alarms()); n != 0 {
				t.Errorf("%d alarms after five minutes sharp", n)
			}
			r.advance(time.Second)
			r.checkTrouble()
			r.until("all that can is told", func() bool { return len(r.sim.Alarms()) == len(c.during) })
			r.sim.ClearFaults()
			r.advance(time.Minute)
			r.until("the gate opens", func() bool { return r.gate("default") == "" })
			r.checkTrouble()
			r.until("all is told", func() bool { return len(r.sim.Alarms()) == len(c.during)+len(c.after) })
			r.idle(0)
			got := map[string]bool{}
			for _, e := range r.sim.Alarms() {
				got[fmt.Sprintf("%s %s %s", e.Alarm.AlarmName, e.Alarm.AlarmStatus, e.Alarm.AlarmLevel)] = true
			}
			for _, want := range append(c.during, c.after...) {
				if !got[want] {
					t.Errorf("%s is not told, only %v", want, got)
				}
			}
			r.clean()
		})
	}
}

func TestTrouble_aFullStore(t *testing.T) {
	r := troubledRig(t, "store: {max_size: 16MiB}\n")
	r.checkTrouble()
	r.sim.Inject(coctest.Fault{Status: 503})
	accepted := r.fill()
	r.checkTrouble() // it fits although senders are refused
	r.sim.ClearFaults()
	r.advance(time.Minute)
	r.delivered(accepted + 1)
	r.checkTrouble()
	r.delivered(accepted + 2)
	told := []string{}
	for _, e := range r.sim.Alarms() {
		if e.Alarm.AlarmName != "Storm" {
			told = append(told, fmt.Sprintf("%s %s", e.Alarm.AlarmName, e.Alarm.AlarmStatus))
		}
	}
	if want := "[CocbridgeStoreNearlyFull alarm CocbridgeStoreNearlyFull ok]"; fmt.Sprint(told) != want {
		t.Errorf("told %v, want %s", told, want)
	}
	r.clean()
}

func TestTrouble_aSilentReceiver(t *testing.T) {
	r := troubledRig(t, "receivers: [{name: alertmanager, silent_after: 1h}, {name: other}]\n")
	r.advance(time.Hour)
	r.checkTrouble()
	r.arrived(0)
	r.advance(time.Second)
	r.checkTrouble()
	r.checkTrouble()
	r.arrived(0, "CocbridgeReceiverSilent alarm Major")
	r.advance(time.Minute)
	r.send(r.firing("Disk", time.Hour))
	r.checkTrouble()
	r.delivered(3)
	if got := r.sim.Alarms()[2].Alarm.AlarmStatus + r.sim.Alarms()[1].Alarm.AlarmStatus; got != "okalarm" && got != "alarmok" {
		t.Errorf("told %s", got)
	}
	if last := r.metric("cocbridge_receiver_last_message_timestamp_seconds", "receiver", "alertmanager"); last != float64(r.clock.Now().Unix()) {
		t.Errorf("last message at %v", last)
	}
	// A receiver that is silent and then removed is no trouble any more.
	r.advance(2 * time.Hour)
	r.checkTrouble()
	r.delivered(4)
	r.advance(time.Minute)
	if err := r.reload("receivers: [{name: other}]\n"); err != nil {
		t.Fatal(err)
	}
	r.checkTrouble()
	r.delivered(5)
	r.clean()
}

// Nobody repeats our own alarms but we.
func TestTrouble_thatLastsIsNotClosedAsSilent(t *testing.T) {
	r := troubledRig(t, "routes: [{matchers: ['receiver=\"cocbridge\"'], integration: default}]\ndelivery: {stale_after: 2h, refresh: 0s}\n")
	r.send(r.firing("Disk", time.Hour)) // no route takes it
	r.checkTrouble()
	r.arrived(0, "CocbridgeDeadLetters alarm Major")
	for range 5 {
		r.advance(time.Hour)
		r.checkTrouble()
		r.sweep()
		r.idle(0)
	}
	r.arrived(1)
	r.clean()
}

// What lasts is told as often as any alarm that its sender repeats, and by the way
// it was told first: there it ends.
func TestTrouble_thatLastsIsRefreshed(t *testing.T) {
	r := troubledRig(t, twoIntegrations+"receivers: [{name: alertmanager, silent_after: 1h}]\n")
	r.sim.Inject(coctest.Fault{Status: 401, Key: testKey})
	r.send(r.firing("Disk", time.Hour))
	r.closed("default", "auth", 1)
	r.advance(time.Hour + time.Second)
	r.checkTrouble() // the gate is trouble as well
	r.until("both are told", func() bool { return len(r.sim.Alarms()) == 2 })
	r.idle(1)
	r.sim.ClearFaults()
	r.advance(time.Minute)
	r.until("the gate opens", func() bool { return r.gate("default") == "" && len(r.sim.Alarms()) == 3 })
	r.checkTrouble()
	r.arrived(3, "CocbridgeGateClosed ok Major")
	r.advance(30 * time.Minute)
	r.checkTrouble()
	r.arrived(4, "CocbridgeReceiverSilent alarm Major")
	if key := r.sim.Alarms()[4].Key; key != otherKey {
		t.Errorf("it is told again through %s", key)
	}
	r.clean()
}

// Neither a restart nor a reload shows that anything is over.
func TestTrouble_lastsUntilSomethingShowsThatItIsOver(t *testing.T) {
	again := map[string]func(*rig){
		"a restart": (*rig).restart,
		"a reload": func(r *rig) {
			if err := r.reload(r.extra); err != nil {
				r.t.Fatal(err)
			}
		},
	}
	for name, change := range again {
		t.Run("a gate, "+name, func(t *testing.T) {
			r := troubledRig(t, twoIntegrations)
			r.sim.Inject(coctest.Fault{Status: 401, Key: testKey})
			r.send(r.firing("Disk", time.Hour))
			r.closed("default", "auth", 1)
			r.advance(5*time.Minute + time.Second)
			r.checkTrouble()
			r.until("it is told", func() bool { return len(r.sim.Alarms()) == 1 })
			change(r)
			r.checkTrouble() // it is open, or closed for no time at all
			r.closed("default", "auth", 1)
			r.checkTrouble()
			r.idle(1)
			if told := r.sim.Alarms(); len(told) != 1 {
				t.Fatalf("COC is told %+v", told[1:])
			}
			r.sim.ClearFaults()
			r.advance(time.Minute)
			r.until("the gate opens", func() bool { return r.gate("default") == "" && len(r.sim.Alarms()) == 2 })
			r.checkTrouble()
			r.arrived(2, "CocbridgeGateClosed ok Major")
			r.clean()
		})
		t.Run("a silent receiver, "+name, func(t *testing.T) {
			r := troubledRig(t, "receivers: [{name: alertmanager, silent_after: 1h}]\n")
			r.advance(time.Hour + time.Second)
			r.checkTrouble()
			r.arrived(0, "CocbridgeReceiverSilent alarm Major")
			change(r)
			r.checkTrouble()
			r.advance(time.Minute)
			r.checkTrouble()
			r.idle(0)
			r.arrived(1)
			r.send(r.firing("Disk", time.Hour))
			r.arrived(1, "Disk alarm Minor")
			r.checkTrouble()
			r.arrived(2, "CocbridgeReceiverSilent ok Major")
			r.clean()
		})
	}
}

// What is about something that is gone ends, and so does all of it when nobody
// wants to hear of it any more.
func TestTrouble_endsWithWhatItIsAbout(t *testing.T) {
	const silent = "receivers: [{name: alertmanager, silent_after: 1h}, {name: other}]\n"
	for name, extra := range map[string]string{
		"a receiver that is removed":        "receivers: [{name: other}]\n",
		"a receiver that may be silent":     "receivers: [{name: alertmanager}, {name: other}]\n",
		"report_trouble that is turned off": silent + "delivery: {report_trouble: false}\n",
		"a receiver, and a route drops it":  "receivers: [{name: other}]\nroutes: [{drop: true}]\n",
		"a receiver, and nothing maps it":   "receivers: [{name: other}]\n" + needsOwner,
	} {
		for how, change := range map[string]func(*rig, string) error{
			"by a reload":  (*rig).reload,
			"by a restart": func(r *rig, extra string) error { r.extra = extra; r.restart(); return nil },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				r := troubledRig(t, silent)
				r.advance(time.Hour + time.Second)
				r.checkTrouble()
				r.arrived(0, "CocbridgeReceiverSilent alarm Major")
				r.advance(time.Minute)
				if err := change(r, extra); err != nil {
					t.Fatal(err)
				}
				r.checkTrouble()
				r.checkTrouble()
				r.arrived(1, "CocbridgeReceiverSilent ok Major")
				r.clean()
			})
		}
	}
}

func TestTrouble_whoIsTurnedAwayIsNotSilent(t *testing.T) {
	r := troubledRig(t, "store: {max_size: 16MiB}\nreceivers: [{name: alertmanager, silent_after: 1h}]\n")
	r.sim.Inject(coctest.Fault{Status: 503})
	r.fill()
	r.advance(2 * time.Hour)
	if status, _ := r.post(r.firing("Disk", time.Hour)); status != http.StatusServiceUnavailable {
		t.Fatalf("the bridge answered %d", status)
	}
	r.checkTrouble()
	r.sim.ClearFaults()
	r.advance(time.Minute)
	r.idle(0)
	for _, e := range r.sim.Alarms() {
		if e.Alarm.AlarmName == "CocbridgeReceiverSilent" {
			t.Errorf("told: %s", e.Alarm.AlarmDesc)
		}
	}
}

func TestTrouble_ofAnIntegrationEndsWithIt(t *testing.T) {
	for name, tt := range map[string]struct {
		remove func(*rig) error
		more   string // what else is told
	}{
		"by force, with a task that waits": {func(r *rig) error {
			r.extra = ""
			r.write()
			return r.b.Reload(r.t.Context(), true)
		}, "CocbridgeDeadLetters alarm"},
		"by a restart, after its gate has opened": {func(r *rig) error {
			r.sim.ClearFaults()
			r.advance(time.Minute)
			r.delivered(2)
			r.extra = ""
			r.restart()
			return nil
		}, "Disk alarm"},
	} {
		t.Run(name, func(t *testing.T) {
			r := troubledRig(t, toBoth)
			r.sim.Inject(coctest.Fault{Status: 401, Key: otherKey})
			m := r.firing("Disk", time.Hour)
			m.Labels["team"] = "other"
			r.send(m)
			r.closed("other", "auth", 1)
			r.advance(5*time.Minute + time.Second)
			r.checkTrouble()
			r.until("it is told", func() bool { return len(r.sim.Alarms()) == 1 })
			if err := tt.remove(r); err != nil {
				t.Fatal(err)
			}
			r.idle(0)
			r.advance(time.Minute)
			r.checkTrouble()
			r.delivered(3)
			told := []string{}
			for _, e := range r.sim.Alarms() {
				told = append(told, e.Alarm.AlarmName+" "+e.Alarm.AlarmStatus)
			}
			slices.Sort(told)
			want := []string{"CocbridgeGateClosed alarm", "CocbridgeGateClosed ok", tt.more}
			slices.Sort(want)
			if diff := cmp.Diff(want, told); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			r.clean()
		})
	}
}

func TestTrouble_isInTheLog(t *testing.T) {
	log := &page{}
	r := makeRig(t, "receivers: [{name: alertmanager, silent_after: 1h}]\ndelivery: {report_trouble: false}\n", coctest.Options{})
	r.log = zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(log), zap.ErrorLevel))
	r.start()
	r.advance(2 * time.Hour)
	r.checkTrouble()
	r.send(r.firing("Disk", time.Hour))
	r.checkTrouble()
	for _, line := range []string{`"msg":"own trouble","alert":"CocbridgeReceiverSilent","subject":"alertmanager"`} {
		if strings.Count(log.String(), line) != 1 {
			t.Errorf("%s is not in the log exactly once:\n%s", line, log)
		}
	}
}

func TestSendTest(t *testing.T) {
	r := troubledRig(t, "")
	if _, err := r.hands().SendTest(t.Context(), admin.SendTest{Resolve: true}); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("an end without a beginning: %v", err)
	}
	for i := range 2 { // it can be repeated
		out, err := r.hands().SendTest(t.Context(), admin.SendTest{})
		if err != nil {
			t.Fatal(err)
		}
		r.arrived(2*i, "CocbridgeTest alarm Info")
		if a := r.why(out.AlarmID); a.Verdict != admin.Sent || a.Alarm.InCOC != "firing" {
			t.Errorf("%+v", a)
		}
		r.advance(time.Second)
		if _, err := r.hands().SendTest(t.Context(), admin.SendTest{Resolve: true}); err != nil {
			t.Fatal(err)
		}
		r.arrived(2*i+1, "CocbridgeTest ok Info")
		r.advance(time.Second)
	}
	r.clean()
	for extra, says := range map[string]string{
		"routes: [{drop: true}]\n": `routes[0] (everything) drops the test alert: let alerts of the receiver "cocbridge" pass`,
		needsOwner:                 "the test alert cannot be mapped: mapping: routes: no route matches",
	} {
		if err := r.reload(extra); err != nil {
			t.Fatal(err)
		}
		if _, err := r.hands().SendTest(t.Context(), admin.SendTest{}); !errors.Is(err, admin.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", extra, err, says)
		}
	}
}
