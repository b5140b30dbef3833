package coc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

const (
	testPassword = "pwCanary äß 0816"
	testProject  = "0123456789project"
)

// alice may log in to the account acme.
var alice = coctest.User{Name: "alice", Password: testPassword, Domain: "acme"}

// cloud is COC with IAM and a metadata service on one socket, and a client's clock
// beside theirs.
type cloud struct {
	*coctest.Server
	t      *testing.T
	url    string
	passed atomic.Int64 // since testTime
	ahead  atomic.Int64 // the client's clock before the cloud's

	mu    sync.Mutex
	named []string // X-Project-Id of each request to COC
}

func (c *cloud) projects() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.named...)
}

func newCloud(t *testing.T, o coctest.Options) *cloud {
	t.Helper()
	c := &cloud{t: t}
	o.Keys, o.Now = []string{testKey}, c.now
	o.AccessKey, o.SecretKey = "AK", testSecret
	if o.Users == nil {
		o.Users = []coctest.User{alice}
	}
	if o.Projects == nil {
		o.Projects = []coctest.Project{{ID: "p0", Name: "other"}, {ID: testProject, Name: "cn-north-4"}}
	}
	c.Server = coctest.New(o)
	socket := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			c.mu.Lock()
			c.named = append(c.named, r.Header.Get("X-Project-Id"))
			c.mu.Unlock()
		}
		c.ServeHTTP(w, r)
	}))
	c.url = socket.URL
	t.Cleanup(func() {
		c.Close()
		socket.Close()
	})
	return c
}

func (c *cloud) now() time.Time          { return testTime.Add(time.Duration(c.passed.Load())) }
func (c *cloud) advance(d time.Duration) { c.passed.Add(int64(d)) }

// config has everything but who we are.
func (c *cloud) config(auth coc.AuthConfig) coc.Config {
	cfg := coc.DefaultConfig()
	cfg.Endpoint, cfg.Region, cfg.Auth = c.url, "cn-north-4", auth
	cfg.Auth.IAMEndpoint = c.url
	if auth.Method == "agency" {
		cfg.Auth.MetadataEndpoint = c.url
	}
	return cfg
}

func (c *cloud) client(cfg coc.Config) *coc.Client {
	c.t.Helper()
	client, err := coc.New(cfg, coc.Options{Now: func() time.Time { return c.now().Add(time.Duration(c.ahead.Load())) }})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	return client
}

// takes reports an alarm, which must be taken.
func (c *cloud) takes(client *coc.Client) {
	c.t.Helper()
	if e := report(c.t, client); e != nil {
		c.t.Fatalf("%v; refused: %+v", e, c.Refusals())
	}
}

// refuses reports an alarm, which must be refused.
func (c *cloud) refuses(client *coc.Client, class coc.Class) {
	c.t.Helper()
	_ = c.refusal(client, class)
}

// refusal is what refuses looks for.
func (c *cloud) refusal(client *coc.Client, class coc.Class) *coc.Error {
	c.t.Helper()
	e := report(c.t, client)
	if e == nil || e.Class != class {
		c.t.Fatalf("%v, want class %v; refused: %+v", e, class, c.Refusals())
	}
	return e
}

// until waits for what happens beside the calls, and tells what did happen when
// it does not come.
func (c *cloud) until(holds func(coctest.Counts) bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	if err := c.Wait(ctx, func(s *coctest.Server) bool { return holds(s.Requests()) }); err != nil {
		c.t.Fatalf("%v: %+v", err, c.Requests())
	}
}

func byKeys() coc.AuthConfig {
	return coc.AuthConfig{Method: "aksk", AccessKey: "AK", SecretKey: testSecret}
}

func byToken() coc.AuthConfig {
	return coc.AuthConfig{Method: "token", User: "alice", Password: testPassword, Domain: "acme"}
}

func byAgency() coc.AuthConfig { return coc.AuthConfig{Method: "agency"} }

// replaced takes the port, which differs from run to run, out of a text.
func replaced(text, url string) string { return strings.ReplaceAll(text, url, "URL") }
