package coctest

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Envelope of family C, job: {"data": ...} without an error_code, or an error
// under 400 (coc-api.md 1.3).

const (
	codeJobInvalid  = "COC.00040601" // also a duplicate name
	codeJobNoScript = "COC.00040603"
	codeJobSize     = "COC.00040701"
	codeJobNoOrder  = "COC.00040709"
)

func jobOK(data any) reply {
	return reply{status: http.StatusOK, contentType: jsonType, body: encode(struct {
		Data any `json:"data"`
	}{data})}
}

// flat is the same without the field data.
func flat(v any) reply {
	return reply{status: http.StatusOK, contentType: jsonType, body: encode(v)}
}

func jobError(code, message string) reply {
	return reply{status: http.StatusBadRequest, contentType: jsonType, code: code, reason: message, body: encode(struct {
		Code    string `json:"error_code"`
		Message string `json:"error_msg"`
	}{code, message})}
}

// listing is a page of a list.
func listing[T any](rows []T, total int) map[string]any {
	if rows == nil {
		rows = []T{}
	}
	return map[string]any{"total": total, "data": rows}
}

// valueForm is the class of a parameter's value; two dots in a row are checked
// apart (coc-api.md 3.6).
var (
	nameOnly  = regexp.MustCompile(`^[A-Za-z0-9_]*$`)
	valueForm = regexp.MustCompile(`^[a-zA-Z0-9_\-/\.\*\x20\?:",=+@\\\[{\]\}]*$`)
)

// sized is a mandatory text of least to most characters.
func (v *violations) sized(name string, raw jsontext.Value, least, most int) string {
	if absent(raw) {
		v.add("%s must not be null", name)
		return ""
	}
	return v.bounded(name, raw, least, most)
}

func (v *violations) paramValue(name string, raw jsontext.Value, least int) string {
	text := v.sized(name, raw, least, 1024)
	if !valueForm.MatchString(text) || strings.Contains(text, "..") {
		v.add(`%s must match "%s"`, name, `^((?!\.{2,})[a-zA-Z0-9_\-/\.\*\x20\?:",=+@\\\[{\]\}])*$`)
	}
	return text
}

// wholeNumber is a mandatory integer; one in a string is none.
func (v *violations) wholeNumber(name string, raw jsontext.Value, least, most int64) int64 {
	if absent(raw) {
		v.add("%s must not be null", name)
		return 0
	}
	value, err := parseInt(raw)
	if err != nil || value < least || value > most {
		v.add("%s must be between %d and %d", name, least, most)
	}
	return value
}
