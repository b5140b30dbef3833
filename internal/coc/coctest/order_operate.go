package coctest

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
)

// PUT /v1/job/script/orders/{uuid}/operation (coc-api.md 3.8).

type operationBody struct {
	Operation jsontext.Value `json:"operation_type"`
	Batch     jsontext.Value `json:"batch_index"`
	Host      jsontext.Value `json:"instance_id"`
}

func (s *Server) operateOrder(c *call, o *Order) reply {
	var b operationBody
	var v violations
	if problem := decodeObject(c.body, &b); problem != "" {
		return jobError(codeJobInvalid, problem)
	}
	operation := v.sized("operationType", b.Operation, 1, 255)
	var batch, host int64
	switch operation {
	case "SKIP_BATCH":
		batch = v.wholeNumber("batchIndex", b.Batch, 1, int64(len(o.Batches)))
	case "CANCEL_INSTANCE":
		host = v.wholeNumber("instanceId", b.Host, 1, 1<<62)
	}
	if len(v) > 0 {
		return jobError(codeJobSize, v[0])
	}
	if !s.operate(o, operation, int(batch)-1, host) {
		return jobError(codeJobInvalid, fmt.Sprintf("operationType value[%s] invalid in status %s", operation, o.Status))
	}
	o.Operations = append(o.Operations, operation)
	return jobOK(o.UUID)
}

// operate says whether the operation is legal, and does it.
func (s *Server) operate(o *Order, operation string, batch int, host int64) bool {
	now := s.opts.Now()
	if o.ended() {
		return false
	}
	switch operation {
	case "CANCEL_ORDER":
		o.cancelHosts(0, len(o.Batches)-1, now)
		o.Status, o.Finished = OrderCanceled, now
	case "PAUSE_ORDER":
		if o.Status == OrderPaused || o.Current == len(o.Batches)-1 {
			return false
		}
		o.pausing = true
	case "CONTINUE_ORDER":
		if o.Status != OrderPaused {
			return false
		}
		o.Status, o.begins = OrderProcessing, now
	case "SKIP_BATCH":
		if batch < o.Current {
			return false
		}
		o.cancelHosts(batch, batch, now)
	case "CANCEL_INSTANCE":
		h := o.hostRun(host)
		if h == nil || h.ended() {
			return false
		}
		h.Status, h.Finished = OrderCanceled, now
	default:
		return false
	}
	o.advance(now, s.opts.OrderStart)
	return true
}

func (o *Order) hostRun(id int64) *HostRun {
	for b := range o.Batches {
		for h := range o.Batches[b].Hosts {
			if run := &o.Batches[b].Hosts[h]; run.ID == id {
				return run
			}
		}
	}
	return nil
}

func (s *Server) controlOrders(w http.ResponseWriter, _ *http.Request) { answerControl(w, s.Orders()) }
