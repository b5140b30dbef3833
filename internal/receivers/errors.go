package receivers

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Reason says why a request was refused. The set is closed: it labels a metric.
type Reason string

// The reasons, in the order in which a request meets them.
const (
	BadMethod     Reason = "method"
	Forwarded     Reason = "forwarded"
	Unauthorized  Reason = "unauthorized"
	RateLimited   Reason = "rate_limit"
	Encoded       Reason = "content_encoding"
	TooLarge      Reason = "too_large"
	Overload      Reason = "overload"
	ReadTimeout   Reason = "read_timeout"
	ReadError     Reason = "read_error"
	Malformed     Reason = "malformed"
	TooDeep       Reason = "too_deep"
	TooManyAlerts Reason = "too_many_alerts"
	BadVersion    Reason = "version"
	BadExpression Reason = "expression"
	NotStored     Reason = "not_stored"
)

// Why a connection ended before there was a request: to make room for another
// one, or because the header of its request was too large, not HTTP, or not whole
// in time. Which receiver it was for is not known then.
const (
	AllConnections     Reason = "connections"
	AddressConnections Reason = "connections_of_address"
	BadHeader          Reason = "header"
)

// statuses is the one place where a reason becomes an HTTP status. Never 429:
// Alertmanager does not try again after it. Never a redirect: the body is lost.
var statuses = map[Reason]int{
	BadMethod:     http.StatusMethodNotAllowed,
	Forwarded:     http.StatusForbidden,
	Unauthorized:  http.StatusUnauthorized,
	RateLimited:   http.StatusServiceUnavailable,
	Encoded:       http.StatusUnsupportedMediaType,
	TooLarge:      http.StatusRequestEntityTooLarge,
	Overload:      http.StatusServiceUnavailable,
	ReadTimeout:   http.StatusRequestTimeout,
	ReadError:     http.StatusBadRequest,
	Malformed:     http.StatusBadRequest,
	TooDeep:       http.StatusBadRequest,
	TooManyAlerts: http.StatusRequestEntityTooLarge,
	BadVersion:    http.StatusBadRequest,
	BadExpression: http.StatusBadRequest,
	NotStored:     http.StatusServiceUnavailable,
}

// Error is a refused request. Its text is one plain sentence that begins with
// the path of the field and is meant for the sender's operator.
type Error struct {
	Reason  Reason
	Field   string // such as alerts[3].labels; empty when it is not about the body
	Problem string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return e.Field + ": " + e.Problem
}

// explain turns an error of the JSON decoder into an Error; an Error passes.
func explain(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	e := &Error{Reason: Malformed, Field: "body", Problem: "is not valid JSON: " + err.Error()}
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return e
	}
	e.Field = fieldPath(syntax.JSONPointer)
	switch at := strconv.FormatInt(syntax.ByteOffset, 10); {
	case errors.Is(err, jsontext.ErrDuplicateName):
		e.Problem = duplicate
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Problem = "the JSON ends too early, at byte " + at
	default:
		e.Problem = "is not valid JSON at byte " + at + ": " + syntax.Err.Error()
	}
	return e
}

// duplicate is the one text for a name that was found twice.
const duplicate = "the name stands twice in its object, and it is not clear which one is meant"

// maxPath bounds the path in a message: names in it are the sender's.
const maxPath = 200

// fieldPath writes a JSON pointer as people write paths: alerts[3].labels.job.
func fieldPath(p jsontext.Pointer) string {
	var b strings.Builder
	for name := range p.Tokens() {
		switch {
		case isNumber(name):
			b.WriteString("[" + name + "]")
		case !isPlain(name):
			b.WriteString("[" + strconv.Quote(cut(name, 64)) + "]")
		case b.Len() > 0:
			b.WriteString("." + name)
		default:
			b.WriteString(name)
		}
		if b.Len() > maxPath {
			return cut(b.String(), maxPath)
		}
	}
	if b.Len() == 0 {
		return "body"
	}
	return b.String()
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func isPlain(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
}
