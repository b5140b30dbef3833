package coctest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

var bob = coctest.User{Name: "bob", Password: "pw", Domain: "acme"}

var ours = []coctest.Project{{ID: "p1", Name: "cn-north-4"}, {ID: "p2", Name: "cn-south-1"}, {ID: "p3", Name: "cn-south-1"}}

func startIAM(t *testing.T) *rig {
	t.Helper()
	return start(t, coctest.Options{ProjectID: "p1", Users: []coctest.User{bob}, Projects: ours, TokenLife: time.Hour})
}

// login is a body with a part of it replaced.
func login(old, new string) string {
	const body = `{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"bob","password":"pw","domain":{"name":"acme"}}}},` +
		`"scope":{"project":{"name":"cn-north-4"}}}}`
	return strings.Replace(body, old, new, 1)
}

func (r *rig) login(body string) answer {
	req := newRequest(r.t, http.MethodPost, r.url+"/v3/auth/tokens?nocatalog=true", body)
	req.Header.Set("Content-Type", "application/json")
	return r.do(req)
}

func iamRefusal(status int, message string) string {
	return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"title":%q}}`, status, message, http.StatusText(status))
}

func TestIAM_LogIn(t *testing.T) {
	r := startIAM(t)
	got := r.login(login("", ""))
	want := `{"token":{"expires_at":"2026-03-01T13:00:00.000000Z","issued_at":"2026-03-01T12:00:00.000000Z","methods":["password"],` +
		`"project":{"id":"p1","name":"cn-north-4"},"user":{"domain":{"id":"d1","name":"acme"},"name":"bob"}}}`
	if diff := cmp.Diff(want, got.body); diff != "" || got.status != http.StatusCreated {
		t.Errorf("%d (-want +got):\n%s", got.status, diff)
	}
	if token := got.header.Get("X-Subject-Token"); len(token) < 1000 || strings.Contains(got.body, token) {
		t.Errorf("X-Subject-Token: %q", token)
	}
	wantCounts(t, r, coctest.Counts{LogIns: 1, Tokens: 1})
}

func TestIAM_LogIn_refused(t *testing.T) {
	with := func(change func(*coctest.User)) *coctest.User {
		u := bob
		change(&u)
		return &u
	}
	const wrong = "The username or password is wrong."
	for name, c := range map[string]struct {
		user   *coctest.User
		body   string
		status int
		text   string
		reason string
	}{
		"a wrong password":      {nil, login(`"pw"`, `"x"`), 401, wrong, "the password is wrong"},
		"another user":          {nil, login("bob", "eve"), 401, wrong, "there is no such user in this account"},
		"another account":       {nil, login("acme", "x"), 401, wrong, "there is no such user in this account"},
		"a locked user":         {with(func(u *coctest.User) { u.Locked = true }), login("", ""), 401, "The account is locked.", "the user is locked"},
		"a second factor":       {with(func(u *coctest.User) { u.MFA = true }), login("", ""), 401, "The user must log in with a second factor: the method totp is missing.", "the user needs a second factor"},
		"a HUAWEI ID":           {with(func(u *coctest.User) { u.HuaweiID = true }), login("", ""), 401, wrong, "a HUAWEI ID cannot log in"},
		"an unknown project":    {nil, login("cn-north-4", "x"), 401, "Could not find project.", "Could not find project."},
		"an unknown project id": {nil, login(`"name":"cn-north-4"`, `"id":"x"`), 401, "Could not find project.", "Could not find project."},
		"no JSON":               {nil, "x", 400, "Request body is invalid.", "Request body is invalid."},
		"another method":        {nil, login(`["password"]`, `["totp"]`), 400, "auth.identity.methods must be [password]", "auth.identity.methods must be [password]"},
		"no account":            {nil, login(`"acme"`, `""`), 400, "auth.identity.password.user needs name, password and domain.name", "auth.identity.password.user needs name, password and domain.name"},
		"no password":           {nil, login(`"pw"`, `""`), 400, "auth.identity.password.user needs name, password and domain.name", "auth.identity.password.user needs name, password and domain.name"},
		"project twice":         {nil, login(`"name":"cn-north-4"`, `"name":"cn-north-4","id":"p1"`), 400, "auth.scope.project needs either id or name", "auth.scope.project needs either id or name"},
		"a project of no name":  {nil, login(`"cn-north-4"`, `""`), 400, "auth.scope.project needs either id or name", "auth.scope.project needs either id or name"},
	} {
		t.Run(name, func(t *testing.T) {
			r := startIAM(t)
			if c.user != nil {
				r.SetUsers(*c.user)
			}
			got := r.login(c.body)
			if diff := cmp.Diff(iamRefusal(c.status, c.text), got.body); diff != "" || got.status != c.status {
				t.Errorf("%d (-want +got):\n%s", got.status, diff)
			}
			if seen := r.Refusals(); len(seen) != 1 || seen[0].Reason != c.reason {
				t.Errorf("refusals: %+v", seen)
			}
			wantCounts(t, r, coctest.Counts{LogIns: 1, Refused: map[string]int{fmt.Sprint(c.status, " IAM"): 1}})
		})
	}
	t.Run("a body that does not say it is JSON", func(t *testing.T) {
		r := startIAM(t)
		if got := r.do(newRequest(t, http.MethodPost, r.url+"/v3/auth/tokens", login("", ""))); got.status != http.StatusBadRequest {
			t.Errorf("answer: %d %s", got.status, got.body)
		}
	})
}

// Five wrong passwords within 15 minutes lock the user for as long.
func TestIAM_Lock(t *testing.T) {
	try := func(pause time.Duration, want ...int) {
		t.Helper()
		r := startIAM(t)
		var got []int
		for _, password := range []string{`"1"`, `"2"`, `"3"`, `"4"`, `"5"`, `"pw"`} {
			got = append(got, r.login(login(`"pw"`, password)).status)
			r.advance(pause)
		}
		r.advance(15 * time.Minute)
		got = append(got, r.login(login("", "")).status)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("every %s (-want +got):\n%s", pause, diff)
		}
	}
	t.Run("a right one starts anew", func(t *testing.T) {
		r := startIAM(t)
		for _, password := range []string{`"1"`, `"2"`, `"3"`, `"4"`, `"pw"`, `"5"`} {
			r.login(login(`"pw"`, password))
		}
		if got := r.login(login("", "")); got.status != http.StatusCreated {
			t.Errorf("answer: %d %s", got.status, got.body)
		}
	})
	try(time.Minute, 401, 401, 401, 401, 401, 401, 201)
	try(4*time.Minute, 401, 401, 401, 401, 401, 201, 201)
}

// byToken is a request that shows the token of a log-in.
func (r *rig) byToken(token string) *http.Request {
	req := newRequest(r.t, http.MethodPost, r.url+eventPath+testKey, alarmJSON())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Auth-Token", token)
	return req
}

func TestServer_AuthToken(t *testing.T) {
	for name, c := range map[string]struct {
		body   string // of the log-in
		change func(r *rig, q *http.Request)
		reason string // "" = accepted
	}{
		"a token":                      {},
		"a token by project id":        {body: login(`"name":"cn-north-4"`, `"id":"p1"`)},
		"the token's project":          {change: func(_ *rig, q *http.Request) { q.Header.Set("X-Project-Id", "p1") }},
		"another project":              {change: func(_ *rig, q *http.Request) { q.Header.Set("X-Project-Id", "p2") }, reason: "X-Project-Id is not the token's project"},
		"a token of another project":   {body: login("cn-north-4", "cn-south-1"), reason: "the token is for another project"},
		"a token of no project":        {body: login(`"project":{"name":"cn-north-4"}`, ""), reason: "the token is not scoped to a project"},
		"an unknown token":             {change: func(_ *rig, q *http.Request) { q.Header.Set("X-Auth-Token", "x") }, reason: "the token is unknown"},
		"two tokens":                   {change: func(_ *rig, q *http.Request) { q.Header.Add("X-Auth-Token", "x") }, reason: "a token and a signature, or two tokens"},
		"before its end":               {change: func(r *rig, _ *http.Request) { r.advance(time.Hour - time.Second) }},
		"at its end":                   {change: func(r *rig, _ *http.Request) { r.advance(time.Hour) }, reason: "the token has expired"},
		"after a revocation":           {change: func(r *rig, _ *http.Request) { r.RevokeTokens() }, reason: "the token was revoked"},
		"after a change of the user":   {change: func(r *rig, _ *http.Request) { r.SetUsers(coctest.User{Name: "bob", Password: "2", Domain: "acme"}) }, reason: "the token was revoked"},
		"after a change of another":    {change: func(r *rig, _ *http.Request) { r.SetUsers(coctest.User{Name: "eve"}, bob) }},
		"after the user has gone":      {change: func(r *rig, _ *http.Request) { r.SetUsers() }, reason: "the token was revoked"},
		"after a reset of the records": {change: func(r *rig, _ *http.Request) { r.Reset() }},
	} {
		t.Run(name, func(t *testing.T) {
			r := startIAM(t)
			body := c.body
			if body == "" {
				body = login("", "")
			}
			req := r.byToken(r.login(body).header.Get("X-Subject-Token"))
			if c.change != nil {
				c.change(r, req)
			}
			got := r.do(req)
			seen := r.Refusals()
			switch {
			case c.reason == "" && got.body != accepted:
				t.Errorf("answer: %d %s, %+v", got.status, got.body, seen)
			case c.reason != "" && (got.status != 401 || got.body != tokenRefused || len(seen) != 1 || seen[0].Reason != c.reason):
				t.Errorf("answer: %d %s, %+v", got.status, got.body, seen)
			}
		})
	}
	t.Run("the gateway has a code of its own", func(t *testing.T) {
		r := start(t, coctest.Options{Switches: coctest.Switches{GatewayAuth: true}})
		if got := r.do(r.byToken("x")); !strings.Contains(got.body, `"error_msg":"The token must be updated","error_code":"APIGW.0307"`) {
			t.Errorf("answer: %s", got.body)
		}
	})
}

func TestIAM_Projects(t *testing.T) {
	list := func(r *rig, query string) answer {
		req := newRequest(t, http.MethodGet, r.url+"/v3/projects"+query, "")
		sign(req, "", r.now(), "host")
		return r.do(req)
	}
	for query, want := range map[string]string{
		"":                 `[{"id":"p1","name":"cn-north-4","enabled":true},{"id":"p2","name":"cn-south-1","enabled":true},{"id":"p3","name":"cn-south-1","enabled":true}]`,
		"?name=cn-north-4": `[{"id":"p1","name":"cn-north-4","enabled":true}]`,
		"?name=cn-south-1": `[{"id":"p2","name":"cn-south-1","enabled":true},{"id":"p3","name":"cn-south-1","enabled":true}]`,
		"?name=x":          `[]`,
	} {
		t.Run(query, func(t *testing.T) {
			r := startIAM(t)
			got := list(r, query)
			if diff := cmp.Diff(`{"links":{},"projects":`+want+`}`, got.body); diff != "" || got.status != http.StatusOK {
				t.Errorf("%d (-want +got):\n%s", got.status, diff)
			}
			wantCounts(t, r, coctest.Counts{ProjectLists: 1})
		})
	}
	t.Run("only for those who sign", func(t *testing.T) {
		r := startIAM(t)
		got := r.do(newRequest(t, http.MethodGet, r.url+"/v3/projects", ""))
		if got.status != http.StatusUnauthorized || got.body != iamRefusal(401, "The request you have made requires authentication.") {
			t.Errorf("answer: %d %s", got.status, got.body)
		}
	})
	t.Run("as they are now", func(t *testing.T) {
		r := startIAM(t)
		r.SetProjects()
		if got := list(r, ""); got.body != `{"links":{},"projects":[]}` {
			t.Errorf("answer: %s", got.body)
		}
	})
}

func TestServer_SetAccessKeys(t *testing.T) {
	r := start(t, coctest.Options{})
	r.SetAccessKeys(coctest.AccessKey{AccessKey: "AK2", SecretKey: "x"})
	if got := r.post(alarmJSON()); got.status != 401 || r.Refusals()[0].Reason != "unknown access key" {
		t.Errorf("answer: %d", got.status)
	}
	r.SetAccessKeys(coctest.AccessKey{AccessKey: testAccess, SecretKey: testSecret}, coctest.AccessKey{AccessKey: "AK2", SecretKey: "x"})
	if got := r.post(alarmJSON()); got.body != accepted {
		t.Errorf("answer: %d", got.status)
	}
}
