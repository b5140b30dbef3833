package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// screen shows what a running command has printed so far.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	news chan struct{}
}

func newScreen() *screen { return &screen{news: make(chan struct{})} }

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
	return s.text.Write(b)
}

func (s *screen) read() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String(), s.news
}

// wait returns the match and its groups once the screen shows them.
func (s *screen) wait(t *testing.T, pattern string) []string {
	t.Helper()
	re, limit := regexp.MustCompile(pattern), time.After(patience)
	for {
		text, news := s.read()
		if m := re.FindStringSubmatch(text); m != nil {
			return m
		}
		select {
		case <-news:
		case <-limit:
			t.Fatalf("%s never appears in:\n%s", pattern, text)
		}
	}
}

// running is a command that runs until it is stopped.
type running struct {
	t              *testing.T
	stdout, stderr *screen
	cancel         context.CancelFunc
	code           chan int
}

func start(t *testing.T, environ []string, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, stdout: newScreen(), stderr: newScreen(), cancel: cancel, code: make(chan int, 1)}
	go func() {
		r.code <- run(ctx, args, console{stdin: strings.NewReader(""), stdout: r.stdout, stderr: r.stderr, environ: func() []string { return environ }})
	}()
	t.Cleanup(cancel)
	return r
}

// stop ends the command as Ctrl-C does.
func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	r.ends()
}

func (r *running) ends() {
	r.t.Helper()
	select {
	case code := <-r.code:
		if text, _ := r.stderr.read(); code != exitOK {
			r.t.Errorf("exit code %d: %s", code, text)
		}
	case <-time.After(patience):
		r.t.Fatal("the command does not end")
	}
}

func send(t *testing.T, method, url, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s: %s, %v", method, url, resp.Status, text, err)
	}
	return string(text)
}

// A sidecar: no file at all, everything by environment and flags.
func TestServe_byTheEnvironmentAlone(t *testing.T) {
	sim := coctest.New(coctest.Options{Keys: []string{demoKey}, AccessKey: demoAccessKey, SecretKey: demoSecretKey})
	srv := httptest.NewServer(sim)
	defer srv.Close()
	defer sim.Close()
	r := start(t, []string{
		"COCBRIDGE_ENDPOINT=" + srv.URL, "COCBRIDGE_ACCESS_KEY=" + demoAccessKey, "COCBRIDGE_SECRET_KEY=" + demoSecretKey,
		"COCBRIDGE_INTEGRATION_KEY=" + demoKey, "COCBRIDGE_APPLICATION_ID=app-1", "COCBRIDGE_STORAGE_PATH=" + t.TempDir(), "PATH=/bin",
	}, "serve", "--web.listen-address=127.0.0.1:0", "--admin.listen-address=127.0.0.1:0", "--log.format=json")
	web := r.stderr.wait(t, `"msg":"ready","web":"([^"]+)"`)[1]
	send(t, http.MethodPost, "http://"+web+"/webhook/alertmanager", capture(t, "payload-plain/01-post"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := sim.Wait(ctx, func(s *coctest.Server) bool { return len(s.Alarms()) == 1 }); err != nil {
		t.Fatalf("the alarm does not arrive: %v; %v", err, sim.Refusals())
	}
	if page := send(t, http.MethodGet, "http://"+web+"/metrics", ""); !strings.Contains(page, "cocbridge_build_info{") || !strings.Contains(page, "go_goroutines") {
		t.Error("the process's own metrics are missing")
	}
	r.stop()
}

func TestServe_reloadsOnHangup(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "config.yaml")
	write := func(more string) {
		good, err := os.ReadFile("testdata/good.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(good, more...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	r := start(t, nil, "serve", "--config.file="+file, "--storage.path="+folder, "--web.listen-address=127.0.0.1:0", "--admin.listen-address=unix:"+shortPath(t))
	r.stderr.wait(t, `ready`)
	hangUp := func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangUp()
	r.stderr.wait(t, `configuration reloaded`)
	write("nonsense: 1\n")
	hangUp()
	r.stderr.wait(t, `configuration not reloaded, the old one stays.*nonsense`)
	r.stop()
}

// shortPath is one for a socket, whose path must be short.
func shortPath(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "cocbridge")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return filepath.Join(folder, "admin.sock")
}

func TestSimulate_serves(t *testing.T) {
	r := start(t, nil, "simulate", "--listen=127.0.0.1:0", "--fault=503,times=3")
	url := r.stdout.wait(t, `simulated COC at (http://\S+),`)[1]
	if report := send(t, http.MethodGet, url+"/_coctest/report", ""); !strings.Contains(report, `"requests":0`) {
		t.Errorf("report: %s", report)
	}
	r.stop()
}

func TestDemo_showsTheSamples(t *testing.T) {
	r := start(t, nil, "demo", "--once")
	r.ends()
	text, _ := r.stdout.read()
	_, arrived, _ := strings.Cut(text, "What arrived in COC:\n")
	for _, line := range []string{`alarm  Critical  DiskAlmostFull`, `ok     Critical  DiskAlmostFull`, `alarm  Minor     HighLatency`, `ok     Minor     HighLatency`} {
		if strings.Count(arrived, line) != 1 {
			t.Errorf("%q is not there exactly once:\n%s", line, text)
		}
	}
}

// What the demo tells people to send is sent.
func TestDemo_takesWhatItSuggests(t *testing.T) {
	r := start(t, nil, "demo")
	m := r.stdout.wait(t, `(?s)curl -sS (http://\S+) -d '(.*?)'.*Ctrl-C ends the demo`)
	send(t, http.MethodPost, m[1], m[2])
	r.stdout.wait(t, `alarm  Critical  MyAlert  sent with curl  \(host-1\)`)
	r.stop()
}
