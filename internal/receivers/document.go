package receivers

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"io"
	"mime"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxValues bounds the memory of a body as a tree: a value of two bytes, {},
	// takes about three hundred.
	maxValues = 100_000
	maxDigits = 64 // characters of a number
	// maxText is more than any text of an alert has; SNS puts a whole alarm into one.
	maxText = 256 << 10
)

// document reads JSON values as gojq wants them, within limits.
type document struct {
	in   *jsontext.Decoder
	left int
}

// readDocument returns every JSON value of the body: one, or several in NDJSON.
// It is as strict as Decode. Texts over maxText are cut.
func readDocument(body []byte) ([]any, error) {
	if _, err := scan(body); err != nil {
		return nil, err
	}
	// The duplicates of a name are found in the map, where they cost nothing.
	d := document{in: jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true)), left: maxValues}
	var values []any
	for {
		kind := d.in.PeekKind()
		switch v, err := d.value(); {
		case err == nil && kind != '{' && kind != '[':
			return nil, &Error{Malformed, "body", "want an object or a list of objects, got " + kindName(kind)}
		case err == nil:
			values = append(values, v)
		case !errors.Is(err, io.EOF):
			return nil, explain(err)
		case len(values) == 0:
			return nil, &Error{Malformed, "body", "is empty"}
		default:
			return values, nil
		}
	}
}

func (d *document) refuse(problem string) error {
	return &Error{Malformed, fieldPath(d.in.StackPointer()), problem}
}

func (d *document) value() (any, error) {
	token, err := d.in.ReadToken()
	if err != nil {
		return nil, err
	}
	if d.left--; d.left < 0 {
		return nil, &Error{TooLarge, "body", "holds more than " + strconv.Itoa(maxValues) + " JSON values; send fewer alerts at once"}
	}
	switch token.Kind() {
	case '{':
		return d.object()
	case '[':
		return d.list()
	case '"':
		return cut(token.String(), maxText), nil
	case '0':
		if text := token.String(); len(text) <= maxDigits {
			return stdjson.Number(text), nil
		}
		return nil, d.refuse("is a number of over " + strconv.Itoa(maxDigits) + " characters")
	case 'n':
		return nil, nil
	default:
		return token.Bool(), nil
	}
}

func (d *document) object() (any, error) {
	object := map[string]any{}
	for d.in.PeekKind() != '}' {
		token, err := d.in.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		if _, twice := object[name]; twice {
			return nil, d.refuse(duplicate)
		}
		if object[name], err = d.value(); err != nil {
			return nil, err
		}
	}
	_, err := d.in.ReadToken()
	return object, err
}

func (d *document) list() (any, error) {
	list := []any{}
	for d.in.PeekKind() != ']' {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.in.ReadToken()
	return list, err
}

// formJSON returns the field of a form that holds the JSON, or the body where it
// is not a form. curl -d calls everything a form, so what begins like JSON is JSON.
func formJSON(m Message, field string) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(m.ContentType)
	start := bytes.TrimLeft(m.Body, " \t\r\n")
	if err != nil || kind != "application/x-www-form-urlencoded" || len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		return m.Body, nil
	}
	var found []byte
	for pair := range strings.SplitSeq(string(m.Body), "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); err != nil || name != field {
			continue
		}
		if found != nil {
			return nil, &Error{Malformed, field, "the field stands twice in the form"}
		}
		text, err := url.QueryUnescape(value)
		if err != nil {
			return nil, &Error{Malformed, field, "the field of the form is not encoded as %XX"}
		}
		found = []byte(text)
	}
	if found == nil {
		return nil, &Error{Malformed, "body", "is a form without the field " + field + ", which is to hold the JSON; send the JSON with content type application/json, or name the field in generic.form_field"}
	}
	return found, nil
}
