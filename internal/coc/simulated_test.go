package coc_test

import (
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// epoch is where the clock of a simulated COC starts.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// simulated is a strict COC behind a socket, a client of it, and the clock of
// both, which stands still.
type simulated struct {
	*coctest.Server
	client *coc.Client
	passed atomic.Int64 // since epoch
}

func (s *simulated) now() time.Time          { return epoch.Add(time.Duration(s.passed.Load())) }
func (s *simulated) advance(d time.Duration) { s.passed.Add(int64(d)) }

func simulate(t testing.TB, opts coctest.Options) *simulated {
	t.Helper()
	s := &simulated{}
	opts.AccessKey, opts.SecretKey, opts.Now = "AK", testSecret, s.now
	s.Server = coctest.New(opts)
	socket := httptest.NewServer(s.Server)
	t.Cleanup(func() {
		s.Close()
		socket.Close()
	})
	cfg := testConfig(socket.URL)
	client, err := coc.New(cfg, coc.Options{Version: "test", Now: s.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.client = client
	return s
}

// fault injects one, in its text form.
func (s *simulated) fault(t testing.TB, text string) {
	t.Helper()
	f, err := coctest.ParseFault(text)
	if err != nil {
		t.Fatal(err)
	}
	s.Inject(f)
}

func wantClass(t testing.TB, err error, class coc.Class, sent bool) {
	t.Helper()
	_ = classified(t, err, class, sent)
}

// classified checks that err is an *coc.Error of the class, and returns it.
func classified(t testing.TB, err error, class coc.Class, sent bool) *coc.Error {
	t.Helper()
	e := asError(t, err)
	if e == nil || e.Class != class || e.Sent != sent {
		t.Fatalf("%v (%#v), want class %v and Sent %t", err, e, class, sent)
	}
	return e
}
