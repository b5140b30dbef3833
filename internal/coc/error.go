package coc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// Class says what to do about an Error. The zero value is the safe one.
type Class int

// The classes (coc-api.md 1.5).
const (
	// Retry: the outcome is unknown, or COC is in trouble: 408, 5xx, a 2xx that
	// is not COC's, a time-out or reset after the request was written.
	Retry Class = iota
	// Throttled: too many requests; not executed.
	Throttled
	// Network: not one byte of the request has left: DNS, dial, TLS, proxy.
	Network
	// Auth: credentials, permission or arrears; a person must act, then it can
	// be delivered. Not executed.
	Auth
	// Misconfigured: a wrong URL, method, project or key; a person must act,
	// then it can be delivered. Not executed.
	Misconfigured
	// Permanent: COC refuses this content; a repeat of it is refused alike.
	Permanent
	// NotFound: what the call names does not exist, or is not visible yet.
	NotFound
	// Conflict: what the call would make exists already.
	Conflict
)

var classNames = [...]string{"retry", "throttled", "network", "auth", "config", "permanent", "not_found", "conflict"}

// String is the class in one word of a closed set, fit for a metric label.
func (c Class) String() string {
	if c < 0 || int(c) >= len(classNames) {
		return "unknown"
	}
	return classNames[c]
}

// advice is what an operator can do about a class, if anything.
var advice = map[Class]string{
	Network:       "check the network, coc.endpoint and coc.http",
	Auth:          "check coc.auth, coc.project_id, the permissions of its user and the account's balance",
	Misconfigured: "check coc.site, coc.endpoint, coc.project_id and the integration key",
}

const (
	maxMessage = 512 // bytes of Error.Message that came from outside
	maxID      = 128 // bytes of Error.Code and Error.RequestID
)

// Error is the outcome of a call that did not succeed. Its texts are bounded,
// hold no control characters and none of the client's secrets.
type Error struct {
	Op         string        // what was asked for, such as "report alarm"
	Class      Class         // what to do about it
	By         string        // who refused or failed before COC was asked: IAM, the metadata service; empty = COC, or the way to it
	Status     int           // HTTP status; 0 when there was no answer
	Code       string        // COC's or the gateway's error_code
	Message    string        // COC's words, or the client's where COC has none
	RequestID  string        // the handle Huawei's support asks for
	RetryAfter time.Duration // the pause asked for; 0 = none, at most 10 min
	Sent       bool          // a byte of the request may have left
	Refused    bool          // COC itself has said so, by a code that it gives before it begins anything
	Err        error         // of the transport or of a check before sending, or nil
}

// Error implements error in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("coc: " + e.Op + ": ")
	if e.By != "" {
		b.WriteString(e.By + ": ")
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, "HTTP %d: ", e.Status)
	}
	if e.Code != "" {
		b.WriteString(e.Code + ": ")
	}
	b.WriteString(e.Message)
	if e.RequestID != "" {
		b.WriteString(" (request id " + e.RequestID + ")")
	}
	if text := advice[e.Class]; text != "" && e.By == "" { // the others' messages hold their own
		b.WriteString("; " + text)
	}
	return b.String()
}

// NotBegun says whether it is certain that COC has begun nothing of what was asked
// for. Where it is not, what must not happen twice is looked for, not repeated.
func (e *Error) NotBegun() bool { return !e.Sent || e.Refused }

// Unwrap gives the transport's error, for errors.Is.
func (e *Error) Unwrap() error { return e.Err }

// The outcomes in Alertmanager's words.
const (
	clientError             = "clientError"
	serverError             = "serverError"
	authError               = "authError"
	rateLimited             = "rateLimited"
	contextDeadlineExceeded = "contextDeadlineExceeded"
	otherReason             = "other"
)

// Reasons are all that Reason can return.
func Reasons() []string {
	return []string{clientError, serverError, authError, rateLimited, contextDeadlineExceeded, otherReason}
}

// Reason is the outcome in one of the words of Reasons.
func (e *Error) Reason() string {
	switch e.Class {
	case Auth:
		return authError
	case Throttled:
		return rateLimited
	case Misconfigured, Permanent, NotFound, Conflict:
		return clientError
	}
	switch {
	case timedOut(e.Err):
		return contextDeadlineExceeded
	case e.Status != 0:
		return serverError
	default:
		return otherReason
	}
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// Denied says that COC knows who asks, who lacks the permission for this one call. The
// gateway's lists of addresses and its restricted users concern every call.
func (e *Error) Denied() bool {
	everywhere := strings.HasPrefix(e.Code, "APIGW.04") || strings.HasPrefix(e.Code, "APIGW.08")
	return e.Status == http.StatusForbidden && e.By == "" && e.Code != "" && !everywhere
}

// Cause is the short name of the refusal: COC's code, else the status, else the
// class.
func (e *Error) Cause() string {
	switch {
	case e.Code != "":
		return e.Code
	case e.Status != 0:
		return "HTTP " + strconv.Itoa(e.Status)
	default:
		return e.Class.String()
	}
}

// numbered is a word that has a digit in it: a length, an id, a time.
var numbered = regexp.MustCompile(`[0-9A-Za-z_-]*[0-9][0-9A-Za-z_-]*`)

// Alike is the refusal without what differs from task to task: two tasks
// refused alike give the same text.
func (e *Error) Alike() string {
	return fmt.Sprintf("%d %s %s", e.Status, e.Code, numbered.ReplaceAllLiteralString(e.Message, "#"))
}

// clean makes texts that came from outside fit to be shown: without the
// secrets, without control characters, bounded.
func (e *Error) clean(secrets []secret.String) {
	e.Code = presentable(e.Code, secrets, maxID)
	e.RequestID = presentable(e.RequestID, secrets, maxID)
	e.Message = presentable(e.Message, secrets, maxMessage)
	if e.Err == nil {
		return
	}
	if raw := e.Err.Error(); presentable(raw, secrets, maxMessage) != raw {
		e.Err = cleaned(e.Err, secrets)
	}
}

// cleaned replaces an error that shows too much. It unwraps to nothing, for
// what it stands for must stay hidden, but to what a caller may ask for.
func cleaned(err error, secrets []secret.String) error {
	text := presentable(err.Error(), secrets, maxMessage)
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", text, known)
		}
	}
	return errors.New(text)
}

// presentable hides secrets first and cuts last, so that no part of one is left.
func presentable(text string, secrets []secret.String, limit int) string {
	if text == "" {
		return ""
	}
	var pairs []string
	for _, s := range secrets {
		if s != "" {
			pairs = append(pairs, s.Reveal(), secret.Redacted)
		}
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	text = strings.Join(strings.Fields(strings.Map(graphic, text)), " ")
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// graphic turns what does not print, invisible marks that reorder text
// included, into a space.
func graphic(r rune) rune {
	if unicode.IsGraphic(r) {
		return r
	}
	return ' '
}

// notSent is the error of a call that only prepared the one that was asked for,
// which has not left.
func notSent(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	unsent := *e
	unsent.Sent, unsent.Refused = false, false
	return &unsent
}
