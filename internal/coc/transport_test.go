package coc_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/coc"
)

// hijacked hands the raw connection over and closes it afterwards, with a reset
// where unread bytes or linger 0 make one.
func hijacked(handle func(conn *net.TCPConn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = conn.Close() }()
		handle(conn.(*net.TCPConn))
	}
}

func reset(conn *net.TCPConn) { _ = conn.SetLinger(0) }

// raw answers with these bytes and closes the connection.
func raw(answer string) http.HandlerFunc {
	return hijacked(func(conn *net.TCPConn) { _, _ = io.WriteString(conn, answer) })
}

// endless writes text until the client is gone.
func endless(head, text string) http.HandlerFunc {
	return hijacked(func(conn *net.TCPConn) {
		_, err := io.WriteString(conn, head)
		for err == nil {
			_, err = io.WriteString(conn, text)
		}
	})
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

func TestClient_oddTransport(t *testing.T) {
	bomb := gzipped([]byte(`{"a":"` + strings.Repeat("a", 16<<20) + `"}`))
	for name, test := range map[string]struct {
		handle  http.HandlerFunc
		class   coc.Class
		status  int
		message string
	}{
		"reset before the request is read": {hijacked(reset), coc.Retry, 0, ""},
		"reset after the request is read": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			hijacked(reset)(w, r)
		}, coc.Retry, 0, ""},
		"closed without an answer":          {raw(""), coc.Retry, 0, ""},
		"not HTTP":                          {raw("SSH-2.0-OpenSSH_9.2\r\n"), coc.Retry, 0, "malformed HTTP"},
		"half an answer":                    {raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + accepted), coc.Retry, 200, "the answer broke off: unexpected EOF"},
		"half a refusal":                    {raw("HTTP/1.1 400 Bad Request\r\nContent-Length: 500\r\n\r\n{"), coc.Retry, 400, "the answer broke off"},
		"a body without end":                {endless("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("a", 1<<16)), coc.Retry, 200, "the answer broke off: it is longer than 4 MiB"},
		"headers without end":               {endless("HTTP/1.1 200 OK\r\n", "X-Flood: "+strings.Repeat("a", 1000)+"\r\n"), coc.Retry, 0, "headers exceeded"},
		"a status line without end":         {endless("HTTP/1.1 200 ", strings.Repeat("a", 1<<16)), coc.Retry, 0, "headers exceeded"},
		"informational answers without end": {endless("", "HTTP/1.1 103 Early Hints\r\nX-Flood: "+strings.Repeat("a", 1000)+"\r\n\r\n"), coc.Retry, 0, ""},
		"a body of just 4 MiB": {func(w http.ResponseWriter, _ *http.Request) {
			body := refusal("COC.1", "no")
			_, _ = io.WriteString(w, body+strings.Repeat(" ", coc.MaxAnswer-len(body)))
		}, coc.Permanent, 200, "no"},
		"a compressed answer is not expanded": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb)
		}, coc.Retry, 200, "the answer is not COC's"},
		"HTML 200":        {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, coc.Retry, 200, "the answer is not COC's: 6 bytes"},
		"empty 200":       {func(http.ResponseWriter, *http.Request) {}, coc.Retry, 200, "the answer is empty"},
		"204":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, coc.Retry, 204, "the answer is empty"},
		"204 with a body": {raw("HTTP/1.1 204 No Content\r\n\r\n" + accepted), coc.Retry, 204, "the answer is empty"},
		"302 to a Location that is no URL": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://[::")
			w.WriteHeader(302)
		}, coc.Misconfigured, 302, "redirected; COC never redirects"},
	} {
		t.Run(name, func(t *testing.T) {
			got := report(t, serve(t, test.handle))
			if got == nil {
				t.Fatal("success")
			}
			if got.Class != test.class || got.Status != test.status || !got.Sent || !strings.Contains(got.Message, test.message) {
				t.Errorf("%#v, want %v, HTTP %d, Sent, %q", got, test.class, test.status, test.message)
			}
		})
	}
}

// counted is a connection that counts what is read from it.
type counted struct {
	net.Conn
	bytes *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

func TestClient_readsNoMoreThanItsLimits(t *testing.T) {
	filler := strings.Repeat("a", 1<<16)
	for name, test := range map[string]struct {
		handle http.HandlerFunc
		limit  int64
	}{
		"body":   {endless("HTTP/1.1 200 OK\r\n\r\n", filler), coc.MaxAnswer},
		"header": {endless("HTTP/1.1 200 OK\r\nX-Flood: ", filler), coc.MaxAnswerHeader},
	} {
		t.Run(name, func(t *testing.T) {
			var bytes atomic.Int64
			client := serve(t, test.handle)
			client.Transport().DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				return counted{conn, &bytes}, err
			}
			if err := report(t, client); err == nil {
				t.Error("success")
			}
			const buffers = 64 << 10 // what net/http and io read ahead
			if got := bytes.Load(); got > test.limit+buffers {
				t.Errorf("%d bytes were read, the limit is %d", got, test.limit)
			}
		})
	}
}

func TestClient_followsNoRedirect(t *testing.T) {
	var seen recorder
	target := httptest.NewServer(&seen)
	t.Cleanup(target.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		client := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL, status) })
		if got := report(t, client); got == nil || got.Class != coc.Misconfigured || got.Status != status {
			t.Errorf("%v, want HTTP %d of class config", got, status)
		}
	}
	if n := len(seen.all()); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// expiring is a context whose deadline the test brings about.
type expiring struct {
	context.Context
	done chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.done }

func (e expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestClient_deadline(t *testing.T) {
	for name, begin := range map[string]string{
		"no answer at all":     "",
		"half a header":        "HTTP/1.1 200 OK\r\nX-Half: ",
		"a body that trickles": "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			ctx := expiring{t.Context(), make(chan struct{})}
			client := serve(t, hijacked(func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, begin)
				close(ctx.done) // the request has arrived; the client's time is up
				_, _ = io.Copy(io.Discard, conn)
			}))
			got := asError(t, reportErr(client.ReportAlarm(ctx, testKey, validAlarm())))
			if got == nil || got.Class != coc.Retry || !got.Sent || got.Reason() != "contextDeadlineExceeded" {
				t.Errorf("%#v, want retry, Sent, contextDeadlineExceeded", got)
			}
		})
	}
}

// TestClient_timeoutOfTheCall says nothing of Sent: the time may be up before.
func TestClient_timeoutOfTheCall(t *testing.T) {
	server := httptest.NewServer(hijacked(func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
		_, _ = io.Copy(io.Discard, conn)
	}))
	t.Cleanup(server.Close)
	cfg := testConfig(server.URL)
	cfg.Timeouts.Report = model.Duration(20 * time.Millisecond)
	got := report(t, newClient(t, cfg))
	if got == nil || got.Reason() != "contextDeadlineExceeded" {
		t.Errorf("%v, want contextDeadlineExceeded", got)
	}
}

func TestClient_cancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := serve(t, hijacked(func(conn *net.TCPConn) {
		cancel()
		_, _ = io.Copy(io.Discard, conn)
	}))
	got := asError(t, reportErr(client.ReportAlarm(ctx, testKey, validAlarm())))
	if got == nil || got.Class != coc.Retry || !got.Sent || got.Reason() != "other" {
		t.Errorf("%#v, want retry, Sent, other", got)
	}
}

func TestClient_neverWritten(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		mustBeNetwork(t, report(t, newClient(t, testConfig(server.URL))), "connection refused")
	})
	t.Run("a server that does not speak TLS", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(server.Close)
		cfg := testConfig("https" + strings.TrimPrefix(server.URL, "http"))
		mustBeNetwork(t, report(t, newClient(t, cfg)), "tls:")
	})
	t.Run("a TLS handshake that hangs", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = silent.Close() })
		cfg := testConfig("https://" + silent.Addr().String())
		cfg.Timeouts.Connect = model.Duration(20 * time.Millisecond)
		got := report(t, newClient(t, cfg))
		mustBeNetwork(t, got, "timeout")
		if got.Reason() != "contextDeadlineExceeded" {
			t.Errorf("reason %s", got.Reason())
		}
	})
	t.Run("cancelled before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		client := serve(t, accept)
		mustBeNetwork(t, asError(t, reportErr(client.ReportAlarm(ctx, testKey, validAlarm()))), "context canceled")
	})
}

// breakable is a connection that, once broken, takes no more bytes.
type breakable struct {
	net.Conn
	broken *atomic.Bool
}

func (b breakable) Write(p []byte) (int, error) {
	if b.broken.Load() {
		return 0, net.ErrClosed
	}
	return b.Conn.Write(p)
}

// TestClient_neverWritten_onAConnectionKept finds the kept connection dead and
// then no other: not one byte has left on either.
func TestClient_neverWritten_onAConnectionKept(t *testing.T) {
	var broken atomic.Bool
	client := serve(t, accept)
	client.Transport().DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if broken.Load() {
			return nil, net.ErrClosed
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return breakable{conn, &broken}, err
	}
	if err := report(t, client); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	mustBeNetwork(t, report(t, client), "closed")
}

func mustBeNetwork(t *testing.T, got *coc.Error, message string) {
	t.Helper()
	if got == nil || got.Class != coc.Network || got.Sent || got.Status != 0 || !strings.Contains(got.Message, message) {
		t.Errorf("%#v, want class network, not sent, %q", got, message)
	}
}

func TestClient_TLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(accept))
	t.Cleanup(server.Close)
	old := httptest.NewUnstartedServer(http.HandlerFunc(accept))
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	t.Cleanup(old.Close)

	t.Run("an unknown authority", func(t *testing.T) {
		mustBeNetwork(t, report(t, newClient(t, testConfig(server.URL))), "x509")
	})
	t.Run("an authority of the configuration", func(t *testing.T) {
		cfg := testConfig(server.URL)
		cfg.HTTP.TLSConfig.CAFile = writeCA(t, server)
		if err := report(t, newClient(t, cfg)); err != nil {
			t.Error(err)
		}
	})
	t.Run("TLS 1.1", func(t *testing.T) {
		cfg := testConfig(old.URL)
		cfg.HTTP.TLSConfig.CAFile = writeCA(t, old)
		mustBeNetwork(t, report(t, newClient(t, cfg)), "protocol version")
	})
	t.Run("the system's authorities stay", func(t *testing.T) {
		want, err := x509.SystemCertPool()
		if err != nil {
			t.Fatal(err)
		}
		want.AddCert(server.Certificate())
		cfg := testConfig(server.URL)
		cfg.HTTP.TLSConfig.CAFile = writeCA(t, server)
		if got := newClient(t, cfg).Transport().TLSClientConfig.RootCAs; !got.Equal(want) {
			t.Error("the authorities are not the system's and the file's")
		}
	})
}

// writeCA writes the server's certificate as a CA file.
func writeCA(t *testing.T, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestClient_proxy(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(accept))
	t.Cleanup(server.Close)
	var tunnels atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") == "" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		tunnels.Add(1)
		tunnel(w, r.Host)
	}))
	t.Cleanup(proxy.Close)
	cfg := testConfig(server.URL)
	cfg.HTTP.TLSConfig.CAFile = writeCA(t, server)

	t.Run("is used", func(t *testing.T) {
		cfg.HTTP.ProxyURL = "http://user:proxyCanary@" + strings.TrimPrefix(proxy.URL, "http://")
		if err := report(t, newClient(t, cfg)); err != nil || tunnels.Load() != 1 {
			t.Errorf("%v over %d tunnels, want 1", err, tunnels.Load())
		}
	})
	t.Run("refuses", func(t *testing.T) {
		cfg.HTTP.ProxyURL = proxy.URL
		mustBeNetwork(t, report(t, newClient(t, cfg)), "Proxy Authentication Required")
	})
	t.Run("of the environment is not used", func(t *testing.T) {
		if newClient(t, testConfig("")).Transport().Proxy != nil {
			t.Error("the transport looks for a proxy that is not configured")
		}
	})
}

// tunnel joins the client's connection with one to host.
func tunnel(w http.ResponseWriter, host string) {
	to, err := net.Dial("tcp", host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = to.Close() }()
	from, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer func() { _ = from.Close() }()
	_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
	var group sync.WaitGroup
	group.Go(func() {
		_, _ = io.Copy(to, from)
		_ = to.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(from, to)
	_ = from.Close()
	group.Wait()
}
