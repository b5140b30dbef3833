package bridge_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

const reloadOK = "cocbridge_config_last_reload_successful"

// refused reloads and expects an error that says all of this, and that the old
// configuration stays in force.
func (r *rig) refused(extra string, says ...string) {
	r.t.Helper()
	err := r.reload(extra)
	if err == nil {
		r.t.Fatal("the reload worked")
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			r.t.Errorf("the error does not say %q: %v", text, err)
		}
	}
	if ok := r.metric(reloadOK); ok != 0 {
		r.t.Errorf("%s = %v after a refused reload", reloadOK, ok)
	}
}

func (r *rig) force(extra string) {
	r.t.Helper()
	r.extra = extra
	r.write()
	if err := r.b.Reload(r.t.Context(), true); err != nil {
		r.t.Fatal(err)
	}
}

func TestReload_swapsEverythingAtOnce(t *testing.T) {
	r := newRig(t, "")
	r.send(r.firing("Before", time.Hour))
	r.arrived(0, "Before alarm Minor")
	r.advance(time.Minute)
	if err := r.reload(toBoth + `receivers: [{name: other}]
mapping: {application_id: app-2}
`); err != nil {
		t.Fatal(err)
	}
	if at := r.metric("cocbridge_config_last_reload_success_timestamp_seconds"); at != float64(r.clock.Now().Unix()) {
		t.Errorf("the metric says the configuration was loaded at %v", at)
	}
	m := r.firing("After", time.Hour)
	m.Labels["team"] = "other"
	if resp, _ := r.do(http.MethodPost, "/webhook/alertmanager", group(m)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the removed receiver answers %s", resp.Status)
	}
	if resp, body := r.do(http.MethodPost, "/webhook/other", group(m)); resp.StatusCode != http.StatusOK {
		t.Fatalf("the new receiver answers %s: %s", resp.Status, body)
	}
	r.arrived(1, "After alarm Minor")
	if e := r.sim.Alarms()[1]; e.Key != otherKey || e.Alarm.ApplicationID != "app-2" {
		t.Errorf("it went to %s as %+v", e.Key, e.Alarm)
	}
	for _, name := range []string{"cocbridge_alerts_received_total", "cocbridge_rejected_total"} {
		if n := r.metric(name, "receiver", "alertmanager"); n != 0 {
			t.Errorf("%s still has series of the removed receiver", name)
		}
	}
}

func TestReload_keepsTheOldConfigurationWhenTheNewOneIsBad(t *testing.T) {
	r := newRig(t, "")
	r.refused("nonsense: 1\nroutes: [{integration: nobody}]\n", "config.yaml:", "nonsense", "nobody")
	r.send(r.firing("Disk", time.Hour))
	r.arrived(0, "Disk alarm Minor")
	r.refused("mapping: {alarm_name: '{{ .Labels.x'}\n", "alarm_name")
	if err := r.reload(""); err != nil {
		t.Fatal(err)
	}
	if ok := r.metric(reloadOK); ok != 1 {
		t.Errorf("%s = %v after a good reload", reloadOK, ok)
	}
}

func TestReload_refusesWhatNeedsARestart(t *testing.T) {
	r := newRig(t, "")
	data := r.data
	r.web, r.data = "127.0.0.1:1", filepath.Join(r.folder, "elsewhere")
	r.refused("", "--web.listen-address", "store.path", "needs a restart")
	r.web, r.data = "127.0.0.1:0", data
	r.refused("delivery: {workers: 3}\n", "delivery.workers")
	r.refused("store: {max_size: 2GiB}\n", "store.max_size")
	if _, err := os.Stat(filepath.Join(r.folder, "elsewhere")); err == nil {
		t.Error("the refused reload has made the other folder")
	}
	r.send(r.firing("Disk", time.Hour))
	r.arrived(0, "Disk alarm Minor")
}

func TestReload_doesNotRemoveAnIntegrationWithTasks(t *testing.T) {
	r := newRig(t, toBoth)
	r.sim.Inject(coctest.Fault{Status: 401, Key: otherKey})
	storm := r.storm("Storm", 3)
	for i := range storm {
		storm[i].Labels["team"] = "other"
	}
	r.send(storm...)
	r.closed("other", "auth", 3)
	r.refused("", `integration "other"`, "3 of its tasks", "force=1")
	r.closed("other", "auth", 3)
	r.force("")
	r.until("dead letters", func() bool { return r.metric("cocbridge_dead_letters") == 3 })
	r.idle(0)
	r.send(storm...) // they never counted as told, so they go where today's routes say
	r.delivered(3)
	for _, e := range r.sim.Alarms() {
		if e.Key != testKey {
			t.Errorf("an alarm went to %s", e.Key)
		}
	}
	if n := r.metric("cocbridge_gate_closed", "integration", "other"); n != 0 {
		t.Errorf("the removed integration's gate is shown as closed")
	}
}

func TestReload_doesNotRemoveAnIntegrationThatShowsAlarms(t *testing.T) {
	r := newRig(t, toBoth)
	fires, ends := r.firing("Fires", time.Hour), r.firing("Ends", time.Hour)
	fires.Labels["team"], ends.Labels["team"] = "other", "other"
	r.send(fires)
	r.arrived(0, "Fires alarm Minor")
	r.send(ends)
	r.arrived(1, "Ends alarm Minor")
	r.refused("", `integration "other"`, "COC shows 2 of its alarms as firing", "force=1")
	r.send(resolve(ends, r.clock.Now()))
	r.arrived(2, "Ends ok Minor")
	r.refused("", "1 of its alarms")
	r.force("")
	r.advance(time.Hour)
	r.send(fires) // nothing can be closed there any more
	r.arrived(3, "Fires alarm Minor")
	r.send(resolve(fires, r.clock.Now()))
	r.arrived(4, "Fires ok Minor")
	if e := r.sim.Alarms()[4]; e.Key != testKey {
		t.Errorf("it went to %s", e.Key)
	}
	if err := r.reload(twoIntegrations); err != nil {
		t.Fatal(err)
	}
	if err := r.reload(""); err != nil {
		t.Errorf("nothing fires in what is removed: %v", err)
	}
}

func TestReload_forcedRemovalSaysSoInTheDeadLetter(t *testing.T) {
	r := newRig(t, toBoth)
	r.sim.Inject(coctest.Fault{Status: 401})
	m := r.firing("Disk", time.Hour)
	m.Labels["team"] = "other"
	r.send(m)
	r.closed("other", "auth", 1)
	r.force("")
	r.until("a dead letter", func() bool { return r.metric("cocbridge_dead_letters") == 1 })
	r.stop()
	dead := r.dead()
	if c := dead[0].Cause; c.Code != "removed" || !strings.Contains(c.Detail, `integration "other"`) {
		t.Errorf("cause = %+v", c)
	}
}

func TestReload_doesNotRemoveAReceiverWithTasks(t *testing.T) {
	r := newRig(t, "receivers: [{name: alertmanager}, {name: second}]\n")
	r.sim.Inject(coctest.Fault{Status: 401})
	r.send(r.storm("Storm", 2)...)
	if resp, body := r.do(http.MethodPost, "/webhook/second", group(r.firing("Second", time.Hour))); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", resp.Status, body)
	}
	r.closed("default", "auth", 3)
	r.refused("receivers: [{name: second}]\n", `receiver "alertmanager"`, "2 of its tasks")
	r.send(r.firing("More", time.Hour)) // it is still there
	r.closed("default", "auth", 4)
	r.sim.ClearFaults()
	r.force("receivers: [{name: second}]\n")
	r.until("dead letters", func() bool { return r.metric("cocbridge_dead_letters") == 3 })
	r.arrived(0, "Second alarm Minor")
	r.stop()
	for _, d := range r.dead() {
		if d.Cause.Code != "removed" {
			t.Errorf("cause = %+v", d.Cause)
		}
	}
}

func TestReload_removesWhatHasNoTasks(t *testing.T) {
	r := newRig(t, toBoth)
	r.send(r.firing("Disk", time.Hour))
	r.arrived(0, "Disk alarm Minor")
	if err := r.reload(""); err != nil {
		t.Error(err)
	}
}

func TestReload_noticesAChangedSecretFile(t *testing.T) {
	r := newRig(t, "")
	r.secret = "wrong"
	r.restart()
	look := r.b.Watcher()
	r.send(r.firing("Disk", time.Hour))
	r.closed("default", "auth", 1)
	if err := look(t.Context()); err != nil || r.gate("default") != "auth" {
		t.Fatalf("nothing has changed, but: %v, gate %q", err, r.gate("default"))
	}
	// As Kubernetes does it: another file under the same name.
	next := filepath.Join(r.folder, "next")
	if err := os.WriteFile(next, []byte(testSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(r.folder, "secret_key")); err != nil {
		t.Fatal(err)
	}
	if err := look(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.arrived(0, "Disk alarm Minor")
	if err := os.Remove(filepath.Join(r.folder, "secret_key")); err != nil {
		t.Fatal(err)
	}
	if err := look(t.Context()); err == nil || r.metric(reloadOK) != 0 {
		t.Errorf("a missing file: %v, %s = %v", err, reloadOK, r.metric(reloadOK))
	}
	r.send(r.firing("Still", time.Hour))
	r.arrived(1, "Still alarm Minor")
}

// A change of what a file holds counts, or of who may read it, and from the start on.
func TestReload_noticesEveryChangeOfAFile(t *testing.T) {
	another := func(r *rig, file string) error {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		r.put("next", testSecret)
		next := filepath.Join(r.folder, "next")
		return errors.Join(os.Chtimes(next, info.ModTime(), info.ModTime()), os.Rename(next, file))
	}
	for _, tt := range []struct {
		what       string
		change     func(r *rig, file string) error
		beforeLook bool
	}{
		{"its mode", func(_ *rig, file string) error { return os.Chmod(file, 0o640) }, false},
		{"another one of the same size and age", another, false},
		{"its text, before anybody looked", func(r *rig, _ string) error { r.put("secret_key", "wrong"); return nil }, true},
	} {
		r := newRig(t, "")
		look := r.b.Watcher()
		r.advance(time.Minute)
		if err := tt.change(r, filepath.Join(r.folder, "secret_key")); err != nil {
			t.Fatal(err)
		}
		if tt.beforeLook {
			look = r.b.Watcher()
		}
		if err := look(t.Context()); err != nil {
			t.Error(err)
		}
		if at := r.metric("cocbridge_config_last_reload_success_timestamp_seconds"); at != float64(r.clock.Now().Unix()) {
			t.Errorf("%s: not noticed", tt.what)
		}
	}
}

// What keeps a changed file from being loaded may lie elsewhere, and pass.
func TestReload_triesAgainUntilAChangedFileIsLoaded(t *testing.T) {
	core, lines := observer.New(zap.ErrorLevel)
	r := makeRig(t, "", coctest.Options{})
	r.log = zap.New(core)
	r.start()
	look := r.b.Watcher()
	write := func(extra string) {
		r.extra = extra
		r.write()
	}
	write("nonsense: 1\n")
	for range 3 {
		if err := look(t.Context()); err == nil || r.metric(reloadOK) != 0 {
			t.Fatalf("%v, %s = %v", err, reloadOK, r.metric(reloadOK))
		}
	}
	if n := lines.FilterMessage("configuration not reloaded, the old one stays").Len(); n != 1 {
		t.Errorf("the same problem is logged %d times", n)
	}
	write("")
	if err := look(t.Context()); err != nil || r.metric(reloadOK) != 1 {
		t.Errorf("%v, %s = %v", err, reloadOK, r.metric(reloadOK))
	}
}

func TestReload_doesNotChangeWhatIsQueued(t *testing.T) {
	r := newRig(t, "")
	r.sim.Inject(coctest.Fault{Status: 401})
	queued := r.firing("Queued", time.Hour)
	r.send(queued)
	r.closed("default", "auth", 1)
	if err := r.reload("\nmapping: {application_id: app-2, alarm_name: 'renamed', alarm_level: {default: Info, map: {warning: Critical}}}\n"); err != nil {
		t.Fatal(err)
	}
	r.sim.ClearFaults()
	r.advance(time.Minute)
	r.arrived(0, "Queued alarm Minor")
	if a := r.sim.Alarms()[0].Alarm; a.ApplicationID != "app-1" {
		t.Errorf("it belongs to %s", a.ApplicationID)
	}
	r.send(r.firing("Fresh", time.Hour))
	r.arrived(1, "renamed alarm Critical")
}

// Every reload swaps the whole configuration while alerts come in and go out.
func TestReload_underLoadLosesNothing(t *testing.T) {
	r := newRig(t, toBoth)
	const rounds, each = 20, 20
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range rounds {
			if err := r.b.Reload(t.Context(), false); err != nil {
				t.Error(err)
			}
		}
	}()
	for i := range rounds {
		storm := r.storm("Storm", each)
		for j := range storm {
			storm[j].Labels["round"] = string(rune('a' + i))
			storm[j].Labels["team"] = []string{"other", "default"}[j%2]
		}
		r.send(storm...)
	}
	<-done
	r.delivered(rounds * each)
	r.clean()
}
