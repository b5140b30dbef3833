package coc_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/secret"
)

const (
	testKey    = "keyCanary4711"
	testSecret = "skCanary0815"
	testToken  = "tokenCanary+/="
)

const accepted = `{"error_code":"COC.00000000","error_msg":"success","data":null,"provider_code":"049"}`

func accept(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, accepted) }

func testConfig(endpoint string) coc.Config {
	cfg := coc.DefaultConfig()
	cfg.Endpoint = endpoint
	cfg.Auth.AccessKey, cfg.Auth.SecretKey = "AK", testSecret
	cfg.RateLimits = coc.RateLimits{Tickets: 1e6, Execute: 1e6, Reads: 1e6} // tests do not wait
	return cfg
}

func newClient(t testing.TB, cfg coc.Config) *coc.Client {
	t.Helper()
	client, err := coc.New(cfg, coc.Options{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// serve starts a server and returns a client of it.
func serve(t testing.TB, handle http.HandlerFunc) *coc.Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return newClient(t, testConfig(server.URL))
}

// report reports validAlarm and returns the error, nil for success.
func report(t testing.TB, client *coc.Client) *coc.Error {
	t.Helper()
	return asError(t, reportErr(client.ReportAlarm(t.Context(), testKey, validAlarm())))
}

func asError(t testing.TB, err error) *coc.Error {
	t.Helper()
	if err == nil {
		return nil
	}
	e, ok := err.(*coc.Error)
	if !ok || e == nil {
		t.Fatalf("%T %v is not a *coc.Error", err, err)
	}
	return e
}

// received is one request as a server saw it.
type received struct {
	Method, URI, Host, Proto, Body string
	Header                         http.Header
}

// recorder keeps requests and answers them with success.
type recorder struct {
	mu       sync.Mutex
	requests []received
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.keep(q)
	accept(w, q)
}

func (r *recorder) keep(q *http.Request) received {
	body, _ := io.ReadAll(q.Body)
	got := received{q.Method, q.RequestURI, q.Host, q.Proto, string(body), q.Header.Clone()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, got)
	return got
}

func (r *recorder) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.requests...)
}

func TestClient_ReportAlarm_sendsWhatItSigns(t *testing.T) {
	var seen recorder
	server := httptest.NewServer(&seen)
	t.Cleanup(server.Close)
	cfg := testConfig(server.URL)
	cfg.ProjectID, cfg.Auth.SecurityToken = "p1", testToken
	if err := report(t, newClient(t, cfg)); err != nil {
		t.Fatal(err)
	}
	got := seen.all()[0]
	wantBody, err := json.Marshal(validAlarm())
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(server.URL, "http://")
	path := "/v1/event/huawei/custom/" + testKey
	want := received{
		Method: "POST", URI: path, Host: host, Proto: "HTTP/1.1", Body: string(wantBody),
		Header: http.Header{
			"Authorization":    {verifier{"POST", host, path, nil, got.Body}.authorization(got.Header, "AK", testSecret)},
			"Content-Length":   got.Header["Content-Length"],
			"Content-Type":     {"application/json"},
			"User-Agent":       {"cocbridge/1.2.3"},
			"X-Project-Id":     {"p1"},
			"X-Sdk-Date":       got.Header["X-Sdk-Date"],
			"X-Security-Token": {testToken},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the request (-want +got):\n%s", diff)
	}
	if covered := "SignedHeaders=content-type;host;x-project-id;x-sdk-date;x-security-token,"; !strings.Contains(got.Header.Get("Authorization"), covered) {
		t.Errorf("Authorization %s, want %s", got.Header.Get("Authorization"), covered)
	}
}

func TestClient_ReportAlarm_withoutProjectAndToken(t *testing.T) {
	var seen recorder
	if err := report(t, serve(t, seen.ServeHTTP)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"X-Project-Id", "X-Security-Token", "X-Language", "Accept-Encoding"} {
		if values, set := seen.all()[0].Header[name]; set {
			t.Errorf("%s is %q, want it absent", name, values)
		}
	}
}

func TestClient_ReportAlarm_refusesBeforeSending(t *testing.T) {
	var seen recorder
	client := serve(t, seen.ServeHTTP)
	for name, test := range map[string]struct {
		key   secret.String
		alarm coc.Alarm
		want  coc.Class
	}{
		"no key":                      {"", validAlarm(), coc.Misconfigured},
		"a key that leaves its place": {"../../x?y=1", validAlarm(), coc.Misconfigured},
		"a key with a hyphen":         {testKey + "-a", validAlarm(), coc.Misconfigured},
		"a key with a line break":     {testKey + "\n", validAlarm(), coc.Misconfigured},
		"a key that is too long":      {secret.String(strings.Repeat("a", 256)), validAlarm(), coc.Misconfigured},
		"an alarm over its limits":    {testKey, coc.Alarm{AlarmID: "1"}, coc.Permanent},
	} {
		t.Run(name, func(t *testing.T) {
			got := asError(t, reportErr(client.ReportAlarm(t.Context(), test.key, test.alarm)))
			if got == nil || got.Class != test.want || got.Sent || got.Op != "report alarm" || got.Message == "" {
				t.Errorf("%#v, want %v with Sent false", got, test.want)
			}
		})
	}
	if n := len(seen.all()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestCheckKey(t *testing.T) {
	for _, key := range []secret.String{"a", "Z9", secret.String(strings.Repeat("a", 255))} {
		if err := coc.CheckKey(key); err != nil {
			t.Errorf("%q: %v", key.Reveal(), err)
		}
	}
}

func TestClient_ReportAlarm_asCOCAnswers(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-request-id", "r1")
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, refusal("COC.00000001", "alarmId must not be null"))
	})
	got := report(t, client)
	want := &coc.Error{
		Op: "report alarm", Class: coc.Permanent, Status: 400, Code: "COC.00000001", Message: "alarmId must not be null",
		RequestID: "r1", RetryAfter: 3 * time.Second, Sent: true, Refused: true,
	}
	if diff := cmp.Diff(*want, *got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := "coc: report alarm: HTTP 400: COC.00000001: alarmId must not be null (request id r1)"; got.Error() != want {
		t.Errorf("%q, want %q", got.Error(), want)
	}
}

// TestClient_keepsConnections lets 20 calls meet at the server twice: the
// second time no connection may be new.
func TestClient_keepsConnections(t *testing.T) {
	const calls = 20
	var opened atomic.Int32
	meet := make(chan chan struct{}, calls)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		leave := make(chan struct{})
		meet <- leave
		<-leave
		accept(w, r)
	}))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		opened.Add(1)
		return ctx
	}
	server.Start()
	t.Cleanup(server.Close)
	client := newClient(t, testConfig(server.URL))
	for range 2 {
		var group sync.WaitGroup
		for range calls {
			group.Go(func() {
				if _, err := client.ReportAlarm(t.Context(), testKey, validAlarm()); err != nil {
					t.Error(err)
				}
			})
		}
		var waiting []chan struct{}
		for range calls {
			waiting = append(waiting, <-meet)
		}
		for _, leave := range waiting {
			close(leave)
		}
		group.Wait()
	}
	if got := opened.Load(); got != calls {
		t.Errorf("%d connections for twice %d calls at once, want %d", got, calls, calls)
	}
}

func TestNew_refusesABadConfiguration(t *testing.T) {
	cfg := testConfig("http://coc.example")
	_, err := coc.New(cfg, coc.Options{})
	if want := "coc: endpoint: it must begin with https://; http:// is for a loopback address only"; errorText(err) != want {
		t.Errorf("%v, want %q", err, want)
	}
}

func TestNew_endpointOfTheSite(t *testing.T) {
	for site, want := range map[string]string{
		"cn": "coc.myhuaweicloud.com:443", "intl": "coc-intl.myhuaweicloud.com:443", "eu": "coc-eu-west-101-open-api.myhuaweicloud.eu:443",
	} {
		asked := make(chan string, 1)
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- r.Host
			w.WriteHeader(http.StatusForbidden)
		}))
		cfg := testConfig("")
		cfg.Site, cfg.HTTP.ProxyURL = site, proxy.URL
		if err := report(t, newClient(t, cfg)); err == nil || err.Class != coc.Network || err.Sent {
			t.Errorf("%v, want class network and Sent false", err)
		}
		if got := <-asked; got != want {
			t.Errorf("site %s leads to %s, want %s", site, got, want)
		}
		proxy.Close()
	}
}

func BenchmarkReportAlarm(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		accept(w, r)
	}))
	b.Cleanup(server.Close)
	client, alarm := newClient(b, testConfig(server.URL)), validAlarm()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.ReportAlarm(b.Context(), testKey, alarm); err != nil {
			b.Fatal(err)
		}
	}
}

// reportErr is the part of ReportAlarm's result that the tests of failures look at.
func reportErr(_ string, err error) error { return err }
