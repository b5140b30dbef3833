package coc

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// ExecutionStep is one step of an execution. Outputs may hold secrets.
type ExecutionStep struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Action   string          `json:"action"`
	Status   ExecutionStatus `json:"status"`
	Message  string          `json:"message,omitempty"`
	Started  int64           `json:"started,omitempty"` // milliseconds since 1970
	Finished int64           `json:"finished,omitempty"`
	Inputs   []Attribute     `json:"inputs,omitempty"`
	Outputs  []Attribute     `json:"outputs,omitempty"`
}

// Took is how long it ran, 0 if that is not known.
func (s ExecutionStep) Took() time.Duration { return took(s.Started, s.Finished) }

type stepAnswer struct {
	ID       text       `json:"execution_step_id"`
	Name     text       `json:"name"`
	Action   text       `json:"action"`
	Status   text       `json:"status"`
	Message  text       `json:"message"`
	Started  stamp      `json:"start_time"`
	Finished stamp      `json:"end_time"`
	Inputs   []keyValue `json:"inputs"`
	Outputs  []keyValue `json:"outputs"`
}

func (a stepAnswer) step() ExecutionStep {
	return ExecutionStep{
		ID: string(a.ID), Name: string(a.Name), Action: string(a.Action), Status: executionStatus(a.Status), Message: string(a.Message),
		Started: int64(a.Started), Finished: int64(a.Finished), Inputs: attributes(a.Inputs), Outputs: attributes(a.Outputs),
	}
}

// StepQuery is a page of the steps of an execution.
type StepQuery struct {
	Execution string
	Limit     int // 0 = 100
	Offset    int
}

// StepPage is a part of a list.
type StepPage struct {
	Steps []ExecutionStep
	Total int // of all pages
	Next  int // StepQuery.Offset of the next page; 0 = there is none
}

// ListExecutionSteps reads one page.
func (c *Client) ListExecutionSteps(ctx context.Context, q StepQuery) (StepPage, error) {
	const op = "list execution steps"
	var v violations
	query := url.Values{}
	v.id("execution_id", q.Execution, maxDocumentID)
	v.window(query, q.Limit, q.Offset)
	if err := v.refuse(op); err != nil {
		return StepPage{}, err
	}
	rows, total, err := listRows[stepAnswer](ctx, c, c.reading(op, "/v1/executions/"+q.Execution+"/steps", query))
	if err != nil {
		return StepPage{}, err
	}
	p := StepPage{Total: total, Next: nextOffset(q.Offset, len(rows), total)}
	for _, row := range rows {
		p.Steps = append(p.Steps, row.step())
	}
	return p, nil
}

// EachExecutionStep lists all pages from q.Offset on.
func (c *Client) EachExecutionStep(ctx context.Context, q StepQuery) iter.Seq2[ExecutionStep, error] {
	return walk(q.Offset, func(offset int) ([]ExecutionStep, int, error) {
		q.Offset = offset
		p, err := c.ListExecutionSteps(ctx, q)
		return p.Steps, p.Next, err
	})
}
