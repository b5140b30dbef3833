package bridge_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

var (
	oldPair = coctest.AccessKey{AccessKey: testAccess, SecretKey: testSecret}
	newPair = coctest.AccessKey{AccessKey: "NEWACCESSKEY", SecretKey: "new-secret-key"}
	alice   = coctest.User{Name: "alice", Password: "old-password", Domain: "acme"}
	changed = coctest.User{Name: "alice", Password: "new-password", Domain: "acme"}
	bob     = coctest.User{Name: "bob", Password: "bobs-password", Domain: "acme"}
)

const (
	byFiles  = "auth: {access_key_file: access_key, secret_key_file: secret_key}"
	byUser   = "auth: {method: token, user: alice, password_file: password, domain: acme, iam_endpoint: SIM}"
	byAgency = "auth: {method: agency, metadata_endpoint: SIM, iam_endpoint: SIM}"
)

// rotation exchanges a credential while alarms are under way.
type rotation struct {
	auth  string
	users []coctest.User
	// steps are what happens, one after the other, each under load.
	steps []func(r *rig, watch func())
	// gap: between the first step and the others no credential is good.
	gap bool
}

var rotations = map[string]rotation{
	"aksk, overlapping, by its files": {auth: byFiles, steps: []func(*rig, func()){
		func(r *rig, _ func()) { r.sim.SetAccessKeys(oldPair, newPair) },
		func(r *rig, watch func()) {
			r.put("access_key", newPair.AccessKey, "secret_key", newPair.SecretKey)
			watch()
		},
		func(r *rig, _ func()) { r.sim.SetAccessKeys(newPair) },
	}},
	"aksk, overlapping, by a second pair": {
		auth: byFiles + "\n  auth_fallback: {access_key: " + newPair.AccessKey + ", secret_key: " + newPair.SecretKey + "}",
		steps: []func(*rig, func()){
			func(r *rig, _ func()) { r.sim.SetAccessKeys(oldPair, newPair) },
			func(r *rig, _ func()) { r.sim.SetAccessKeys(newPair) },
			func(r *rig, watch func()) {
				r.put("access_key", newPair.AccessKey, "secret_key", newPair.SecretKey)
				watch()
			},
		}},
	"aksk, with a gap": {auth: byFiles, gap: true, steps: []func(*rig, func()){
		func(r *rig, _ func()) { r.sim.SetAccessKeys(newPair) },
		func(r *rig, watch func()) {
			r.put("access_key", newPair.AccessKey) // the second file comes a moment later
			watch()
			r.put("secret_key", newPair.SecretKey)
			watch()
		},
	}},
	"token, overlapping, by a second user": {
		auth:  byUser + "\n  auth_fallback: {user: bob, password: bobs-password}",
		users: []coctest.User{alice}, steps: []func(*rig, func()){
			func(r *rig, _ func()) { r.sim.SetUsers(alice, bob) },
			func(r *rig, _ func()) { r.sim.SetUsers(bob) },
			func(r *rig, _ func()) { r.sim.SetUsers(bob, changed) },
			func(r *rig, watch func()) { r.put("password", changed.Password); watch() },
			func(r *rig, _ func()) { r.sim.SetUsers(changed) },
		}},
	"token, with a gap": {auth: byUser, users: []coctest.User{alice}, gap: true, steps: []func(*rig, func()){
		func(r *rig, _ func()) { r.sim.SetUsers(changed) },
		func(r *rig, watch func()) { r.put("password", changed.Password); watch() },
	}},
	"token, revoked": {auth: byUser, users: []coctest.User{alice}, steps: []func(*rig, func()){
		func(r *rig, _ func()) { r.sim.RevokeTokens() },
	}},
	"agency, overlapping": {auth: byAgency, steps: []func(*rig, func()){
		func(r *rig, _ func()) { r.sim.RotateAgency() },
		func(r *rig, _ func()) { r.sim.RevokeAgencyKeys() },
	}},
	"agency, with a gap": {auth: byAgency, gap: true, steps: []func(*rig, func()){
		func(r *rig, _ func()) { r.sim.RevokeAgencyKeys() },
		func(r *rig, _ func()) { r.sim.RotateAgency(); r.advance(time.Minute) },
	}},
}

// Whichever way a credential is exchanged, no alarm is lost, doubled, reordered or
// buried; and where the old and the new one overlap, none has to wait.
func TestRotation_underLoad(t *testing.T) {
	for name, x := range rotations {
		t.Run(name, func(t *testing.T) {
			r := makeRig(t, "", coctest.Options{
				Users: x.users, ProjectID: "p1", Projects: []coctest.Project{{ID: "p1", Name: "cn-north-4"}}, Agency: &coctest.Agency{Life: 24 * time.Hour},
			})
			r.auth = x.auth
			if !strings.Contains(x.auth, "SIM") {
				r.auth += "\n  project_id: p1"
			}
			r.put("access_key", oldPair.AccessKey, "password", alice.Password)
			r.start()
			look := r.b.Watcher()
			watch := func() {
				t.Helper()
				if err := look(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			load := r.underLoad()
			r.flows(50)
			r.advance(5 * time.Minute) // nothing is fresh any more
			r.flows(50)
			for i, step := range x.steps {
				if i == 1 && x.gap {
					r.waits()
				}
				step(r, watch)
				if i > 0 || !x.gap {
					r.flows(50)
				}
			}
			r.settled(load())
			refused := r.metric("cocbridge_deliveries_total", "outcome", "authError")
			if x.gap == (refused == 0) {
				t.Errorf("%v calls were refused in the end", refused)
			}
		})
	}
}

// put writes files that the configuration names: pairs of a name and a text.
func (r *rig) put(pairs ...string) {
	r.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == "secret_key" {
			r.secret = pairs[i+1]
		}
		next := filepath.Join(r.folder, "next")
		if err := os.WriteFile(next, []byte(pairs[i+1]), 0o600); err != nil {
			r.t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(r.folder, pairs[i])); err != nil {
			r.t.Fatal(err)
		}
	}
}

// underLoad sends alarms that fire and recover, one after the other, until the
// function it returns is called; that says how many there were.
func (r *rig) underLoad() (stop func() int) {
	const senders = 3
	var running sync.WaitGroup
	var n atomic.Int64
	done := make(chan struct{})
	for sender := range senders {
		running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				m := r.firing("Load", time.Hour)
				m.Labels["instance"] = fmt.Sprintf("web-%d-%d", sender, i)
				r.accepted(group(m))
				r.accepted(group(resolve(m, r.clock.Now())))
				n.Add(1)
			}
		})
	}
	end := sync.OnceFunc(func() {
		close(done)
		running.Wait()
	})
	r.t.Cleanup(end) // also where the test has failed
	return func() int {
		end()
		return int(n.Load())
	}
}

// accepted posts the message, from any goroutine.
func (r *rig) accepted(body string) {
	resp, err := http.Post("http://"+r.b.Addr()+"/webhook/alertmanager", "application/json", strings.NewReader(body))
	if err != nil {
		r.t.Error(err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		r.t.Errorf("the bridge answered %d", resp.StatusCode)
	}
}

// flows waits until n more alarms have arrived.
func (r *rig) flows(n int) {
	r.t.Helper()
	from := r.sim.Requests().Accepted
	r.until(fmt.Sprintf("%d more alarms arrive", n), func() bool { return r.sim.Requests().Accepted >= from+n })
}

// waits is a gap of 30 seconds: the gate is closed, alarms are taken and kept.
func (r *rig) waits() {
	r.t.Helper()
	r.until("the gate closes", func() bool { return r.gate("default") == "auth" })
	for range 6 {
		before := r.metric("cocbridge_tasks", "state", "waiting")
		r.until("alarms pile up", func() bool { return r.metric("cocbridge_tasks", "state", "waiting") >= before+10 })
		r.advance(5 * time.Second)
	}
	if cause := r.gate("default"); cause != "auth" {
		r.t.Errorf("the gate is %q", cause)
	}
}

// settled checks that n alarms have fired and recovered in COC, and nothing else.
func (r *rig) settled(n int) {
	r.t.Helper()
	r.until("everything arrives", func() bool { return r.sim.Requests().Accepted >= 2*n })
	r.idle(0)
	if seen := r.sim.Requests(); seen.Accepted != 2*n || seen.Alarms != n {
		r.t.Errorf("%+v, want %d alarms that fired and recovered", seen, n)
	}
	if cause := r.gate("default"); cause != "" {
		r.t.Errorf("the gate is closed: %s", cause)
	}
	r.clean()
	r.stop()
	r.unharmed(0)
}

// A file of a credential may be in any state while it is written: the bridge goes
// on with what it has, or waits, and comes back by itself.
func TestRotation_filesInEveryState(t *testing.T) {
	for name, spoil := range map[string]func(r *rig){
		"empty":     func(r *rig) { r.put("secret_key", "") },
		"a folder":  func(r *rig) { r.replace(os.Mkdir(filepath.Join(r.folder, "next"), 0o700)) },
		"gone":      func(r *rig) { r.remove() },
		"two lines": func(r *rig) { r.put("secret_key", testSecret+"\n"+testSecret) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			look := r.b.Watcher()
			spoil(r)
			if err := look(t.Context()); err == nil {
				t.Error("a bad file was loaded")
			}
			r.send(r.firing("Disk", time.Hour))
			r.arrived(0, "Disk alarm Minor") // with the old key
			r.heal()
			if err := look(t.Context()); err != nil {
				t.Error(err)
			}
			r.send(r.firing("Other", time.Hour))
			r.arrived(1, "Other alarm Minor")
			r.clean()
		})
	}
	t.Run("half-written", func(t *testing.T) { // which no check can notice
		r := newRig(t, "")
		look := r.b.Watcher()
		r.put("secret_key", testSecret[:5])
		if err := look(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.send(r.firing("Disk", time.Hour))
		r.closed("default", "auth", 1)
		r.heal()
		if err := look(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.arrived(0, "Disk alarm Minor")
		r.clean()
	})
}

// replace puts what the test has made as next in the place of the secret key.
func (r *rig) replace(err error) {
	r.t.Helper()
	r.remove()
	if err == nil {
		err = os.Rename(filepath.Join(r.folder, "next"), filepath.Join(r.folder, "secret_key"))
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) remove() {
	r.t.Helper()
	if err := os.Remove(filepath.Join(r.folder, "secret_key")); err != nil {
		r.t.Fatal(err)
	}
}

// heal puts the right key where anything may be.
func (r *rig) heal() {
	r.t.Helper()
	_ = os.Remove(filepath.Join(r.folder, "secret_key"))
	r.put("secret_key", testSecret)
}
