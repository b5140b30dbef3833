package coc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/secret"
)

func TestError_Error(t *testing.T) {
	for want, e := range map[string]*coc.Error{
		"coc: report alarm: HTTP 400: COC.00000001: alarmId must not be null (request id r1)": {
			Op: "report alarm", Class: coc.Permanent, Status: 400, Code: "COC.00000001", Message: "alarmId must not be null", RequestID: "r1",
		},
		"coc: report alarm: HTTP 200: the answer is empty": {Op: "report alarm", Status: 200, Message: "the answer is empty"},
		"coc: report alarm: dial tcp: refused; check the network, coc.endpoint and coc.http": {
			Op: "report alarm", Class: coc.Network, Message: "dial tcp: refused",
		},
		"coc: report alarm: HTTP 403: no; check coc.auth, coc.project_id, the permissions of its user and the account's balance": {
			Op: "report alarm", Class: coc.Auth, Status: 403, Message: "no",
		},
		"coc: report alarm: HTTP 404: no; check coc.site, coc.endpoint, coc.project_id and the integration key": {
			Op: "report alarm", Class: coc.Misconfigured, Status: 404, Message: "no",
		},
		"coc: report alarm: IAM: HTTP 401: the user is locked": {
			Op: "report alarm", Class: coc.Auth, By: "IAM", Status: 401, Message: "the user is locked",
		},
	} {
		if got := e.Error(); got != want {
			t.Errorf("\n got %q\nwant %q", got, want)
		}
	}
}

func TestError_Reason(t *testing.T) {
	timeout := &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	for _, test := range []struct {
		want string
		e    coc.Error
	}{
		{"clientError", coc.Error{Class: coc.Permanent, Status: 400}},
		{"clientError", coc.Error{Class: coc.Permanent}},
		{"clientError", coc.Error{Class: coc.Misconfigured, Status: 404}},
		{"authError", coc.Error{Class: coc.Auth, Status: 405}},
		{"rateLimited", coc.Error{Class: coc.Throttled, Status: 429}},
		{"serverError", coc.Error{Class: coc.Retry, Status: 503}},
		{"serverError", coc.Error{Class: coc.Retry, Status: 200}},
		{"contextDeadlineExceeded", coc.Error{Class: coc.Retry, Status: 200, Err: context.DeadlineExceeded}},
		{"contextDeadlineExceeded", coc.Error{Class: coc.Network, Err: timeout}},
		{"other", coc.Error{Class: coc.Retry, Err: io.EOF}},
		{"other", coc.Error{Class: coc.Network, Err: context.Canceled}},
	} {
		if got := test.e.Reason(); got != test.want {
			t.Errorf("%+v: %s, want %s", test.e, got, test.want)
		}
	}
	want := []string{"clientError", "serverError", "authError", "rateLimited", "contextDeadlineExceeded", "other"}
	if diff := cmp.Diff(want, coc.Reasons()); diff != "" {
		t.Errorf("Reasons (-want +got):\n%s", diff)
	}
}

func TestClass_String(t *testing.T) {
	var got []string
	for c := coc.Retry - 1; c <= coc.Conflict+1; c++ {
		got = append(got, c.String())
	}
	want := []string{"unknown", "retry", "throttled", "network", "auth", "config", "permanent", "not_found", "conflict", "unknown"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestError_Cause(t *testing.T) {
	for want, e := range map[string]*coc.Error{
		"COC.00000001": {Class: coc.Permanent, Status: 400, Code: "COC.00000001"},
		"HTTP 413":     {Class: coc.Permanent, Status: 413},
		"permanent":    {Class: coc.Permanent},
	} {
		if got := e.Cause(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestError_Alike(t *testing.T) {
	base := coc.Error{Status: 400, Code: "COC.00000001", Message: "alarm 3f2a-9c1d of db-7 at 1795281562375: size must be between 0 and 255"}
	for name, test := range map[string]struct {
		change func(*coc.Error)
		alike  bool
	}{
		"other ids and numbers": {func(e *coc.Error) {
			e.Message = "alarm 77ab-0c1d of db-12 at 1795281562999: size must be between 1 and 64"
			e.RequestID = "r2"
		}, true},
		"another status":  {func(e *coc.Error) { e.Status = 409 }, false},
		"another code":    {func(e *coc.Error) { e.Code = "COC.00000002" }, false},
		"another wording": {func(e *coc.Error) { e.Message = "applicationId must not be null" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			other := base
			test.change(&other)
			if got := other.Alike() == base.Alike(); got != test.alike {
				t.Errorf("%q and %q: alike %v, want %v", base.Alike(), other.Alike(), got, test.alike)
			}
		})
	}
}

func TestError_Unwrap(t *testing.T) {
	if e := (&coc.Error{Err: context.Canceled}); !errors.Is(e, context.Canceled) {
		t.Error("the transport's error is not found")
	}
	long := fmt.Errorf("%s: %w", strings.Repeat("x", coc.MaxMessage), context.DeadlineExceeded)
	e := &coc.Error{Err: long}
	e.Clean()
	if !errors.Is(e, context.DeadlineExceeded) || e.Reason() != "contextDeadlineExceeded" {
		t.Errorf("the time-out is lost in %v", e.Err)
	}
}

func TestError_textsAreBoundedAndPrint(t *testing.T) {
	for name, test := range map[string]struct {
		in      string
		secrets []secret.String
		want    string
	}{
		"control characters and line breaks":     {"a\r\nb\x00\x1b[31mc\u202ed\u2028e", nil, "a b [31mc d e"},
		"Chinese stays":                          {"告警 名称", nil, "告警 名称"},
		"bytes that are not UTF-8":               {"a\xffb", nil, "a\ufffdb"},
		"cut at a character":                     {strings.Repeat("a", coc.MaxMessage-1) + "磁", nil, strings.Repeat("a", coc.MaxMessage-1)},
		"a secret":                               {"no " + testKey + ", no " + testKey, []secret.String{testKey}, "no <secret>, no <secret>"},
		"no part of a secret is left by the cut": {strings.Repeat("a", coc.MaxMessage-4) + testKey, []secret.String{testKey}, strings.Repeat("a", coc.MaxMessage-4) + "<sec"},
		"an unset secret":                        {"abc", []secret.String{"", testKey}, "abc"},
	} {
		t.Run(name, func(t *testing.T) {
			e := &coc.Error{Message: test.in}
			e.Clean(test.secrets...)
			if e.Message != test.want {
				t.Errorf("\n got %q\nwant %q", e.Message, test.want)
			}
		})
	}
}

// canaries are all secrets a client has, the last as Proxy-Authorization sends it. The echoing servers below answer with
// them wherever an answer can carry a text.
var canaries = []string{testKey, testSecret, testToken, "proxyCanary", "dXNlcjpwcm94eUNhbmFyeQ=="}

var echo = strings.Join(canaries, " ")

func TestClient_errorsShowNoSecret(t *testing.T) {
	for name, handle := range map[string]http.HandlerFunc{
		"in the message":      answering(400, nil, refusal("COC.00000001", echo)),
		"in the code":         answering(400, nil, refusal(echo, "x")),
		"in the body's id":    answering(400, nil, `{"error_code":"x","request_id":"`+echo+`"}`),
		"in the header's id":  answering(500, http.Header{"X-Request-Id": {echo}}, ""),
		"in a clock refusal":  answering(401, nil, refusal("APIGW.0303", "x-sdk-date "+echo)),
		"in a redirect":       answering(302, http.Header{"Location": {"https://" + testKey + ".example/" + testKey}}, ""),
		"in the content type": answering(200, http.Header{"Content-Type": {"x" + echo}}, "<html>"+echo),
		"in an object":        answering(200, nil, `{"error_code":{"a":"`+echo+`"},"error_msg":["`+echo+`"]}`),
		"in the status line":  raw("HTTP/1.1 " + echo + "\r\n\r\n"),
		"instead of HTTP":     raw(echo + "\r\n\r\n"),
		"in a bad header":     raw("HTTP/1.1 200 OK\r\n" + echo + "\r\n\r\n"),
		"in a bad length":     raw("HTTP/1.1 200 OK\r\nContent-Length: " + echo + "\r\n\r\n"),
		"in a bad encoding":   raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + echo + "\r\n\r\n"),
		"in a bad chunk":      raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + echo + "\r\n"),
		"reset":               hijacked(reset),
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handle)
			t.Cleanup(server.Close)
			// As a proxy for plain HTTP the server is given every secret there is.
			proxy := "http://user:proxyCanary@" + strings.TrimPrefix(server.URL, "http://")
			mustHideCanaries(t, reportWithCanaries(t, "http://127.0.0.1:1", proxy))
		})
	}
}

func TestClient_errorsShowNoSecret_withoutAServer(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	proxy := httptest.NewServer(raw("HTTP/1.1 407 " + echo + "\r\n\r\n"))
	t.Cleanup(proxy.Close)
	proxyURL := "http://user:proxyCanary@" + strings.TrimPrefix(proxy.URL, "http://")
	goneURL := "http://user:proxyCanary@" + strings.TrimPrefix(gone.URL, "http://")
	for name, err := range map[string]error{
		"connection refused":        reportWithCanaries(t, gone.URL, ""),
		"the proxy is not there":    reportWithCanaries(t, "https://127.0.0.1:1", goneURL),
		"the proxy echoes":          reportWithCanaries(t, "https://127.0.0.1:1", proxyURL),
		"a key that cannot be one":  reportErr(newClient(t, testConfig("http://127.0.0.1:1")).ReportAlarm(t.Context(), testKey+"/", validAlarm())),
		"an alarm over its limits":  reportErr(newClient(t, testConfig("http://127.0.0.1:1")).ReportAlarm(t.Context(), testKey, coc.Alarm{})),
		"a proxy that cannot be":    newError(func(cfg *coc.Config) { cfg.HTTP.ProxyURL = "ftp://user:proxyCanary@proxy" }),
		"a proxy that is no URL":    newError(func(cfg *coc.Config) { cfg.HTTP.ProxyURL = "http://user:proxyCanary@[::" }),
		"a secret with a blank":     newError(func(cfg *coc.Config) { cfg.Auth.SecretKey = testSecret + " x" }),
		"a token with a line break": newError(func(cfg *coc.Config) { cfg.Auth.SecurityToken = testToken + "\nx" }),
	} {
		t.Run(name, func(t *testing.T) { mustHideCanaries(t, err) })
	}
}

func answering(status int, header http.Header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func reportWithCanaries(t *testing.T, endpoint, proxy string) error {
	t.Helper()
	cfg := testConfig(endpoint)
	cfg.Auth.SecurityToken = testToken
	cfg.HTTP.ProxyURL = proxy
	return reportErr(newClient(t, cfg).ReportAlarm(t.Context(), testKey, validAlarm()))
}

func newError(change func(*coc.Config)) error {
	cfg := testConfig("")
	change(&cfg)
	_, err := coc.New(cfg, coc.Options{})
	return err
}

func mustHideCanaries(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("success")
	}
	asJSON, _ := json.Marshal(err)
	shown := []string{string(asJSON), fmt.Sprintf("%#v", err)}
	for e := err; e != nil; e = errors.Unwrap(e) {
		shown = append(shown, e.Error(), fmt.Sprintf("%+v %#v", e, e))
	}
	if e, ok := err.(*coc.Error); ok {
		shown = append(shown, e.Alike(), e.Cause())
	}
	for _, text := range shown {
		for _, canary := range append([]string{testPassword}, canaries...) {
			if strings.Contains(text, canary) {
				t.Errorf("%s is in %s", canary, text)
			}
		}
	}
}
