package coctest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// The signature SDK-HMAC-SHA256, recomputed from coc-api.md 2.2. Its header is
// taken only in the form printed there.
var authorizationForm = regexp.MustCompile(`^SDK-HMAC-SHA256 Access=([^,\s]+), SignedHeaders=([^,\s]+), Signature=([0-9a-f]{64})$`)

// authorization is the parsed Authorization header.
type authorization struct {
	access    string
	signed    []string // lower case, sorted, each once
	signature string
}

func parseAuthorization(r *http.Request) (authorization, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return authorization{}, fmt.Errorf("%d Authorization headers instead of one", len(headers))
	}
	form := authorizationForm.FindStringSubmatch(headers[0])
	if form == nil {
		return authorization{}, errors.New("the Authorization header does not have the form of SDK-HMAC-SHA256")
	}
	a := authorization{access: form[1], signed: strings.Split(form[2], ";"), signature: form[3]}
	for i, name := range a.signed {
		if name != strings.ToLower(name) || i > 0 && name <= a.signed[i-1] {
			return authorization{}, errors.New("SignedHeaders are not lower case, sorted and each named once")
		}
	}
	return a, nil
}

// covers reports whether the header is inside the signature.
func (a authorization) covers(name string) bool { return slices.Contains(a.signed, name) }

// verify recomputes the signature over the request as it arrived.
func (a authorization) verify(r *http.Request, body []byte, secret string) error {
	canonical, err := canonicalRequest(r, a.signed, body)
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("SDK-HMAC-SHA256\n" + r.Header.Get("X-Sdk-Date") + "\n" + hexSHA256([]byte(canonical))))
	if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(a.signature)) {
		return errors.New("the signature does not match")
	}
	return nil
}

func canonicalRequest(r *http.Request, signed []string, body []byte) (string, error) {
	headers, err := canonicalHeaders(r, signed)
	if err != nil {
		return "", err
	}
	path, err := canonicalPath(r.URL.EscapedPath())
	if err != nil {
		return "", err
	}
	query, err := canonicalQuery(r.URL.RawQuery)
	if err != nil {
		return "", err
	}
	return strings.Join([]string{r.Method, path, query, headers, strings.Join(signed, ";"), hexSHA256(body)}, "\n"), nil
}

// canonicalPath always ends with a slash, whatever the wire has.
func canonicalPath(escaped string) (string, error) {
	segments := strings.Split(strings.TrimSuffix(escaped, "/"), "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return "", err
		}
		segments[i] = percentEncode(plain)
	}
	return strings.Join(segments, "/") + "/", nil
}

// canonicalQuery takes a plus sign for itself: a space is %20, never +. The order
// is that of the names before they are encoded, as in Huawei's Go and Python SDKs.
func canonicalQuery(raw string) (string, error) {
	var pairs [][2]string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		plainName, err := url.PathUnescape(name)
		if err != nil {
			return "", err
		}
		plainValue, err := url.PathUnescape(value)
		if err != nil {
			return "", err
		}
		pairs = append(pairs, [2]string{plainName, plainValue})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var query []string
	for _, pair := range pairs {
		query = append(query, percentEncode(pair[0])+"="+percentEncode(pair[1]))
	}
	return strings.Join(query, "&"), nil
}

// canonicalHeaders refuses what is signed but absent, and what came twice: it
// would not be clear which of the two was signed.
func canonicalHeaders(r *http.Request, signed []string) (string, error) {
	var lines strings.Builder
	for _, name := range signed {
		values := r.Header.Values(name)
		if name == "host" {
			values = []string{r.Host}
		}
		if len(values) != 1 {
			return "", fmt.Errorf("signed header %s came %d times", name, len(values))
		}
		lines.WriteString(name + ":" + strings.TrimSpace(values[0]) + "\n")
	}
	return lines.String(), nil
}

// percentEncode leaves only A-Z a-z 0-9 - _ . ~ as they are.
func percentEncode(s string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
