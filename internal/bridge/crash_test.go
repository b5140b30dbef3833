package bridge_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/bridge"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/task"
)

var (
	kills    = flag.Int("bridge.kills", 30, "how often TestCrash kills the bridge")
	killSeed = flag.Uint64("bridge.seed", 0, "seed of TestCrash's moments; 0 = another one each time")
)

// childEnv makes the test binary a bridge: the address it listens on. The
// configuration file is in childFile.
const (
	childEnv  = "COCBRIDGE_TEST_CHILD"
	childFile = "COCBRIDGE_TEST_FILE"
	hastyEnv  = "COCBRIDGE_TEST_HASTY"
	epochEnv  = "COCBRIDGE_TEST_EPOCH" // when the fast clock began; "" = the usual one
)

func TestMain(m *testing.M) {
	flag.Parse()
	if address := os.Getenv(childEnv); address != "" {
		if err := child(address, os.Getenv(childFile)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child runs a bridge until it is killed.
func child(address, file string) error {
	inner := address
	if os.Getenv(hastyEnv) != "" {
		inner = "127.0.0.1:0"
	}
	load := func() (*config.Config, error) {
		return config.Load(config.Options{File: file, Overrides: config.Overrides{WebListenAddress: inner, AdminListenAddress: "127.0.0.1:0"}})
	}
	cfg, err := load()
	if err != nil {
		return err
	}
	o := bridge.Options{Config: cfg, Load: load, Registry: prometheus.NewRegistry(), Log: zap.NewNop()}
	if epoch := os.Getenv(epochEnv); epoch != "" {
		o.Now = fastClock(epoch)
	}
	b, err := bridge.New(context.Background(), o)
	if err != nil {
		return err
	}
	if o.Now != nil {
		go wakeUp(b)
	}
	if inner != address {
		go hasty(address, "http://"+b.Addr())
	}
	return b.Run(context.Background())
}

// hasty is the negative control: it answers 200 before the bridge has stored anything.
func hasty(address, target string) {
	inner, _ := url.Parse(target)
	rest := httputil.NewSingleHostReverseProxy(inner)
	_ = http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			rest.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusOK)
		go func() {
			if resp, err := http.Post(target+r.URL.Path, "application/json", bytes.NewReader(body)); err == nil {
				resp.Body.Close()
			}
		}()
	}))
}

// crash is a bridge in a process of its own, to be killed, between senders that
// write down what was acknowledged and a simulated COC that survives.
type crash struct {
	t       *testing.T
	sim     *coctest.Server
	file    string
	address string
	hasty   bool
	env     []string // of the bridge, besides
	rand    *rand.Rand

	mu    sync.Mutex
	acked map[string]bool // "alarm status"
}

func newCrash(t *testing.T) *crash {
	t.Helper()
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	c := &crash{t: t, rand: rand.New(rand.NewPCG(seed, 0)), acked: map[string]bool{}}
	c.sim = coctest.New(coctest.Options{Keys: []string{testKey}, AccessKey: testAccess, SecretKey: testSecret, Refresh: time.Hour})
	c.sim.Inject(coctest.Fault{Latency: 2 * time.Millisecond})
	srv := httptest.NewServer(c.sim)
	t.Cleanup(func() { c.sim.Close(); srv.Close() })
	folder := t.TempDir()
	c.file = filepath.Join(folder, "config.yaml")
	text := fmt.Sprintf("coc: {endpoint: %s, auth: {access_key: %s, secret_key: %s}}\nintegrations: [{name: default, key: %s, rate_limit: 0}]\n"+
		"mapping: {application_id: app-1}\nstore: {path: %s}\ndelivery: {refresh: 1h, fence: 1s}\n", srv.URL, testAccess, testSecret, testKey, filepath.Join(folder, "data"))
	if err := os.WriteFile(c.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.address = freeAddress(t)
	return c
}

// freeAddress is one that nobody listens on. It is no other's way out either: what
// connects to loopback does so from 127.0.0.1, and could take the port meanwhile.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs the bridge and returns when it accepts alerts.
func (c *crash) start(ctx context.Context) *exec.Cmd {
	c.t.Helper()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+c.address, childFile+"="+c.file)
	cmd.Env = append(cmd.Env, c.env...)
	if c.hasty {
		cmd.Env = append(cmd.Env, hastyEnv+"=1")
	}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it must not outlive the test
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("tcp", c.address); err == nil {
			conn.Close()
			return cmd
		}
		select {
		case <-tick.C:
		case <-limit.Done():
			c.t.Fatal("the bridge does not start")
		}
	}
}

// load sends alarms that fire and resolve, each again until it is acknowledged,
// as Alertmanager does.
func (c *crash) load(ctx context.Context, sender int) {
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	defer client.CloseIdleConnections()
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("s%d-%d", sender, i)
		start := time.Now().UTC()
		for _, status := range []string{"firing", "resolved"} {
			body := fmt.Sprintf(`{"version":"4","alerts":[{"status":%q,"labels":{"alertname":%q},"startsAt":%q,"endsAt":%q}]}`,
				status, name, start.Format(time.RFC3339Nano), start.Add(time.Second).Format(time.RFC3339Nano))
			if !c.until(ctx, client, body) {
				return
			}
			c.mu.Lock()
			c.acked[name+" "+map[string]string{"firing": "alarm", "resolved": "ok"}[status]] = true
			c.mu.Unlock()
		}
	}
}

// until posts until a complete 2xx was read; false when the run is over first.
func (c *crash) until(ctx context.Context, client *http.Client, body string) bool {
	for ctx.Err() == nil {
		resp, err := client.Post("http://"+c.address+"/webhook/alertmanager", "application/json", bytes.NewReader([]byte(body)))
		if err != nil {
			continue
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode == http.StatusOK {
			return true
		}
	}
	return false
}

// run kills and restarts the bridge under load, lets it drain, and returns
// which acknowledged alarms never arrived.
func (c *crash) run(rounds int) (lost []string) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Minute)
	defer cancel()
	loading, stop := context.WithCancel(ctx)
	var senders sync.WaitGroup
	for sender := range 16 {
		senders.Go(func() { c.load(loading, sender) })
	}
	for range rounds {
		cmd := c.start(ctx)
		<-time.After(time.Duration(20+c.rand.IntN(200)) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	cmd := c.start(ctx)
	stop()
	senders.Wait()
	lost = c.drain(ctx)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return lost
}

// drain waits until nothing waits or is in flight, and returns what has not arrived.
func (c *crash) drain(ctx context.Context) (lost []string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for c.unsettled(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Fatal("it does not drain")
		}
	}
	return c.missing()
}

// unsettled asks the bridge whether it still has something to tell.
func (c *crash) unsettled(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.address+"/metrics", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return tasksLeft.Match(text)
}

var tasksLeft = regexp.MustCompile(`(?m)^cocbridge_tasks\{kind="report",state="(waiting|in_flight)"\} [1-9]`)

func (c *crash) missing() (lost []string) {
	arrived := map[string]bool{}
	for _, e := range c.sim.Alarms() {
		arrived[e.Alarm.AlarmName+" "+e.Alarm.AlarmStatus] = true
	}
	for what := range c.acked {
		if !arrived[what] {
			lost = append(lost, what)
		}
	}
	return lost
}

// dead lists the dead letters of the stopped bridge: a task that was in flight at
// three kills in a row is suspected to be their cause.
func (c *crash) dead() map[string]bool {
	c.t.Helper()
	found := map[string]bool{}
	r := rig{t: c.t, clock: &clock{now: time.Now()}, data: filepath.Join(filepath.Dir(c.file), "data")}
	for _, d := range r.dead() {
		if d.Cause.Code != queue.CodeCrash {
			c.t.Errorf("a dead letter with another cause: %+v", d.Cause)
		}
		if told, err := task.Decode(d.Item.Payload); err == nil {
			found[told.Alarm.AlarmName+" "+string(told.Alarm.AlarmStatus)] = true
		}
	}
	return found
}

// The bound of the README: what is in flight, and outcomes not yet synced.
const duplicatesPerKill = 16 + 200

func TestCrash_killedUnderLoad(t *testing.T) {
	c := newCrash(t)
	lost, dead := c.run(*kills), c.dead()
	lost = slices.DeleteFunc(lost, func(what string) bool { return dead[what] })
	counts := c.sim.Requests()
	t.Logf("%d kills: %d acknowledged, %d arrived, %d lost, %d dead letters, %d duplicates (at most %d allowed), %d violations",
		*kills, len(c.acked), counts.Accepted, len(lost), len(dead), counts.Duplicates, *kills*duplicatesPerKill, counts.Violations)
	if len(c.acked) < *kills {
		t.Errorf("only %d alarms were acknowledged: there was no load", len(c.acked))
	}
	if len(lost) > 0 {
		t.Errorf("%d acknowledged alarms were lost, such as %s", len(lost), lost[0])
	}
	if v := c.sim.Violations(); len(v) > 0 {
		t.Errorf("order: %q", v)
	}
	if counts.Duplicates > *kills*duplicatesPerKill {
		t.Errorf("%d duplicates", counts.Duplicates)
	}
}

// The experiment must be able to fail: a bridge that answers before it has
// stored loses alarms, and the harness sees it.
func TestCrash_negativeControl(t *testing.T) {
	c := newCrash(t)
	c.hasty = true
	for range 10 {
		if len(c.run(3)) > 0 {
			return
		}
	}
	t.Error("a bridge that acknowledges before it stores loses nothing: the experiment proves nothing")
}
