package receivers

import (
	"crypto/sha256"
	"encoding/hex"
	stdjson "encoding/json"
	"errors"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/itchyny/gojq"
	"github.com/prometheus/common/model"
)

// jqKind names what a value is, as kindName does.
func jqKind(v any) string {
	return map[string]string{
		"null": "null", "boolean": "true or false", "number": "a number", "string": "a text", "array": "a list", "object": "an object",
	}[gojq.TypeOf(v)]
}

func sortedNames(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }

// scalarText is the text of what is neither an object nor a list. A number stays
// as it was written.
func scalarText(v any) string {
	switch v := v.(type) {
	case string:
		return plainText(v)
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		return formatFloat(v)
	case *big.Int:
		if v.BitLen() > 64*8 { // nobody reads it, and a long one takes seconds to write
			f, _ := v.Float64()
			return formatFloat(f)
		}
		return v.String()
	case stdjson.Number:
		return cut(string(v), maxValue)
	}
	return ""
}

func formatFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "null"
	case f == math.Trunc(f) && math.Abs(f) < 1e17:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// compactText is the value of a label: a text as it is, anything else as JSON.
func compactText(v any) string {
	switch v.(type) {
	case map[string]any, []any:
		return compact(v, maxValue+1) // one more, so that it is seen to be cut
	}
	return scalarText(v)
}

// compact writes a value as JSON, with the names sorted, and cuts it at about n bytes.
func compact(v any, n int) string {
	return cut(plainText(string(appendCompact(nil, v, n))), n)
}

// appendCompact stops behind n bytes. Each level of nesting takes one at least,
// so that also its recursion is bounded.
func appendCompact(b []byte, v any, n int) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		b, _ = jsontext.AppendQuote(b, cut(plainText(v), n+1))
		return b
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if len(b) > n {
				return b
			}
			b = appendCompact(appendComma(b, i), item, n)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, name := range sortedNames(v) {
			if len(b) > n {
				return b
			}
			b = appendCompact(appendComma(b, i), name, n)
			b = appendCompact(append(b, ':'), v[name], n)
		}
		return append(b, '}')
	}
	return append(b, scalarText(v)...)
}

func appendComma(b []byte, i int) []byte {
	if i == 0 {
		return b
	}
	return append(b, ',')
}

var errTime = errors.New("want a time of RFC 3339 such as 2006-01-02T15:04:05Z, or seconds or milliseconds since 1970")

// instantOf reads a time. What is absent, and what is not after 1970, is the
// zero time. Numbers from 1e11, which are seconds of the year 5138, are milliseconds.
func instantOf(v any) (time.Time, error) {
	text, isText := v.(string)
	switch {
	case v == nil, isText && strings.TrimSpace(text) == "":
		return time.Time{}, nil
	case isText && strings.Trim(text, "0123456789.") == "":
		v = stdjson.Number(cut(text, maxDigits))
	case isText:
		var t time.Time
		if err := t.UnmarshalText([]byte(text)); err != nil {
			return time.Time{}, errTime
		}
		return validInstant(t)
	}
	n, ok := gojq.ToFloat64(v)
	switch {
	case !ok || math.IsNaN(n) || math.Abs(n) >= 1e14:
		return time.Time{}, errTime
	case n < 1e11:
		n *= 1000
	}
	return validInstant(time.UnixMilli(int64(math.Round(n))))
}

func validInstant(t time.Time) (time.Time, error) {
	switch t = t.UTC(); {
	case t.Year() > 9999:
		return time.Time{}, errTime
	case !t.After(time.Unix(0, 0)):
		return time.Time{}, nil
	}
	return t, nil
}

// shortHash makes a fingerprint of a text.
func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

func labelsFingerprint(labels map[string]string) string {
	return model.Fingerprint(model.LabelsToSignature(labels)).String()
}

// oneLine makes of an error's text what can be shown to anybody.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, plainText(text))
}
