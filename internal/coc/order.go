package coc

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// OrderStatus is where an order, or a host of it, stands. An unknown one stays as
// COC wrote it, and counts as running.
type OrderStatus string

// The statuses of orders and hosts, in one vocabulary for all endpoints
// (coc-api.md 3.8).
const (
	OrderReady      OrderStatus = "READY"
	OrderProcessing OrderStatus = "PROCESSING"
	OrderPaused     OrderStatus = "PAUSED"
	OrderFinished   OrderStatus = "FINISHED"
	OrderAbnormal   OrderStatus = "ABNORMAL" // also COC's ERROR
	OrderCanceled   OrderStatus = "CANCELED"
	OrderRolledBack OrderStatus = "ROLLBACKED"
)

func orderStatus(t text) OrderStatus {
	s := OrderStatus(strings.ToUpper(strings.TrimSpace(string(t))))
	if s == "ERROR" {
		return OrderAbnormal
	}
	return s
}

// Ended says that nothing will happen any more.
func (s OrderStatus) Ended() bool {
	return s == OrderFinished || s == OrderAbnormal || s == OrderCanceled || s == OrderRolledBack
}

// Order is one run of a script as COC tells of it; a list tells less. Times are
// milliseconds since 1970, 0 = none: an order may have ended without one.
type Order struct {
	ID           int64       `json:"id,omitempty"` // its place in the list
	UUID         string      `json:"uuid"`
	Name         string      `json:"name,omitempty"`
	Status       OrderStatus `json:"status"`
	Creator      string      `json:"creator,omitempty"`
	Created      int64       `json:"created,omitempty"`
	Finished     int64       `json:"finished,omitempty"`
	ScriptUUID   string      `json:"script_uuid,omitempty"`
	ScriptName   string      `json:"script_name,omitempty"`
	CurrentBatch int         `json:"current_batch,omitempty"`
}

// Took is how long it ran, 0 if that is not known. execute_costs is not used: its
// unit is not certain (coc-api.md 8.7).
func (o Order) Took() time.Duration { return took(o.Created, o.Finished) }

func took(from, to int64) time.Duration {
	if from == 0 || to < from {
		return 0
	}
	return time.Duration(to-from) * time.Millisecond
}

type orderAnswer struct {
	ID         number `json:"order_id"`
	Name       text   `json:"order_name"`
	UUID       text   `json:"execute_uuid"`
	Created    stamp  `json:"gmt_created"`
	Finished   stamp  `json:"gmt_finished"`
	Creator    text   `json:"creator"`
	Status     text   `json:"status"`
	Properties struct {
		ScriptUUID   text   `json:"script_uuid"`
		ScriptName   text   `json:"script_name"`
		CurrentBatch number `json:"current_execute_batch_index"`
	} `json:"properties"`
}

func (a orderAnswer) order() Order {
	return Order{
		ID: int64(a.ID), UUID: string(a.UUID), Name: string(a.Name), Status: orderStatus(a.Status), Creator: string(a.Creator),
		Created: int64(a.Created), Finished: int64(a.Finished), ScriptUUID: string(a.Properties.ScriptUUID),
		ScriptName: string(a.Properties.ScriptName), CurrentBatch: int(a.Properties.CurrentBatch),
	}
}

func orderPath(uuid string) string { return "/v1/job/script/orders/" + uuid }

// GetOrder reads one order. One that does not exist, or does not show yet, is an
// *Error of class NotFound.
func (c *Client) GetOrder(ctx context.Context, uuid string) (Order, error) {
	const op = "get order"
	if err := checkOrder(op, uuid); err != nil {
		return Order{}, err
	}
	var a orderAnswer
	r, err := c.call(ctx, c.reading(op, orderPath(uuid), nil))
	if err != nil {
		return Order{}, err
	}
	if err := r.into(op, &a); err != nil {
		return Order{}, err
	}
	o := a.order()
	if o.UUID != "" && o.UUID != uuid {
		return Order{}, r.unlike(op, "it is about another order")
	}
	o.UUID = uuid
	return o, nil
}

func checkOrder(op, uuid string) error {
	var v violations
	v.id("execute_uuid", uuid, maxUUID)
	return v.refuse(op)
}

// OrderQuery says which orders to list, newest first.
type OrderQuery struct {
	From    time.Time // created at or after; zero = no bound
	To      time.Time // created at or before; zero = no bound
	Creator string
	Status  OrderStatus
	Limit   int   // 0 = 100
	After   int64 // Next of the page before; 0 = the first page
}

// OrderPage is a part of a list.
type OrderPage struct {
	Orders []Order
	Total  int   // of all pages
	Next   int64 // OrderQuery.After of the next page; 0 = there is none
}

const opListOrders = "list orders"

func (q OrderQuery) values() (url.Values, error) {
	var v violations
	query := url.Values{}
	v.page(query, q.Limit, MaxScriptsPerPage, q.After)
	v.criterion(query, "creator", q.Creator, 64)
	v.criterion(query, "status", string(q.Status), 64)
	for name, at := range map[string]time.Time{"start_time": q.From, "end_time": q.To} {
		if !at.IsZero() {
			query.Set(name, strconv.FormatInt(at.UnixMilli(), 10))
		}
	}
	return query, v.refuse(opListOrders)
}

// ListOrders reads one page. What was started just now may not show yet.
func (c *Client) ListOrders(ctx context.Context, q OrderQuery) (OrderPage, error) {
	query, err := q.values()
	if err != nil {
		return OrderPage{}, err
	}
	rows, total, err := listRows[orderAnswer](ctx, c, c.reading(opListOrders, "/v1/job/script/orders", query))
	if err != nil {
		return OrderPage{}, err
	}
	p := OrderPage{Total: total}
	for _, row := range rows {
		p.Orders = append(p.Orders, row.order())
		p.Next = int64(row.ID)
	}
	return p, nil
}

// EachOrder lists all pages from q.After on.
func (c *Client) EachOrder(ctx context.Context, q OrderQuery) iter.Seq2[Order, error] {
	return walk(q.After, func(after int64) ([]Order, int64, error) {
		q.After = after
		p, err := c.ListOrders(ctx, q)
		return p.Orders, p.Next, err
	})
}
