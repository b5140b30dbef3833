package bridge_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/scripts"
	"github.com/cocbridge/cocbridge/internal/store"
)

// scriptCrash is a bridge in a process of its own that runs a script for one
// alert, by the fast clock.
type scriptCrash struct {
	*crash
	ctx  context.Context
	a    *assassin
	data string
	body string // the alert, always the same
	cmd  *exec.Cmd
}

// newScriptCrash starts the bridge, to be killed at the given request; 0 = none.
func newScriptCrash(t *testing.T, at int, after bool) *scriptCrash {
	t.Helper()
	epoch := time.Now().UTC().Format(time.RFC3339Nano)
	now := fastClock(epoch)
	c := &scriptCrash{crash: &crash{t: t, address: freeAddress(t), env: []string{epochEnv + "=" + epoch}}}
	c.sim = coctest.New(coctest.Options{Keys: []string{testKey}, AccessKey: testAccess, SecretKey: testSecret, Now: now})
	seedScript(c.sim)
	c.a = &assassin{sim: c.sim, about: "/v1/job/script", at: at, after: after}
	srv := httptest.NewServer(c.a)
	t.Cleanup(func() { c.sim.Close(); srv.Close() })
	folder := t.TempDir()
	c.file, c.data = filepath.Join(folder, "config.yaml"), filepath.Join(folder, "data")
	text := fmt.Sprintf("coc: {endpoint: %s, auth: {access_key: %s, secret_key: %s}, rate_limits: {tickets: 1000, execute: 1000, reads: 1000}}\n"+
		"integrations: [{name: default, key: %s, rate_limit: 0}]\nmapping: {application_id: app-1}\nstore: {path: %s}\ndelivery: {refresh: 100h, report_trouble: false}\n%s",
		srv.URL, testAccess, testSecret, testKey, c.data, scriptRules(quick+"      not_after: 1d\n      timeout: 29m\n"))
	must(t, os.WriteFile(c.file, []byte(text), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	c.ctx = ctx
	c.cmd = c.start(ctx)
	t.Cleanup(func() { c.kill(); cancel() })
	c.a.aim(func() { _ = c.cmd.Process.Kill() }, func() {
		_ = c.cmd.Wait()
		c.cmd = c.start(ctx)
	})
	c.waitFor("the bridge is up", func() bool { return c.page("/-/ready") != nil }) // nothing runs for what began before the store
	c.body = fmt.Sprintf(`{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"NginxDown","unit":"nginx","instance_id":"web-2"},"startsAt":%q}]}`, now().Format(time.RFC3339Nano))
	return c
}

// kill ends the bridge without warning.
func (c *scriptCrash) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// withToken is a sender that has credentials.
type withToken struct{ http.RoundTripper }

func (w withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer door")
	return w.RoundTripper.RoundTrip(r)
}

// send tells of the alert until that is acknowledged.
func (c *scriptCrash) send() {
	c.t.Helper()
	if !c.until(c.ctx, &http.Client{Transport: withToken{http.DefaultTransport}}, c.body) {
		c.t.Fatal("the bridge does not take the alert")
	}
}

// ran waits until COC has run so many orders.
func (c *scriptCrash) ran(n int) {
	c.t.Helper()
	if err := c.sim.Wait(c.ctx, func(s *coctest.Server) bool { return len(s.Orders()) >= n }); err != nil {
		c.t.Fatalf("COC has %d orders, want %d", len(c.sim.Orders()), n)
	}
}

var runsLeft = regexp.MustCompile(`(?m)^cocbridge_runs_open\{.*\} [1-9]`)

// over waits until the bridge is up and no run is open, and ends it.
func (c *scriptCrash) over() {
	c.t.Helper()
	c.waitFor("no run is open", func() bool {
		text := c.page("/metrics")
		return bytes.Contains(text, []byte("cocbridge_runs_open")) && !runsLeft.Match(text)
	})
	c.a.struck.Wait()
	c.kill()
}

func (c *scriptCrash) waitFor(what string, holds func() bool) {
	c.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			c.t.Fatalf("never: %s", what)
		}
	}
}

// page is what the bridge answers to a GET; nil while it does not.
func (c *scriptCrash) page(path string) []byte {
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, "http://"+c.address+path, nil)
	must(c.t, err)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	return text
}

// run is the only one on the disk of the bridge that was killed.
func (c *scriptCrash) run() (run *scripts.Run) {
	c.t.Helper()
	r := rig{t: c.t, clock: &clock{now: time.Now()}, data: c.data}
	r.onDisk(func(s *store.Store, _ *queue.Queue) {
		must(c.t, s.View(func(tx *store.Tx) error {
			if all := scripts.Runs(tx, 10); len(all) == 1 {
				run = all[0]
			} else {
				c.t.Fatalf("%d runs", len(all))
			}
			return nil
		}))
	})
	return run
}

// check: COC has run it once, and the run says so; or not at all, and it says that.
func (c *scriptCrash) check(what string) {
	c.t.Helper()
	r, orders := c.run(), c.sim.Orders()
	switch {
	case len(orders) > 1:
		c.t.Errorf("%s: COC has run it %d times", what, len(orders))
	case len(orders) == 1 && (r.State != scripts.Done || r.Outcome != scripts.Succeeded || r.Order != orders[0].UUID):
		c.t.Errorf("%s: COC has run %s, the run is %s %s %s: %s", what, orders[0].UUID, r.State, r.Outcome, r.Order, r.Text)
	case len(orders) == 0 && r.State != scripts.Absent:
		c.t.Errorf("%s: COC has run nothing, the run is %s %s", what, r.State, r.Outcome)
	}
}

// COC runs the script and does not answer; then the bridge gets SIGKILL.
func TestCrash_killedWhileTheCallHangs(t *testing.T) {
	c := newScriptCrash(t, 0, false)
	c.sim.Inject(executing(coctest.Fault{Do: coctest.Hang, After: true}))
	c.send()
	c.ran(1)
	c.kill()
	c.sim.ClearFaults()
	c.cmd = c.start(c.ctx)
	c.send() // its sender repeats it
	c.over()
	c.check("killed while the call hangs")
	if n := len(c.sim.Orders()); n != 1 {
		t.Errorf("%d orders", n)
	}
}

// Killed by SIGKILL at each request about the script and its order, before and
// after COC has acted on it. internal/scripts has the full matrix in one process.
func TestCrash_scripts(t *testing.T) {
	whole := newScriptCrash(t, 0, false)
	whole.send()
	whole.over()
	whole.check("not killed")
	whole.a.mu.Lock()
	requests := whole.a.seen
	whole.a.mu.Unlock()
	if requests < 4 {
		t.Fatalf("only %d requests", requests)
	}
	kills, none := 0, 0
	for at := 1; at <= min(requests, 8); at++ {
		for _, after := range []bool{false, true} {
			c := newScriptCrash(t, at, after)
			c.send()
			c.over()
			c.check(fmt.Sprintf("killed at request %d, after=%v", at, after))
			kills++
			none += 1 - len(c.sim.Orders())
		}
	}
	if none > 1 { // killed just before COC would have seen the call
		t.Errorf("%d of %d kills have kept the script from running", none, kills)
	}
	t.Logf("%d kills", kills)
}

// The store comes back from an older copy, which knows nothing of the call. What
// keeps the script from running again is the journal beside it.
func TestCrash_anOlderStoreBesideANewerJournal(t *testing.T) {
	for name, tc := range map[string]struct {
		lost   []string // files that are lost as well
		orders int
	}{
		"the journal is there":              {nil, 1},
		"negative control: without journal": {[]string{"cocbridge.runs"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			c := newScriptCrash(t, 0, false)
			c.kill()
			db := filepath.Join(c.data, "cocbridge.db")
			older, err := os.ReadFile(db)
			must(t, err)
			c.cmd = c.start(c.ctx)
			hang := executing(coctest.Fault{Do: coctest.Hang, After: true})
			c.sim.Inject(hang)
			c.send()
			c.ran(1)
			c.kill()
			c.sim.ClearFaults()
			must(t, os.WriteFile(db, older, 0o600))
			for _, file := range tc.lost {
				must(t, os.Remove(filepath.Join(c.data, file)))
			}
			c.cmd = c.start(c.ctx)
			c.send()
			c.ran(tc.orders)
			c.over()
			if n := len(c.sim.Orders()); n != tc.orders {
				t.Errorf("COC has run it %d times, want %d", n, tc.orders)
			}
			if tc.orders == 1 {
				c.check("an older store")
			}
		})
	}
}
