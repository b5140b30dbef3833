package coc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// Options are what a Client needs besides its configuration.
type Options struct {
	Version string           // the program's, for User-Agent
	Now     func() time.Time // nil = time.Now
}

// Client calls COC. It is safe for concurrent use. It never repeats a call by
// itself, but for requests that were refused because of who they are from: once
// with the corrected clock or with a new token, and once more as the second
// credential. What acts it repeats only where COC itself has refused it.
type Client struct {
	endpoint    *url.URL
	credentials []credential // one, or two
	works       atomic.Int32 // the index of the one that COC took last
	timeouts    Timeouts
	limits      limits
	wire        wire
	metadata    *http.Transport // nil = no credential comes from the metadata service
	secrets     []secret.String // never to be shown, whatever the call
}

// New returns a client, or the first thing that is wrong with cfg. It makes no
// connection. Call Close when the client is no longer needed.
func New(cfg Config, o Options) (*Client, error) {
	if err := cfg.firstProblem(); err != nil {
		return nil, fmt.Errorf("coc: %w", err)
	}
	endpoint, err := cfg.endpoint()
	if err != nil {
		return nil, fmt.Errorf("coc: endpoint: %w", err)
	}
	transport, err := newTransport(cfg)
	if err != nil {
		return nil, fmt.Errorf("coc: http: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Client{
		endpoint: endpoint,
		timeouts: cfg.Timeouts,
		limits:   newLimits(cfg.RateLimits),
		wire: wire{
			transport: transport, acting: newActing(transport), agent: strings.TrimSuffix("cocbridge/"+o.Version, "/"),
			clock: &clock{now: o.Now}, spare: newSpare(),
		},
		secrets: cfg.secrets(),
	}
	for _, s := range cfg.sections() {
		a, err := c.newAuthorizer(cfg, s)
		if err != nil {
			return nil, fmt.Errorf("coc: %w", err)
		}
		c.credentials = append(c.credentials, credential{"coc." + s.name, a})
	}
	return c, nil
}

// Close ends what no call waits for, and closes the connections that no call
// uses. Calls under way end as usual.
func (c *Client) Close() {
	c.wire.spare.close()
	c.wire.transport.CloseIdleConnections()
	if c.metadata != nil {
		c.metadata.CloseIdleConnections()
	}
}

// request is one call as the API methods ask for it.
type request struct {
	op      string // Error.Op
	method  string
	path    string // absolute and escaped
	query   url.Values
	body    []byte
	limiter *rate.Limiter   // whose turn to wait for; nil = none, or that was done before
	timeout time.Duration   // of the whole call, repeats included, from its turn on
	acts    bool            // to send it twice would do harm
	array   bool            // the answer may be a bare JSON array
	empty   bool            // the answer may be a 200 without a body
	secrets []secret.String // this call's own, such as the integration key
}

// reply is an answer that means success.
type reply struct {
	status    int
	body      []byte
	requestID string // the handle Huawei's support asks for
}

// call returns an answer that means success, or an *Error. Every API method goes
// through it.
func (c *Client) call(ctx context.Context, q request) (reply, error) {
	if err := q.waitForTurn(ctx); err != nil {
		return reply{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	r, e := c.callAsAny(ctx, q)
	if e != nil {
		e.Op = q.op
		return reply{}, e
	}
	return r, nil
}

// callAs makes the call under one credential, with one repeat after a 401 that a
// repeat may mend.
func (c *Client) callAs(ctx context.Context, q request, who credential) (reply, *Error) {
	correction := c.wire.clock.correction()
	a := c.attempt(ctx, q, who, correction)
	e := classify(a)
	if correction, again := c.afterRefusal(a, who, correction); again && q.mayRepeat(e) {
		a = c.attempt(ctx, q, who, correction)
		e = classify(a)
	}
	secrets := slices.Concat(q.secrets, c.secrets, a.secrets())
	if e == nil {
		return reply{status: a.status, body: a.body, requestID: presentable(requestID(a.header, envelope{}), secrets, maxID)}, nil
	}
	e.clean(secrets)
	return reply{}, e
}

// mayRepeat says whether a repeat can do no harm after an attempt that ended so.
func (q request) mayRepeat(e *Error) bool { return !q.acts || e.NotBegun() }

// afterRefusal says whether a repeat of what was answered so may be taken, and
// with which correction of the clock.
func (c *Client) afterRefusal(a answer, who credential, used time.Duration) (correction time.Duration, again bool) {
	if a.status != http.StatusUnauthorized {
		return used, false
	}
	if correction, again := c.wire.clock.learn(a, used); again {
		return correction, true
	}
	return used, who.refused(a.request)
}

// attempt sends the request once, authorised for the corrected time.
func (c *Client) attempt(ctx context.Context, q request, who credential, correction time.Duration) answer {
	m := message{method: q.method, url: c.endpoint.JoinPath(q.path), body: q.body, acts: q.acts}
	m.url.RawQuery = strings.ReplaceAll(q.query.Encode(), "+", "%20")
	a := c.wire.send(ctx, m, func(r *http.Request) error {
		return who.authorize(r.Context(), r, q.body, c.wire.clock.now().Add(correction))
	})
	a.array, a.empty = q.array, q.empty
	return a
}
