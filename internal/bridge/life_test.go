package bridge_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/bridge"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/store"
)

func TestStop_endsWhatIsInFlightAndKeepsTheRest(t *testing.T) {
	r := newRig(t, "delivery: {workers: 1}\n")
	r.sim.Inject(coctest.Fault{Latency: time.Hour}) // until letGo is closed
	r.send(r.storm("Storm", 5)...)
	r.until("one is in flight", func() bool { return r.sim.Requests().Requests == 1 })
	r.cancel()
	r.until("it is not ready any more", func() bool { return r.b.Ready() != nil })
	close(r.letGo)
	r.wait()
	if n := len(r.sim.Alarms()); n != 1 {
		t.Errorf("%d alarms arrived, want the one that was in flight", n)
	}
	r.unharmed(4)
	r.start()
	r.delivered(5)
	r.clean()
}

func TestStop_givesUpCallsThatHangLongerThanTheGrace(t *testing.T) {
	r := newRig(t, "delivery: {shutdown_grace: 50ms}\n")
	r.sim.Inject(coctest.Fault{Do: coctest.Hang})
	r.send(r.storm("Storm", 3)...)
	r.until("they hang", func() bool { return r.sim.Requests().Requests == 3 })
	r.stop()
	r.unharmed(3)
	r.sim.ClearFaults()
	r.start()
	r.delivered(3)
	r.clean()
}

// upload is a sender that is slow: half of its message is on its way.
type upload struct {
	conn   net.Conn
	answer *bufio.Reader
	rest   string
}

func (r *rig) upload(body string) upload {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.b.Addr())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	if err != nil {
		r.t.Fatal(err)
	}
	// The bridge asks for the body once its handler reads it.
	answer := bufio.NewReader(conn)
	if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		r.t.Fatalf("%q, %v", line, err)
	}
	if _, err := answer.ReadString('\n'); err != nil {
		r.t.Fatal(err)
	}
	half := len(body) / 2
	if _, err := io.WriteString(conn, body[:half]); err != nil {
		r.t.Fatal(err)
	}
	return upload{conn, answer, body[half:]}
}

// knock is the answer to a message whose body does not come.
func (r *rig) knock() (status int) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.b.Addr())
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	const enough = 15 * time.Second // half of what a body may take to come
	if err := conn.SetDeadline(time.Now().Add(enough)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"); err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestStop_acceptsNothingNew(t *testing.T) {
	r := newRig(t, "")
	u := r.upload(group(r.firing("Late", time.Hour)))
	r.cancel()
	r.until("it is not ready any more", func() bool { return r.b.Ready() != nil })
	if _, err := io.WriteString(u.conn, u.rest); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(u.answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the bridge answered %s with Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
	r.wait()
	if _, err := net.Dial("tcp", r.b.Addr()); err == nil {
		t.Error("the stopped bridge still takes connections")
	}
	r.start()
	r.arrived(0)
}

func TestStop_doesNotWaitForSlowSenders(t *testing.T) {
	r := newRig(t, "delivery: {shutdown_grace: 50ms}\n")
	u := r.upload(group(r.firing("Slow", time.Hour)))
	r.cancel()
	select {
	case err := <-r.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("a slow sender keeps the bridge from stopping")
	}
	r.cancel = nil
	if err := u.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := u.answer.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the sender is not told: %v", err)
	}
}

func TestRestart_resumesDueTimesAndAttempts(t *testing.T) {
	r := newRig(t, "")
	stuck := r.firing("Stuck", time.Hour)
	fault := coctest.Fault{Status: 503, RetryAfter: "100", AlarmID: identified(&stuck, "00000000000000aa")}
	r.sim.Inject(fault)
	failures := func() int { return r.sim.Requests().Faults[fault.String()] }
	r.send(stuck)
	for attempt := 1; attempt <= 3; attempt++ {
		r.until("COC refuses", func() bool { return failures() == attempt })
		r.idle(1)
		r.stop()
		it := r.tasks(1)[0]
		if due := r.clock.Now().Add(100 * time.Second); it.Attempts != attempt || !it.Due.Equal(due) || !strings.Contains(it.LastError, "503") {
			t.Errorf("on disk: %d attempts, due %s, %q; want %d and %s", it.Attempts, it.Due, it.LastError, attempt, due)
		}
		r.start()
		r.advance(99 * time.Second)
		r.send(r.firing(fmt.Sprintf("Marker%d", attempt), time.Hour))
		r.until("what is due passes", func() bool { return len(r.sim.Alarms()) == attempt })
		if n := failures(); n != attempt {
			t.Fatalf("%d attempts before it is due, want %d", n, attempt)
		}
		r.advance(time.Second)
	}
}

// A rule may hold for longer than any pause of a delivery.
func TestRestart_doesNotCutALongHoldShort(t *testing.T) {
	all := scriptRules("      not_after: 6h\n")
	_, rule, _ := strings.Cut(all, "rules:\n")
	atOnce := strings.NewReplacer("restart-nginx", "at-once", "NginxDown", "Marker").Replace(rule)
	r := newScriptRig(t, strings.Replace(all, "    script:", "    hold: 4h\n    script:", 1)+atOnce)
	r.page(nginxDown(r, "web-1"))
	r.restart()
	r.advance(4*time.Hour - time.Second)
	marker := nginxDown(r, "web-2")
	marker.Labels["alertname"] = "Marker"
	r.page(marker)
	r.until("what is due runs", func() bool { return len(r.sim.Orders()) > 0 })
	r.idle(2)
	if n := len(r.sim.Orders()); n != 1 {
		t.Errorf("%d orders before the hold is over, want the marker's", n)
	}
	r.runsEnded("succeeded", 2)
	if n := len(r.sim.Orders()); n != 2 {
		t.Errorf("%d orders, want 2", n)
	}
}

func TestStart_aSecondInstanceIsRefusedAndTheFirstUnharmed(t *testing.T) {
	r := newRig(t, "")
	cfg, err := r.load()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	_, err = bridge.New(ctx, bridge.Options{Config: cfg, Load: r.load, Registry: prometheus.NewRegistry(), Log: zap.NewNop(), Now: r.clock.Now})
	if !errors.Is(err, store.ErrLocked) || !errors.Is(err, bridge.ErrStore) {
		t.Errorf("the second instance: %v", err)
	}
	t.Logf("refused after %s", time.Since(began))
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	r.restart()
	r.send(resolve(m, r.clock.Now()))
	r.arrived(1, "Disk ok Minor")
	r.clean()
}

func TestStore_fullIsA503UntilCOCHasTakenSome(t *testing.T) {
	r := newRig(t, "store: {max_size: 16MiB}\n")
	r.sim.Inject(coctest.Fault{Status: 503})
	accepted := 0
	fill := func() (*http.Response, string) {
		storm := r.storm("Storm", 50)
		for i := range storm {
			storm[i].Labels["round"] = strconv.Itoa(accepted)
			for j := range 4 {
				storm[i].Annotations[fmt.Sprintf("text%d", j)] = strings.Repeat("x", 4000)
			}
		}
		resp, body := r.do(http.MethodPost, "/webhook/alertmanager", group(storm...))
		if resp.StatusCode == http.StatusOK {
			accepted += len(storm)
		}
		return resp, body
	}
	var resp *http.Response
	var body string
	r.until("it is full", func() bool { resp, body = fill(); return resp.StatusCode != http.StatusOK })
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "store.max_size") {
		t.Errorf("full: %s, Retry-After %q: %s", resp.Status, resp.Header.Get("Retry-After"), body)
	}
	if status := r.knock(); status != http.StatusServiceUnavailable {
		t.Errorf("a sender is answered %d before it sends its body", status)
	}
	if resp, body := r.do(http.MethodGet, "/-/ready", ""); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "full") {
		t.Errorf("/-/ready: %s: %s", resp.Status, body)
	}
	if resp, _ := r.do(http.MethodGet, "/-/healthy", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("/-/healthy: %s; a restart would not help", resp.Status)
	}
	r.closed("default", "down", float64(accepted))
	r.sim.ClearFaults()
	r.advance(time.Minute)
	r.delivered(accepted)
	if resp, body := r.do(http.MethodGet, "/-/ready", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("/-/ready after all went out: %s: %s", resp.Status, body)
	}
	if resp, body := fill(); resp.StatusCode != http.StatusOK {
		t.Errorf("intake does not recover: %s: %s", resp.Status, body)
	}
	r.delivered(accepted)
	r.clean()
}

// A commit that fails in a way nobody understands is the end: no 2xx follows.
func TestStore_aFailedCommitStopsTheBridge(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Before", time.Hour)
	r.send(m)
	r.arrived(0, "Before alarm Minor")
	breakFile(t, filepath.Join(r.data, "cocbridge.db"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.b.Addr()+"/webhook/alertmanager", strings.NewReader(group(r.firing("Lost", time.Hour))))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("the bridge answered %s", resp.Status)
		}
	}
	select {
	case err := <-r.ended:
		if !errors.Is(err, bridge.ErrStore) || !errors.Is(err, store.ErrFailed) {
			t.Errorf("the bridge ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the bridge goes on")
	}
	r.cancel = nil
	r.start()
	r.send(resolve(m, r.clock.Now()))
	r.arrived(1, "Before ok Minor")
}

// breakFile makes every write to this process's open file fail.
func breakFile(t *testing.T, path string) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd, open := openFiles(t, filepath.Dir(path))[path]
	if !open {
		t.Fatalf("%s is not open", path)
	}
	if err := syscall.Dup3(int(null.Fd()), fd, 0); err != nil {
		t.Fatal(err)
	}
}

func TestDryRun_sendsNothingAndTellsOnceItIsOff(t *testing.T) {
	r := newRig(t, "")
	r.dryRun = true
	r.restart()
	disk, gone := r.firing("Disk", time.Hour), r.firing("Gone", time.Hour)
	r.send(disk, gone)
	r.idle(0)
	r.send(disk, gone)
	r.send(resolve(gone, r.clock.Now()))
	r.idle(0)
	if n := r.sim.Requests().Requests; n != 0 {
		t.Errorf("%d requests in a dry run", n)
	}
	if n := r.metric("cocbridge_deliveries_total", "outcome", "dryRun"); n < 3 {
		t.Errorf("%v dry deliveries counted", n)
	}
	r.dryRun = false
	if err := r.reload(""); err != nil {
		t.Fatal(err)
	}
	r.arrived(0) // nothing goes without the sender
	r.send(disk)
	r.arrived(0, "Disk alarm Minor")
	r.clean()
}

func TestHTTP_publicPaths(t *testing.T) {
	r := newRig(t, "")
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/-/healthy":            {http.StatusOK, "OK"},
		"/-/ready":              {http.StatusOK, "OK"},
		"/metrics":              {http.StatusOK, "cocbridge_tasks{"},
		"/webhook/alertmanager": {http.StatusMethodNotAllowed, "only POST"},
		"/webhook/nobody":       {http.StatusNotFound, ""},
		"/-/reload":             {http.StatusNotFound, ""}, // on the admin listener only
		"/":                     {http.StatusNotFound, ""},
	} {
		if resp, body := r.do(http.MethodGet, path, ""); resp.StatusCode != want.status || !strings.Contains(body, want.body) {
			t.Errorf("GET %s: %s: %.200s", path, resp.Status, body)
		}
	}
	r.sim.Inject(coctest.Fault{Status: 401})
	r.send(r.firing("Disk", time.Hour))
	r.closed("default", "auth", 1)
	if resp, body := r.do(http.MethodGet, "/-/ready", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("/-/ready while COC refuses us: %s: %s; we are a buffer", resp.Status, body)
	}
}

func TestHTTP_reloadByTheAdminListener(t *testing.T) {
	r := newRig(t, "")
	reload := func() (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.b.AdminAddr()+"/-/reload", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+r.b.AdminToken().Reveal())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if status, body := reload(); status != http.StatusOK {
		t.Errorf("%d: %s", status, body)
	}
	r.extra = "nonsense: 1\n"
	r.write()
	if status, body := reload(); status != http.StatusBadRequest || !strings.Contains(body, "nonsense") {
		t.Errorf("%d: %s", status, body)
	}
}

func TestMetrics_passTheLinter(t *testing.T) {
	r := newRig(t, toBoth)
	r.send(r.firing("Disk", time.Hour))
	r.arrived(0, "Disk alarm Minor")
	problems, err := testutil.GatherAndLint(r.reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetrics_noLabelComesFromAnAlert(t *testing.T) {
	r := newRig(t, "")
	series := func() int {
		n, err := testutil.GatherAndCount(r.reg)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := series()
	storm := r.storm("Storm", 1000)
	for i := range storm {
		storm[i].Labels["alertname"], storm[i].Labels[fmt.Sprintf("label%d", i)] = fmt.Sprintf("Storm%d", i), "x"
		storm[i].Labels["severity"] = fmt.Sprintf("severity%d", i)
	}
	for i := range 65 {
		storm[0].Labels[fmt.Sprintf("more%d", i)] = "x"
	}
	r.send(storm...)
	r.delivered(999)
	if n := r.metric("cocbridge_dead_letters"); n != 1 {
		t.Errorf("%v dead letters, want the one with too many labels", n)
	}
	if after := series(); after != before {
		t.Errorf("%d series before, %d after a thousand different alerts", before, after)
	}
}
