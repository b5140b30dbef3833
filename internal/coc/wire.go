package coc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
)

// maxAnswer is how much of an answer's body is read; COC's longest carries 1 MB
// of script output (coc-api.md 4).
const maxAnswer = 4 << 20

// wire sends single requests and reads their answers.
type wire struct {
	transport *http.Transport
	acting    *http.Transport // for message.acts
	agent     string
	clock     *clock
	spare     *spare
}

// message is a request before it is authorised.
type message struct {
	method string
	url    *url.URL
	body   []byte // JSON; nil = none
	acts   bool   // to send it twice would do harm
}

// send sends m once and reads the answer to its end or to maxAnswer. authorize
// has the last word about the request.
func (w wire) send(ctx context.Context, m message, authorize func(*http.Request) error) answer {
	var sent atomic.Bool
	r, err := w.newRequest(traced(ctx, &sent), m)
	if err == nil {
		err = authorize(r)
	}
	if err != nil {
		return answer{err: err, now: w.clock.now()}
	}
	a := w.exchange(r, m.acts)
	a.sent = a.sent || sent.Load()
	return a
}

// exchange does not use an http.Client, which would follow redirects and write
// the URL into its errors.
func (w wire) exchange(r *http.Request, acts bool) answer {
	transport := w.transport
	if acts {
		transport = w.acting
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return answer{request: r, err: err, now: w.clock.now()}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := readAnswer(resp.Body)
	return answer{request: r, status: resp.StatusCode, header: resp.Header, body: body, err: err, sent: true, now: w.clock.now()}
}

// newRequest makes a request with a body reader of its own, so that a repeat
// never sends what an earlier attempt has left over.
func (w wire) newRequest(ctx context.Context, m message) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, m.method, m.url.String(), bytes.NewReader(m.body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", w.agent)
	if m.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}

// traced notes in sent whether a byte may have left: from the first header on,
// since headers longer than the connection's buffer leave before the last one is
// written. GetConn starts over: the transport takes a second connection only if
// nothing went out on the first.
func traced(ctx context.Context, sent *atomic.Bool) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:          func(string) { sent.Store(false) },
		WroteHeaderField: func(string, []string) { sent.Store(true) },
	})
}

var errTooLong = errors.New("it is longer than 4 MiB")

func readAnswer(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = errTooLong
	}
	return data, err
}
