// Package secret holds a string that never prints itself.
//
// Every credential in cocbridge has this type from the moment it is read, so
// that no log line, error, dump or marshalled configuration can show it. The
// only way to the text is Reveal, which is easy to search for in a review.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
)

// Redacted is what a set secret prints as, the spelling Prometheus uses.
const Redacted = "<secret>"

// String is a text that prints as Redacted, or as nothing when it is empty.
type String string

// Reveal returns the text itself. Call it only where the text leaves for the
// party it is meant for.
func (s String) Reveal() string { return string(s) }

// Equal compares with other in a time that depends on neither text.
func (s String) Equal(other string) bool {
	a, b := sha256.Sum256([]byte(s)), sha256.Sum256([]byte(other))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String implements fmt.Stringer.
func (s String) String() string {
	if s == "" {
		return ""
	}
	return Redacted
}

// Format implements fmt.Formatter, so that no verb shows the text.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements encoding.TextMarshaler for JSON and YAML.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
