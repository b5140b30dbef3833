package receivers

import (
	"bytes"
	"hash/maphash"
	"unicode"
	"unicode/utf8"
)

// The limits of one alert. They are not configurable: what exceeds them is not
// an alert that a person could read.
const (
	maxNames = 64   // names in an object: labels, annotations, and the fields of an alert, of which Alertmanager sends seven
	maxValue = 4096 // bytes of a text
	maxName  = 256  // bytes of a label's name
)

// cutMark ends a text that was longer than maxValue. The mark is within the limit.
const cutMark = "…[cut]"

// cut shortens a text of over n bytes at a rune border and marks it; the result
// has at most n bytes.
func cut[T string | []byte](text T, n int) string {
	if len(text) <= n {
		return string(text)
	}
	end := n - len(cutMark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return string(text[:end]) + cutMark
}

// nameProblem says what is wrong with the name of a label, or nothing.
// Alertmanager allows any UTF-8 in names since 0.27; the bytes are valid UTF-8
// already, because they come from the JSON decoder.
func nameProblem(name []byte) string {
	switch {
	case len(name) == 0:
		return "a name is empty"
	case len(name) > maxName:
		return "a name has over 256 bytes"
	case bytes.ContainsFunc(name, unicode.IsControl):
		return "a name holds a control character"
	}
	return ""
}

// interned remembers short texts of one request, since names and most values
// repeat from alert to alert. A later text may take an earlier one's place, so
// its size is fixed. The zero value is ready.
type interned struct {
	seed  maphash.Seed
	slots [64]string
}

// get returns the text as a string of its own, or one it returned before.
func (t *interned) get(text []byte) string {
	if len(text) > 256 {
		return string(text)
	}
	if t.seed == (maphash.Seed{}) {
		t.seed = maphash.MakeSeed()
	}
	slot := &t.slots[maphash.Bytes(t.seed, text)%uint64(len(t.slots))]
	if *slot != string(text) {
		*slot = string(text)
	}
	return *slot
}
