package coctest

import (
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Family A, event: POST /v1/event/huawei/custom/{integration_key}
// (coc-api.md 3.1).

// Event is one accepted alarm.
type Event struct {
	Seq       int       // 1, 2, 3 … in the order of acceptance
	At        time.Time // when it was accepted, by the server's clock
	Key       string    // the integration key it came with
	RequestID string    // the X-Request-Id of its answer
	Alarm     Alarm
}

// Alarm is the accepted body. Absent optional fields are empty.
type Alarm struct {
	AlarmID       string
	AlarmName     string
	AlarmLevel    string
	Time          int64 // milliseconds since 1970
	NameSpace     string
	RegionID      string
	ApplicationID string
	ResourceName  string
	ResourceID    string
	AlarmDesc     string
	URL           string
	AlarmStatus   string
	AlarmSource   string
	Additional    jsontext.Value // a JSON object, as sent; nil when absent
	Raw           jsontext.Value // the whole body, as sent
}

const (
	codeSuccess = "COC.00000000"
	codeInvalid = "COC.00000001"
	codeToken   = "common.01010001"
)

// key32 is what newer documents say of an integration key.
var key32 = regexp.MustCompile(`^[A-Za-z0-9]{32}$`)

// reportEvent checks in COC's order: who calls, which data source, what.
func (s *Server) reportEvent(c *call) reply {
	if err := s.authenticate(c); err != nil {
		return s.unauthorized(c, err)
	}
	if problem := s.checkKey(c.key); problem != "" {
		return eventError(http.StatusBadRequest, codeInvalid, problem)
	}
	alarm, problem := validateAlarm(c.body, s.opts.Switches)
	if problem != "" {
		return eventError(http.StatusBadRequest, codeInvalid, problem)
	}
	s.accept(c, alarm)
	if s.opts.Switches.ZeroCode {
		return eventAnswer(http.StatusOK, "0", "success")
	}
	return eventAnswer(http.StatusOK, codeSuccess, "success")
}

func (s *Server) checkKey(key string) string {
	switch {
	case utf16Len(key) > 255:
		return "integrationKey size must be between 1 and 255"
	case s.opts.Switches.Key32 && !key32.MatchString(key):
		return `integrationKey must match "` + key32.String() + `"`
	case !s.keys[key]:
		return "integrationKey is invalid"
	}
	return ""
}

// accept records the alarm. Time and number are taken under one lock, so that
// they have the same order.
func (s *Server) accept(c *call, alarm Alarm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := Event{Seq: s.book.counts.Accepted + 1, At: s.opts.Now(), Key: c.key, RequestID: c.id, Alarm: alarm}
	s.book.file(e, s.opts.Refresh, s.opts.Refire)
	if !isJSON(c.r) {
		s.book.violation("content-type: event %d came as %q instead of application/json", e.Seq, c.r.Header.Get("Content-Type"))
	}
	s.changed()
}

// unauthorized is COC's own 401, or the gateway's by switch.
func (s *Server) unauthorized(c *call, cause error) reply {
	answer := eventError(http.StatusUnauthorized, codeToken, "Token missing or invalid.")
	if s.opts.Switches.GatewayAuth {
		answer = gatewayDenial(c.id, cause)
	}
	answer.reason = cause.Error()
	return answer
}

// gatewayDenial is how the gateway refuses credentials (coc-api.md 1.5).
func gatewayDenial(id string, cause error) reply {
	if clock, ok := errors.AsType[*clockError](cause); ok {
		return gatewayError(http.StatusUnauthorized, "APIGW.0303", clock.Error(), id)
	}
	if _, ok := errors.AsType[tokenError](cause); ok {
		return gatewayError(http.StatusUnauthorized, "APIGW.0307", "The token must be updated", id)
	}
	return gatewayError(http.StatusUnauthorized, "APIGW.0301", badSignature, id)
}

// badSignature is the gateway's text for nearly all that is wrong.
const badSignature = "Incorrect IAM authentication information: verify aksk signature fail"

func eventError(status int, code, message string) reply {
	answer := eventAnswer(status, code, message)
	answer.reason = message
	return answer
}

// eventAnswer is envelope A.
func eventAnswer(status int, code, message string) reply {
	body := encode(struct {
		Code     string `json:"error_code"`
		Message  string `json:"error_msg"`
		Data     any    `json:"data"`
		Provider string `json:"provider_code"`
	}{code, message, nil, "049"})
	return reply{status: status, contentType: jsonType, body: body, code: code}
}
