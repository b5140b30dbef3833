package render

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"text/template"
)

// MaxOutput bounds what a template may return, and every text within it, in bytes.
const MaxOutput = 64 << 10

var errTooLong = fmt.Errorf("the text is longer than %d bytes; use less of the alert in the template", MaxOutput)

// Template is ready to be executed. It is safe for concurrent use.
type Template struct {
	text  string // of a constant template
	plain plain  // nil = it does more
	tmpl  *template.Template
}

// Constant returns what the template always gives, and whether it is known.
func (t *Template) Constant() (string, bool) { return t.text, t.tmpl == nil }

// Execute applies the template to data. Missing keys of maps are empty texts.
// It returns an error, and no text, when a function fails or panics on this
// data or when the text grows longer than MaxOutput.
func (t *Template) Execute(data any) (text string, err error) {
	if t.tmpl == nil {
		return t.text, nil
	}
	if texts, ok := data.(Texts); ok && t.plain != nil {
		if text, ok := t.plain.execute(texts); ok {
			return text, nil
		}
	}
	defer func() { // text/template recovers the panics of functions, but not its own
		if r := recover(); r != nil {
			text, err = "", fmt.Errorf("%s: panic: %v", t.tmpl.Name(), r)
		}
	}()
	var out limited
	if err := t.tmpl.Execute(&out, data); err != nil {
		return "", executionError(t.tmpl.Name(), err)
	}
	return out.buf.String(), nil
}

func executionError(name string, err error) error {
	if errors.Is(err, errTooLong) {
		return fmt.Errorf("%s: %w", name, errTooLong)
	}
	return errors.New(strings.TrimPrefix(err.Error(), "template: "))
}

// limited keeps at most MaxOutput bytes; more is an error that ends the execution.
type limited struct{ buf bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.buf.Len()+len(p) > MaxOutput {
		return 0, errTooLong
	}
	return l.buf.Write(p)
}

func checkLength(name, text string) error {
	if len(text) > MaxOutput {
		return fmt.Errorf("%s: %w", name, errTooLong)
	}
	return nil
}
