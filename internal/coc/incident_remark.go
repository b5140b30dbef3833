package coc

import (
	"context"
	"net/http"
)

// MaxRemark is the longest remark in UTF-16 units. COC documents no limit; this
// one is ours.
const MaxRemark = 300

const addRemark = "addRemark"

// incidentTask is one node of an incident's workflow and what may be done there.
type incidentTask struct {
	Operations []struct {
		Task text `json:"task_id"`
		Key  text `json:"key"`
	} `json:"operations"`
}

type remarkBody struct {
	Task   string     `json:"task_id"`
	Action string     `json:"action"`
	Params remarkNote `json:"params"`
}

type remarkNote struct {
	Note string `json:"note"`
}

// RemarkIncident adds a note to an incident: it asks which task takes one now,
// and gives it the note (v2 addRemark, coc-api.md 3.4). An incident that takes
// none in its state is an *Error of class Conflict that is not Sent.
func (c *Client) RemarkIncident(ctx context.Context, num, note string) (requestID string, err error) {
	const op = "remark incident"
	var v violations
	v.id("incident_num", num, MaxText)
	v.filled("note", note, MaxRemark)
	if err := v.refuse(op); err != nil {
		return "", err
	}
	task, err := c.remarkTask(ctx, op, num)
	if err != nil {
		return "", err
	}
	body := remarkBody{Task: task, Action: addRemark, Params: remarkNote{Note: note}}
	r, err := c.call(ctx, c.changing(op, http.MethodPost, "/v2/incidents/"+num+"/actions", body))
	return r.requestID, err
}

// remarkTask is the task that takes a remark. No byte of the remark has left
// when it fails, whatever became of its own request.
func (c *Client) remarkTask(ctx context.Context, op, num string) (string, error) {
	var tasks []incidentTask
	if err := c.fetch(ctx, c.reading(op, "/v2/incidents/"+num+"/tasks", nil), &tasks); err != nil {
		return "", notSent(err)
	}
	for _, task := range tasks {
		for _, operation := range task.Operations {
			if operation.Key == addRemark && operation.Task != "" {
				return string(operation.Task), nil
			}
		}
	}
	return "", &Error{Op: op, Class: Conflict, Message: "the incident takes no remark in the state it is in"}
}
