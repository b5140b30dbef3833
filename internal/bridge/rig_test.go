package bridge_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/bridge"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/config"
)

const (
	testKey    = "0123456789abcdefghijklmnopqrstuv"
	testAccess = "TESTACCESSKEY"
	testSecret = "test-secret-key"
)

// patience bounds every wait for something that must happen.
const patience = time.Minute

// clock is the time of bridge and simulator; it stands still unless moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// rig is a running bridge between a test, which speaks HTTP to it as a sender
// does, and a strict simulated COC.
type rig struct {
	t      *testing.T
	clock  *clock
	sim    *coctest.Server
	simURL string
	folder string
	extra  string // more of the configuration file
	secret string // the secret key, which lies in a file of its own
	auth   string // the credentials, instead of the usual pair; SIM stands for simURL
	dryRun bool
	tells  bool   // of its own trouble; off, because its ticker knows only the real time
	seldom bool   // does it look for that
	data   string // the store's folder
	web    string // address to listen on
	// webConfig is the file of --web.config.file.
	webConfig string
	log       *zap.Logger
	parent    bridge.Manager
	letGo     chan struct{} // what meets a fault's latency waits until it is closed
	b         *bridge.Bridge
	reg       *prometheus.Registry
	cancel    context.CancelFunc
	ended     chan error
}

// newRig starts one. extra is appended to the configuration file.
func newRig(t *testing.T, extra string) *rig {
	t.Helper()
	r := makeRig(t, extra, coctest.Options{})
	r.start()
	return r
}

// makeRig leaves the start to the caller, who may change what the bridge is told
// and, by the options, who COC knows.
func makeRig(t *testing.T, extra string, o coctest.Options) *rig {
	t.Helper()
	r := &rig{
		t: t, clock: &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}, folder: t.TempDir(), extra: extra,
		secret: testSecret, web: "127.0.0.1:0", log: zap.NewNop(), letGo: make(chan struct{}),
	}
	r.data = filepath.Join(r.folder, "data")
	o.Keys, o.AccessKey, o.SecretKey = []string{testKey, otherKey}, testAccess, testSecret
	o.Refresh, o.Now, o.Sleep = 30*time.Minute, r.clock.Now, r.latency
	r.sim = coctest.New(o)
	srv := httptest.NewServer(r.sim)
	r.simURL = srv.URL
	t.Cleanup(func() {
		r.stop()
		r.sim.Close()
		srv.Close()
	})
	return r
}

const otherKey = "vutsrqponmlkjihgfedcba9876543210"

func (r *rig) latency(ctx context.Context, _ time.Duration) error {
	select {
	case <-r.letGo:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *rig) write() {
	r.t.Helper()
	text := fmt.Sprintf(`coc:
  endpoint: %s
  region: cn-north-4
  %s
  dry_run: %v
`, r.simURL, strings.ReplaceAll(cmp.Or(r.auth, "auth: {access_key: "+testAccess+", secret_key_file: secret_key}"), "SIM", r.simURL), r.dryRun)
	if err := os.WriteFile(filepath.Join(r.folder, "secret_key"), []byte(r.secret), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if !strings.Contains(r.extra, "integrations:") {
		text += fmt.Sprintf("integrations: [{name: default, key: %s, rate_limit: 0}]\n", testKey)
	}
	if !strings.Contains("\n"+r.extra, "\nmapping:") {
		text += "mapping: {application_id: app-1}\n"
	}
	if err := os.WriteFile(r.file(), []byte(text+r.extra), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) file() string { return filepath.Join(r.folder, "config.yaml") }

func (r *rig) load() (*config.Config, error) {
	cfg, err := config.Load(config.Options{File: r.file(), Overrides: config.Overrides{
		StoragePath: r.data, WebListenAddress: r.web, AdminListenAddress: "127.0.0.1:0",
	}})
	if err == nil {
		cfg.Delivery.ReportTrouble = cfg.Delivery.ReportTrouble && r.tells
	}
	return cfg, err
}

func (r *rig) start() {
	r.t.Helper()
	r.write()
	cfg, err := r.load()
	if err != nil {
		r.t.Fatal(err)
	}
	r.reg = prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(context.Background())
	r.b, err = bridge.New(ctx, bridge.Options{Config: cfg, Load: r.load, WebConfigFile: r.webConfig, Registry: r.reg, Log: r.log, Now: r.clock.Now, Manager: r.parent})
	if err != nil {
		cancel()
		r.t.Fatal(err)
	}
	if r.seldom {
		r.b.LookSeldom()
	}
	r.cancel, r.ended = cancel, make(chan error, 1)
	go func() { r.ended <- r.b.Run(ctx) }()
}

// stop ends the bridge as SIGTERM does.
func (r *rig) stop() {
	r.t.Helper()
	if r.cancel == nil {
		return
	}
	r.cancel()
	r.wait()
}

// wait returns when the bridge has ended.
func (r *rig) wait() {
	r.t.Helper()
	if err := <-r.ended; err != nil {
		r.t.Errorf("the bridge ended with %v", err)
	}
	r.cancel = nil
	if left := openFiles(r.t, r.data); len(left) > 0 {
		r.t.Errorf("the bridge has ended, but has open: %v", left)
	}
}

func (r *rig) restart() {
	r.t.Helper()
	r.stop()
	r.start()
}

// reload puts another rest of the configuration file in force.
func (r *rig) reload(extra string) error {
	r.t.Helper()
	r.extra = extra
	r.write()
	return r.b.Reload(r.t.Context(), false)
}

func (r *rig) advance(d time.Duration) {
	r.clock.mu.Lock()
	r.clock.now = r.clock.now.Add(d)
	r.clock.mu.Unlock()
	r.b.Wake()
}

// tick moves the clock on unless a call is under way: a machine that stalls must not
// make calls look late, or time pass in which nothing could be done.
func (r *rig) tick(d time.Duration) {
	r.t.Helper()
	if r.metric("cocbridge_tasks", "state", "in_flight") == 0 {
		r.advance(d)
	}
}

// msg is one alert as Alertmanager sends it.
type msg struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Fingerprint string            `json:"fingerprint,omitempty"`
}

func (r *rig) firing(name string, since time.Duration) msg {
	return msg{Status: "firing", Labels: map[string]string{"alertname": name, "severity": "warning", "instance": "web-1"},
		Annotations: map[string]string{"description": "text of " + name}, StartsAt: r.clock.Now().Add(-since)}
}

func resolve(m msg, at time.Time) msg {
	m.Status, m.EndsAt = "resolved", at
	return m
}

// send posts the alerts as one group and expects 200.
func (r *rig) send(alerts ...msg) {
	r.t.Helper()
	if status, body := r.post(alerts...); status != http.StatusOK {
		r.t.Fatalf("the bridge answered %d: %s", status, body)
	}
}

func (r *rig) post(alerts ...msg) (int, string) {
	r.t.Helper()
	resp, text := r.do(http.MethodPost, "/webhook/alertmanager", group(alerts...))
	return resp.StatusCode, text
}

// group is the message of Alertmanager with these alerts.
func group(alerts ...msg) string {
	body, err := json.Marshal(map[string]any{"version": "4", "receiver": "x", "alerts": alerts})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// fill posts large alerts until the store is full and returns how many it has taken.
func (r *rig) fill() (accepted int) {
	r.t.Helper()
	r.until("it is full", func() bool {
		storm := r.storm("Storm", 50)
		for i := range storm {
			storm[i].Labels["round"] = fmt.Sprint(accepted)
			for j := range 4 {
				storm[i].Annotations[fmt.Sprintf("text%d", j)] = strings.Repeat("x", 4000)
			}
		}
		status, _ := r.post(storm...)
		if status == http.StatusOK {
			accepted += len(storm)
		}
		return status == http.StatusServiceUnavailable
	})
	return accepted
}

// do sends one request to the web address and returns the answer, read to its end.
func (r *rig) do(method, path, body string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.b.Addr()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(text)
}

// arrived waits until what is wanted has arrived since the last look and everything
// is settled, and only then looks whether that is all: each as "name status level".
func (r *rig) arrived(from int, want ...string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	err := r.sim.Wait(ctx, func(s *coctest.Server) bool { return len(s.Alarms()) >= from+len(want) })
	if err == nil {
		r.idle(0)
	}
	got := []string{}
	for _, e := range r.sim.Alarms()[min(from, len(r.sim.Alarms())):] {
		got = append(got, fmt.Sprintf("%s %s %s", e.Alarm.AlarmName, e.Alarm.AlarmStatus, e.Alarm.AlarmLevel))
	}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Fatalf("arrived: %q, want %q (%v; refused: %v)", got, want, err, r.sim.Refusals())
	}
}

// idle waits until nothing is in flight and only so many tasks wait. What is
// not on its way then was never going to be: decisions fall before the 200.
func (r *rig) idle(waiting float64) {
	r.t.Helper()
	r.until(fmt.Sprintf("%v tasks waiting, none in flight", waiting), func() bool {
		tasks := r.gather("cocbridge_tasks")
		return sum(tasks, "state", "waiting") == waiting && sum(tasks, "state", "in_flight") == 0
	})
}

// until polls for a condition that must come true.
func (r *rig) until(what string, holds func() bool) {
	r.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			r.t.Fatalf("never came true: %s", what)
		}
	}
}

// metric is the sum of a metric's series that have these pairs of label and value.
func (r *rig) metric(name string, labels ...string) float64 {
	r.t.Helper()
	return sum(r.gather(name), labels...)
}

// series is one of a metric.
type series struct {
	labels map[string]string
	value  float64
}

// gather returns a metric's series as of one moment: what goes over from one to
// another is seen in exactly one of them.
func (r *rig) gather(name string) (all []series) {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			one := series{map[string]string{}, m.GetGauge().GetValue() + m.GetCounter().GetValue()}
			for _, l := range m.GetLabel() {
				one.labels[l.GetName()] = l.GetValue()
			}
			all = append(all, one)
		}
	}
	return all
}

func sum(all []series, labels ...string) (total float64) {
	for _, one := range all {
		if hasPairs(one.labels, labels) {
			total += one.value
		}
	}
	return total
}

func hasPairs(has map[string]string, labels []string) bool {
	for pair := range slices.Chunk(labels, 2) {
		if has[pair[0]] != pair[1] {
			return false
		}
	}
	return true
}

// clean checks at the end of a story that COC saw nothing wrong.
func (r *rig) clean() {
	r.t.Helper()
	if v := r.sim.Violations(); len(v) > 0 {
		r.t.Errorf("COC saw violations: %q", v)
	}
	if d := r.sim.Duplicates(); len(d) > 0 {
		r.t.Errorf("COC saw duplicates: %+v", d)
	}
}
