package coc

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/internal/secret"
)

const (
	byMetadata = "metadata service"
	// metadataTimeout bounds each question to a service on the same host.
	metadataTimeout = 3 * time.Second
	// metadataTTL is the longest life of a metadata token, in seconds.
	metadataTTL = "21600"

	headerMetadata = "X-Metadata-Token"
	headerTTL      = "X-Metadata-Token-Ttl-Seconds"

	pathMetadata    = "/meta-data/latest/api/token"
	pathSecurityKey = "/openstack/latest/securitykey"

	// noAgency is in the answer of an ECS without an agency (coc-api.md 2.4).
	noAgency = "configure Cloud Service Agency"
)

// agency has the temporary keys that an ECS gets for the agency it is bound to,
// from its metadata service (coc-api.md 2.4). They are renewed at 80 % of their
// life, however short that is; the old ones are used until they have really ended.
type agency struct {
	wire
	endpoint *url.URL
	section  string
	timeout  time.Duration
}

// newAgency returns the source of keys. The metadata service is asked directly,
// never over a proxy.
func (c *Client) newAgency(s section) (*renewed[keys], error) {
	endpoint, err := metadataEndpoint(s.AuthConfig)
	if err != nil {
		return nil, err
	}
	if c.metadata == nil {
		c.metadata = &http.Transport{
			DialContext:            (&net.Dialer{Timeout: metadataTimeout}).DialContext,
			MaxResponseHeaderBytes: maxAnswerHeader, IdleConnTimeout: idleTimeout, DisableCompression: true,
		}
	}
	a := &agency{wire: c.wire, endpoint: endpoint, section: "coc." + s.name, timeout: min(metadataTimeout, time.Duration(c.timeouts.Connect))}
	a.transport = c.metadata
	return &renewed[keys]{fetch: a.fetch, now: c.wire.clock.now, spare: c.wire.spare}, nil
}

// fetch takes a new metadata token each time: it does so a few times a day.
func (g *agency) fetch(ctx context.Context) (keys, span, error) {
	a, err := g.securityKey(ctx)
	if err == nil && a.status == http.StatusUnauthorized && !strings.Contains(string(a.body), noAgency) {
		a, err = g.securityKey(ctx) // the token may have been taken from us in between
	}
	if err != nil {
		return keys{}, span{}, err
	}
	if a.err != nil || a.status != http.StatusOK {
		return keys{}, span{}, g.refusal(a)
	}
	return g.parse(a)
}

// securityKey asks for a token and then for the keys.
func (g *agency) securityKey(ctx context.Context) (answer, error) {
	token, err := g.token(ctx)
	if err != nil {
		return answer{}, err
	}
	return g.ask(ctx, http.MethodGet, pathSecurityKey, func(r *http.Request) {
		if token != "" {
			r.Header.Set(headerMetadata, token.Reveal())
		}
	}), nil
}

// token is empty where the service knows no tokens.
func (g *agency) token(ctx context.Context) (secret.String, error) {
	a := g.ask(ctx, http.MethodPut, pathMetadata, func(r *http.Request) { r.Header.Set(headerTTL, metadataTTL) })
	token := strings.TrimSpace(string(a.body))
	switch {
	case a.status == http.StatusNotFound, a.status == http.StatusMethodNotAllowed, a.status == http.StatusServiceUnavailable:
		return "", nil
	case a.err != nil || a.status != http.StatusOK || token == "" || !isToken(token):
		return "", g.refusal(a)
	}
	return secret.String(token), nil
}

func (g *agency) ask(ctx context.Context, method, path string, prepare func(*http.Request)) answer {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	return g.send(ctx, message{method: method, url: g.endpoint.JoinPath(path)}, func(r *http.Request) error {
		prepare(r)
		return nil
	})
}

// parse reads the keys and how long they live by the clock of the service: ours
// may be wrong.
func (g *agency) parse(a answer) (keys, span, error) {
	var b struct {
		Credential struct {
			Access        string        `json:"access"`
			Secret        secret.String `json:"secret"`
			SecurityToken secret.String `json:"securitytoken"`
			ExpiresAt     time.Time     `json:"expires_at"`
		} `json:"credential"`
	}
	err := json.Unmarshal(a.body, &b)
	c := b.Credential
	for _, text := range []string{c.Access, c.Secret.Reveal(), c.SecurityToken.Reveal()} {
		if err != nil || text == "" || !isToken(text) {
			return keys{}, span{}, g.failure(Auth, a, "its answer holds no temporary keys")
		}
	}
	now, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		now = a.now.Add(g.clock.correction())
	}
	life := c.ExpiresAt.Sub(now)
	if life <= 0 {
		return keys{}, span{}, g.failure(Auth, a, "it gives keys that have already expired; check its clock and ours")
	}
	return keys{c.Access, c.Secret, c.SecurityToken}, aging(life), nil
}

// refusal is for all answers but the one we want.
func (g *agency) refusal(a answer) *Error {
	body := string(a.body)
	switch {
	case a.err != nil:
		return g.failure(Auth, a, "it does not answer: "+a.err.Error()+"; method agency works on an ECS only, and only where its address can be reached")
	case a.status == http.StatusNotFound || strings.Contains(body, noAgency):
		return g.failure(Misconfigured, a, "the ECS is bound to no agency: create one for ECS in IAM and bind the server to it")
	}
	return g.failure(Auth, a, strings.TrimSpace(fmt.Sprintf("it answers HTTP %d %s", a.status, quoted(body))))
}

func (g *agency) failure(class Class, a answer, what string) *Error {
	e := &Error{Class: class, By: byMetadata, Status: a.status, Err: a.err,
		Message: fmt.Sprintf("%s (%s): %s", g.endpoint, g.section, what)}
	e.clean(a.secrets())
	return e
}
