package coctest

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// pending is a fault that waits for requests.
type pending struct {
	Fault
	name  string // its text form, for Counts
	left  int    // how often it still acts; negative = for ever
	calls []time.Time
}

func pendings(faults []Fault) []*pending {
	var list []*pending
	for _, f := range faults {
		p := &pending{Fault: f, name: f.String(), left: f.Times}
		if f.Times == 0 {
			p.left = -1
		}
		list = append(list, p)
	}
	return list
}

// match takes the first fault that answers this request, and the sum of the
// delays named up to there.
func (s *Server) match(c *call) (fault *Fault, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return nil, 0
	}
	for _, p := range s.faults {
		if !p.matches(c) || !p.exceeded(s.opts.Now()) {
			continue
		}
		p.left--
		s.book.counts.Faults[p.name]++
		delay += p.Latency
		if p.answers() {
			fault = &p.Fault
			break
		}
	}
	s.faults = slices.DeleteFunc(s.faults, func(p *pending) bool { return p.left == 0 })
	s.changed()
	return fault, delay
}

func (p *pending) matches(c *call) bool {
	if p.On == "" && c.beside || !strings.HasPrefix(c.r.URL.Path, p.On) {
		return false
	}
	if p.Method != "" && p.Method != c.r.Method {
		return false
	}
	return (p.Key == "" || p.Key == c.key) && (p.AlarmID == "" || p.AlarmID == c.alarmID())
}

// exceeded counts this request, refused or not, against the limit.
func (p *pending) exceeded(now time.Time) bool {
	if p.Limit <= 0 {
		return true
	}
	p.calls = append(p.calls, now)
	if len(p.calls) <= p.Limit {
		return false
	}
	oldest := p.calls[0] // of the Limit before this one
	p.calls = p.calls[1:]
	return now.Sub(oldest) < p.Per
}

// alarmID is a look at the body before it is checked.
func (c *call) alarmID() string {
	var b struct {
		AlarmID string `json:"alarmId"`
	}
	_ = json.Unmarshal(c.body, &b, likeJava)
	return b.AlarmID
}

// perform fails the request.
func (s *Server) perform(w http.ResponseWriter, c *call, f Fault) {
	switch f.Do {
	case Reset:
		reset(w)
	case Hang:
		s.hang(c.r)
	case Endless:
		s.flood(w, c.r)
	default:
		s.answerOf(f, c).write(w)
	}
}

// reset closes the connection with a TCP reset; where the connection cannot be
// had (HTTP/2, no socket) it just ends.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if plain, ok := conn.(*net.TCPConn); ok {
		_ = plain.SetLinger(0)
	}
	_ = conn.Close()
}

func (s *Server) hang(r *http.Request) {
	s.mu.Lock()
	give(&s.hangs)
	s.mu.Unlock()
	select {
	case <-r.Context().Done():
	case <-s.closed:
	}
	panic(http.ErrAbortHandler)
}

// stalledReader is how long flood waits for a client that reads nothing.
const stalledReader = 5 * time.Second

func (s *Server) flood(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", jsonType)
	_, err := io.WriteString(w, `{"error_code":"COC.00000000","error_msg":"`)
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	for err == nil && r.Context().Err() == nil && !s.isClosed() {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(stalledReader))
		_, err = w.Write(chunk)
	}
	panic(http.ErrAbortHandler)
}

func (s *Server) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// answerOf is what a fault says in place of the real answer.
func (s *Server) answerOf(f Fault, c *call) reply {
	answer := f.content(c.id, s.opts.Now())
	if c.beside && f.Body == "" && f.Do == "" {
		answer = iamError(cmp.Or(f.Status, http.StatusOK), cmp.Or(f.Message, http.StatusText(f.Status)))
	}
	if f.Status != 0 {
		answer.status = f.Status
	}
	answer.header = map[string]string{}
	if f.RetryAfter != "" {
		answer.header["Retry-After"] = f.RetryAfter
	}
	if answer.status/100 == 3 {
		answer.header["Location"] = "/redirected"
	}
	if f.Location != "" {
		answer.header["Location"] = f.Location
	}
	if answer.status == http.StatusNoContent || answer.status == http.StatusNotModified {
		answer.body, answer.contentType = nil, "" // HTTP has no room for one
	}
	return answer
}

// usual is what a bare status comes with. One that is not here is a proxy's and
// comes with a web page.
var usual = map[int]struct{ code, message string }{
	http.StatusOK:                    {codeSuccess, "success"},
	http.StatusBadRequest:            {codeInvalid, "injected fault"},
	http.StatusUnauthorized:          {codeToken, "Token missing or invalid."},
	http.StatusForbidden:             {"APIGW.0302", "The IAM user is not allowed to access the API"},
	http.StatusNotFound:              {"APIGW.0101", "The API does not exist or has not been published in the environment"},
	http.StatusMethodNotAllowed:      {"APIGW.0502", "The account is frozen for arrears"},
	http.StatusRequestEntityTooLarge: {"APIGW.0201", "Request entity too large"},
	http.StatusTooManyRequests:       {"APIGW.0308", "The throttling threshold has been reached: policy user over ratelimit,limit:10"},
	http.StatusInternalServerError:   {"APIGW.0601", "Internal server error"},
	http.StatusServiceUnavailable:    {"APIGW.0613", "The backend service is unavailable"},
}

func usualAnswer(status int) (u struct{ code, message string }, known bool) {
	if status == 0 || status/100 == 2 {
		status = http.StatusOK
	}
	u, known = usual[status]
	return u, known
}

// content is the body with the status that belongs to it.
func (f Fault) content(id string, now time.Time) reply {
	page := reply{status: http.StatusOK, contentType: "text/html", body: []byte("<html><body><h1>Not COC</h1></body></html>\n")}
	u, known := usualAnswer(f.Status)
	switch {
	case f.Body != "":
		return reply{status: http.StatusOK, contentType: jsonType, body: []byte(f.Body)}
	case f.Do == Empty:
		return reply{status: http.StatusOK, contentType: jsonType}
	case f.Do == Clock:
		signed := now.Add(-time.Hour).UTC().Format(signedTime)
		return gatewayDenial(id, &clockError{signed: signed, server: now.UTC().Format(signedTime)})
	case f.Do == HTML, !known && f.Code == "":
		return page
	case f.Code != "":
		u.code = f.Code
	}
	if f.Message != "" {
		u.message = f.Message
	} else if f.Code != "" {
		u.message = "injected fault"
	}
	if strings.HasPrefix(u.code, "APIGW.") {
		return gatewayError(http.StatusOK, u.code, u.message, id)
	}
	return eventAnswer(http.StatusOK, u.code, u.message)
}
