package coctest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// What stands in front of every family: request ids, unknown paths, the limit
// of the body, and envelope E (coc-api.md 1.2, 1.3).

const (
	requestIDHeader = "X-Request-Id"
	maxBody         = 12 << 20 // bytes
	jsonType        = "application/json;charset=UTF-8"
)

// call is one request whose body has been read.
type call struct {
	r      *http.Request
	id     string // its X-Request-Id
	key    string // the integration key; "" on paths without one
	body   []byte
	beside bool // not of COC's own API, but of IAM or the metadata service
}

// reply is an answer before it is written. Its code and reason are for counts
// and Refusals.
type reply struct {
	status      int
	contentType string
	header      map[string]string
	body        []byte
	code        string // error_code
	reason      string
}

// operation answers one endpoint's calls. It has checked everything itself,
// credentials included, and what it accepts is recorded when it returns.
type operation func(c *call) reply

// serve turns an operation of COC's API into a handler.
func (s *Server) serve(op operation) http.HandlerFunc {
	return s.handle(op, func(n *Counts) { n.Requests++ }, false)
}

// besides does so for an operation of a service that COC relies on.
func (s *Server) besides(op operation, arrived func(n *Counts)) http.HandlerFunc {
	return s.handle(op, arrived, true)
}

// handle reads the body, performs the fault that matches, and counts what is
// refused.
func (s *Server) handle(op operation, arrived func(n *Counts), beside bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.arrived(arrived)
		c, ok := s.receive(w, r)
		if !ok {
			return
		}
		c.beside = beside
		fault, delay := s.match(c)
		if delay > 0 && s.opts.Sleep(r.Context(), delay) != nil {
			panic(http.ErrAbortHandler)
		}
		if fault == nil {
			s.finish(c, op(c)).write(w)
			return
		}
		if fault.After {
			s.finish(c, op(c))
		}
		s.perform(w, c, *fault)
	}
}

// receive reads the body. It has answered when ok is false.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) (c *call, ok bool) {
	c = &call{r: r, id: w.Header().Get(requestIDHeader), key: r.PathValue("key")}
	body, err := readBody(w, r)
	if _, tooBig := errors.AsType[*http.MaxBytesError](err); tooBig {
		s.finish(c, tooLarge(c.id)).write(w)
		return nil, false
	}
	if err != nil { // the client went away
		panic(http.ErrAbortHandler)
	}
	c.body = body
	return c, true
}

// readBody makes room for what is announced, but never for more than allowed.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, &http.MaxBytesError{Limit: maxBody}
	}
	limited := http.MaxBytesReader(w, r.Body, maxBody)
	if r.ContentLength < 0 {
		return io.ReadAll(limited)
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(limited, body)
	return body, err
}

// finish records a refusal. What was accepted has recorded itself.
func (s *Server) finish(c *call, answer reply) reply {
	if answer.status == http.StatusOK && !c.beside {
		return answer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if answer.status == http.StatusOK || answer.status == http.StatusCreated {
		s.changed()
		return answer
	}
	s.book.refuse(Refusal{
		At: s.opts.Now(), RequestID: c.id, Status: answer.status, Code: answer.code, Reason: answer.reason,
	})
	s.changed()
	return answer
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	s.arrived(func(n *Counts) { n.Requests++ })
	c := &call{r: r, id: w.Header().Get(requestIDHeader)}
	answer := gatewayError(http.StatusNotFound, "APIGW.0101",
		"The API does not exist or has not been published in the environment", c.id)
	answer.reason = "no such path and method"
	s.finish(c, answer).write(w)
}

func tooLarge(id string) reply {
	return gatewayError(http.StatusRequestEntityTooLarge, "APIGW.0201", "Request entity too large", id)
}

// gatewayError is envelope E: refused before COC has seen it.
func gatewayError(status int, code, message, id string) reply {
	body := encode(struct {
		Message   string `json:"error_msg"`
		Code      string `json:"error_code"`
		RequestID string `json:"request_id"`
	}{message, code, id})
	return reply{status: status, contentType: jsonType, body: body, code: code, reason: message}
}

// write sends the answer. A 204 that has a body all the same, as COC's documents
// show one, goes to the raw connection: HTTP has no room for it.
func (a reply) write(w http.ResponseWriter) {
	if a.status == http.StatusNoContent && len(a.body) > 0 {
		a.writeRaw(w)
		return
	}
	if a.contentType != "" {
		w.Header().Set("Content-Type", a.contentType)
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	if len(a.body) > 0 {
		_, _ = w.Write(a.body) // a client that left is its own matter
	}
}

func (a reply) writeRaw(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d No Content\r\nContent-Type: %s\r\n%s: %s\r\n\r\n%s",
		a.status, a.contentType, requestIDHeader, w.Header().Get(requestIDHeader), a.body)
}

// encode marshals our own types, which cannot fail. Text that is not UTF-8 is
// repaired, recorded bodies may have duplicate names.
func encode(v any) []byte {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if err != nil {
		panic(fmt.Sprintf("coctest: encode %T: %v", v, err))
	}
	return text
}

func newOrigin() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func (s *Server) newRequestID() string {
	return fmt.Sprintf("%s%016x", s.origin, s.lastID.Add(1))
}

// isJSON reports whether the request says that its body is JSON.
func isJSON(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/json")
}
