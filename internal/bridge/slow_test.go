package bridge_test

import (
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
		reason    string
		begin     []string
	}{
		{"from one address", 1, 256, "connections_of_address", slow},
		{"from eight", 8, 1024, "connections", slow},
		{"from eight, all with bodies", 8, 1024, "connections", slow[2:4]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, "")
			d := dribble(t, r, tt.addresses, tt.begin)
			for i := 1; i <= 9; i++ {
				r.normal(fmt.Sprintf("127.0.0.%d", i), 10)
			}
			r.until("most of the slow ones are closed", func() bool { return d.shut.Load() >= int64(clients-tt.left) })
			if n := r.metric("cocbridge_rejected_total", "reason", tt.reason); n < float64(clients-tt.left) {
				t.Errorf("%v were counted", n)
			}
			d.end()
			r.idle(0)
			r.clean()
		})
	}
}

// A request that has arrived as a whole is answered, however many come after it.
func TestSlowClients_doNotCutOffWork(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		inside <- struct{}{}
		<-leave
	}))
	var closed atomic.Int64
	bridge.LimitConnections(s.Config, func(receivers.Reason) { closed.Add(1) })
	s.Start()
	t.Cleanup(s.Close)
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
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for tick := time.NewTicker(time.Millisecond); closed.Load() < 100; {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("only %d were closed", closed.Load())
		}
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

func dribble(t *testing.T, r *rig, addresses int, begin []string) *dribbling {
	t.Helper()
	d := &dribbling{}
	t.Cleanup(d.end)
	for i := range clients {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i%addresses))}}
		conn, err := dialer.Dial("tcp", r.b.Addr())
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
