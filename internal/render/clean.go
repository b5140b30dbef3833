package render

import (
	"strings"
	"unicode"
)

// Lines is what stays of the control characters in texts of several lines.
const Lines = "\n\t"

// Clean makes a text fit for COC: valid UTF-8, without control characters, those that
// turn the direction of a line included: with them a label could make a ticket read as
// what it is not (each becomes a space, but for those in keep), without space around it.
func Clean(s, keep string) string {
	if printable(s) {
		return strings.TrimSpace(s)
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	// Map also turns every byte that is not UTF-8 into U+FFFD.
	s = strings.Map(func(r rune) rune {
		separator := unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
		if separator && !strings.ContainsRune(keep, r) {
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// printable says that a text is printable ASCII, as nearly all are.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
