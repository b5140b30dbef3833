package coc

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// project has the project id that signed requests name; empty = they name none.
type project interface {
	id(ctx context.Context) (string, error)
}

// fixedProject is the one of the configuration.
type fixedProject string

func (f fixedProject) id(context.Context) (string, error) { return string(f), nil }

// lookup finds the project by its name, at the first call (coc-api.md 2.3). COC
// wants X-Project-Id in some set-ups only, so whatever keeps IAM from answering
// does not keep alarms back: they go out without, and IAM is asked again beside
// them. Only the answer that there is no such project, or that there are several,
// is a reason to stop.
type lookup struct {
	iam
	name  string
	keys  keySource
	found renewed[finding]
}

// finding is what a look-up has come to.
type finding struct {
	id   string
	stop *Error // the name is wrong; nil = it is not, or nobody knows
}

// newProject looks up only where there is something to look for and an IAM to ask.
func (c *Client) newProject(cfg Config, a AuthConfig, i iam, source keySource) project {
	name := cmp.Or(a.Project, cfg.Region)
	if cfg.ProjectID != "" || name == "" || i.endpoint == nil {
		return fixedProject(cfg.ProjectID)
	}
	l := &lookup{iam: i, name: name, keys: source}
	l.found = renewed[finding]{fetch: l.fetch, now: c.wire.clock.now, spare: c.wire.spare}
	return l
}

func (l *lookup) id(ctx context.Context) (string, error) {
	f, err := l.found.get(ctx)
	if err == nil && f.stop != nil {
		err = f.stop
	}
	return f.id, err
}

// fetch fails only with its context: not to know is a finding too, which is looked
// into again soon.
func (l *lookup) fetch(ctx context.Context) (finding, span, error) {
	a := l.list(ctx)
	if a.err != nil && ctx.Err() != nil {
		return finding{}, span{}, ctx.Err()
	}
	ids, answered := l.matches(a)
	switch {
	case !answered:
		return finding{}, span{fresh: renewPause, valid: century}, nil
	case len(ids) == 1:
		return finding{id: ids[0]}, span{fresh: century, valid: century}, nil
	}
	return finding{stop: l.ambiguous(len(ids))}, span{valid: renewPause}, nil
}

// list asks for the projects of that name, with one repeat if the clock was wrong.
func (l *lookup) list(ctx context.Context) answer {
	m := message{method: http.MethodGet, url: l.at("/v3/projects", url.Values{"name": {l.name}})}
	correction := l.clock.correction()
	a := l.signed(ctx, m, correction)
	if correction, again := l.clock.learn(a, correction); again {
		a = l.signed(ctx, m, correction)
	}
	return a
}

func (l *lookup) signed(ctx context.Context, m message, correction time.Duration) answer {
	return l.ask(ctx, m, func(r *http.Request) error {
		k, err := l.keys.get(r.Context())
		if err == nil {
			sign(r, nil, k, l.clock.now().Add(correction))
		}
		return err
	})
}

// matches are the ids of the projects with the name; answered is false when it is
// not a list of projects.
func (l *lookup) matches(a answer) (ids []string, answered bool) {
	var b struct {
		Projects *[]struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"projects"`
	}
	if a.err != nil || a.status != http.StatusOK || json.Unmarshal(a.body, &b) != nil || b.Projects == nil {
		return nil, false
	}
	for _, p := range *b.Projects {
		if p.Name == l.name && p.ID != "" && isToken(p.ID) {
			ids = append(ids, p.ID)
		}
	}
	return ids, true
}

func (l *lookup) ambiguous(n int) *Error {
	what := "the account of " + l.section + " has no project"
	if n > 1 {
		what = fmt.Sprintf("the account of %s has %d projects", l.section, n)
	}
	return &Error{Class: Misconfigured, By: byIAM,
		Message: fmt.Sprintf("%s named %.64q: set coc.project_id to the id of the one to use, or correct coc.region or %s.project", what, l.name, l.section)}
}
