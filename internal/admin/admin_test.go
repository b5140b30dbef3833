package admin_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cocbridge/cocbridge/internal/admin"
)

const token = "0123456789"

// request is one to the admin listener; the zero value is a good reload.
type request struct {
	method  string
	host    string
	path    string
	header  http.Header
	noToken bool
}

func ask(h http.Handler, q request) (int, string) {
	r := httptest.NewRequest(or(q.method, http.MethodPost), or(q.path, "/-/reload"), strings.NewReader("{}"))
	r.Host = or(q.host, "127.0.0.1:9877")
	if !q.noToken {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for name, values := range q.header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func header(name string, values ...string) http.Header { return http.Header{name: values} }

func TestReload_isGuarded(t *testing.T) {
	for name, c := range map[string]struct {
		request
		want int
	}{
		"with the token":                     {request{}, http.StatusOK},
		"by another name of loopback":        {request{host: "localhost:9877"}, http.StatusOK},
		"by IPv6":                            {request{host: "[::1]:9877"}, http.StatusOK},
		"by the configured name":             {request{host: "Bridge.example:9877"}, http.StatusOK},
		"JSON":                               {request{header: header("Content-Type", "application/json; charset=utf-8")}, http.StatusOK},
		"from our own page":                  {request{header: header("Sec-Fetch-Site", "same-origin")}, http.StatusOK},
		"by a foreign name (rebinding)":      {request{host: "evil.example:9877"}, http.StatusMisdirectedRequest},
		"by a name that begins like ours":    {request{host: "localhost.evil.example"}, http.StatusMisdirectedRequest},
		"by another address":                 {request{host: "192.0.2.1:9877"}, http.StatusMisdirectedRequest},
		"from a page of another site":        {request{header: header("Sec-Fetch-Site", "cross-site")}, http.StatusForbidden},
		"from a page of another origin":      {request{header: header("Origin", "https://evil.example")}, http.StatusForbidden},
		"without the token":                  {request{noToken: true}, http.StatusUnauthorized},
		"with a wrong token":                 {request{header: header("Authorization", "Bearer 012345678")}, http.StatusUnauthorized},
		"with an empty token":                {request{header: header("Authorization", "Bearer ")}, http.StatusUnauthorized},
		"with the token as password":         {request{header: header("Authorization", "Basic "+token)}, http.StatusUnauthorized},
		"with two headers":                   {request{header: header("Authorization", "Bearer x", "Bearer "+token)}, http.StatusUnauthorized},
		"as a form":                          {request{header: header("Content-Type", "application/x-www-form-urlencoded")}, http.StatusUnsupportedMediaType},
		"as text that a browser can send":    {request{header: header("Content-Type", "text/plain")}, http.StatusUnsupportedMediaType},
		"as something that is no type":       {request{header: header("Content-Type", "json json")}, http.StatusUnsupportedMediaType},
		"with GET":                           {request{method: http.MethodGet}, http.StatusMethodNotAllowed},
		"with PUT":                           {request{method: http.MethodPut}, http.StatusMethodNotAllowed},
		"a path that is not there":           {request{path: "/-/quit"}, http.StatusNotFound},
		"metrics are on the web address":     {request{method: http.MethodGet, path: "/metrics"}, http.StatusNotFound},
		"PUT without the token is no oracle": {request{method: http.MethodPut, path: "/x", noToken: true}, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			reloads := 0
			h := admin.New(admin.Options{Address: "bridge.example:9877", Token: token, Reload: func(context.Context, bool) error { reloads++; return nil }})
			status, body := ask(h, c.request)
			if status != c.want {
				t.Errorf("%d: %s; want %d", status, body, c.want)
			}
			if done := reloads == 1; done != (c.want == http.StatusOK) {
				t.Errorf("reloaded: %v", done)
			}
		})
	}
}

// Without a token nobody may change anything: "" is not a token.
func TestReload_withoutAnyTokenIsClosed(t *testing.T) {
	h := admin.New(admin.Options{Address: "127.0.0.1:9877", Reload: func(context.Context, bool) error { return nil }})
	if status, _ := ask(h, request{header: header("Authorization", "Bearer ")}); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
}

func TestReload_answersWithTheOutcome(t *testing.T) {
	var forced []bool
	var outcome error
	h := admin.New(admin.Options{Address: "127.0.0.1:9877", Token: token, Reload: func(_ context.Context, force bool) error {
		forced = append(forced, force)
		return outcome
	}})
	check := func(path string, status int, body string) {
		t.Helper()
		gotStatus, gotBody := ask(h, request{path: path})
		if diff := cmp.Diff(body, gotBody); gotStatus != status || diff != "" {
			t.Errorf("%s: %d, want %d (-want +got):\n%s", path, gotStatus, status, diff)
		}
	}
	check("/-/reload", http.StatusOK, `{"status":"ok"}`+"\n")
	check("/-/reload?force=1", http.StatusOK, `{"status":"ok"}`+"\n")
	outcome = errors.New("config.yaml:3: coc.site: \"x\" is not known\nconfig.yaml:4: two")
	check("/-/reload?force=yes", http.StatusBadRequest, `{"error":"config.yaml:3: coc.site: \"x\" is not known\nconfig.yaml:4: two"}`+"\n")
	if diff := cmp.Diff([]bool{false, true, false}, forced); diff != "" {
		t.Errorf("force (-want +got):\n%s", diff)
	}
}

// On a Unix socket the file mode has decided: no token, no host.
func TestReload_onAUnixSocketNeedsNoToken(t *testing.T) {
	h := admin.New(admin.Options{Address: "unix:/run/cocbridge/admin.sock", Token: token, Reload: func(context.Context, bool) error { return nil }})
	if status, body := ask(h, request{host: "whatever", noToken: true}); status != http.StatusOK {
		t.Errorf("%d: %s", status, body)
	}
	if status, _ := ask(h, request{noToken: true, header: header("Sec-Fetch-Site", "cross-site")}); status != http.StatusForbidden {
		t.Errorf("cross-site: %d", status)
	}
}

func TestPublic(t *testing.T) {
	var healthy, ready error
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "X."}))
	mux := http.NewServeMux()
	admin.Public{Healthy: func() error { return healthy }, Ready: func() error { return ready }, Metrics: reg}.Register(mux)
	check := func(method, path string, status int, says string) {
		t.Helper()
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		body, err := io.ReadAll(w.Body)
		if err != nil || w.Code != status || !strings.Contains(string(body), says) {
			t.Errorf("%s %s: %d %q, %v; want %d %q", method, path, w.Code, body, err, status, says)
		}
	}
	check(http.MethodGet, "/-/healthy", http.StatusOK, "OK")
	check(http.MethodGet, "/-/ready", http.StatusOK, "OK")
	check(http.MethodGet, "/metrics", http.StatusOK, "x_total 0")
	check(http.MethodPost, "/-/ready", http.StatusMethodNotAllowed, "")
	healthy, ready = errors.New("the disk hangs"), errors.New("the store is full")
	check(http.MethodGet, "/-/healthy", http.StatusServiceUnavailable, "the disk hangs")
	check(http.MethodGet, "/-/ready", http.StatusServiceUnavailable, "the store is full")
}
