package coc

import "github.com/rivo/uniseg"

const ellipsis = "…"

// Prefix returns as many whole graphemes of s as fit into limit UTF-16 units:
// what a person sees as one character is never cut apart.
func Prefix(s string, limit int) string {
	rest, state := s, -1
	for rest != "" {
		var grapheme, after string
		grapheme, after, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		limit -= Units(grapheme)
		if limit < 0 {
			break
		}
		rest = after
	}
	return s[:len(s)-len(rest)]
}

// Shorten cuts a text for people to limit UTF-16 units; what was cut ends in an
// ellipsis.
func Shorten(s string, limit int) (short string, cut bool) {
	if Units(s) <= limit {
		return s, false
	}
	return Prefix(s, limit-Units(ellipsis)) + ellipsis, true
}
