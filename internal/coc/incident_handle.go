package coc

import (
	"context"
	"net/http"
)

// The limits of an action's texts in UTF-16 units (coc-api.md 3.4).
const (
	MaxSolution       = 10000 // also of the cause
	MaxVerdictComment = 300
)

// OperateKey is a step in the life of an incident.
type OperateKey string

// The steps that every reading of the documents knows.
const (
	AcceptIncident  OperateKey = "acceptedIncident1"
	CommitSolution  OperateKey = "commitSolution1"
	ConfirmIncident OperateKey = "confirm"
)

// IncidentAction is one step of one incident. CommitSolution needs a Solution,
// ConfirmIncident a Verdict.
type IncidentAction struct {
	Num      string
	Operator string // user id
	Key      OperateKey
	Solution *Solution
	Verdict  *Verdict
}

// Solution ends the work on an incident.
type Solution struct {
	Type             string // usually one of IncidentTypes
	ServiceInterrupt bool
	Cause            string // 1-10000
	Solution         string // 1-10000
}

// Verdict closes a solved incident, or sends it back.
type Verdict struct {
	OK      bool
	Comment string // 1-300
}

// Check names everything that COC would refuse, in one error, or returns nil.
func (a IncidentAction) Check() error {
	var v violations
	v.id("incident_num", a.Num, MaxText)
	v.filled("operator", a.Operator, MaxText)
	v.oneOf("operate_key", string(a.Key), string(AcceptIncident), string(CommitSolution), string(ConfirmIncident))
	switch {
	case (a.Key == CommitSolution) != (a.Solution != nil):
		v.add("%s and a solution belong together", CommitSolution)
	case (a.Key == ConfirmIncident) != (a.Verdict != nil):
		v.add("%s and a verdict belong together", ConfirmIncident)
	}
	if s := a.Solution; s != nil {
		v.filled("mtm_type", s.Type, MaxText)
		v.filled("cause", s.Cause, MaxSolution)
		v.filled("solution", s.Solution, MaxSolution)
	}
	if a.Verdict != nil {
		v.filled("virtual_confirm_comment", a.Verdict.Comment, MaxVerdictComment)
	}
	return v.refuse(opOf(a.Key))
}

type actionBody struct {
	Num       string     `json:"incident_num"`
	Operator  string     `json:"operator"`
	Key       OperateKey `json:"operate_key"`
	Parameter any        `json:"parameter,omitempty"`
}

type solutionBody struct {
	Type             string `json:"mtm_type"`
	ServiceInterrupt bool   `json:"is_service_interrupt"`
	Cause            string `json:"cause"`
	Solution         string `json:"solution"`
}

type verdictBody struct {
	OK      bool   `json:"virtual_confirm_result"`
	Comment string `json:"virtual_confirm_comment"`
}

func (a IncidentAction) body() actionBody {
	body := actionBody{Num: a.Num, Operator: a.Operator, Key: a.Key}
	if s := a.Solution; s != nil {
		body.Parameter = solutionBody(*s)
	}
	if a.Verdict != nil {
		body.Parameter = verdictBody(*a.Verdict)
	}
	return body
}

func opOf(key OperateKey) string {
	switch key {
	case AcceptIncident:
		return "accept incident"
	case CommitSolution:
		return "solve incident"
	case ConfirmIncident:
		return "confirm incident"
	}
	return "handle incident"
}

// HandleIncident asks COC for a step. COC takes it before it shows: the new
// status may be seen seconds later, and a step that comes too soon after the one
// before is refused. A step that is done already is refused too, so that a
// repeat does no harm; read the incident before and after (coc-api.md 3.4).
func (c *Client) HandleIncident(ctx context.Context, a IncidentAction) (requestID string, err error) {
	if err := a.Check(); err != nil {
		return "", err
	}
	r, err := c.call(ctx, c.changing(opOf(a.Key), http.MethodPost, "/v1/external/incident/handle", a.body()))
	return r.requestID, err
}
