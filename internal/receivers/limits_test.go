package receivers_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/alecthomas/units"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

func zip(t testing.TB, texts ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for _, text := range texts {
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHandler_Gzip(t *testing.T) {
	const notGzip = "body: is not gzip, as its content-encoding says"
	const tooLarge = "body: is larger than max_body (204800 bytes); send fewer alerts at once (Alertmanager: max_alerts in webhook_config, or group by more labels)"
	whole := zip(t, message(good))
	flipped := []byte(whole)
	flipped[len(flipped)-5] ^= 1
	for _, tt := range []struct {
		name, body string
		encoding   []string
		want       int
		message    string
	}{
		{"compressed", whole, []string{"GZip"}, 200, ""},
		{"not compressed", message(good), nil, 200, ""},
		{"in two members", zip(t, message(good)[:20]) + zip(t, message(good)[20:]), []string{"gzip"}, 200, ""},
		{"compressed twice", zip(t, whole), []string{"gzip", "gzip"}, 415, `content-encoding "gzip" is not accepted, send the body as it is`},
		{"compressed twice, and not said", zip(t, whole), []string{"gzip"}, 400, "body: holds a NUL character"},
		{"a list of encodings", whole, []string{"gzip, gzip"}, 415, `content-encoding "gzip, gzip" is not accepted, send the body as it is`},
		{"something else", whole, []string{"zstd"}, 415, `content-encoding "zstd" is not accepted, send the body as it is`},
		{"not what it says", message(good), []string{"gzip"}, 400, notGzip},
		{"empty", "", []string{"gzip"}, 400, "body: ended before it was complete"},
		{"cut", whole[:len(whole)/2], []string{"gzip"}, 400, "body: ended before it was complete"},
		{"flipped", string(flipped), []string{"gzip"}, 400, notGzip},
		{"with a byte behind it", whole + "x", []string{"gzip"}, 400, "body: has more behind its compressed data, which is not gzip"},
		{"with more behind it", whole + "0123456789abcdef", []string{"gzip"}, 400, "body: has more behind its compressed data, which is not gzip"},
		{"larger than max_body, inflated", zip(t, message(good)+strings.Repeat(" ", 200<<10)), []string{"gzip"}, 413, tooLarge},
		{"larger than max_body, as it is", strings.Repeat("x", 201<<10), []string{"gzip"}, 413, tooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, func(o *receivers.Options) { o.Config.Gzip, o.Config.MaxBody = true, 200<<10 })
			r := s.request(t, http.MethodPost, tt.body)
			r.Header["Content-Encoding"] = tt.encoding
			got := s.do(t, r)
			if got.status != tt.want || tt.message != "" && got.body != errorBody(tt.message) {
				t.Errorf("answered %d %s, want %d %s", got.status, got.body, tt.want, tt.message)
			}
			if stored := len(s.accepted()) == 1; stored != (tt.want == 200) {
				t.Errorf("stored: %v", stored)
			}
		})
	}
}

// 16 KiB that inflate to 16 MiB cost no more than max_body.
func TestHandler_GzipBomb(t *testing.T) {
	bomb := zip(t, strings.Repeat(strings.Repeat(" ", 1<<20), 16))
	s := newServer(t, func(o *receivers.Options) { o.Config.Gzip, o.Config.MaxBody = true, units.MiB })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := s.request(t, http.MethodPost, bomb)
	r.Header.Set("Content-Encoding", "gzip")
	got := s.do(t, r)
	runtime.ReadMemStats(&after)
	if got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %d %s", got.status, got.body)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 5<<20 {
		t.Errorf("took %d bytes", used)
	}
}

// rate_limit is a bucket of requests; who is not known takes none of them.
func TestHandler_RateLimit(t *testing.T) {
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write([]byte(message(good)))
	for _, tt := range []struct {
		name, header, right, wrong string
		auth                       receivers.AuthConfig
	}{
		{"a token", "Authorization", "Bearer tok", "Bearer wrong", receivers.AuthConfig{BearerToken: "tok"}},
		{"a signature", "X-Signature-256", hex.EncodeToString(mac.Sum(nil)), strings.Repeat("0", 64), receivers.AuthConfig{HMAC: receivers.HMACConfig{Secret: "key", Header: "X-Signature-256"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, func(o *receivers.Options) { o.Config.RateLimit, o.Config.Auth = 0.000001, tt.auth })
			send := func(shown string) answer {
				r := s.request(t, http.MethodPost, message(good))
				r.Header.Set(tt.header, shown)
				return s.do(t, r)
			}
			for range 10 {
				if got := send(tt.wrong); got.status != http.StatusUnauthorized {
					t.Fatalf("answered %d", got.status)
				}
			}
			if got := send(tt.right); got.status != http.StatusOK {
				t.Fatalf("answered %d %s", got.status, got.body)
			}
			got := send(tt.right)
			if want := errorBody("more requests than rate_limit allows, send it again"); got.status != http.StatusServiceUnavailable || got.body != want || got.header.Get("Retry-After") != "5" {
				t.Errorf("answered %d %s", got.status, got.body)
			}
		})
	}
}

// One receiver's bodies take at most half of what all share.
func TestHandler_Portion(t *testing.T) {
	const mib = 1 << 20
	budget := receivers.NewBudget(4 * mib)
	inside, leave := make(chan struct{}), make(chan struct{})
	small := func(o *receivers.Options) { o.Budget, o.Config.MaxBody = budget, mib }
	var calls atomic.Int64
	storming := newServer(t, func(o *receivers.Options) {
		small(o)
		o.Accept = func(context.Context, receivers.Batch) error {
			if calls.Add(1) > 2 {
				return nil
			}
			inside <- struct{}{}
			<-leave
			return nil
		}
	})
	other := newServer(t, small)
	body := message(good) + strings.Repeat(" ", mib-len(message(good)))
	answers := make(chan answer, 3)
	for range 2 {
		go func() { answers <- storming.post(t, body) }()
		<-inside
	}
	if got := storming.post(t, body); got.status != http.StatusServiceUnavailable ||
		got.body != errorBody("too many requests of this receiver are being read at once, send it again") {
		t.Errorf("the storming one was answered %d %s", got.status, got.body)
	}
	for range 5 {
		if got := other.post(t, body); got.status != http.StatusOK {
			t.Fatalf("the other one was answered %d %s", got.status, got.body)
		}
	}
	close(leave)
	for range 2 {
		if got := <-answers; got.status != http.StatusOK {
			t.Errorf("answered %d", got.status)
		}
	}
}

// Of one receiver 256 requests at once are decoded and stored; more are asked to
// come again.
func TestHandler_AtOnce(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	s := newServer(t, func(o *receivers.Options) {
		o.Accept = func(context.Context, receivers.Batch) error {
			inside <- struct{}{}
			<-leave
			return nil
		}
	})
	answers := make(chan answer, 256)
	for range 256 {
		go func() { answers <- s.post(t, message(good)) }()
		<-inside
	}
	if got := s.post(t, message(good)); got.status != http.StatusServiceUnavailable || got.body != errorBody("too many requests of this receiver are under way at once, send it again") {
		t.Errorf("answered %d %s", got.status, got.body)
	}
	close(leave)
	for range 256 {
		if got := <-answers; got.status != http.StatusOK {
			t.Errorf("answered %d", got.status)
		}
	}
}

// A sender that has gone does not wait for its turn to be decoded.
func TestHandler_SenderGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, receivers.Options{Config: receivers.DefaultConfig()})
		defer receivers.FillDecoders(h)()
		ctx, leave := context.WithCancel(t.Context())
		w, done := httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(done)
			h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(message(good))))
		}()
		synctest.Wait()
		leave()
		if <-done; w.Code != http.StatusServiceUnavailable {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
	})
}

// SNS asks the operator to confirm; nobody follows the link for them.
func TestHandler_Notice(t *testing.T) {
	s := newServer(t, func(o *receivers.Options) { o.Config = typed("aws-sns-cloudwatch") })
	const body = `{"Type":"SubscriptionConfirmation","TopicArn":"arn:aws:sns:x","SubscribeURL":"http://127.0.0.1:1/confirm"}`
	for i := range 12 {
		if got := s.post(t, body); got.status != http.StatusOK || got.body != `{"status":"ok","alerts":0}` {
			t.Fatalf("answered %d %s", got.status, got.body)
		}
		if n := len(s.logs.All()); n != min(i+1, 10) { // a burst, then one a minute
			t.Fatalf("%d lines after %d messages", n, i+1)
		}
	}
	entry := s.logs.All()[0]
	if want := "SubscriptionConfirmation of arn:aws:sns:x: to confirm, open http://127.0.0.1:1/confirm"; entry.ContextMap()["notice"] != want {
		t.Errorf("logged %q with %v", entry.Message, entry.ContextMap())
	}
}
