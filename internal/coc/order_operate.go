package coc

import (
	"context"
	"net/http"
)

// Operation is what can be done to an order.
type Operation string

// The operations (coc-api.md 3.8).
const (
	CancelHost    Operation = "CANCEL_INSTANCE" // needs OrderOperation.Host
	SkipBatch     Operation = "SKIP_BATCH"      // needs OrderOperation.Batch
	CancelOrder   Operation = "CANCEL_ORDER"
	PauseOrder    Operation = "PAUSE_ORDER"
	ContinueOrder Operation = "CONTINUE_ORDER"
)

// OrderOperation is one operation on one order.
type OrderOperation struct {
	Order     string
	Operation Operation
	Host      int64 // HostRun.ID
	Batch     int   // 1-20
}

type operationBody struct {
	Operation Operation `json:"operation_type"`
	Host      int64     `json:"instance_id,omitempty"`
	Batch     int       `json:"batch_index,omitempty"`
}

// OperateOrder cancels, pauses, continues or skips. What has ended already is
// refused; read the order before and after (coc-api.md 3.8).
func (c *Client) OperateOrder(ctx context.Context, o OrderOperation) (requestID string, err error) {
	const op = "operate order"
	var v violations
	v.id("execute_uuid", o.Order, maxUUID)
	v.oneOf("operation_type", string(o.Operation), string(CancelHost), string(SkipBatch), string(CancelOrder), string(PauseOrder), string(ContinueOrder))
	if (o.Operation == CancelHost) != (o.Host > 0) {
		v.add("%s and instance_id belong together", CancelHost)
	}
	if (o.Operation == SkipBatch) != (o.Batch > 0) || o.Batch > MaxBatches {
		v.add("%s and a batch_index of 1 to %d belong together", SkipBatch, MaxBatches)
	}
	if err := v.refuse(op); err != nil {
		return "", err
	}
	r, err := c.call(ctx, c.changing(op, http.MethodPut, orderPath(o.Order)+"/operation", operationBody{o.Operation, o.Host, o.Batch}))
	return r.requestID, err
}
