package coc_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// strict makes COC want the project in each request, or a token for it.
var strict = coctest.Options{ProjectID: testProject}

func TestToken_oneLogInForAllCalls(t *testing.T) {
	const calls = 100
	begun, all := make(chan struct{}, calls), make(chan struct{})
	o := strict
	o.Sleep = func(context.Context, time.Duration) error { <-all; return nil } // the log-in, until all calls have begun
	c := newCloud(t, o)
	faults("latency=1s,on=/v3/")(c)
	client := c.client(c.config(byToken()))
	var group sync.WaitGroup
	for range calls {
		group.Go(func() {
			begun <- struct{}{}
			if _, err := client.ReportAlarm(t.Context(), testKey, validAlarm()); err != nil {
				t.Error(err)
			}
		})
	}
	for range calls {
		<-begun
	}
	close(all)
	group.Wait()
	if n := c.Requests(); n.LogIns != 1 || n.Accepted != calls || n.Requests != calls {
		t.Errorf("%+v, want one log-in for %d calls", n, calls)
	}
}

func TestToken_isRenewedBesideTheCalls(t *testing.T) {
	c := newCloud(t, coctest.Options{ProjectID: testProject, TokenLife: 10 * time.Hour})
	client := c.client(c.config(byToken()))
	c.takes(client)
	c.advance(8*time.Hour - time.Second)
	c.takes(client)
	if n := c.Requests().LogIns; n != 1 {
		t.Fatalf("%d log-ins before 80 %% of the token's life", n)
	}
	faults("hang,on=/v3/")(c)
	c.advance(time.Second)
	c.takes(client) // with the old one, although IAM hangs
	c.until(func(n coctest.Counts) bool { return len(n.Faults) == 1 })
	c.takes(client)
	client.Close() // ends what nobody waits for
	c.ClearFaults()

	client = c.client(c.config(byToken()))
	c.takes(client)
	c.advance(9 * time.Hour)
	c.takes(client)
	c.until(func(n coctest.Counts) bool { return n.Tokens >= 3 })
	c.advance(2 * time.Hour) // the first token has ended
	c.takes(client)
	if n := c.Requests(); n.LogIns != 4 || len(n.Refused) != 0 {
		t.Errorf("%+v", n)
	}
}

func TestToken_theOldOneLastsWhileIAMIsDown(t *testing.T) {
	c := newCloud(t, coctest.Options{ProjectID: testProject, TokenLife: 10 * time.Hour})
	client := c.client(c.config(byToken()))
	c.takes(client)
	faults("503,on=/v3/")(c)
	c.advance(8 * time.Hour)
	c.takes(client)
	c.until(func(n coctest.Counts) bool { return n.Faults["503,on=/v3/"] >= 1 })
	c.advance(2*time.Hour - time.Second)
	c.takes(client)
	c.advance(time.Second)
	e := c.refusal(client, coc.Network)
	if want := `it is in trouble: HTTP 503 ("Service Unavailable"); check the network, coc.http and coc.auth.iam_endpoint`; !strings.HasSuffix(e.Message, want) || e.By != "IAM" {
		t.Errorf("%v", e)
	}
	c.ClearFaults()
	c.takes(client) // at once
	if n := c.Requests(); len(n.Refused) != 0 {
		t.Errorf("COC refused: %+v", n.Refused)
	}
}

func TestToken_revoked(t *testing.T) {
	for name, switches := range map[string]coctest.Switches{"COC says so": {}, "the gateway says so": {GatewayAuth: true}} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, coctest.Options{ProjectID: testProject, Switches: switches})
			c.ahead.Store(int64(20 * time.Minute)) // a wrong clock is no reason to try the old token again
			client := c.client(c.config(byToken()))
			c.takes(client)
			c.RevokeTokens()
			c.advance(time.Hour)
			const calls = 20
			var group sync.WaitGroup
			for range calls {
				group.Go(func() {
					if _, err := client.ReportAlarm(t.Context(), testKey, validAlarm()); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			n := c.Requests()
			if n.LogIns != 2 || n.Accepted != 1+calls || n.Requests > 1+2*calls {
				t.Errorf("%+v, want one more log-in and at most one repeat of each call", n)
			}
		})
	}
}

// A token that COC refuses although it is new is no reason to ask for another.
func TestToken_refusedAlthoughNew(t *testing.T) {
	c := newCloud(t, coctest.Options{ProjectID: "another project"})
	client := c.client(c.config(byToken()))
	for i := range 20 {
		c.refuses(client, coc.Auth)
		c.refuses(client, coc.Auth)
		if n := c.Requests(); n.LogIns > i+1 {
			t.Fatalf("%d log-ins in %d minutes", n.LogIns, i)
		}
		c.advance(time.Minute)
	}
}

// Asking IAM again and again with a wrong password would lock the user.
func TestToken_aWrongPasswordLocksNobody(t *testing.T) {
	c := newCloud(t, strict)
	c.SetUsers(changed(func(u *coctest.User) { u.Password = "another" }))
	client := c.client(c.config(byToken()))
	for range 6 * 60 {
		c.refuses(client, coc.Auth)
		c.refuses(client, coc.Auth)
		c.advance(30 * time.Second)
	}
	for _, r := range c.Refusals() {
		if r.Reason != "the password is wrong" {
			t.Errorf("IAM refused because %s", r.Reason)
		}
	}
	if n := c.Requests(); n.LogIns != 36 {
		t.Errorf("%d log-ins in 3 hours", n.LogIns)
	}
}

func TestToken_scope(t *testing.T) {
	for name, change := range map[string]func(*coc.Config){
		"by the region":      func(*coc.Config) {},
		"by a name":          func(cfg *coc.Config) { cfg.Region, cfg.Auth.Project = "eu-west-101", "cn-north-4" },
		"by an id":           func(cfg *coc.Config) { cfg.Region, cfg.ProjectID = "eu-west-101", testProject },
		"by an id, not name": func(cfg *coc.Config) { cfg.Auth.Project, cfg.ProjectID = "other", testProject },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, strict)
			cfg := c.config(byToken())
			change(&cfg)
			c.takes(c.client(cfg))
			if got := c.projects()[0]; got != cfg.ProjectID {
				t.Errorf("X-Project-Id %q", got)
			}
		})
	}
}

func TestToken_IAMInTrouble(t *testing.T) {
	for fault, want := range map[string]string{
		"500":         `it is in trouble: HTTP 500 ("Internal Server Error")`,
		"429":         `it is in trouble: HTTP 429 ("Too Many Requests")`,
		"html":        "HTTP 200 is not an answer of IAM",
		"201,body={}": "HTTP 201 is not an answer of IAM",
		"empty":       "HTTP 200 is not an answer of IAM",
		"reset":       "connection reset by peer",
	} {
		t.Run(fault, func(t *testing.T) {
			c := newCloud(t, strict)
			if before, body, ok := strings.Cut(fault, ",body="); ok {
				faults(before + ",on=/v3/,body=" + body)(c)
			} else {
				faults(fault + ",on=/v3/")(c)
			}
			client := c.client(c.config(byToken()))
			e := c.refusal(client, coc.Network)
			if !strings.Contains(e.Message, want) || e.By != "IAM" || e.Sent {
				t.Errorf("%+v", e)
			}
			c.ClearFaults()
			c.takes(client) // at once: it was nobody's refusal
		})
	}
}

// The one that has begun the log-in is not the only one who wants the token.
func TestToken_whoLogsInMayLeave(t *testing.T) {
	c := newCloud(t, strict)
	faults("hang,on=/v3/,times=1")(c)
	client := c.client(c.config(byToken()))
	ctx, leave := context.WithCancel(t.Context())
	results := make(chan error, 2)
	go func() {
		_, err := client.ReportAlarm(ctx, testKey, validAlarm())
		results <- err
	}()
	c.until(func(n coctest.Counts) bool { return len(n.Faults) == 1 })
	go func() {
		_, err := client.ReportAlarm(t.Context(), testKey, validAlarm())
		results <- err
	}()
	leave()
	first, second := <-results, <-results
	if first == nil {
		first, second = second, first
	}
	if e := asError(t, first); e == nil || !errors.Is(e, context.Canceled) || e.Class != coc.Network || second != nil {
		t.Errorf("%v and %v, want the first cancelled and the second taken", first, second)
	}
}

// A wrong local clock matters neither for a token nor for its renewal.
func TestClient_clock20MinutesOff(t *testing.T) {
	for _, off := range []time.Duration{-20 * time.Minute, 20 * time.Minute, 48 * time.Hour} {
		for _, auth := range []coc.AuthConfig{byKeys(), byToken(), byAgency()} {
			t.Run(auth.Method+" "+off.String(), func(t *testing.T) {
				c := newCloud(t, coctest.Options{ProjectID: testProject, TokenLife: time.Hour, Agency: &coctest.Agency{Life: time.Hour}})
				c.ahead.Store(int64(off))
				client := c.client(c.config(auth))
				for range 30 {
					c.takes(client)
					c.advance(7 * time.Minute)
				}
				if n := c.Requests(); n.LogIns > 6 || n.SecurityKeys > 6 || n.ProjectLists > 2 {
					t.Errorf("%+v", n)
				}
			})
		}
	}
}

// echoing is IAM, a metadata service and a COC that say what they are told.
func echoing(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/v3/auth/tokens":
		w.Header().Set("X-Subject-Token", testToken+"token")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"token":{"issued_at":"2026-01-01T00:00:00Z","expires_at":"2026-01-02T00:00:00Z"}}`)
	case "/meta-data/latest/api/token":
		_, _ = io.WriteString(w, testToken+"metadata")
	case "/openstack/latest/securitykey":
		_, _ = io.WriteString(w, `{"credential":{"access":"AK","secret":"`+testSecret+`","securitytoken":"`+testToken+`","expires_at":"2999-01-01T00:00:00Z"}}`)
	default:
		w.Header().Set("X-Request-Id", r.Header.Get("X-Auth-Token"))
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, refusal("APIGW.0302", r.Header.Get("X-Auth-Token")+" "+r.Header.Get("X-Security-Token")))
	}
}

func TestClient_errorsShowNoFetchedSecret(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(echoing))
	t.Cleanup(server.Close)
	echoed := func(change func(http.ResponseWriter, *http.Request) bool) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !change(w, r) {
				echoing(w, r)
			}
		}))
		t.Cleanup(s.Close)
		return s
	}
	metadata := echoed(func(w http.ResponseWriter, r *http.Request) bool {
		if token := r.Header.Get("X-Metadata-Token"); token != "" {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, token)
			return true
		}
		return false
	})
	iam := echoed(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/v3/") {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":{"message":"`+testPassword+` is wrong"}}`)
			return true
		}
		return false
	})
	for name, test := range map[string]struct {
		auth coc.AuthConfig
		url  string
	}{
		"a token":                   {byToken(), server.URL},
		"the token of an agency":    {byAgency(), server.URL},
		"a metadata token":          {byAgency(), metadata.URL},
		"a password that IAM shows": {byToken(), iam.URL},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(test.url)
			cfg.Region, cfg.Auth = "cn-north-4", test.auth
			cfg.Auth.IAMEndpoint = test.url
			if test.auth.Method == "agency" {
				cfg.Auth.MetadataEndpoint, cfg.ProjectID = test.url, "p1"
			}
			mustHideCanaries(t, report(t, newClient(t, cfg)))
		})
	}
}

func TestToken_logsInAsDocumented(t *testing.T) {
	var seen recorder
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := seen.keep(r)
		r.Body = io.NopCloser(strings.NewReader(got.Body))
		echoing(w, r)
	}))
	t.Cleanup(server.Close)
	cfg := testConfig(server.URL)
	cfg.Region, cfg.Auth = "cn-north-4", byToken()
	cfg.Auth.IAMEndpoint = server.URL
	_ = report(t, newClient(t, cfg))
	got := seen.all()[0]
	want := received{
		Method: "POST", URI: "/v3/auth/tokens?nocatalog=true", Host: strings.TrimPrefix(server.URL, "http://"), Proto: "HTTP/1.1",
		Body: `{"auth":{"identity":{"methods":["password"],"password":{"user":{"domain":{"name":"acme"},"name":"alice","password":"` + testPassword + `"}}},` +
			`"scope":{"project":{"name":"cn-north-4"}}}}`,
		Header: http.Header{"Content-Length": got.Header["Content-Length"], "Content-Type": {"application/json"}, "User-Agent": {"cocbridge/1.2.3"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the request (-want +got):\n%s", diff)
	}
}
