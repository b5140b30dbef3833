package bridge_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/bridge"
	"github.com/cocbridge/cocbridge/internal/receivers"
)

// slow are the beginnings of requests that never end.
var slow = []string{
	"",
	"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nX-A: ",
	"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n{",
	"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
	"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n", // and then silence
}

// Two thousand connections that dribble, from the address that normal senders
// have too and from others, leave normal requests answered.
func TestSlowClients(t *testing.T) {
	for _, tt := range []struct {
		name      string
		addresses int
		left      int // how many may stay open
		begin     []string
	}{
		{"from one address", 1, 256, slow},
		{"from eight", 8, 1024, slow},
		{"from eight, all with bodies", 8, 1024, slow[2:4]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, "")
			d := dribble(t, r.b.Addr(), clients, tt.addresses, tt.begin)
			for i := 1; i <= 9; i++ {
				r.normal(fmt.Sprintf("127.0.0.%d", i), 10)
			}
			// By the limits, or by the time-outs where dialling takes that long.
			r.until("most of the slow ones are closed", func() bool { return d.shut.Load() >= int64(clients-tt.left) })
			d.end()
			r.idle(0)
			r.clean()
		})
	}
}

// Where no time-out comes in between, each connection beyond a limit closes one,
// and is counted.
func TestConnections_limits(t *testing.T) {
	for _, tt := range []struct {
		name                     string
		clients, addresses, left int
		reason                   receivers.Reason
	}{
		{"of one address", 300, 1, 256, receivers.AddressConnections},
		{"in all", 1100, 8, 1024, receivers.AllConnections},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, closed := limited(t, http.NotFoundHandler())
			d := dribble(t, s.Listener.Addr().String(), tt.clients, tt.addresses, slow)
			for range tt.clients - tt.left {
				if reason := <-closed; reason != tt.reason {
					t.Fatalf("one was closed for %s", reason)
				}
			}
			if len(closed) > 0 {
				t.Error("more were closed than had to be")
			}
			d.end()
		})
	}
}

// Where all connections of an address are at work none of them is closed, but at
// twice the limit the new one is.
func TestConnections_hardLimit(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	s, closed := limited(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		inside <- struct{}{}
		<-leave
	}))
	get := func() *bufio.Reader {
		t.Helper()
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, slow[4]); err != nil && !reset(err) {
			t.Fatal(err)
		}
		return bufio.NewReader(conn)
	}
	working := make([]*bufio.Reader, 512)
	for i := range working {
		working[i] = get()
		<-inside
	}
	get()
	select {
	case reason := <-closed:
		if reason != receivers.AddressConnections {
			t.Errorf("closed for %s", reason)
		}
	case <-inside:
		t.Error("one more is let in")
	}
	close(leave)
	for _, r := range working {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if len(closed) > 0 {
		t.Error("more were closed")
	}
}

// Of a request whose header is too long, or never whole, only the connection is known.
func TestConnections_header(t *testing.T) {
	s, closed := limited(t, http.NotFoundHandler(), func(s *http.Server) { s.ReadHeaderTimeout = 50 * time.Millisecond })
	for _, begin := range []string{
		"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nX-A: ", "POST / HTTP/1.1\r\nX-A: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", "SSH-2.0-x\r\n\r\n",
	} {
		if resp, err := s.Client().Get(s.URL); err != nil || resp.Body.Close() != nil {
			t.Fatal(err)
		}
		d := dribble(t, s.Listener.Addr().String(), 1, 1, []string{begin})
		if reason := <-closed; reason != receivers.BadHeader {
			t.Errorf("%.20q: closed for %s", begin, reason)
		}
		d.end()
	}
	dribble(t, s.Listener.Addr().String(), 1, 1, []string{""}).end()
	s.Close()
	if len(closed) > 0 {
		t.Errorf("%s was counted, too", <-closed)
	}
}

// limited is a server with the limits of the web listener, and why it closes
// connections.
func limited(t *testing.T, h http.Handler, change ...func(*http.Server)) (*httptest.Server, chan receivers.Reason) {
	t.Helper()
	closed := make(chan receivers.Reason, 2*clients)
	s := httptest.NewUnstartedServer(h)
	bridge.LimitConnections(s.Config, func(r receivers.Reason) { closed <- r })
	for _, f := range change {
		f(s.Config)
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, closed
}

// A request that has arrived as a whole is answered, however many come after it.
func TestSlowClients_doNotCutOffWork(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	s, closed := limited(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		inside <- struct{}{}
		<-leave
	}))
	requests := []struct {
		method string
		body   io.Reader
	}{{http.MethodGet, nil}, {http.MethodPost, strings.NewReader("length known")}, {http.MethodPost, struct{ io.Reader }{strings.NewReader("chunked")}}}
	answers := make(chan error, len(requests))
	for _, q := range requests {
		go func() {
			r, err := http.NewRequestWithContext(t.Context(), q.method, s.URL, q.body)
			if err != nil {
				answers <- err
				return
			}
			resp, err := s.Client().Do(r)
			if err == nil {
				resp.Body.Close()
			}
			answers <- err
		}()
		<-inside
	}
	for range 400 {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	for range 100 {
		<-closed
	}
	close(leave)
	for range requests {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

const clients = 2000

// dribbling are clients that never come to an end.
type dribbling struct {
	shut    atomic.Int64 // how many have been closed by the other side
	open    []net.Conn
	waiting sync.WaitGroup
}

func dribble(t *testing.T, to string, clients, addresses int, begin []string) *dribbling {
	t.Helper()
	d := &dribbling{}
	t.Cleanup(d.end)
	for i := range clients {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i%addresses))}}
		conn, err := dialer.Dial("tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		d.open = append(d.open, conn)
		if _, err := io.WriteString(conn, begin[i%len(begin)]); err != nil && !reset(err) {
			t.Fatal(err)
		}
		d.waiting.Go(func() {
			if _, err := io.Copy(io.Discard, conn); err == nil || reset(err) {
				d.shut.Add(1)
			}
		})
	}
	return d
}

func (d *dribbling) end() {
	for _, conn := range d.open {
		conn.Close()
	}
	d.waiting.Wait()
}

// normal sends so many alerts from an address, each answered 200.
func (r *rig) normal(from string, n int) {
	r.t.Helper()
	client := clientFrom(r.t, from)
	for i := range n {
		body := group(r.firing(fmt.Sprintf("Normal-%s-%d", strings.ReplaceAll(from, ".", "-"), i), time.Hour))
		resp, err := client.Post("http://"+r.b.Addr()+"/webhook/alertmanager", "application/json", strings.NewReader(body))
		if err != nil {
			r.t.Fatalf("from %s: %v", from, err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			r.t.Fatalf("from %s: answered %s", from, resp.Status)
		}
	}
}

// reset: the other side has closed the connection while we were writing.
func reset(err error) bool {
	var system *os.SyscallError
	return errors.As(err, &system)
}

func clientFrom(t *testing.T, address string) *http.Client {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: dialer.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
