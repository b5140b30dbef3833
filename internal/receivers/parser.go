package receivers

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// parser reads one body token by token, because only so what it keeps can be
// bounded while it is read. Its methods return an *Error, or an error of the
// JSON decoder for explain to translate.
type parser struct {
	in      *jsontext.Decoder
	body    []byte
	known   interned
	scratch []byte
	limits  Limits
	now     time.Time
	batch   Batch
}

func newParser(body []byte, s shape) *parser {
	return &parser{
		body: body,
		in:   jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(s.wide)),
	}
}

// refuse blames the value that was read last.
func (p *parser) refuse(problem string) error {
	return &Error{Malformed, fieldPath(p.in.StackPointer()), problem}
}

// open reads the beginning of an object or a list.
func (p *parser) open(want jsontext.Kind) error {
	token, err := p.in.ReadToken()
	switch {
	case errors.Is(err, io.EOF):
		return &Error{Malformed, "body", "is empty"}
	case err != nil:
		return err
	case token.Kind() != want:
		return p.refuse("want " + kindName(want) + ", got " + kindName(token.Kind()))
	}
	return nil
}

// end makes sure that nothing follows.
func (p *parser) end() error {
	end := p.in.InputOffset()
	switch _, err := p.in.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return &Error{Malformed, "body", "has more after the JSON object, which ends at byte " + strconv.FormatInt(end, 10)}
	default:
		return err
	}
}

// skip reads a value and forgets it.
func (p *parser) skip() error {
	_, err := p.in.ReadValue()
	return err
}

// null reports whether the next value is null, which counts as absent where a
// field is not mandatory.
func (p *parser) null() bool { return p.in.PeekKind() == 'n' }

// record reads an object with known fields: visit reads the value of each name.
func (p *parser) record(visit func(name []byte) error) error {
	over, err := p.fields(visit)
	if err == nil && over {
		err = p.refuse("has more than " + strconv.Itoa(maxNames) + " fields")
	}
	return err
}

// fields reads an object and calls visit for each of the first maxNames names;
// over reports that there were more, which were skipped.
func (p *parser) fields(visit func(name []byte) error) (over bool, err error) {
	if err := p.open('{'); err != nil {
		return false, err
	}
	var seen [maxNames][]byte
	for n := 0; p.in.PeekKind() != '}'; n++ {
		if n == maxNames {
			return true, p.rest()
		}
		if seen[n], err = p.name(seen[:n]); err != nil {
			return false, err
		}
		if err := visit(seen[n]); err != nil {
			return false, err
		}
	}
	_, err = p.in.ReadToken()
	return false, err
}

// rest skips what remains of an object, its end included.
func (p *parser) rest() error {
	for p.in.PeekKind() != '}' {
		if err := p.skip(); err != nil {
			return err
		}
	}
	_, err := p.in.ReadToken()
	return err
}

// name reads a name that is not among those seen. It stays valid.
func (p *parser) name(seen [][]byte) ([]byte, error) {
	raw, err := p.quoted()
	if err != nil {
		return nil, err
	}
	name := p.unquote(raw)
	if len(name) != len(raw)-2 { // it had escapes and is in scratch
		name = bytes.Clone(name)
	}
	for _, s := range seen {
		if bytes.Equal(s, name) {
			return nil, p.refuse(duplicate)
		}
	}
	return name, nil
}

// quoted reads a string as it stands in the body.
func (p *parser) quoted() ([]byte, error) {
	v, err := p.in.ReadValue()
	if err != nil {
		return nil, err
	}
	if v.Kind() != '"' {
		return nil, p.refuse("want a string, got " + kindName(v.Kind()))
	}
	end := int(p.in.InputOffset())
	return p.body[end-len(v) : end], nil
}

// unquote returns the text of a string: a part of the body, or of scratch when
// it has escapes. Of a long one it returns no less than cut needs, but does not
// spend memory on the rest.
func (p *parser) unquote(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	// Each byte of text takes at most six in the body, as in \u0041. The end of
	// what remains may be broken; cut leaves it out.
	raw = raw[:min(len(raw), 6*(maxValue+utf8Slack))]
	p.scratch, _ = jsontext.AppendUnquote(p.scratch[:0], raw)
	return p.scratch
}

// utf8Slack is room for a broken rune at the end, and the quote.
const utf8Slack = 8

// text reads a string, cut to maxValue; null is empty.
func (p *parser) text() (string, error) {
	if p.null() {
		return "", p.skip()
	}
	raw, err := p.quoted()
	if err != nil {
		return "", err
	}
	return p.keep(p.unquote(raw)), nil
}

func (p *parser) keep(text []byte) string {
	if len(text) > maxValue {
		p.batch.Cut++
		return cut(text, maxValue)
	}
	return p.known.get(text)
}

// instant reads a time; null, and what is not after 1970, is the zero time.
func (p *parser) instant() (time.Time, error) {
	if p.null() {
		return time.Time{}, p.skip()
	}
	raw, err := p.quoted()
	if err != nil {
		return time.Time{}, err
	}
	var t time.Time
	if err := t.UnmarshalText(p.unquote(raw)); err != nil || t.UTC().Year() > 9999 {
		return time.Time{}, p.refuse("want a time of RFC 3339 such as 2006-01-02T15:04:05.999Z")
	}
	if !t.After(time.Unix(0, 0)) {
		return time.Time{}, nil
	}
	return t.UTC(), nil
}

// count reads a number of things.
func (p *parser) count() (int, error) {
	token, err := p.in.ReadToken()
	if err != nil {
		return 0, err
	}
	if token.Kind() == '0' {
		if n, err := token.Int(); err == nil && n >= 0 && n <= math.MaxInt32 {
			return int(n), nil
		}
	}
	return 0, p.refuse("want a whole number from 0 to 2147483647")
}

// labelSet is an object of texts, within the limits.
type labelSet struct {
	values          map[string]string
	raw             []byte // the object as it stands in the body, after a colon
	cut             bool   // a value was cut
	reason, problem string // why the alert cannot be used; empty: it can
}

// What becomes of names with an empty value.
const (
	keepEmpty = false
	dropEmpty = true
)

func (p *parser) labelSet(dropEmpty bool) (labelSet, error) {
	var set labelSet
	start := p.in.InputOffset()
	over, err := p.fields(func(name []byte) error { return p.label(&set, name, dropEmpty) })
	set.raw = p.body[start:p.in.InputOffset()]
	if over && set.reason == "" {
		set.reason, set.problem = tooManyLabels, "has more than "+strconv.Itoa(maxNames)+" names"
	}
	return set, err
}

func (p *parser) label(set *labelSet, name []byte, dropEmpty bool) error {
	raw, err := p.quoted()
	if err != nil {
		return err
	}
	if problem := nameProblem(name); problem != "" {
		if set.reason == "" {
			set.reason, set.problem = badName, problem
		}
		return nil
	}
	value := p.unquote(raw)
	if len(value) == 0 && dropEmpty {
		return nil
	}
	if set.values == nil {
		set.values = make(map[string]string)
	}
	set.cut = set.cut || len(value) > maxValue
	set.values[p.known.get(name)] = p.keep(value)
	return nil
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 'n':
		return "null"
	default:
		return "true or false"
	}
}
