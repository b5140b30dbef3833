package coc_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/secret"
)

// TestSign_publishedVector is the sample of Huawei's signing guide (coc-api.md 2.2).
func TestSign_publishedVector(t *testing.T) {
	r, err := http.NewRequest(http.MethodGet, "https://service.region.example.com/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	coc.Sign(r, nil, "QTWAOYTTINDUT2QVKYUC", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc", "", time.Date(2019, 11, 15, 3, 36, 55, 0, time.UTC))
	if got, want := coc.CanonicalHash(r, nil), "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a"; got != want {
		t.Errorf("hash of the canonical request %s, want %s", got, want)
	}
	want := "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;x-sdk-date, " +
		"Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("Authorization\n got %s\nwant %s", got, want)
	}
	if got := r.Header.Get("X-Sdk-Date"); got != "20191115T033655Z" {
		t.Errorf("X-Sdk-Date %s", got)
	}
}

func TestSign_dateIsUTC(t *testing.T) {
	r, err := http.NewRequest(http.MethodGet, "https://coc.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	coc.Sign(r, nil, "AK", "SK", "", time.Date(2026, 1, 1, 1, 30, 0, 0, time.FixedZone("CST", 8*3600)))
	if got := r.Header.Get("X-Sdk-Date"); got != "20251231T173000Z" {
		t.Errorf("X-Sdk-Date %s, want the time in UTC", got)
	}
}

// FuzzSign compares with verifier, which was written from the text of
// coc-api.md 2.2 and shares nothing with the client's code.
func FuzzSign(f *testing.F) {
	f.Add("POST", "coc.myhuaweicloud.com", "/v1/event/huawei/custom/abc", "", "", "", `{"a":1}`, "0123", "", "SK", int64(1795281562))
	f.Add("GET", "127.0.0.1:8443", "/v1/resources/", "type", "b", "a c", "", "", "token+/=", "S/K+", int64(0))
	f.Add("PUT", "h", "/x y/%zz/é//~.", "a+b&c=d", "é", "~*'()", "\x00\xff", "p", "t", "", int64(253402300799))
	f.Add("DELETE", "h", "", "", "x", "", "磁盘", "p", "", "k", int64(-1))
	f.Fuzz(func(t *testing.T, method, host, path, name, value, value2, body, project, token, secretKey string, at int64) {
		for _, text := range []string{method, host, project, token} {
			if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return // no HTTP request can carry it
			}
		}
		if host == "" {
			return // net/http refuses it
		}
		if at < -62135596800 || at > 253402300799 {
			return // a year of other than four digits
		}
		params := []string{name + "\x00" + value, name + "\x00" + value2, "limit\x00" + value}
		query := url.Values{}
		for _, p := range params {
			n, v, _ := strings.Cut(p, "\x00")
			query.Add(n, v)
		}
		// A NUL in name or value moves the cut; the query then is what both see.
		r := &http.Request{Method: method, Host: host, URL: &url.URL{Path: path, RawQuery: query.Encode()}, Header: http.Header{}}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("User-Agent", "cocbridge/1")
		if project != "" {
			r.Header.Set("X-Project-Id", project)
		}
		coc.Sign(r, []byte(body), "AK", secret.String(secretKey), secret.String(token), time.Unix(at, 0))
		want := verifier{method, host, path, params, body}.authorization(r.Header, "AK", secretKey)
		if got := r.Header.Get("Authorization"); got != want {
			t.Errorf("Authorization\n got %s\nwant %s", got, want)
		}
	})
}

// verifier is the second implementation: one buffer, written top to bottom.
type verifier struct {
	method, host, path string
	params             []string // name, NUL, value
	body               string
}

func (v verifier) authorization(h http.Header, accessKey, secretKey string) string {
	covered := []string{"content-type", "host"}
	for _, optional := range []string{"x-project-id", "x-sdk-date", "x-security-token"} {
		if len(h.Values(optional)) == 1 {
			covered = append(covered, optional)
		}
	}
	var doc bytes.Buffer
	fmt.Fprintf(&doc, "%s\n%s\n%s\n", v.method, v.uri(), v.query())
	for _, name := range covered {
		if name == "host" {
			fmt.Fprintf(&doc, "host:%s\n", v.host)
		} else {
			fmt.Fprintf(&doc, "%s:%s\n", name, strings.Trim(h.Get(name), " \t"))
		}
	}
	fmt.Fprintf(&doc, "\n%s\n%x", strings.Join(covered, ";"), sha256.Sum256([]byte(v.body)))

	mac := hmac.New(sha256.New, []byte(secretKey))
	fmt.Fprintf(mac, "SDK-HMAC-SHA256\n%s\n%x", h.Get("X-Sdk-Date"), sha256.Sum256(doc.Bytes()))
	return fmt.Sprintf("SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%x", accessKey, strings.Join(covered, ";"), mac.Sum(nil))
}

// uri escapes all but slashes and adds the one that must be at the end.
func (v verifier) uri() string {
	out := strings.ReplaceAll(escape(v.path), "%2F", "/")
	if out == "" || out[len(out)-1] != '/' {
		return out + "/"
	}
	return out
}

// query sorts the unescaped pairs; NUL sorts before all else, so by name, then value.
func (v verifier) query() string {
	sorted := append([]string(nil), v.params...)
	sort.Strings(sorted)
	for i, p := range sorted {
		n, val, _ := strings.Cut(p, "\x00")
		sorted[i] = escape(n) + "=" + escape(val)
	}
	return strings.Join(sorted, "&")
}

// escape makes RFC 3986 of what url.QueryEscape does for forms.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func BenchmarkSign(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1024)
	r, err := http.NewRequest(http.MethodPost, "https://coc.myhuaweicloud.com/v1/event/huawei/custom/0123456789abcdef", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		coc.Sign(r, body, "AK", "SK", "", at)
	}
}
