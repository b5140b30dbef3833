package coc

import (
	"context"
	"net/http"
	"time"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// The parts that tests look at one by one.
const (
	MaxAnswer       = maxAnswer
	MaxAnswerHeader = maxAnswerHeader
	MaxMessage      = maxMessage
	MaxID           = maxID
	MaxRetryAfter   = maxRetryAfter
)

// Sign signs r with the given credentials.
func Sign(r *http.Request, body []byte, accessKey string, secretKey, token secret.String, at time.Time) {
	sign(r, body, keys{accessKey, secretKey, token}, at)
}

// CanonicalHash is the hash of the canonical request of r, once it is signed.
func CanonicalHash(r *http.Request, body []byte) string {
	canonical, _ := canonicalRequest(r, body)
	return hexSHA256([]byte(canonical))
}

// Answer is what Classify takes.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Err    error
	Sent   bool
	Now    time.Time
}

// Classify is classify.
func Classify(a Answer) *Error {
	return classify(answer{status: a.Status, header: a.Header, body: []byte(a.Body), err: a.Err, sent: a.Sent, now: a.Now})
}

// Clean is Error.clean.
func (e *Error) Clean(secrets ...secret.String) { e.clean(secrets) }

// Transport is the client's transport.
func (c *Client) Transport() *http.Transport { return c.wire.transport }

// Renewals waits for what runs beside the calls: the clock of a test may pass
// thousands of times faster than the network answers.
func (c *Client) Renewals() { c.wire.spare.group.Wait() }

// Renewed is a renewed text with a life of its own, and what ends its renewals.
type Renewed struct {
	renewed[string]
	Close func()
}

// NewRenewed fetches what lives so long; hold is for refusals.
func NewRenewed(hold time.Duration, fetch func(context.Context) (string, time.Duration, error)) *Renewed {
	s := newSpare()
	n := &Renewed{Close: s.close}
	n.renewed = renewed[string]{now: time.Now, spare: s, hold: hold, fetch: func(ctx context.Context) (string, span, error) {
		text, life, err := fetch(ctx)
		return text, aging(life), err
	}}
	return n
}

// Get is renewed.get.
func (n *Renewed) Get(ctx context.Context) (string, error) { return n.get(ctx) }
