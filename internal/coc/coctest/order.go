package coctest

import (
	"slices"
	"time"
)

// Script orders: a deterministic machine that runs by the server's clock. Its
// state is brought up to date whenever somebody looks (coc-api.md 3.8).

// The statuses of orders and of their hosts.
const (
	OrderReady      = "READY"
	OrderProcessing = "PROCESSING"
	OrderPaused     = "PAUSED"
	OrderFinished   = "FINISHED"
	OrderAbnormal   = "ABNORMAL"
	OrderCanceled   = "CANCELED"
)

// Order is one run of a script.
type Order struct {
	ID         int64             `json:"id"`
	UUID       string            `json:"uuid"`
	Name       string            `json:"name"`
	RequestID  string            `json:"request_id"` // of the call that started it
	ScriptUUID string            `json:"script_uuid"`
	User       string            `json:"user"`
	Timeout    time.Duration     `json:"timeout"`
	Rate       float64           `json:"success_rate"`
	Params     map[string]string `json:"params"` // as they were sent
	Status     string            `json:"status"`
	Created    time.Time         `json:"created"`
	Finished   time.Time         `json:"finished"`
	Batches    []OrderBatch      `json:"batches"`
	Current    int               `json:"current"`    // index of the batch, from 0
	Operations []string          `json:"operations"` // that were accepted

	begins  time.Time // the current batch
	pausing bool      // after the current batch
}

// OrderBatch is the hosts that run at the same time.
type OrderBatch struct {
	Rotation string    `json:"rotation"` // CONTINUE, or PAUSE after it
	Hosts    []HostRun `json:"hosts"`
}

// HostRun is a run on one host.
type HostRun struct {
	ID         int64             `json:"id"`
	ResourceID string            `json:"resource_id"`
	Attributes map[string]string `json:"attributes"`
	Status     string            `json:"status"`
	Started    time.Time         `json:"started"`
	Finished   time.Time         `json:"finished"`
	Message    string            `json:"message"`

	host Host // as it was when the order was given
	keys []string
}

// Orders returns all orders, oldest first, as they are now.
func (s *Server) Orders() []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Order, len(s.book.orders))
	for i, o := range s.book.orders {
		o.advance(s.opts.Now(), s.opts.OrderStart)
		all[i] = o.clone()
	}
	return all
}

func (o *Order) clone() Order {
	c := *o
	c.Operations, c.Batches = slices.Clone(o.Operations), slices.Clone(o.Batches)
	for i := range c.Batches {
		c.Batches[i].Hosts = slices.Clone(c.Batches[i].Hosts)
	}
	return c
}

func (o *Order) ended() bool {
	return o.Status == OrderFinished || o.Status == OrderAbnormal || o.Status == OrderCanceled
}

// advance brings the order to what it is at now.
func (o *Order) advance(now time.Time, start time.Duration) {
	if o.Status == OrderReady && !now.Before(o.Created.Add(start)) {
		o.Status, o.begins = OrderProcessing, o.Created.Add(start)
	}
	for o.Status == OrderProcessing && !now.Before(o.begins) {
		end, done := o.Batches[o.Current].advance(o.begins, now, o.Timeout)
		if !done {
			return
		}
		o.endBatch(end)
	}
}

// advance runs the hosts of a batch, and says when the last one ended.
func (b *OrderBatch) advance(begins, now time.Time, timeout time.Duration) (end time.Time, done bool) {
	end, done = begins, true
	for i := range b.Hosts {
		h := &b.Hosts[i]
		h.advance(begins, now, timeout)
		done = done && h.ended()
		if h.Finished.After(end) {
			end = h.Finished
		}
	}
	return end, done
}

func (h *HostRun) ended() bool { return h.Status != OrderReady && h.Status != OrderProcessing }

func (h *HostRun) advance(begins, now time.Time, timeout time.Duration) {
	if h.Status == OrderReady {
		h.Status, h.Started = OrderProcessing, begins
	}
	if end := h.Started.Add(min(h.host.Takes, timeout)); h.Status == OrderProcessing && !now.Before(end) {
		h.finish(end, timeout)
	}
}

func (h *HostRun) finish(at time.Time, timeout time.Duration) {
	h.Status, h.Finished, h.Message = OrderFinished, at, h.host.Output
	if h.Message == "" {
		h.Message = "ok"
	}
	switch {
	case h.host.Takes > timeout:
		h.Status, h.Message = OrderAbnormal, h.Message+"\ntimed out"
	case h.host.Fails:
		h.Status = OrderAbnormal
	}
}

// endBatch goes on to the next batch, or ends the order.
func (o *Order) endBatch(at time.Time) {
	rotation := o.Batches[o.Current].Rotation
	switch {
	case o.successRate() < o.Rate:
		o.Status, o.Finished = OrderAbnormal, at
	case o.Current == len(o.Batches)-1:
		o.Status, o.Finished = OrderFinished, at
	default:
		o.Current++
		o.begins = at
		if rotation == "PAUSE" || o.pausing {
			o.Status, o.pausing = OrderPaused, false
		}
	}
}

// successRate is in percent of the hosts that ended by themselves.
func (o *Order) successRate() float64 {
	good, all := 0, 0
	for _, b := range o.Batches {
		for _, h := range b.Hosts {
			if h.Status == OrderFinished {
				good++
			}
			if h.Status == OrderFinished || h.Status == OrderAbnormal {
				all++
			}
		}
	}
	if all == 0 {
		return 100
	}
	return float64(good) / float64(all) * 100
}

// cancelHosts ends what has not ended in the batches from first to last.
func (o *Order) cancelHosts(first, last int, at time.Time) {
	for i := first; i <= last; i++ {
		for n := range o.Batches[i].Hosts {
			if h := &o.Batches[i].Hosts[n]; !h.ended() {
				h.Status, h.Finished = OrderCanceled, at
			}
		}
	}
}
