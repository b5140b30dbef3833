package bridge_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

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
	round := 0
	r.until("it is full", func() bool {
		round++
		storm := r.storm("Storm", 50)
		for i := range storm {
			storm[i].Labels["round"] = fmt.Sprint(round)
			for j := range 4 {
				storm[i].Annotations[fmt.Sprintf("text%d", j)] = strings.Repeat("x", 4000)
			}
		}
		status, _ := r.post(storm...)
		return status == http.StatusServiceUnavailable
	})
	r.checkTrouble() // it fits although senders are refused
	accepted := int(r.metric("cocbridge_tasks"))
	r.sim.ClearFaults()
	r.advance(time.Minute)
	r.delivered(accepted)
	r.checkTrouble()
	r.delivered(accepted + 1)
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
