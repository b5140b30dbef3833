package scripts

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/match"
	"github.com/cocbridge/cocbridge/internal/render"
)

// rule is a Rule ready for use.
type rule struct {
	name     string
	kind     string
	hold     time.Duration
	hash     string // of all that is configured: another one = the rule has changed
	matchers match.Matchers
	params   []param
	pin      string
	limits   Limits
	script   *ScriptConfig
	job      *JobConfig
}

// compile takes a rule that Validate has nothing against; nil = it runs nothing.
func compile(set *render.Set, from Rule) (*rule, error) {
	r := &rule{name: from.Name, hold: from.Hold, script: from.Script, job: from.Job}
	var params map[string]Param
	switch {
	case r.script != nil:
		r.kind, r.pin, r.limits, params = ScriptKind, r.script.Pin, r.script.Limits, r.script.Parameters
	case r.job != nil:
		r.kind, r.pin, r.limits, params = JobKind, r.job.Pin, r.job.Limits, r.job.Parameters
	default:
		return nil, nil
	}
	text, err := json.Marshal(from)
	if err != nil {
		return nil, err
	}
	r.hash = digest(string(text))[:32]
	if r.matchers, err = match.ParseAll(from.Matchers); err != nil {
		return nil, err
	}
	if r.params, err = compileParams(set, params); err != nil {
		return nil, fmt.Errorf("%s.%w", r.kind, err)
	}
	return r, nil
}

// request is what the rule asks for, but for the hosts.
func (r *rule) request(a *alert.Alert) (q Request, err error) {
	q = r.bare()
	q.Params, err = r.values(a)
	return q, err
}

// bare is a request without what depends on the alert.
func (r *rule) bare() Request {
	q := Request{Seconds: int64(time.Duration(r.limits.Timeout) / time.Second), Cancel: r.limits.OnResolve == cancel}
	if r.script != nil {
		q.What, q.User, q.SuccessRate, q.BatchSize = r.script.UUID, r.script.User, r.script.SuccessRate, r.script.BatchSize
	} else {
		q.What, q.Version, q.Type, q.Description = r.job.Document, r.job.Version, r.job.Type, r.job.Description
	}
	return q
}
