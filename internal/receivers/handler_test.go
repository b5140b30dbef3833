package receivers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/units"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest/observer"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

func TestHandler_Accepts(t *testing.T) {
	s := newServer(t, open)
	t.Run("an answer names the number of alerts", func(t *testing.T) {
		got := s.post(t, message(good, good))
		if want := `{"status":"ok","alerts":2}`; got.status != http.StatusOK || got.body != want {
			t.Errorf("answered %d %s, want 200 %s", got.status, got.body, want)
		}
		if got.header.Get("Content-Type") != "application/json" {
			t.Errorf("Content-Type %q", got.header.Get("Content-Type"))
		}
	})
	t.Run("and of those that cannot be used", func(t *testing.T) {
		got := s.post(t, message(good, `{"status":"?"}`))
		if want := `{"status":"ok","alerts":1,"rejected":1}`; got.status != http.StatusOK || got.body != want {
			t.Errorf("answered %d %s, want 200 %s", got.status, got.body, want)
		}
	})
	t.Run("the batch is what Decode returns", func(t *testing.T) {
		want := []receivers.Batch{mustDecode(t, message(good, good)), mustDecode(t, message(good, `{"status":"?"}`))}
		if diff := cmp.Diff(want, s.accepted()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestHandler_NotStored(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"busy", receivers.ErrBusy, "cannot take alerts now"},
		{"busy with a cause", fmt.Errorf("%w: the store is full", receivers.ErrBusy), "cannot take alerts now: the store is full"},
		{"anything else", errors.New("store: put: \xff"), "store: put: \ufffd"},
	}
	s := newServer(t, open)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.set(func() { s.failure = tt.err })
			got := s.post(t, message(good))
			if got.status != http.StatusServiceUnavailable || got.body != errorBody(tt.want) || got.header.Get("Retry-After") != "5" {
				t.Errorf("answered %d %s, Retry-After %q", got.status, got.body, got.header.Get("Retry-After"))
			}
		})
	}
}

// A receiver without credentials trusts its loopback address; what a proxy
// passes on, or a page in the operator's browser makes, comes from somewhere else.
func TestHandler_Forwarded(t *testing.T) {
	secured := func(o *receivers.Options) { o.Config.Auth.BearerToken = "tok" }
	insecure := func(o *receivers.Options) { o.Config.Auth.InsecureNone = true }
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "x-forwarded-for", "Origin", "Sec-Fetch-Site"} {
		for _, tt := range []struct {
			name   string
			change func(*receivers.Options)
			want   int
		}{{"no credentials", open, 403}, {"insecure_none", insecure, 403}, {"credentials", secured, 200}} {
			t.Run(header+"/"+tt.name, func(t *testing.T) {
				s := newServer(t, tt.change)
				r := s.request(t, http.MethodPost, message(good))
				r.Header.Set("Authorization", "Bearer tok")
				r.Header.Set(header, "")
				got := s.do(t, r)
				if got.status != tt.want {
					t.Errorf("answered %d %s, want %d", got.status, got.body, tt.want)
				}
				if stored := len(s.accepted()) == 1; stored != (tt.want == 200) {
					t.Errorf("stored: %v", stored)
				}
			})
		}
	}
}

// The header alone decides: a sender that is refused has sent no body yet. (Of
// a body up to 256 KiB net/http reads and forgets the rest, to keep the
// connection.)
func TestHandler_RefusesBeforeTheBody(t *testing.T) {
	full := receivers.NewBudget(0)
	tests := []struct {
		name, request string
		change        func(*receivers.Options)
		want          string
	}{
		{"credentials", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", func(o *receivers.Options) { o.Config.Auth.BearerToken = "tok" }, "401 Unauthorized"},
		{"encoding", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nContent-Encoding: gzip\r\n\r\n", open, "415 Unsupported Media Type"},
		{"length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 33554433\r\n\r\n", open, "413 Request Entity Too Large"},
		{"budget", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", func(o *receivers.Options) { o.Budget = full }, "503 Service Unavailable"},
		{"no room", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", func(o *receivers.Options) { o.Ready = func() error { return receivers.ErrBusy } }, "503 Service Unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, tt.change)
			conn := dial(t, s)
			if _, err := io.WriteString(conn, tt.request); err != nil {
				t.Fatal(err)
			}
			if got := readStatus(t, conn); got != tt.want {
				t.Errorf("answered %s, want %s", got, tt.want)
			}
		})
	}
}

func dial(t *testing.T, s *server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// Only so that a missing answer fails the test instead of stopping it.
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func readStatus(t *testing.T, conn net.Conn) string {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.Status
}

func TestHandler_BrokenBody(t *testing.T) {
	t.Run("the sender stops in the middle", func(t *testing.T) {
		s := newServer(t, open)
		conn := dial(t, s)
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got := readStatus(t, conn); got != "400 Bad Request" {
			t.Errorf("answered %s", got)
		}
	})
	t.Run("a chunked body is broken", func(t *testing.T) {
		s := newServer(t, open)
		conn := dial(t, s)
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"); err != nil {
			t.Fatal(err)
		}
		if got := readStatus(t, conn); got != "400 Bad Request" {
			t.Errorf("answered %s", got)
		}
	})
	t.Run("the sender is too slow", func(t *testing.T) {
		handler := newHandler(t, receivers.Options{Config: receivers.DefaultConfig()})
		s := &server{Server: httptest.NewUnstartedServer(handler)}
		s.Config.ReadTimeout = 50 * time.Millisecond
		s.Start()
		t.Cleanup(s.Close)
		conn := dial(t, s)
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		if got := readStatus(t, conn); got != "408 Request Timeout" {
			t.Errorf("answered %s", got)
		}
	})
}

// Large bodies arrive whole, whether their length is known or not.
func TestHandler_LargeBody(t *testing.T) {
	body := message(good, firing(`{"l":"`+strings.Repeat("x", 3<<20)+`"}`))
	for _, length := range []int64{int64(len(body)), -1} {
		s := newServer(t, func(o *receivers.Options) { o.Config.MaxBody = 3<<20 + 1000 })
		r := s.request(t, http.MethodPost, "")
		r.ContentLength, r.Body = length, io.NopCloser(strings.NewReader(body))
		if got := s.do(t, r); got.status != http.StatusOK {
			t.Fatalf("length %d: answered %d %s", length, got.status, got.body)
		}
		if diff := cmp.Diff([]receivers.Batch{mustDecode(t, body)}, s.accepted()); diff != "" {
			t.Errorf("length %d: -want +got:\n%s", length, diff)
		}
	}
}

// A body of max_body bytes is not too large, one byte more is.
func TestHandler_BodyAtTheLimit(t *testing.T) {
	for _, size := range []int{1000, 64 << 10, 64<<10 + 1, 200 << 10} {
		s := newServer(t, func(o *receivers.Options) { o.Config.MaxBody = units.Base2Bytes(size) })
		for _, chunked := range []bool{false, true} {
			for more, want := range []int{http.StatusOK, http.StatusRequestEntityTooLarge} {
				body := message(good) + strings.Repeat(" ", size+more-len(message(good)))
				r := s.request(t, http.MethodPost, body)
				if chunked {
					r.ContentLength = -1
				}
				if got := s.do(t, r); got.status != want {
					t.Errorf("%d bytes, chunked %v: answered %d %s", len(body), chunked, got.status, got.body)
				}
			}
		}
	}
}

// What a request holds of the budget comes back when it is answered, however it
// ends, and not before.
func TestHandler_Budget(t *testing.T) {
	body := message(good)
	body += strings.Repeat(" ", 1<<20-len(body))
	budget := receivers.NewBudget(1 << 20)
	inside, leave := make(chan struct{}), make(chan struct{})
	slow := newServer(t, func(o *receivers.Options) {
		accept := o.Accept
		o.Budget = budget
		o.Accept = func(ctx context.Context, b receivers.Batch) error {
			inside <- struct{}{}
			<-leave
			return accept(ctx, b)
		}
	})
	other := newServer(t, func(o *receivers.Options) { o.Budget = budget })
	first := make(chan answer)
	go func() { first <- slow.post(t, body) }()
	<-inside
	want := errorBody("too many requests are being read at once, send it again")
	for _, tt := range []struct {
		name, body string
		length     int64
	}{{"a whole body", body, int64(len(body))}, {"one byte", "x", 1}, {"of unknown length", "x", -1}} {
		r := other.request(t, http.MethodPost, tt.body)
		r.ContentLength = tt.length
		got := other.do(t, r)
		if got.status != http.StatusServiceUnavailable || got.body != want || got.header.Get("Retry-After") != "5" {
			t.Errorf("%s: answered %d %s", tt.name, got.status, got.body)
		}
	}
	close(leave)
	if got := <-first; got.status != http.StatusOK {
		t.Fatalf("the slow one was answered %d %s", got.status, got.body)
	}
	for _, next := range []string{strings.Repeat("x", len(body)), body, body} {
		if got := other.post(t, next); got.status == http.StatusServiceUnavailable {
			t.Fatalf("the budget did not come back: %s", got.body)
		}
	}
}

// A sender can cause a warning a thousand times a second; one a minute is told.
func TestHandler_Warnings(t *testing.T) {
	s := newServer(t, open)
	send := func() {
		s.post(t, "x")
		s.post(t, message(`{"status":"?"}`))
		s.post(t, `{"version":"4","truncatedAlerts":7,"alerts":[]}`)
	}
	for range 3 {
		send()
	}
	if diff := cmp.Diff(map[string]int{"malformed": 1, "bad_status": 1, "truncated": 1}, byReason(s.logs)); diff != "" {
		t.Errorf("in the first minute: -want +got:\n%s", diff)
	}
	s.set(func() { s.now = s.now.Add(time.Minute) })
	send()
	if diff := cmp.Diff(map[string]int{"malformed": 2, "bad_status": 2, "truncated": 2}, byReason(s.logs)); diff != "" {
		t.Errorf("in the second: -want +got:\n%s", diff)
	}
	entry := s.logs.All()[0]
	fields := entry.ContextMap()
	if entry.Message != "request refused" || fields["receiver"] != "alertmanager" || fields["remote"] == "" ||
		fields["err"] != "body: is not valid JSON at byte 0: invalid character 'x' at start of value" {
		t.Errorf("logged %q with %v", entry.Message, fields)
	}
}

func byReason(logs *observer.ObservedLogs) map[string]int {
	counts := map[string]int{}
	for _, entry := range logs.All() {
		counts[fmt.Sprint(entry.ContextMap()["reason"])]++
	}
	return counts
}
