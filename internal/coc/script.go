package coc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxUUID is the longest id of a script or of an order (coc-api.md 3.6, 3.8).
const maxUUID = 26

// ScriptStatus is what reviewers have said. An unknown one stays as COC wrote it.
type ScriptStatus string

// The statuses of a script. Only an approved one runs.
const (
	ScriptPending  ScriptStatus = "PENDING_APPROVE"
	ScriptApproved ScriptStatus = "APPROVED"
	ScriptRejected ScriptStatus = "REJECTED"
)

// Script is a script as COC tells of it; a list tells neither content nor
// parameters. Times are milliseconds since 1970, 0 = none.
type Script struct {
	ID                int64         `json:"id,omitempty"` // its place in the list
	UUID              string        `json:"uuid"`
	Name              string        `json:"name"`
	Type              string        `json:"type"` // SHELL, PYTHON, BAT
	Status            ScriptStatus  `json:"status"`
	Description       string        `json:"description,omitempty"`
	Content           string        `json:"content,omitempty"`
	Params            []ScriptParam `json:"params,omitempty"`
	RiskLevel         string        `json:"risk_level,omitempty"` // LOW, MEDIUM, HIGH
	Version           string        `json:"version,omitempty"`
	Reviewers         []Reviewer    `json:"reviewers,omitempty"`
	Protocol          string        `json:"protocol,omitempty"` // how reviewers are told
	Creator           string        `json:"creator,omitempty"`
	Operator          string        `json:"operator,omitempty"`
	EnterpriseProject string        `json:"enterprise_project,omitempty"`
	Created           int64         `json:"created,omitempty"`
	Modified          int64         `json:"modified,omitempty"`
}

// ScriptParam is a parameter that a script declares. COC masks the value of a
// sensitive one with asterisks; never write those back.
type ScriptParam struct {
	Name        string `json:"name"`
	Value       string `json:"value"` // the default
	Description string `json:"description,omitempty"`
	Sensitive   bool   `json:"sensitive,omitempty"`
}

// Reviewer is a person who approves a script.
type Reviewer struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// ContentSHA256 is the hash that rules pin, in hex, of the content as COC returns
// it.
func (s Script) ContentSHA256() string { return hashOf(s.Content) }

func hashOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// scriptAnswer is a script in a list or by itself.
type scriptAnswer struct {
	ID                number        `json:"id"`
	UUID              text          `json:"script_uuid"`
	Name              text          `json:"name"`
	Type              text          `json:"type"`
	Status            text          `json:"status"`
	Description       text          `json:"description"`
	Content           text          `json:"content"`
	Version           text          `json:"version"`
	Params            []paramAnswer `json:"script_params"`
	Creator           text          `json:"creator"`
	Operator          text          `json:"operator"`
	EnterpriseProject text          `json:"enterprise_project_id"`
	Created           stamp         `json:"gmt_created"`
	Modified          stamp         `json:"gmt_modified"`
	Properties        struct {
		RiskLevel text `json:"risk_level"`
		Version   text `json:"version"`
		Protocol  text `json:"protocol"`
		Reviewers []struct {
			Name text `json:"reviewer_name"`
			ID   text `json:"reviewer_id"`
		} `json:"reviewers"`
	} `json:"properties"`
}

type paramAnswer struct {
	Name        text  `json:"param_name"`
	Value       text  `json:"param_value"`
	Description text  `json:"param_description"`
	Sensitive   truth `json:"sensitive"`
}

func (a scriptAnswer) script() Script {
	s := Script{
		ID: int64(a.ID), UUID: string(a.UUID), Name: string(a.Name), Type: string(a.Type),
		Status:      ScriptStatus(strings.ToUpper(string(a.Status))),
		Description: string(a.Description), Content: string(a.Content), RiskLevel: string(a.Properties.RiskLevel),
		Version: string(a.Properties.Version), Protocol: string(a.Properties.Protocol), Creator: string(a.Creator),
		Operator: string(a.Operator), EnterpriseProject: string(a.EnterpriseProject), Created: int64(a.Created), Modified: int64(a.Modified),
	}
	if s.Version == "" {
		s.Version = string(a.Version)
	}
	for _, p := range a.Params {
		s.Params = append(s.Params, ScriptParam{string(p.Name), string(p.Value), string(p.Description), bool(p.Sensitive)})
	}
	for _, r := range a.Properties.Reviewers {
		s.Reviewers = append(s.Reviewers, Reviewer{string(r.Name), string(r.ID)})
	}
	return s
}

// GetScript reads one script with its content. One that does not exist is an
// *Error of class NotFound.
func (c *Client) GetScript(ctx context.Context, uuid string) (Script, error) {
	const op = "get script"
	var v violations
	v.id("script_uuid", uuid, maxUUID)
	if err := v.refuse(op); err != nil {
		return Script{}, err
	}
	var a scriptAnswer
	if err := c.fetch(ctx, c.reading(op, scriptPath(uuid), nil), &a); err != nil {
		return Script{}, err
	}
	s := a.script()
	if s.UUID == "" {
		s.UUID = uuid
	}
	return s, nil
}

func scriptPath(uuid string) string { return "/v1/job/scripts/" + uuid }
