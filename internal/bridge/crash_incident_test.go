package bridge_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/bridge"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// speed is how many times faster than the world's the fast clock runs: looks for
// a lost ticket take place after 30 s and two minutes.
const speed = 200

// fastClock began at the epoch, in all processes alike.
func fastClock(epoch string) func() time.Time {
	began, err := time.Parse(time.RFC3339Nano, epoch)
	if err != nil {
		panic(err)
	}
	return func() time.Time { return began.Add(speed * time.Since(began)) }
}

// wakeUp makes the queue look at a clock that its timers do not know.
func wakeUp(b *bridge.Bridge) {
	for range time.Tick(5 * time.Millisecond) {
		b.Wake()
	}
}

// assassin stands before the simulated COC and kills the bridge at a request
// whose path contains about: before COC has seen it, or after COC has acted and
// before the answer.
type assassin struct {
	sim   http.Handler
	about string

	mu     sync.Mutex
	seen   int // requests
	at     int // the request at which the bridge is killed; 0 = never
	after  bool
	strike func() // kills the bridge and starts it again
	struck sync.WaitGroup
}

func (a *assassin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.URL.Path, a.about) {
		a.sim.ServeHTTP(w, r)
		return
	}
	a.mu.Lock()
	a.seen++
	strike, now := a.strike, a.seen == a.at
	a.mu.Unlock()
	if !now {
		a.sim.ServeHTTP(w, r)
		return
	}
	if a.after {
		a.sim.ServeHTTP(httptest.NewRecorder(), r)
	}
	strike()
}

// aim says how to kill the bridge, and what to do then, while nobody is asked.
func (a *assassin) aim(kill, then func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.strike = func() {
		a.mu.Lock()
		kill()
		a.struck.Go(func() {
			defer a.mu.Unlock()
			then()
		})
	}
}

// ticketStory opens two tickets and solves one, with a kill at the given
// request, and returns "title status" of all tickets.
func ticketStory(t *testing.T, at int, after bool) (tickets []string, requests int) {
	t.Helper()
	epoch := time.Now().UTC().Format(time.RFC3339Nano)
	now := fastClock(epoch)
	c := &crash{t: t, address: freeAddress(t), env: []string{epochEnv + "=" + epoch}}
	c.sim = coctest.New(coctest.Options{
		Keys: []string{testKey}, AccessKey: testAccess, SecretKey: testSecret, Refresh: 1000 * time.Hour, Now: now, IncidentDelay: 2 * time.Second,
	})
	a := &assassin{sim: c.sim, about: "incident", at: at, after: after}
	srv := httptest.NewServer(a)
	defer func() { c.sim.Close(); srv.Close() }()
	folder := t.TempDir()
	c.file = filepath.Join(folder, "config.yaml")
	text := fmt.Sprintf("coc: {endpoint: %s, auth: {access_key: %s, secret_key: %s}, rate_limits: {tickets: 1000, reads: 1000}}\nintegrations: [{name: default, key: %s, rate_limit: 0}]\n"+
		"mapping: {application_id: app-1}\nstore: {path: %s}\ndelivery: {refresh: 100h}\n%s",
		srv.URL, testAccess, testSecret, testKey, filepath.Join(folder, "data"), strings.ReplaceAll(incidentRule("      solve: {after: 10s}\n"), " on {{ .Labels.instance }}", ""))
	must(t, os.WriteFile(c.file, []byte(text), 0o600))

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := c.start(ctx)
	a.aim(func() { _ = cmd.Process.Kill() }, func() {
		_ = cmd.Wait()
		cmd = c.start(ctx)
	})
	send := func(name, status string) {
		body := fmt.Sprintf(`{"version":"4","alerts":[{"status":%q,"labels":{"alertname":%q,"severity":"critical"},"startsAt":%q,"endsAt":%q}]}`,
			status, name, now().Add(-time.Second).Format(time.RFC3339Nano), now().Format(time.RFC3339Nano))
		if !c.until(ctx, http.DefaultClient, body) {
			t.Fatal("the bridge does not take the alert")
		}
	}
	wait := func(want ...string) {
		if err := c.sim.Wait(ctx, func(s *coctest.Server) bool { return slices.Equal(titles(s), want) }); err != nil {
			t.Errorf("kill at %d, after=%v: %q, want %q", at, after, titles(c.sim), want)
		}
	}
	send("Disk", "firing")
	wait("Disk ACKNOWLEDGED")
	send("Net", "firing")
	wait("Disk ACKNOWLEDGED", "Net ACKNOWLEDGED")
	send("Disk", "resolved")
	wait("Disk RESOLVED", "Net ACKNOWLEDGED")
	a.struck.Wait()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return titles(c.sim), a.seen
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func titles(s *coctest.Server) (all []string) {
	for _, i := range s.Incidents() {
		title, _, _ := strings.Cut(i.Title, " [cb:")
		all = append(all, title+" "+strings.TrimPrefix(i.Status, "INCIDENT_STATUS_"))
	}
	slices.Sort(all)
	return all
}

// Killed by SIGKILL at each request about a ticket, before and after COC has
// acted on it. internal/incidents has the full matrix in one process.
func TestCrash_incidents(t *testing.T) {
	_, requests := ticketStory(t, 0, false)
	if requests < 5 {
		t.Fatalf("only %d requests", requests)
	}
	kills := 0
	for at := 1; at <= min(requests, 8); at++ {
		for _, after := range []bool{false, true} {
			ticketStory(t, at, after)
			kills++
		}
	}
	t.Logf("%d kills", kills)
}
