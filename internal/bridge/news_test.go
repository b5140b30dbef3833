package bridge_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/ledger"
)

// Each test here is one sentence of the design's "What is news", told through
// the running bridge: HTTP in, disk, HTTP out.

func TestNews_aNewEpisodeAChangeOfStatusOrOfLevel(t *testing.T) {
	r := newRig(t, "")
	disk := r.firing("Disk", time.Hour)
	r.send(disk)
	r.arrived(0, "Disk alarm Minor")
	r.send(resolve(disk, r.clock.Now()))
	r.arrived(1, "Disk ok Minor")
	again := disk
	r.advance(time.Minute)
	again.StartsAt = r.clock.Now()
	r.send(again)
	r.arrived(2, "Disk alarm Minor")
	r.advance(time.Minute)
	again.StartsAt = r.clock.Now()
	r.send(again) // resolved and fired again within group_interval: no resolve ever comes
	r.arrived(3, "Disk alarm Minor")
	r.clean()
}

// The severity is mostly a label and so part of the identity; where the level
// comes from an annotation it can change within an episode.
func TestNews_anotherLevelWithinAnEpisode(t *testing.T) {
	r := newRig(t, `
mapping:
  application_id: app-1
  alarm_level: {value: '{{ .Annotations.level }}'}
`)
	m := r.firing("Disk", time.Hour)
	m.Annotations["level"] = "warning"
	r.send(m)
	m.Annotations["level"] = "critical"
	r.send(m)
	r.send(m)
	r.arrived(0, "Disk alarm Minor", "Disk alarm Critical")
	if a := r.sim.Alarms(); a[0].Alarm.Time != a[1].Alarm.Time {
		t.Errorf("the episode's time changed from %d to %d", a[0].Alarm.Time, a[1].Alarm.Time)
	}
	r.clean()
}

func TestNews_changedTextsRideOnTheNextRefresh(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	m.Annotations["description"] = "another text"
	r.send(m)
	r.arrived(1)
	r.advance(30 * time.Minute)
	r.send(m)
	r.arrived(1, "Disk alarm Minor")
	if got := r.sim.Alarms()[1].Alarm.AlarmDesc; got != "another text" {
		t.Errorf("the refresh says %q", got)
	}
	r.clean()
}

func TestNews_aRepeatIsToldAgainOnlyByTheSenderAndAfterRefresh(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	r.advance(29 * time.Minute)
	r.send(m)
	r.arrived(1)
	r.advance(24 * time.Hour) // no timer: nothing goes without the sender
	r.arrived(1)
	r.send(m)
	r.arrived(1, "Disk alarm Minor")
	if a := r.sim.Alarms(); a[0].Alarm.Time != a[1].Alarm.Time {
		t.Errorf("the refresh carries another time: %d, not %d", a[1].Alarm.Time, a[0].Alarm.Time)
	}
	r.clean()
}

func TestNews_refreshCountsFromTheConfirmationAndNeverWhileATaskWaits(t *testing.T) {
	r := newRig(t, "")
	r.sim.Inject(coctest.Fault{Status: 503})
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.until("COC refused", func() bool { return r.sim.Requests().Requests >= 1 })
	r.idle(1)
	r.advance(time.Hour)
	r.until("COC refused again", func() bool { return r.sim.Requests().Requests >= 2 })
	r.idle(1)
	r.send(m)
	if n := r.metric("cocbridge_ledger_decisions_total", "verdict", "refresh"); n != 0 {
		t.Errorf("%v refreshes while a task waits", n)
	}
	r.sim.ClearFaults()
	r.advance(time.Hour)
	r.arrived(0, "Disk alarm Minor")
	r.advance(29 * time.Minute)
	r.send(m)
	r.arrived(1)
	r.advance(time.Minute)
	r.send(m)
	r.arrived(1, "Disk alarm Minor")
	r.clean()
}

func TestNews_refreshZeroMeansNever(t *testing.T) {
	r := newRig(t, "delivery: {refresh: 0}\n")
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	r.advance(1000 * time.Hour)
	r.send(m)
	r.arrived(1)
}

func TestNews_aGroupOf500WithOneChangeIsOnePOST(t *testing.T) {
	r := newRig(t, "")
	group := make([]msg, 500)
	want := make([]string, 500)
	for i := range group {
		group[i] = r.firing("Group", time.Hour)
		group[i].Labels["instance"] = string(rune('一' + i))
		want[i] = "Group alarm Minor"
	}
	r.send(group...)
	r.arrived(0, want...)
	group[250] = resolve(group[250], r.clock.Now())
	r.send(group...)
	r.arrived(500, "Group ok Minor")
	if n := r.sim.Requests().Requests; n != 501 {
		t.Errorf("%d requests", n)
	}
	r.clean()
}

func TestNews_anOldFiringIsHeldAndDroppedIfAResolveFollows(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Disk", time.Hour)
	end := r.clock.Now()
	r.send(m)
	r.send(resolve(m, end))
	r.arrived(0, "Disk alarm Minor", "Disk ok Minor")
	r.send(m) // a slow peer of a cluster, 1 s late
	r.idle(1)
	r.advance(3 * time.Second)
	r.send(resolve(m, end))
	r.arrived(2)
	r.advance(time.Hour)
	r.arrived(2)
	r.clean()
}

func TestNews_anOldFiringIsDeliveredIfNoResolveFollows(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.send(resolve(m, r.clock.Now()))
	r.arrived(0, "Disk alarm Minor", "Disk ok Minor")
	r.send(m) // a lost source has returned: the same startsAt, and nothing follows
	r.advance(59 * time.Second)
	r.idle(1)
	r.advance(time.Second)
	r.arrived(2, "Disk alarm Minor")
	r.advance(time.Hour)
	r.send(resolve(m, r.clock.Now()))
	r.arrived(3, "Disk ok Minor")
	r.clean()
}

func TestNews_theFenceSurvivesARestart(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.send(resolve(m, r.clock.Now()))
	r.arrived(0, "Disk alarm Minor", "Disk ok Minor")
	r.send(m)
	r.restart()
	r.idle(1)
	r.advance(time.Minute)
	r.arrived(2, "Disk alarm Minor")
	r.clean()
}

func TestNews_aStartInTheFutureIsClampedForOrdering(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Disk", -time.Hour)
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	r.advance(10 * time.Minute)
	r.send(m)
	r.arrived(1)
	r.send(resolve(m, r.clock.Now()))
	r.arrived(1, "Disk ok Minor")
	next := r.firing("Disk", 0) // right clock again: later than arrival + 5 min of the first
	r.send(next)
	r.arrived(2, "Disk alarm Minor")
	r.clean()
}

func TestNews_aResolveOfWhatWasNeverTold(t *testing.T) {
	t.Run("is sent by default", func(t *testing.T) {
		r := newRig(t, "")
		r.send(resolve(r.firing("Disk", time.Hour), r.clock.Now()))
		r.arrived(0, "Disk ok Minor")
	})
	t.Run("or dropped", func(t *testing.T) {
		r := newRig(t, "receivers: [{name: alertmanager, type: alertmanager, unknown_resolved: drop}]\n")
		r.send(resolve(r.firing("Disk", time.Hour), r.clock.Now()))
		r.arrived(0)
		if n := r.metric("cocbridge_ledger_decisions_total", "verdict", "unknown"); n != 1 {
			t.Errorf("counted %v times", n)
		}
	})
}

func TestNews_aResolveKeepsTheIdentityThatWasTold(t *testing.T) {
	two := "integrations: [{name: default, key: " + testKey + ", rate_limit: 0}, {name: other, key: " + otherKey + ", rate_limit: 0}]\n"
	r := newRig(t, two)
	disk, dropped := r.firing("Disk", time.Hour), r.firing("Dropped", time.Hour)
	r.send(disk, dropped)
	r.until("both arrived", func() bool { return len(r.sim.Alarms()) == 2 })
	if err := r.reload(two + `
routes:
  - {matchers: ['alertname="Dropped"'], drop: true}
  - {integration: other}
mapping:
  application_id: app-2
  alarm_name: 'renamed'
  name_space: 'elsewhere'
  resource_name: 'another'
  source: 'nobody'
`); err != nil {
		t.Fatal(err)
	}
	r.send(resolve(disk, r.clock.Now()), resolve(dropped, r.clock.Now()))
	r.until("both resolves arrived", func() bool { return len(r.sim.Alarms()) == 4 })
	for _, e := range r.sim.Alarms()[2:] {
		if e.Key != testKey || e.Alarm.ApplicationID != "app-1" || e.Alarm.AlarmStatus != "ok" {
			t.Errorf("a resolve went to %s as %+v", e.Key, e.Alarm)
		}
	}
	r.idle(0)
	r.clean() // the simulator checks that each ok has the identity of its alarm
}

// Told through another integration, an alarm would fire for ever in the first.
func TestNews_aFiringStaysInTheIntegrationThatShowsIt(t *testing.T) {
	r := newRig(t, twoIntegrations)
	disk := r.firing("Disk", time.Hour)
	wanted := func(from int, key, says string) {
		t.Helper()
		r.arrived(from, says)
		if e := r.sim.Alarms()[from]; e.Key != key {
			t.Errorf("%q went to %s", says, e.Key)
		}
	}
	r.send(disk)
	wanted(0, testKey, "Disk alarm Minor")
	if err := r.reload(twoIntegrations + "routes: [{integration: other}]\n"); err != nil {
		t.Fatal(err)
	}
	r.advance(30 * time.Minute)
	r.send(disk)
	wanted(1, testKey, "Disk alarm Minor")
	disk.StartsAt = r.clock.Now() // resolved and fired again within group_interval: no resolve ever comes
	r.send(disk)
	wanted(2, testKey, "Disk alarm Minor")
	r.advance(time.Minute)
	r.send(resolve(disk, r.clock.Now()))
	wanted(3, testKey, "Disk ok Minor")
	r.advance(time.Minute)
	disk.StartsAt = r.clock.Now()
	r.send(disk)
	wanted(4, otherKey, "Disk alarm Minor")
	r.advance(time.Minute)
	r.send(resolve(disk, r.clock.Now()))
	wanted(5, otherKey, "Disk ok Minor")
	r.clean()
}

func TestNews_aDeadLetteredAlarmNeverCountsAsTold(t *testing.T) {
	r := newRig(t, "")
	r.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Message: "alarmName must not be null", Times: 1})
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.until("a dead letter", func() bool { return r.metric("cocbridge_dead_letters") == 1 })
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	if n := r.metric("cocbridge_dead_letters"); n != 0 {
		t.Errorf("success leaves %v dead letters", n)
	}
	r.clean()
}

func TestNews_anUnmappableAlertIsADeadLetterUntilTheMappingIsMended(t *testing.T) {
	good := "\nmapping: {application_id: app-1}\n"
	r := newRig(t, "\nmapping: {application_id: '{{ .Labels.app }}'}\n")
	bad, fine := r.firing("Bad", time.Hour), r.firing("Fine", time.Hour)
	fine.Labels["app"] = "app-1"
	r.send(bad, fine)
	r.arrived(0, "Fine alarm Minor")
	r.send(bad, fine)
	if n := r.metric("cocbridge_dead_letters"); n != 1 {
		t.Errorf("%v dead letters, want one that counts its repeats", n)
	}
	if err := r.reload(good); err != nil {
		t.Fatal(err)
	}
	r.send(bad, fine)
	r.arrived(1, "Bad alarm Minor")
	r.clean()
}

func TestNews_aRouteDrops(t *testing.T) {
	r := newRig(t, `routes:
  - {matchers: ['alertname="Watchdog"'], drop: true}
  - {integration: default}
`)
	watchdog := r.firing("Watchdog", time.Hour)
	r.send(watchdog, r.firing("Disk", time.Hour))
	r.send(resolve(watchdog, r.clock.Now()))
	r.arrived(0, "Disk alarm Minor")
}

// A new rule sees what already fires. A ticket for it is in place; a script is for what
// begins.
func TestNews_aNewRuleOpensTicketsAndRunsNothing(t *testing.T) {
	receivers, rules, _ := strings.Cut(scriptRules("      not_after: 6h\n"), "rules:\n")
	ticket := strings.Replace(incidentRule(""), `severity="critical"`, `alertname="NginxDown"`, 1)
	r := newScriptRig(t, receivers)
	down := nginxDown(r, "web-1")
	r.page(down)
	r.arrived(0, "NginxDown alarm Minor")
	if err := r.reload(receivers + ticket + rules); err != nil {
		t.Fatal(err)
	}
	r.advance(31 * time.Minute)
	r.page(down)
	r.until("the refresh arrives", func() bool { return len(r.sim.Alarms()) == 2 })
	r.pass(30 * time.Second)
	r.wantTickets("NginxDown on web-1 ACKNOWLEDGED 0")
	if n := len(r.sim.Orders()); n != 0 {
		t.Errorf("%d orders", n)
	}
	if runs := r.automation().Runs; len(runs) != 0 {
		t.Errorf("runs: %+v", runs)
	}
}

func TestNews_firingAndResolveThatBothWaitAreBothTold(t *testing.T) {
	r := newRig(t, "")
	r.sim.Inject(coctest.Fault{Status: 503})
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.until("COC refused the firing", func() bool { return r.sim.Requests().Requests >= 1 })
	r.idle(1)
	r.send(resolve(m, r.clock.Now()))
	r.idle(2)
	r.sim.ClearFaults()
	r.advance(2 * time.Minute)
	r.arrived(0, "Disk alarm Minor", "Disk ok Minor")
	r.clean()
}

func TestNews_anAlarmUnheardOfIsClosedAfterStaleAfter(t *testing.T) {
	r := newRig(t, "delivery: {stale_after: 24h}\n")
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	r.advance(23 * time.Hour)
	r.send(m) // heard of: the clock starts anew
	r.arrived(1, "Disk alarm Minor")
	r.advance(23 * time.Hour)
	r.sweep()
	r.arrived(2)
	r.advance(2*time.Hour + time.Second) // repeats are noted to the hour
	r.sweep()
	r.arrived(2, "Disk ok Minor")
	r.sweep()
	r.arrived(3)
	r.clean()
}

// Who is turned away for want of room is not silent.
func TestNews_aFullStoreIsNotTheSilenceOfItsSources(t *testing.T) {
	r := newRig(t, "store: {max_size: 16MiB}\ndelivery: {stale_after: 24h}\n")
	disk := r.firing("Disk", time.Hour)
	r.send(disk)
	r.arrived(0, "Disk alarm Minor")
	r.sim.Inject(coctest.Fault{Status: 503})
	accepted := r.fill()
	r.closed("default", "down", float64(accepted))
	r.advance(26 * time.Hour)
	if status, _ := r.post(disk); status != http.StatusServiceUnavailable {
		t.Fatalf("the bridge answered %d", status)
	}
	r.advance(time.Hour)
	r.sweep()
	r.idle(float64(accepted))
	r.sim.ClearFaults()
	r.advance(time.Minute)
	r.delivered(accepted + 1)
	r.sweep()
	r.advance(23 * time.Hour)
	r.sweep()
	r.delivered(accepted + 1)
	r.advance(2 * time.Hour)
	r.sweep()
	r.delivered(2 * (accepted + 1))
	r.clean()
}

// A message may come between the look at the ledger and the change: then the alarm is
// neither closed nor forgotten, and its rules must not take it for recovered.
func TestNews_whatIsHeardOfMeanwhileIsNotSilent(t *testing.T) {
	r := newIncidentRig(t, incidentRule("")+"delivery: {stale_after: 24h}\n")
	m := r.critical("Disk", "web-1")
	id := identified(&m, "00000000000000aa")
	r.send(m)
	r.pass(20 * time.Second)
	if err := r.b.SweepFound(t.Context(), ledger.Due{Close: []string{id}, Forget: []string{id}}); err != nil {
		t.Fatal(err)
	}
	r.pass(6 * time.Minute)
	r.wantTickets("Disk on web-1 ACKNOWLEDGED 0")
	if n := len(r.sim.Alarms()); n != 1 {
		t.Errorf("%d alarms arrived", n)
	}
}

func TestNews_entriesAreForgottenAfterTheHistory(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.send(resolve(m, r.clock.Now()))
	r.arrived(0, "Disk alarm Minor", "Disk ok Minor")
	r.advance(168*time.Hour + time.Minute)
	r.sweep()
	r.send(m) // forgotten, so it is no old firing any more
	r.arrived(2, "Disk alarm Minor")
}

func (r *rig) sweep() {
	r.t.Helper()
	if err := r.b.Sweep(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}
