package coc

import (
	"context"
	"errors"
	"net/http"
	"regexp"
)

// The limits of a script in UTF-16 units and items, where readings differ the
// lower one (coc-api.md 3.6).
const (
	MaxScriptContent     = 4096
	MaxScriptDescription = 256
	MaxScriptParams      = 20
	MaxParamValue        = 1024
)

// NewScript is a script to be created. With Reviewers it waits for their
// approval, without it runs at once.
type NewScript struct {
	Name              string // 1-64 of A-Za-z0-9_; unique
	Type              string // SHELL, PYTHON, BAT
	Description       string // 1-256
	Content           string // 1-4096
	RiskLevel         string // LOW, MEDIUM, HIGH
	Version           string // 1-10
	Reviewers         []Reviewer
	Protocol          string // how reviewers are told; "" = COC's default
	Params            []ScriptParam
	EnterpriseProject string // "" = the default
}

// ScriptChange replaces what can be changed of a script: not name and type.
type ScriptChange struct {
	Description string
	Content     string
	RiskLevel   string
	Version     string
	Reviewers   []Reviewer // again, or COC asks none
	Protocol    string
	Params      []ScriptParam
}

var scriptName = regexp.MustCompile(`^[A-Za-z0-9_]*$`)

// Check names everything that COC would refuse, in one error, or returns nil.
func (s NewScript) Check() error {
	var v violations
	v.filled("name", s.Name, 64)
	if !scriptName.MatchString(s.Name) {
		v.add("name must have letters, digits and _ only")
	}
	v.oneOf("type", s.Type, "SHELL", "PYTHON", "BAT")
	s.change().check(&v)
	return v.refuse(opCreateScript)
}

func (s NewScript) change() ScriptChange {
	return ScriptChange{s.Description, s.Content, s.RiskLevel, s.Version, s.Reviewers, s.Protocol, s.Params}
}

// Check names everything that COC would refuse, in one error, or returns nil.
func (s ScriptChange) Check() error {
	var v violations
	s.check(&v)
	return v.refuse(opUpdateScript)
}

func (s ScriptChange) check(v *violations) {
	v.filled("description", s.Description, MaxScriptDescription)
	v.filled("content", s.Content, MaxScriptContent)
	v.oneOf("risk_level", s.RiskLevel, "LOW", "MEDIUM", "HIGH")
	v.filled("version", s.Version, 10)
	v.between("the number of reviewers", len(s.Reviewers), 0, 5)
	v.between("the number of script_params", len(s.Params), 0, MaxScriptParams)
	for _, p := range s.Params {
		v.param(p.Name, p.Value, 0)
		v.text("param_description", p.Description, 0, 256)
	}
}

type scriptBody struct {
	Name              string           `json:"name,omitempty"`
	Properties        scriptProperties `json:"properties"`
	Description       string           `json:"description"`
	Type              string           `json:"type,omitempty"`
	Content           string           `json:"content"`
	EnterpriseProject string           `json:"enterprise_project_id,omitempty"`
	Params            []scriptParam    `json:"script_params,omitempty"`
}

type scriptProperties struct {
	RiskLevel string           `json:"risk_level"`
	Version   string           `json:"version"`
	Reviewers []scriptReviewer `json:"reviewers,omitempty"`
	Protocol  string           `json:"protocol,omitempty"`
}

type scriptReviewer struct {
	Name string `json:"reviewer_name"`
	ID   string `json:"reviewer_id"`
}

type scriptParam struct {
	Name        string `json:"param_name"`
	Value       string `json:"param_value"`
	Description string `json:"param_description"`
	Order       int    `json:"param_order"`
	Sensitive   bool   `json:"sensitive"`
}

func (s ScriptChange) body() scriptBody {
	b := scriptBody{Description: s.Description, Content: s.Content, Properties: scriptProperties{RiskLevel: s.RiskLevel, Version: s.Version, Protocol: s.Protocol}}
	for _, r := range s.Reviewers {
		b.Properties.Reviewers = append(b.Properties.Reviewers, scriptReviewer(r))
	}
	for i, p := range s.Params {
		b.Params = append(b.Params, scriptParam{p.Name, p.Value, p.Description, i + 1, p.Sensitive})
	}
	return b
}

const (
	opCreateScript = "create script"
	opUpdateScript = "update script"
)

// CreateScript returns the id of the new script. A name that is taken is an
// *Error of class Conflict, so that a repeat makes no second script.
func (c *Client) CreateScript(ctx context.Context, s NewScript) (uuid, requestID string, err error) {
	if err := s.Check(); err != nil {
		return "", "", err
	}
	body := s.change().body()
	body.Name, body.Type, body.EnterpriseProject = s.Name, s.Type, s.EnterpriseProject
	return c.created(ctx, c.changing(opCreateScript, http.MethodPost, "/v1/job/scripts", body))
}

// UpdateScript replaces the content. A script that has reviewers goes back to
// them. A repeat does no harm but that.
func (c *Client) UpdateScript(ctx context.Context, uuid string, s ScriptChange) (requestID string, err error) {
	var v violations
	v.id("script_uuid", uuid, maxUUID)
	s.check(&v)
	if err := v.refuse(opUpdateScript); err != nil {
		return "", err
	}
	r, err := c.call(ctx, c.changing(opUpdateScript, http.MethodPut, scriptPath(uuid), s.body()))
	return r.requestID, err
}

// DeleteScript returns nil also when there is no such script (any more).
func (c *Client) DeleteScript(ctx context.Context, uuid string) (requestID string, err error) {
	const op = "delete script"
	var v violations
	v.id("script_uuid", uuid, maxUUID)
	if err := v.refuse(op); err != nil {
		return "", err
	}
	r, err := c.call(ctx, c.changing(op, http.MethodDelete, scriptPath(uuid), nil))
	var e *Error
	if errors.As(err, &e) && (e.Class == NotFound || e.Code == ambiguousCode) {
		return e.RequestID, nil
	}
	return r.requestID, err
}
