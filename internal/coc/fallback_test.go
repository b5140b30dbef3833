package coc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

var (
	oldKeys = coctest.AccessKey{AccessKey: "AK", SecretKey: testSecret}
	newKeys = coctest.AccessKey{AccessKey: "AK2", SecretKey: testSecret + "2"}
)

// overlapping is a client that has the old keys and, to fall back to, the new ones.
func (c *cloud) overlapping() *coc.Client {
	cfg := c.config(byKeys())
	cfg.AuthFallback = coc.AuthConfig{AccessKey: newKeys.AccessKey, SecretKey: testSecret + "2"}
	return c.client(cfg)
}

func TestFallback_isUsedAndRemembered(t *testing.T) {
	c := newCloud(t, strict)
	client := c.overlapping()
	c.takes(client)
	c.SetAccessKeys(oldKeys, newKeys)
	c.takes(client)
	c.SetAccessKeys(newKeys)
	for range 3 {
		c.takes(client)
	}
	if n := c.Requests(); n.Requests != 6 || n.Refused["401 common.01010001"] != 1 {
		t.Errorf("%+v, want one refusal of the old keys", n)
	}
	c.SetAccessKeys(oldKeys)
	for range 3 {
		c.takes(client)
	}
	if n := c.Requests(); n.Refused["401 common.01010001"] != 2 {
		t.Errorf("%+v, want one refusal of the new keys", n)
	}
}

func TestFallback_bothRefused(t *testing.T) {
	c := newCloud(t, coctest.Options{})
	client := c.overlapping()
	c.SetAccessKeys()
	for range 2 {
		e := c.refusal(client, coc.Auth)
		want := "coc.auth: HTTP 401: common.01010001: Token missing or invalid.; coc.auth_fallback: HTTP 401: common.01010001: Token missing or invalid."
		if diff := cmp.Diff(want, e.Message); diff != "" || !e.Sent {
			t.Errorf("message (-want +got):\n%s", diff)
		}
		mustHideCanaries(t, e)
	}
	if n := c.Requests(); n.Requests != 4 {
		t.Errorf("%d requests for 2 calls", n.Requests)
	}
	c.SetAccessKeys(newKeys)
	c.takes(client)
}

func TestFallback_otherRefusals(t *testing.T) {
	for fault, test := range map[string]struct {
		class    coc.Class // of the call; -1 = taken
		requests int
	}{
		"403,times=1":                  {-1, 2},
		"405,times=1":                  {-1, 2}, // frozen for arrears
		"400,times=1":                  {coc.Permanent, 1},
		"503,times=1":                  {coc.Retry, 1},
		"404,times=1":                  {coc.Misconfigured, 1},
		"429,times=1":                  {coc.Throttled, 1},
		"401,times=2":                  {coc.Auth, 2},
		"reset,times=1":                {coc.Retry, 1},
		"code=APIGW.0301,times=1":      {-1, 2},
		"code=common.01010001,times=1": {-1, 2},
	} {
		t.Run(fault, func(t *testing.T) {
			c := newCloud(t, coctest.Options{})
			c.SetAccessKeys(oldKeys, newKeys)
			faults(fault)(c)
			client := c.overlapping()
			if e := report(t, client); (e == nil) != (test.class < 0) || e != nil && e.Class != test.class {
				t.Errorf("%v", e)
			}
			if n := c.Requests().Requests; n != test.requests {
				t.Errorf("%d requests, want %d", n, test.requests)
			}
		})
	}
}

// A proxy on the way may answer with its own page after COC has acted. What acts is
// repeated only where COC itself has refused it.
func TestFallback_repeatsWhatActsOnlyAfterCOCsOwnRefusal(t *testing.T) {
	const taken, notBegun, unknown = "taken", "not begun", "unknown"
	for fault, want := range map[string]struct {
		requests, tickets int
		outcome           string
	}{
		"403,times=1":            {2, 1, taken}, // by the second
		"401,times=1":            {2, 1, taken},
		"401":                    {2, 0, notBegun},
		"400,times=1":            {1, 0, notBegun},
		"html,403,after,times=1": {1, 1, unknown},
		"html,401,after,times=1": {1, 1, unknown},
		"html,302,after,times=1": {1, 1, unknown},
		"html,400,after,times=1": {1, 1, unknown},
		"500,after,times=1":      {1, 1, unknown},
	} {
		t.Run(fault, func(t *testing.T) {
			c := newCloud(t, coctest.Options{})
			c.SetAccessKeys(oldKeys, newKeys)
			faults(fault)(c)
			_, _, err := c.overlapping().CreateIncident(t.Context(), newIncident())
			got := want
			got.requests, got.tickets, got.outcome = c.Requests().Requests, len(c.Incidents()), taken
			if e := asError(t, err); e != nil {
				got.outcome = map[bool]string{true: notBegun, false: unknown}[e.NotBegun()]
			}
			if got != want {
				t.Errorf("%+v, want %+v: %v", got, want, err)
			}
		})
	}
}

// So it is with one credential that could be had anew.
func TestClient_repeatsWhatActsOnlyAfterCOCsOwnRefusal(t *testing.T) {
	for fault, requests := range map[string]int{"401,times=1": 2, "html,401,after,times=1": 1} {
		c := newCloud(t, coctest.Options{})
		client := c.client(c.config(byToken()))
		c.takes(client)
		c.advance(time.Hour)
		before := c.Requests().Requests
		faults(fault)(c)
		_, _, err := client.CreateIncident(t.Context(), newIncident())
		if n := c.Requests().Requests - before; n != requests || (err == nil) != (requests == 2) || len(c.Incidents()) != 1 {
			t.Errorf("%s: %d requests, %d tickets, %v", fault, n, len(c.Incidents()), err)
		}
	}
}

// The first credential may have left a byte behind, whatever the second has met.
func TestFallback_tellsWhetherAnyMayHaveBeenSent(t *testing.T) {
	c := newCloud(t, coctest.Options{})
	cfg := c.config(byKeys())
	cfg.AuthFallback = byToken()
	faults("503,on=/v3/auth/tokens")(c)
	c.SetAccessKeys()
	if e := c.refusal(c.client(cfg), coc.Network); !e.Sent || !e.NotBegun() {
		t.Errorf("%v: sent %v, not begun %v", e, e.Sent, e.NotBegun())
	}
}

// What the second credential meets is the result, unless it is refused as well.
func TestFallback_theSecondMeetsTrouble(t *testing.T) {
	c := newCloud(t, coctest.Options{})
	client := c.overlapping()
	faults("401,times=1", "503,times=1")(c)
	c.refuses(client, coc.Retry)
}

func TestFallback_ofAnotherMethod(t *testing.T) {
	c := newCloud(t, strict)
	cfg := c.config(byToken())
	cfg.AuthFallback = byKeys()
	faults("503,on=/v3/auth/tokens")(c)
	client := c.client(cfg)
	for range 3 {
		c.takes(client)
	}
	if n := c.Requests().LogIns; n != 1 {
		t.Errorf("%d log-ins, want one: the other method works", n)
	}
	c.SetAccessKeys()
	e := c.refusal(client, coc.Network) // IAM may come back
	for _, part := range []string{"coc.auth: IAM: HTTP 503: ", "; coc.auth_fallback: HTTP 401: common.01010001: "} {
		if !strings.Contains(e.Message, part) {
			t.Errorf("%v", e)
		}
	}
}

// As long as one of the two was only not reached, it may yet do.
func TestFallback_theSecondIsNotReached(t *testing.T) {
	c := newCloud(t, coctest.Options{})
	cfg := c.config(byKeys())
	cfg.AuthFallback = byToken()
	faults("503,on=/v3/auth/tokens")(c)
	c.SetAccessKeys()
	c.refuses(c.client(cfg), coc.Network)
}

// What the second credential leaves out is as in the first.
func TestFallback_completedByTheFirst(t *testing.T) {
	c := newCloud(t, strict)
	bob := coctest.User{Name: "bob", Password: "bobCanary", Domain: "acme"}
	cfg := c.config(byToken())
	cfg.AuthFallback = coc.AuthConfig{User: "bob", Password: "bobCanary"}
	c.SetUsers(alice, bob)
	client := c.client(cfg)
	c.takes(client)
	c.advance(time.Hour)
	c.SetUsers(bob)
	c.takes(client)
	c.takes(client)
	if n := c.Requests(); n.LogIns != 3 || n.Tokens != 2 {
		t.Errorf("%+v, want a log-in, a refused one, and one of the other user", n)
	}
}
