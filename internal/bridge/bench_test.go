package bridge_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/bridge"
	"github.com/cocbridge/cocbridge/internal/config"
)

// flying is how many requests of a benchmark are in flight.
const flying = 64

// benchRig is a running bridge on a real disk before a server that takes
// everything unseen: coctest's strictness would be measured too.
type benchRig struct {
	b       *testing.B
	url     string
	client  *http.Client
	told    atomic.Int64
	enough  int64
	arrived chan struct{} // closed when enough were told
}

func newBenchRig(b *testing.B) *benchRig {
	b.Helper()
	r := &benchRig{b: b, arrived: make(chan struct{}), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: flying}}}
	coc := httptest.NewServer(http.HandlerFunc(r.take))
	file := filepath.Join(b.TempDir(), "config.yaml")
	text := fmt.Sprintf(`coc:
  endpoint: %s
  auth: {access_key: %s, secret_key: %s}
integrations: [{name: default, key: %s, rate_limit: 0}]
mapping: {application_id: app-1}
store: {path: %s, max_size: 8GiB}
`, coc.URL, testAccess, testSecret, testKey, filepath.Join(b.TempDir(), "data"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	cfg, err := config.Load(config.Options{File: file, Overrides: config.Overrides{WebListenAddress: "127.0.0.1:0", AdminListenAddress: "127.0.0.1:0"}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	daemon, err := bridge.New(ctx, bridge.Options{Config: cfg, Registry: prometheus.NewRegistry(), Log: zap.NewNop()})
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- daemon.Run(ctx) }()
	b.Cleanup(func() {
		r.client.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		coc.Close()
	})
	r.url = "http://" + daemon.Addr() + "/webhook/alertmanager"
	return r
}

// take answers as COC does when it has taken an alarm.
func (r *benchRig) take(w http.ResponseWriter, req *http.Request) {
	_, _ = io.Copy(io.Discard, req.Body)
	_, _ = io.WriteString(w, `{"error_code":"COC.00000000","error_msg":"success","data":null}`)
	if r.told.Add(1) == r.enough {
		close(r.arrived)
	}
}

// post sends a group of n alerts, numbered from first on.
func (r *benchRig) post(first, n int) error {
	const one = `{"status":"firing","labels":{"alertname":"HighRequestLatency","cluster":"prod-eu-1","env":"prod","instance":"node-%[1]d.example:9100","job":"storefront","namespace":"shop","severity":"warning"},` +
		`"annotations":{"description":"The 99th percentile of the request latency has been above 500 ms for 10 minutes.","summary":"Requests are slow"},` +
		`"startsAt":"2026-11-21T17:23:55.059Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example:9090/graph?g0.tab=1","fingerprint":"%016[1]x"}`
	alerts := make([]string, n)
	for i := range alerts {
		alerts[i] = fmt.Sprintf(one, first+i)
	}
	body := `{"receiver":"cocbridge","status":"firing","alerts":[` + strings.Join(alerts, ",") + `],"groupLabels":{"alertname":"HighRequestLatency"},"version":"4"}`
	resp, err := r.client.Post(r.url, "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the bridge answered %s: %s", resp.Status, text)
	}
	return err
}

// postAll sends groups of n until there were total alerts, in parallel. number
// says which alert a group begins with.
func (r *benchRig) postAll(total, n int, number func(i int) int) {
	var senders sync.WaitGroup
	var next atomic.Int64
	for range flying {
		senders.Go(func() {
			for first := int(next.Add(int64(n))) - n; first < total; first = int(next.Add(int64(n))) - n {
				if err := r.post(number(first), n); err != nil {
					r.b.Error(err)
					return
				}
			}
		})
	}
	senders.Wait()
}

// Accepted counts until the last 200, delivered until COC has heard of all. An
// operation is one alert.
func BenchmarkBridge(b *testing.B) {
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newBenchRig(b)
			total := (b.N + n - 1) / n * n
			r.enough = int64(total)
			b.ReportAllocs()
			b.ResetTimer()
			r.postAll(total, n, func(i int) int { return i })
			accepted := b.Elapsed()
			select {
			case <-r.arrived:
			case <-time.After(time.Minute):
				b.Fatalf("%d of %d alarms have arrived", r.told.Load(), total)
			}
			b.ReportMetric(float64(total)/accepted.Seconds(), "accepted/s")
			b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "delivered/s")
		})
	}
}

// One group is sent again and again; COC hears of it once.
func BenchmarkBridge_repeats(b *testing.B) {
	const group = 100
	r := newBenchRig(b)
	if err := r.post(0, group); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	r.postAll(b.N, group, func(int) int { return 0 })
	if told := r.told.Load(); told > group {
		b.Errorf("%d reports for %d alarms", told, group)
	}
}
