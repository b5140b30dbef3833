package mapping

import "strings"

// strictName keeps Chinese characters, ASCII letters, digits, - and _, and
// turns every run of others into one _. coc-api.md 3.1: newer documents of COC
// allow nothing else in alarmName. Chinese is the range that every reading of
// the word has; rarer characters would risk the whole alarm.
func strictName(s string) string {
	var b strings.Builder
	inRun := false
	for _, r := range s {
		legal := strictRune(r)
		if legal {
			b.WriteRune(r)
		} else if !inRun {
			b.WriteByte('_')
		}
		inRun = !legal
	}
	return b.String()
}

func strictRune(r rune) bool {
	return r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' ||
		'\u4e00' <= r && r <= '\u9fa5'
}
