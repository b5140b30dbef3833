package receivers

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// credentials are what a sender may show; any one is enough.
type credentials struct {
	tokens    []secret.String
	username  secret.String
	passwords []secret.String
	signature signature
	names     []string // of client certificates
}

func newCredentials(c AuthConfig) credentials {
	return credentials{
		tokens:    lines(c.BearerToken),
		username:  secret.String(c.Basic.Username),
		passwords: lines(c.Basic.Password),
		signature: signature{lines(c.HMAC.Secret), c.HMAC.Header, c.HMAC.TimestampHeader},
		names:     c.ClientSAN,
	}
}

// lines returns the secrets of a file with several, all of which are valid.
func lines(s secret.String) []secret.String {
	var all []secret.String
	for line := range strings.Lines(s.Reveal()) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, secret.String(line))
		}
	}
	return all
}

// any reports whether there is something that a sender can show.
func (c credentials) any() bool { return len(c.methods()) > 0 }

// methods names the ways to authenticate.
func (c credentials) methods() []string {
	var names []string
	for _, m := range []struct {
		name string
		on   bool
	}{
		{"bearer", len(c.tokens) > 0},
		{"basic", c.username != "" && len(c.passwords) > 0},
		{"hmac", len(c.signature.secrets) > 0},
		{"client_san", len(c.names) > 0},
	} {
		if m.on {
			names = append(names, m.name)
		}
	}
	return names
}

// verdict is what the header of a request says of its sender.
type verdict int

const (
	stranger verdict = iota
	signed           // known if the body is what the signature was made of
	known
)

// check looks at what the request shows. How long it takes does not tell which
// part was wrong. A request with two Authorization headers is refused: a proxy
// before us may have looked at the other one.
func (c credentials) check(r *http.Request, now time.Time) verdict {
	values := r.Header["Authorization"]
	switch {
	case len(values) > 1:
		return stranger
	case len(values) == 1 && c.authorized(r, values[0]), c.certified(r):
		return known
	case c.signature.claimed(r.Header, now):
		return signed
	}
	return stranger
}

func (c credentials) authorized(r *http.Request, value string) bool {
	if user, password, ok := r.BasicAuth(); ok {
		known, right := c.username.Equal(user), oneOf(c.passwords, password)
		return known && right && c.username != ""
	}
	scheme, token, _ := strings.Cut(value, " ")
	return strings.EqualFold(scheme, "Bearer") && oneOf(c.tokens, token)
}

// certified reports whether the client showed a certificate with one of the
// names. The listener has verified it: without a chain to one of the
// authorities of the web configuration file it counts for nothing.
func (c credentials) certified(r *http.Request) bool {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.VerifiedChains[0]) == 0 {
		return false
	}
	leaf := r.TLS.VerifiedChains[0][0]
	shown := slices.Concat(leaf.EmailAddresses, leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		shown = append(shown, ip.String())
	}
	for i := range shown {
		shown[i] = strings.ToLower(shown[i])
	}
	for _, uri := range leaf.URIs {
		shown = append(shown, uri.String())
	}
	return slices.ContainsFunc(c.names, func(name string) bool {
		return slices.Contains(shown, name) || slices.Contains(shown, strings.ToLower(name))
	})
}

// oneOf compares with every secret, also after a match.
func oneOf(secrets []secret.String, shown string) bool {
	found := false
	for _, s := range secrets {
		if s.Equal(shown) {
			found = true
		}
	}
	return found
}

// challenge tells the schemes that the receiver knows.
func (c credentials) challenge(h http.Header) {
	if len(c.tokens) > 0 {
		h.Add("WWW-Authenticate", `Bearer realm="cocbridge"`)
	}
	if len(c.passwords) > 0 {
		h.Add("WWW-Authenticate", `Basic realm="cocbridge", charset="UTF-8"`)
	}
}

// forwarded reports whether a proxy passed the request on. A receiver without
// credentials trusts whoever reaches its loopback address; behind a proxy that
// would be everybody.
func forwarded(h http.Header) bool {
	return h["Forwarded"] != nil || h["X-Forwarded-For"] != nil
}

// fromBrowser says whether a web page caused the request: every browser puts one
// of these on a POST, and no sender of alerts does.
func fromBrowser(h http.Header) bool {
	return h["Origin"] != nil || h["Sec-Fetch-Site"] != nil
}
