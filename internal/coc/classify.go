package coc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// maxRetryAfter bounds the pause a server can ask for.
const maxRetryAfter = 10 * time.Minute

// answer is what one attempt came to.
type answer struct {
	request *http.Request // as it was sent; nil: it never was ready

	status int // 0: no answer
	header http.Header
	body   []byte
	err    error     // of the transport, or of reading the body when status is set
	sent   bool      // a byte of the request may have left
	array  bool      // a bare JSON array is an answer too
	empty  bool      // and so is a 200 without a body
	now    time.Time // the local time at which the attempt ended
}

// secrets are those that the answer may echo.
func (a answer) secrets() []secret.String {
	if a.request == nil {
		return nil
	}
	return sensitive(a.request)
}

// classify is the one place that decides what an attempt came to: nil by the
// success rule of coc-api.md 1.3, else an Error by the table of 1.5. Texts in
// the Error are as COC wrote them; Error.clean makes them presentable.
func classify(a answer) *Error {
	if a.status == 0 {
		return unanswered(a)
	}
	var e envelope
	if a.err == nil { // an answer that broke off says no more than its status
		e = parseEnvelope(a.body)
	}
	if takes(a.status) && a.err == nil && a.hasForm(e) && isZero(e.code) {
		return nil
	}
	class := classOf(a, e)
	return &Error{
		Class:      class,
		Status:     a.status,
		Code:       e.code,
		Message:    messageOf(a, e),
		RequestID:  requestID(a.header, e),
		RetryAfter: retryAfter(a),
		Sent:       true,
		Refused:    e.code != "" && class != Retry && slices.Contains(refusals, a.status),
		Err:        a.err,
	}
}

// refusals are the answers that COC gives before it begins anything (reliability.md
// 3.3), if it is COC who gives them: a proxy, which may answer after COC has acted,
// names no code.
var refusals = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests}

// hasForm says that the body is one that an answer of COC can have.
func (a answer) hasForm(e envelope) bool {
	return e.object || a.array && isArray(a.body) || a.empty && a.status == http.StatusOK && len(bytes.TrimSpace(a.body)) == 0
}

func unanswered(a answer) *Error {
	err := a.err
	if err == nil {
		err = errors.New("no answer")
	}
	var known *Error
	if errors.As(err, &known) { // there was nobody to send it as
		e := *known
		return &e
	}
	e := &Error{Class: Network, Sent: a.sent, Message: err.Error(), Err: err}
	if a.sent {
		e.Class = Retry
	}
	return e
}

// takes says whether the status leaves the decision to the body.
func takes(status int) bool {
	return status == http.StatusOK || status == http.StatusCreated || status == http.StatusAccepted
}

// classOf goes from the particular to the general: throttling, then a code of
// known meaning, then the status.
func classOf(a answer, e envelope) Class {
	if a.status == http.StatusTooManyRequests {
		return Throttled
	}
	if class, known := classOfCode(e); known {
		return class
	}
	status := a.status
	if takes(status) && e.object {
		status = http.StatusBadRequest // a refusal under 2xx counts as one under 400
	}
	class := classOfStatus(status)
	if class == Permanent && a.err != nil {
		return Retry // the reason is lost; it may have been COC's own trouble
	}
	return class
}

// codes are the codes that mean more than the status they come with. All others
// are COC's validation and lookup errors under 400, which is Permanent anyway.
var codes = map[string]Class{
	"APIGW.0308":      Throttled,
	"APIGW.0602":      Misconfigured,
	"APIGW.0607":      Misconfigured,
	"common.01010001": Auth,     // token missing or invalid
	"COC.00010014":    Retry,    // COC's own call to IAM failed
	"COC.00011013":    Retry,    // login user is null
	"COC.00040603":    NotFound, // no such script
	"COC.00040604":    NotFound,
	"COC.00040709":    NotFound, // no such script order
	"COC.00042101":    NotFound, // no such document
	"COC.00067003":    NotFound, // no such incident
}

// gatewayCodes are the gateway's codes by their first two digits. 02 is absent:
// its meaning depends on the status.
var gatewayCodes = map[string]Class{
	"APIGW.01": Misconfigured, // no such path, method, protocol
	"APIGW.03": Auth,          // signature, token, clock, permission
	"APIGW.04": Auth,          // black and white lists
	"APIGW.05": Auth,          // quota used up, frozen for arrears
	"APIGW.06": Retry,         // the gateway's or the backend's trouble
	"APIGW.07": Retry,
	"APIGW.08": Auth,
}

// overloadedCode is documented as an internal error, and also carries validation texts.
const overloadedCode = "COC.00040701"

// ambiguousCode stands for a duplicate script name, an invalid value and an
// unknown script.
const ambiguousCode = "COC.00040601"

func classOfCode(e envelope) (Class, bool) {
	if class, known := codes[e.code]; known {
		return class, true
	}
	if e.code == ambiguousCode && strings.Contains(strings.ToLower(e.message), "exist script with same name") {
		return Conflict, true
	}
	if e.code == overloadedCode && !complainsOfContent(e.message) {
		return Retry, true
	}
	if len(e.code) == len("APIGW.0000") {
		class, known := gatewayCodes[e.code[:len("APIGW.00")]]
		return class, known
	}
	return 0, false
}

// complainsOfContent recognises the wording of Bean Validation, and "invalid".
func complainsOfContent(message string) bool {
	message = strings.ToLower(message)
	for _, wording := range []string{"must not be", "must be", "must match", "invalid"} {
		if strings.Contains(message, wording) {
			return true
		}
	}
	return false
}

// classOfStatus is for answers whose code says nothing, proxies' and firewalls'
// included.
func classOfStatus(status int) Class {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden:
		return Auth
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired, http.StatusMisdirectedRequest:
		return Misconfigured
	case http.StatusRequestTimeout, http.StatusTooEarly, 499: // 499: a proxy lost its client
		return Retry
	}
	switch {
	case status >= 300 && status < 400:
		return Misconfigured
	case status >= 400 && status < 500:
		return Permanent
	default:
		return Retry // 5xx, and a 2xx that is not an answer of COC
	}
}

// envelope is what COC's families A to E have in common (coc-api.md 1.3).
type envelope struct {
	object    bool // the body is a JSON object
	code      string
	message   string
	requestID string
}

// parseEnvelope never fails: what is not there stays empty.
func parseEnvelope(body []byte) envelope {
	var fields struct {
		Code      json.RawMessage `json:"error_code"`
		Message   json.RawMessage `json:"error_msg"`
		RequestID json.RawMessage `json:"request_id"`
	}
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) || json.Unmarshal(body, &fields) != nil {
		return envelope{}
	}
	return envelope{
		object:    true,
		code:      strings.TrimSpace(scalar(fields.Code)),
		message:   scalar(fields.Message),
		requestID: scalar(fields.RequestID),
	}
}

func isArray(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) && json.Valid(body)
}

// scalar is the text of a JSON value: of a string its content, of null nothing,
// of anything else the JSON itself.
func scalar(raw json.RawMessage) string {
	if plain := len(raw) - 2; plain >= 0 && raw[0] == '"' && raw[plain+1] == '"' && bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw[1 : 1+plain]) // as nearly always: the decoder would be busy with it ten times as long
	}
	var text string
	if len(raw) == 0 || json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// isZero says whether a code means success: absent, zeros, or PREFIX.zeros.
func isZero(code string) bool {
	digits := code
	if prefix, rest, found := strings.Cut(code, "."); found && prefix != "" {
		digits = rest
	}
	return code == "" || digits != "" && strings.Trim(digits, "0") == ""
}

// messageOf is COC's own message, or else a word about the answer that does not
// quote it: a body that is not COC's may be long and hold anything.
func messageOf(a answer, e envelope) string {
	switch {
	case a.err != nil:
		return "the answer broke off: " + a.err.Error()
	case e.message != "":
		return e.message
	case a.status >= 300 && a.status < 400:
		return redirectOf(a.header)
	case len(a.body) == 0:
		return "the answer is empty"
	case !e.object:
		return fmt.Sprintf("the answer is not COC's: %d bytes of %.64q instead of a JSON object", len(a.body), a.header.Get("Content-Type"))
	default:
		return "the answer gives no reason"
	}
}

func redirectOf(h http.Header) string {
	to, err := url.Parse(h.Get("Location"))
	if err != nil || to.Host == "" {
		return "redirected; COC never redirects"
	}
	return fmt.Sprintf("redirected to %.128q; COC never redirects", to.Host)
}

func requestID(h http.Header, e envelope) string {
	if id := h.Get("X-Request-Id"); id != "" {
		return id
	}
	return e.requestID
}

// retryAfter reads both forms of Retry-After; 0 when there is none or it is
// past or senseless. A date counts from the server's Date, so that a wrong
// local clock does not matter.
func retryAfter(a answer) time.Duration {
	text := strings.TrimSpace(a.header.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		seconds = max(0, min(seconds, int64(maxRetryAfter/time.Second)))
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	from, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		from = a.now
	}
	return max(0, min(until.Sub(from), maxRetryAfter))
}
