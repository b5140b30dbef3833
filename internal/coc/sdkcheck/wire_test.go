package sdkcheck_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"
)

// signedTime is the form of X-Sdk-Date, in UTC.
const signedTime = "20060102T150405Z"

// sent is a request as a server sees it. Path and Query are decoded.
type sent struct {
	Method, Host, Path string
	Query              url.Values
	Header             http.Header
	Body               []byte
}

func (s sent) clone() sent {
	s.Query, s.Header, s.Body = maps.Clone(s.Query), s.Header.Clone(), bytes.Clone(s.Body)
	return s
}

// recorder takes every call and keeps it. Clients reach it as their HTTP proxy,
// so that each call can name a host of its own.
type recorder struct {
	proxy     *httptest.Server
	transport *http.Transport // leads to the proxy, for the SDK's client
	calls     chan sent
}

func newRecorder(t *testing.T) *recorder {
	r := &recorder{calls: make(chan sent, 1)}
	r.proxy = httptest.NewServer(r)
	t.Cleanup(r.proxy.Close)
	self, err := url.Parse(r.proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.transport = &http.Transport{Proxy: http.ProxyURL(self)}
	t.Cleanup(r.transport.CloseIdleConnections)
	return r
}

// ServeHTTP implements http.Handler.
func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.calls <- sent{req.Method, req.Host, req.URL.Path, req.URL.Query(), req.Header, body}
	_, _ = io.WriteString(w, `{"error_code":"COC.00000000","error_msg":"success","data":null,"provider_code":"049"}`)
}

// header is a header's value as the signature covers it.
func (s sent) header(name string) string {
	if name == "host" {
		return s.Host
	}
	return s.Header.Get(name)
}

// signable are the headers that our signature must cover, as far as the request
// has them.
func (s sent) signable() []string {
	names := []string{"content-type", "host", "x-project-id", "x-sdk-date", "x-security-token"}
	return slices.DeleteFunc(names, func(name string) bool { return s.header(name) == "" })
}

// sdkAuthorization is the header that the SDK's signer gives the request when
// it signs the named headers, of which Content-Type cannot be one.
func (s sent) sdkAuthorization(k keys, names []string) (string, error) {
	b := request.NewHttpRequestBuilder().WithMethod(s.Method).WithEndpoint("https://"+s.Host).WithPath(s.Path).
		WithBody("", string(s.Body))
	for name, values := range s.Query {
		b.AddQueryParam(name, reflect.ValueOf(values))
	}
	for _, name := range names {
		b.AddHeaderParam(http.CanonicalHeaderKey(name), s.header(name))
	}
	if kind := s.header("content-type"); kind != "" { // it decides whether the body is signed
		b.AddHeaderParam("Content-Type", kind)
	}
	added, err := signer.Sign(b.Build(), k.access, k.secret)
	return added["Authorization"], err
}

// authorization is coc-api.md 2.2 in the shortest form. It exists for the one
// header that the SDK cannot sign, Content-Type: each test that uses it proves
// it against the SDK without that header, and then trusts it with.
func (s sent) authorization(k keys, names []string) string {
	lines := []string{s.Method, strings.TrimSuffix(encodePath(s.Path), "/") + "/", s.canonicalQuery()}
	for _, name := range names {
		lines = append(lines, name+":"+strings.TrimSpace(s.header(name)))
	}
	signed := strings.Join(names, ";")
	lines = append(lines, "", signed, digest(s.Body))
	mac := hmac.New(sha256.New, []byte(k.secret))
	mac.Write([]byte("SDK-HMAC-SHA256\n" + s.header("x-sdk-date") + "\n" + digest([]byte(strings.Join(lines, "\n")))))
	return "SDK-HMAC-SHA256 Access=" + k.access + ", SignedHeaders=" + signed + ", Signature=" + hex.EncodeToString(mac.Sum(nil))
}

func (s sent) canonicalQuery() string {
	var pairs [][2]string
	for name, values := range s.Query {
		for _, value := range values {
			pairs = append(pairs, [2]string{name, value})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var query []string
	for _, pair := range pairs {
		query = append(query, encode(pair[0])+"="+encode(pair[1]))
	}
	return strings.Join(query, "&")
}

func encodePath(path string) string { return strings.ReplaceAll(encode(path), "%2F", "/") }

func encode(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
