package coc

import (
	"context"
	"net/http"
)

// ExecutionOperation is what can be done to an execution.
type ExecutionOperation string

// The operations (coc-api.md 3.10).
const (
	ResumeExecution    ExecutionOperation = "RESUME"
	TerminateExecution ExecutionOperation = "TERMINATE"
	RetryExecution     ExecutionOperation = "RETRY" // runs steps again
	SkipExecutionBatch ExecutionOperation = "SKIP_BATCH"
)

// OperateExecution does one of them. To resume or retry twice may run steps
// twice: read the execution before and after.
func (c *Client) OperateExecution(ctx context.Context, id string, operation ExecutionOperation) (requestID string, err error) {
	const op = "operate execution"
	var v violations
	v.id("execution_id", id, maxDocumentID)
	v.oneOf("operate_type", string(operation), string(ResumeExecution), string(TerminateExecution), string(RetryExecution), string(SkipExecutionBatch))
	if err := v.refuse(op); err != nil {
		return "", err
	}
	body := struct {
		ID        string             `json:"execution_id"`
		Operation ExecutionOperation `json:"operate_type"`
	}{id, operation}
	q := c.changing(op, http.MethodPost, "/v1/executions", body)
	q.empty = true // COC answers a success without a body (coc-api.md 7)
	r, err := c.call(ctx, q)
	return r.requestID, err
}
