package receivers_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

// server is a receiver on a real socket with an Accept that remembers.
type server struct {
	*httptest.Server
	logs *observer.ObservedLogs

	mu      sync.Mutex
	now     time.Time
	failure error // what Accept returns
	batches []receivers.Batch
}

// open changes nothing: the default receiver has no credentials.
func open(*receivers.Options) {}

func newServer(t *testing.T, change func(*receivers.Options)) *server {
	core, logs := observer.New(zap.DebugLevel)
	s := &server{now: arrival, logs: logs}
	o := receivers.Options{Config: receivers.DefaultConfig(), Accept: s.accept, Log: zap.New(core), Now: s.clock}
	change(&o)
	s.Server = httptest.NewServer(newHandler(t, o))
	t.Cleanup(s.Close)
	return s
}

func newHandler(t *testing.T, o receivers.Options) http.Handler {
	t.Helper()
	h, err := receivers.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (s *server) accept(_ context.Context, b receivers.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.batches = append(s.batches, b)
	}
	return s.failure
}

func (s *server) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// accepted returns what Accept has taken.
func (s *server) accepted() []receivers.Batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.batches
}

func (s *server) request(t *testing.T, method, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (s *server) do(t *testing.T, r *http.Request) answer {
	t.Helper()
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func (s *server) post(t *testing.T, body string) answer {
	t.Helper()
	return s.do(t, s.request(t, http.MethodPost, body))
}

// message is a request with these alerts, as Alertmanager writes it.
func message(alerts ...string) string {
	return `{"receiver":"web","status":"firing","alerts":[` + strings.Join(alerts, ",") +
		`],"groupLabels":{"alertname":"A"},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://am.example:9093","version":"4","groupKey":"{}:{}","truncatedAlerts":0}` + "\n"
}

// firing is an alert with these labels and no fingerprint.
func firing(labels string) string {
	return `{"status":"firing","labels":` + labels + `,"annotations":{},"startsAt":"2026-11-21T17:15:33.62Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":""}`
}
