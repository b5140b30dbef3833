package coctest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

const tokenRefused = `{"error_code":"common.01010001","error_msg":"Token missing or invalid.","data":null,"provider_code":"049"}`

func TestSignature_Vector(t *testing.T) {
	vector := func() *http.Request {
		req := newRequest(t, http.MethodGet, "https://service.region.example.com/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs"+
			"?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0", "")
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Sdk-Date", "20191115T033655Z")
		req.Header.Set("Authorization", "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, "+
			"SignedHeaders=content-type;host;x-sdk-date, "+
			"Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe")
		return req
	}
	const secret = "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"
	t.Run("the published signature is right", func(t *testing.T) {
		hash, err := coctest.VerifySignature(vector(), nil, secret)
		if err != nil || hash != "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a" {
			t.Errorf("canonical hash %s, error %v", hash, err)
		}
	})
	for name, change := range map[string]func(*http.Request){
		"another query is wrong":  func(r *http.Request) { r.URL.RawQuery = "limit=3" },
		"another path is wrong":   func(r *http.Request) { r.URL.Path += "x" },
		"another method is wrong": func(r *http.Request) { r.Method = http.MethodPut },
		"another host is wrong":   func(r *http.Request) { r.Host = "x" },
		"another header is wrong": func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
	} {
		t.Run(name, func(t *testing.T) {
			req := vector()
			change(req)
			if _, err := coctest.VerifySignature(req, nil, secret); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// Canonical forms that differ from the wire (coc-api.md 2.2, steps 1 and 2).
func TestSignature_Canonical(t *testing.T) {
	for name, c := range map[string]struct{ wire, canonical string }{
		"a path ends with a slash":         {"/v1/a", "/v1/a/\n"},
		"but with one only":                {"/v1/a/", "/v1/a/\n"},
		"unreserved characters are plain":  {"/v1/a%7Eb%2D", "/v1/a~b-/\n"},
		"others are encoded in upper case": {"/v1/a:%e4%bd%a0%2f", "/v1/a%3A%E4%BD%A0%2F/\n"},
		"a query is sorted":                {"/?b=2&a=2&a=1", "/\na=1&a=2&b=2"},
		"by name, not by the joined text":  {"/?a-=1&a=1", "/\na=1&a-=1"},
		"an empty value has its sign":      {"/?a", "/\na="},
		"a plus is a plus":                 {"/?a=b+c%20d", "/\na=b%2Bc%20d"},
	} {
		t.Run(name, func(t *testing.T) {
			req := newRequest(t, http.MethodGet, "https://h"+c.wire, "")
			req.Header.Set("X-Sdk-Date", "20191115T033655Z")
			req.Header.Set("Authorization", "SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date, Signature="+strings.Repeat("0", 64))
			hash, _ := coctest.VerifySignature(req, nil, "s")
			if hash != digest("GET\n"+c.canonical+"\nx-sdk-date:20191115T033655Z\n\nx-sdk-date\n"+digest("")) {
				t.Error("another canonical form")
			}
		})
	}
}

func TestServer_Auth(t *testing.T) {
	body := alarmJSON()
	type change = func(r *rig, req *http.Request)
	resign := func(names ...string) change {
		return func(r *rig, req *http.Request) { sign(req, body, r.now(), names...) }
	}
	signedAt := func(d time.Duration) change {
		return func(r *rig, req *http.Request) { sign(req, body, r.now().Add(d)) }
	}
	edit := func(old, new string) change {
		return func(_ *rig, req *http.Request) {
			text := req.Header.Get("Authorization")
			if !strings.Contains(text, old) {
				t.Fatalf("%q is not in %q", old, text)
			}
			req.Header.Set("Authorization", strings.Replace(text, old, new, 1))
		}
	}
	withHeader := func(name string, values ...string) change {
		return func(r *rig, req *http.Request) {
			req.Header[name] = values
			sign(req, body, r.now())
		}
	}
	withToken := func(token string, names ...string) change {
		return func(r *rig, req *http.Request) {
			req.Header.Set("X-Security-Token", token)
			sign(req, body, r.now(), names...)
		}
	}
	temporary := coctest.Options{SecurityToken: "tok"}
	project := coctest.Options{ProjectID: "p1"}
	global := coctest.Options{ProjectID: "p1", Switches: coctest.Switches{GlobalCredentials: true}}

	for name, c := range map[string]struct {
		opts   coctest.Options
		change change
		reason string // "" = accepted
	}{
		"a signature is accepted":                 {change: resign("content-type", "host")},
		"with x-sdk-date alone":                   {change: resign()},
		"15 minutes behind":                       {change: signedAt(-15 * time.Minute)},
		"15 minutes ahead":                        {change: signedAt(15 * time.Minute)},
		"more than 15 minutes behind":             {change: signedAt(-15*time.Minute - time.Second), reason: "Incorrect authentication information: signature expired, x-sdk-date: 20260301T114459Z, server time: 20260301T120000Z"},
		"more than 15 minutes ahead":              {change: signedAt(15*time.Minute + time.Second), reason: "Incorrect authentication information: signature expired, x-sdk-date: 20260301T121501Z, server time: 20260301T120000Z"},
		"no Authorization":                        {change: func(_ *rig, q *http.Request) { q.Header.Del("Authorization") }, reason: "0 Authorization headers instead of one"},
		"two of them":                             {change: func(_ *rig, q *http.Request) { q.Header.Add("Authorization", q.Header.Get("Authorization")) }, reason: "2 Authorization headers instead of one"},
		"another algorithm":                       {change: edit("SDK-HMAC", "V11-HMAC"), reason: "the Authorization header does not have the form of SDK-HMAC-SHA256"},
		"a short signature":                       {change: edit("Signature=", "Signature=0"), reason: "the Authorization header does not have the form of SDK-HMAC-SHA256"},
		"an unknown access key":                   {change: edit("AKTEST", "AKOTHER"), reason: "unknown access key"},
		"signed headers out of order":             {change: edit("content-type;host;x-sdk-date", "host;content-type;x-sdk-date"), reason: "SignedHeaders are not lower case, sorted and each named once"},
		"a signed header named twice":             {change: edit("host;", "host;host;"), reason: "SignedHeaders are not lower case, sorted and each named once"},
		"a signed header in upper case":           {change: edit("content-type;", "Content-Type;"), reason: "SignedHeaders are not lower case, sorted and each named once"},
		"x-sdk-date not signed":                   {change: edit(";x-sdk-date", ""), reason: "x-sdk-date is not signed"},
		"no X-Sdk-Date":                           {change: func(_ *rig, q *http.Request) { q.Header.Del("X-Sdk-Date") }, reason: "X-Sdk-Date does not have the form YYYYMMDDTHHMMSSZ"},
		"a signed header is absent":               {change: func(_ *rig, q *http.Request) { q.Header.Del("Content-Type") }, reason: "signed header content-type came 0 times"},
		"a signed header came twice":              {change: func(_ *rig, q *http.Request) { q.Header.Add("Content-Type", "x") }, reason: "signed header content-type came 2 times"},
		"a signed header was changed":             {change: func(_ *rig, q *http.Request) { q.Header.Set("Content-Type", "x") }, reason: "the signature does not match"},
		"another body":                            {change: func(r *rig, q *http.Request) { sign(q, body+" ", r.now()) }, reason: "the signature does not match"},
		"the path signed without its slash":       {change: func(r *rig, q *http.Request) { signPath(q, q.URL.Path, body, r.now()) }, reason: "the signature does not match"},
		"a token instead of a signature":          {change: func(_ *rig, q *http.Request) { q.Header.Del("Authorization"); q.Header.Set("X-Auth-Token", "t") }, reason: "the token is unknown"},
		"a token and a signature":                 {change: func(_ *rig, q *http.Request) { q.Header.Set("X-Auth-Token", "t") }, reason: "a token and a signature, or two tokens"},
		"the security token, signed":              {opts: temporary, change: withToken("tok", "x-security-token")},
		"the security token, unsigned":            {opts: temporary, change: withToken("tok"), reason: "x-security-token is not signed"},
		"another security token":                  {opts: temporary, change: withToken("old", "x-security-token"), reason: "X-Security-Token is missing or wrong"},
		"no security token":                       {opts: temporary, change: resign(), reason: "X-Security-Token is missing or wrong"},
		"the project":                             {opts: project, change: withHeader("X-Project-Id", "p1")},
		"another project":                         {opts: project, change: withHeader("X-Project-Id", "p2"), reason: "X-Project-Id is missing or wrong"},
		"no project":                              {opts: project, change: resign(), reason: "X-Project-Id is missing or wrong"},
		"the project twice":                       {change: withHeader("X-Project-Id", "p1", "p1"), reason: "X-Project-Id came twice"},
		"any project where none is configured":    {change: withHeader("X-Project-Id", "p9")},
		"a domain instead of the project":         {opts: project, change: withHeader("X-Domain-Id", "d1"), reason: "X-Project-Id is missing or wrong"},
		"a domain with global credentials":        {opts: global, change: withHeader("X-Domain-Id", "d1")},
		"neither of them with global credentials": {opts: global, change: resign(), reason: "X-Project-Id is missing or wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, c.opts)
			req := r.request(body)
			c.change(r, req)
			got := r.do(req)
			if c.reason == "" {
				if got.body != accepted {
					t.Errorf("answer: %d %s %v", got.status, got.body, r.Refusals())
				}
				return
			}
			if got.status != http.StatusUnauthorized || got.body != tokenRefused {
				t.Errorf("answer: %d %s", got.status, got.body)
			}
			if why := r.Refusals(); len(why) != 1 || why[0].Reason != c.reason || why[0].RequestID != got.header.Get("X-Request-Id") {
				t.Errorf("refusals: %+v", why)
			}
			wantCounts(t, r, coctest.Counts{Requests: 1, Refused: map[string]int{"401 common.01010001": 1}})
		})
	}
}

func TestServer_AuthByGateway(t *testing.T) {
	r := start(t, coctest.Options{Switches: coctest.Switches{GatewayAuth: true}})
	for name, c := range map[string]struct {
		at         time.Duration
		body, want string
	}{
		"a bad signature is APIGW.0301":        {body: "x", want: `"error_msg":"Incorrect IAM authentication information: verify aksk signature fail","error_code":"APIGW.0301"`},
		"a wrong clock names header and times": {at: time.Hour, want: `x-sdk-date: 20260301T130000Z, server time: 20260301T120000Z","error_code":"APIGW.0303"`},
	} {
		t.Run(name, func(t *testing.T) {
			req := r.request(alarmJSON())
			sign(req, c.body, r.now().Add(c.at))
			if got := r.do(req); got.status != http.StatusUnauthorized || !strings.Contains(got.body, c.want) {
				t.Errorf("answer: %d %s", got.status, got.body)
			}
		})
	}
}
