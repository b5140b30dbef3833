package receivers

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxDepth is how deep the JSON may be nested; Alertmanager's is four.
	maxDepth = 32
	// wideObject is the number of names in one object beyond which the JSON
	// decoder does not look for duplicates in this body, since it remembers
	// every name: a million of them took 200 MB. What the parser keeps it checks
	// itself in any case.
	wideObject = maxNames
)

// shape is what one cheap pass over the body tells before it is decoded.
type shape struct {
	objects int  // objects in lists directly below the top: at least the number of alerts, if the JSON is valid
	wide    bool // an object has over wideObject names
}

// scan refuses what the JSON decoder does not: deep nesting, and NUL in any
// spelling. It is linear, allocates nothing, and does not check the JSON.
func scan(body []byte) (shape, error) {
	var (
		s     shape
		depth int
		names [maxDepth + 1]int
		open  [maxDepth + 1]byte
	)
	if at := bytes.IndexByte(body, 0); at >= 0 {
		return s, nulAt(body, at)
	}
	for i := 0; i < len(body); i++ {
		switch c := body[i]; c {
		case '"':
			end, nul := skipString(body, i+1)
			if nul {
				return s, nulAt(body, end)
			}
			i = end
		case '{', '[':
			if depth == maxDepth {
				return s, &Error{TooDeep, locate(body, i), "is nested deeper than " + strconv.Itoa(maxDepth) + " levels"}
			}
			if c == '{' && depth == 2 && open[2] == '[' {
				s.objects++
			}
			depth++
			names[depth], open[depth] = 0, c
		case '}', ']':
			depth = max(depth-1, 0)
		case ':':
			names[depth]++
			s.wide = s.wide || names[depth] > wideObject
		}
	}
	return s, nil
}

// holdsMore reports whether the list alerts of a body has more than n items. It
// keeps nothing: what is to be refused should cost little. What is not valid
// JSON does not hold more, so that its own fault is found.
func holdsMore(body []byte, n int) bool {
	in := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	if _, err := in.ReadToken(); err != nil {
		return false
	}
	for in.PeekKind() == '"' {
		name, err := in.ReadToken()
		if err != nil {
			return false
		}
		if name.String() == "alerts" && in.PeekKind() == '[' {
			return countsOver(in, n)
		}
		if in.SkipValue() != nil {
			return false
		}
	}
	return false
}

func countsOver(in *jsontext.Decoder, n int) bool {
	if _, err := in.ReadToken(); err != nil {
		return false
	}
	for count := 0; in.PeekKind() != ']'; count++ {
		if count == n {
			return true
		}
		if in.SkipValue() != nil {
			return false
		}
	}
	return false
}

// skipString returns where the string that begins at i ends, or where in it an
// escaped NUL stands.
func skipString(body []byte, i int) (end int, nul bool) {
	for ; i < len(body) && body[i] != '"'; i++ {
		if body[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(body[i:], []byte(`\u0000`)) {
			return i, true
		}
		i++ // the escaped character, which may be a quote or a backslash
	}
	return i, false
}

func nulAt(body []byte, at int) error {
	return &Error{Malformed, locate(body, at), "holds a NUL character"}
}

// locate returns the path of the value at an offset, or of the last readable
// one before it. Only a refused request pays for it.
func locate(body []byte, offset int) string {
	in := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	for in.InputOffset() <= int64(offset) {
		if _, err := in.ReadToken(); err != nil {
			return explain(err).Field
		}
	}
	return fieldPath(in.StackPointer())
}
