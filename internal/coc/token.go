package coc

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/cocbridge/cocbridge/internal/secret"
)

const (
	headerIAM     = "X-Auth-Token"
	headerSubject = "X-Subject-Token"

	// loginHold is how long a refused log-in stands. IAM's default policy locks a
	// user after five wrong passwords within 15 minutes: at this pace a password
	// that has become wrong locks nobody.
	loginHold = 5 * time.Minute
)

// tokens authorises with a token of IAM (coc-api.md 2.1). A token is renewed at
// 80 % of its life; the old one goes on being used until it has ended.
type tokens struct {
	iam
	login   []byte // the body of a log-in
	project string // sent as X-Project-Id if configured; the token itself is scoped
	current renewed[secret.String]
}

func (c *Client) newTokens(cfg Config, a AuthConfig, i iam) *tokens {
	t := &tokens{iam: i, login: loginBody(cfg, a), project: cfg.ProjectID}
	t.current = renewed[secret.String]{fetch: t.fetch, now: c.wire.clock.now, spare: c.wire.spare, hold: loginHold}
	return t
}

// loginBody asks for a token that is scoped to a project, as COC wants it.
func loginBody(cfg Config, a AuthConfig) []byte {
	type object map[string]any
	project := object{"name": cmp.Or(a.Project, cfg.Region)}
	if cfg.ProjectID != "" {
		project = object{"id": cfg.ProjectID}
	}
	user := object{"name": a.User, "password": a.Password.Reveal(), "domain": object{"name": a.Domain}}
	body, _ := json.Marshal(object{"auth": object{ // texts always marshal
		"identity": object{"methods": []string{"password"}, "password": object{"user": user}},
		"scope":    object{"project": project},
	}})
	return body
}

func (t *tokens) authorize(ctx context.Context, r *http.Request, _ []byte, _ time.Time) error {
	token, err := t.current.get(ctx)
	if err != nil {
		return err
	}
	r.Header.Set(headerIAM, token.Reveal())
	if t.project != "" {
		r.Header.Set(headerProject, t.project)
	}
	return nil
}

func (t *tokens) refused(r *http.Request) bool {
	used := secret.String(r.Header.Get(headerIAM))
	return t.current.drop(func(token secret.String) bool { return token == used })
}

// fetch logs in.
func (t *tokens) fetch(ctx context.Context) (secret.String, span, error) {
	m := message{method: http.MethodPost, url: t.at("/v3/auth/tokens", url.Values{"nocatalog": {"true"}}), body: t.login}
	a := t.ask(ctx, m, func(*http.Request) error { return nil })
	if a.status >= 300 && a.status < 500 && a.status != http.StatusTooManyRequests && a.err == nil {
		return "", span{}, t.refusal(a)
	}
	token := a.header.Get(headerSubject)
	life := lifeOf(a.body)
	if a.err != nil || a.status != http.StatusCreated || token == "" || !isToken(token) || life <= 0 {
		return "", span{}, t.unreachable(a)
	}
	return secret.String(token), aging(life), nil
}

// lifeOf is how long a token lives, by IAM's own clock: ours may be wrong.
func lifeOf(body []byte) time.Duration {
	var b struct {
		Token struct {
			IssuedAt  time.Time `json:"issued_at"`
			ExpiresAt time.Time `json:"expires_at"`
		} `json:"token"`
	}
	if json.Unmarshal(body, &b) != nil {
		return 0
	}
	return b.Token.ExpiresAt.Sub(b.Token.IssuedAt)
}
