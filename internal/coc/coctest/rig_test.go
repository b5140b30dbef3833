package coctest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

const (
	testKey    = "k1"
	testAccess = "AKTEST"
	testSecret = "SKTEST"
	eventPath  = "/v1/event/huawei/custom/"
)

// epoch is where the rig's clock starts.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rig is a server behind a real socket, with a clock that stands still.
type rig struct {
	*coctest.Server
	t      *testing.T
	url    string
	passed atomic.Int64  // since epoch
	ended  chan struct{} // has an item once a request's handler has returned
}

func start(t *testing.T, opts coctest.Options) *rig {
	t.Helper()
	r := &rig{t: t, ended: make(chan struct{}, 1)}
	opts.AccessKey, opts.SecretKey = testAccess, testSecret
	opts.Now = r.now
	if opts.Keys == nil {
		opts.Keys = []string{testKey}
	}
	r.Server = coctest.New(opts)
	socket := httptest.NewServer(http.HandlerFunc(r.serve))
	r.url = socket.URL
	t.Cleanup(func() {
		r.Close()
		http.DefaultClient.CloseIdleConnections()
		socket.Close()
	})
	return r
}

func (r *rig) serve(w http.ResponseWriter, req *http.Request) {
	defer func() {
		select {
		case r.ended <- struct{}{}:
		default:
		}
	}()
	r.ServeHTTP(w, req)
}

func (r *rig) now() time.Time          { return epoch.Add(time.Duration(r.passed.Load())) }
func (r *rig) advance(d time.Duration) { r.passed.Add(int64(d)) }

// request is one that the server accepts when the body is right.
func (r *rig) request(body string) *http.Request {
	req := newRequest(r.t, http.MethodPost, r.url+eventPath+testKey, body)
	req.Header.Set("Content-Type", "application/json")
	sign(req, body, r.now(), "content-type", "host")
	return req
}

func newRequest(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (r *rig) post(body string) answer {
	r.t.Helper()
	return r.do(r.request(body))
}

func (r *rig) do(req *http.Request) answer {
	r.t.Helper()
	a, err := r.try(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// try also returns what a broken connection gives.
func (r *rig) try(req *http.Request) (answer, error) {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}

// sign is SDK-HMAC-SHA256 for paths and queries that need no encoding.
func sign(req *http.Request, body string, at time.Time, names ...string) {
	signPath(req, req.URL.Path+"/", body, at, names...)
}

func signPath(req *http.Request, path, body string, at time.Time, names ...string) {
	signWith(req, [2]string{testAccess, testSecret}, path, body, at, names...)
}

func signAs(req *http.Request, access, secret, body string, at time.Time, names ...string) {
	signWith(req, [2]string{access, secret}, req.URL.Path+"/", body, at, names...)
}

func signWith(req *http.Request, keys [2]string, path, body string, at time.Time, names ...string) {
	req.Header.Set("X-Sdk-Date", at.UTC().Format("20060102T150405Z"))
	names = slices.Sorted(slices.Values(append(names, "x-sdk-date")))
	var headers strings.Builder
	for _, name := range names {
		value := req.Header.Get(name)
		if name == "host" {
			value = req.URL.Host
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, value)
	}
	signed := strings.Join(names, ";")
	canonical := strings.Join([]string{
		req.Method, path, req.URL.RawQuery, headers.String(), signed, digest(body),
	}, "\n")
	mac := hmac.New(sha256.New, []byte(keys[1]))
	mac.Write([]byte("SDK-HMAC-SHA256\n" + req.Header.Get("X-Sdk-Date") + "\n" + digest(canonical)))
	req.Header.Set("Authorization", fmt.Sprintf("SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%x",
		keys[0], signed, mac.Sum(nil)))
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// alarmJSON is a valid body with some fields replaced: pairs of a name and a
// JSON text, of which "" removes the field.
func alarmJSON(pairs ...string) string {
	fields := [][2]string{
		{"alarmId", `"a1"`}, {"alarmName", `"HighCPU"`}, {"alarmLevel", `"Major"`}, {"time", "1700000000000"},
		{"nameSpace", `"prod"`}, {"applicationId", `"app"`}, {"resourceName", `"web-1"`}, {"alarmDesc", `"hot"`},
		{"alarmStatus", `"alarm"`}, {"alarmSource", `"prometheus"`},
	}
	for i := 0; i < len(pairs); i += 2 {
		at := slices.IndexFunc(fields, func(f [2]string) bool { return f[0] == pairs[i] })
		if at < 0 {
			fields = append(fields, [2]string{pairs[i], pairs[i+1]})
			continue
		}
		fields[at][1] = pairs[i+1]
	}
	var parts []string
	for _, f := range fields {
		if f[1] != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", f[0], f[1]))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

const accepted = `{"error_code":"COC.00000000","error_msg":"success","data":null,"provider_code":"049"}`

func refused(code, message string) string {
	return fmt.Sprintf(`{"error_code":%q,"error_msg":%q,"data":null,"provider_code":"049"}`, code, message)
}
