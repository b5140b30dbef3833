package coc

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	algorithm  = "SDK-HMAC-SHA256"
	dateLayout = "20060102T150405Z"

	headerDate    = "X-Sdk-Date"
	headerToken   = "X-Security-Token"
	headerProject = "X-Project-Id"
)

// signedHeaders are the headers a signature covers, as far as the request has
// them, in the order the signature wants, each as the signature and as net/http
// spells it. User-Agent is not among them: a proxy may rewrite it (coc-api.md 2.2.4).
var signedHeaders = [...]struct{ signed, header string }{
	{"content-type", "Content-Type"}, {"host", "Host"}, {"x-project-id", headerProject}, {"x-sdk-date", headerDate}, {"x-security-token", headerToken},
}

// sign adds X-Sdk-Date, Authorization and, for temporary credentials,
// X-Security-Token to r (coc-api.md 2.2), which http.NewRequest has made. body
// must be exactly what r sends.
// Sign every attempt anew: a signature is refused 15 minutes after at.
func sign(r *http.Request, body []byte, k keys, at time.Time) {
	date := at.UTC().Format(dateLayout)
	r.Header.Set(headerDate, date)
	if k.securityToken != "" {
		r.Header.Set(headerToken, k.securityToken.Reveal())
	}
	canonical, names := canonicalRequest(r, body)
	mac := hmac.New(sha256.New, []byte(k.secretKey.Reveal()))
	mac.Write([]byte(algorithm + "\n" + date + "\n" + hexSHA256([]byte(canonical))))
	r.Header.Set("Authorization", algorithm+" Access="+k.accessKey+", SignedHeaders="+names+", Signature="+hex.EncodeToString(mac.Sum(nil)))
}

// canonicalRequest is the text whose hash is signed, and the names of the
// headers in it.
func canonicalRequest(r *http.Request, body []byte) (canonical, names string) {
	headers, names := canonicalHeaders(r)
	return strings.Join([]string{
		r.Method, canonicalPath(r.URL.Path), canonicalQuery(r.URL), headers, names, hexSHA256(body),
	}, "\n"), names
}

// canonicalPath always ends with a slash, whatever is sent.
func canonicalPath(path string) string {
	encoded := encode(path, "-_.~/")
	if !strings.HasSuffix(encoded, "/") {
		encoded += "/"
	}
	return encoded
}

// canonicalQuery sorts by name, then by value, both as they are before encoding.
func canonicalQuery(u *url.URL) string {
	if u.RawQuery == "" {
		return ""
	}
	values := u.Query()
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range slices.Sorted(slices.Values(values[name])) {
			pairs = append(pairs, percentEncode(name)+"="+percentEncode(value))
		}
	}
	return strings.Join(pairs, "&")
}

// canonicalHeaders is one line per signed header, and the list of their names.
func canonicalHeaders(r *http.Request) (lines, names string) {
	var list, present strings.Builder
	for _, name := range signedHeaders {
		value := r.Header.Get(name.header)
		if name.signed == "host" {
			value = r.Host
		}
		if value == "" {
			continue
		}
		if present.Len() > 0 {
			present.WriteByte(';')
		}
		present.WriteString(name.signed)
		list.WriteString(name.signed + ":" + strings.TrimSpace(value) + "\n")
	}
	return list.String(), present.String()
}

// percentEncode leaves letters, digits and -_.~ and encodes every other byte.
func percentEncode(s string) string { return encode(s, "-_.~") }

// encode leaves letters, digits and what is in keep.
func encode(s, keep string) string {
	const upperHex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s) + len("/"))
	for i := range len(s) {
		if c := s[i]; alphanumeric(s[i:i+1]) || strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
