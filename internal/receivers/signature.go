package receivers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// signature is the HMAC-SHA256 of a body under a shared secret.
type signature struct {
	secrets         []secret.String
	header          string
	timestampHeader string // empty: the body alone is signed
}

// maxSkew is how far a timestamp may be from our clock, so that a request that
// was recorded cannot be played back for ever.
const maxSkew = 5 * time.Minute

// claimed reports whether the header promises a signature that the body can keep.
// A header that stands twice promises nothing.
func (s signature) claimed(h http.Header, now time.Time) bool {
	if len(s.secrets) == 0 || s.sum(h) == nil {
		return false
	}
	if s.timestampHeader == "" {
		return true
	}
	seconds, err := strconv.ParseInt(one(h, s.timestampHeader), 10, 64)
	if err != nil {
		return false
	}
	age := now.Sub(time.Unix(seconds, 0))
	return age <= maxSkew && age >= -maxSkew
}

// kept reports whether the body is the one that was signed with one of the
// secrets. All are tried, also after a match.
func (s signature) kept(h http.Header, body []byte) bool {
	found, sum := false, s.sum(h)
	for _, key := range s.secrets {
		mac := hmac.New(sha256.New, []byte(key.Reveal()))
		if s.timestampHeader != "" {
			mac.Write([]byte(one(h, s.timestampHeader) + "."))
		}
		mac.Write(body)
		if hmac.Equal(mac.Sum(nil), sum) {
			found = true
		}
	}
	return found
}

// sum returns what the header holds, nil if it is no SHA-256 in hex.
func (s signature) sum(h http.Header) []byte {
	sum, err := hex.DecodeString(strings.TrimPrefix(one(h, s.header), "sha256="))
	if err != nil || len(sum) != sha256.Size {
		return nil
	}
	return sum
}

// one returns a header that stands once.
func one(h http.Header, name string) string {
	if values := h.Values(name); len(values) == 1 {
		return values[0]
	}
	return ""
}
