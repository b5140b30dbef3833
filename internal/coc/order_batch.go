package coc

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// MaxHostRunsPerPage is COC's limit (coc-api.md 3.8).
const MaxHostRunsPerPage = 50

// OrderBatch is one batch of an order.
type OrderBatch struct {
	Index int  `json:"index"` // from 1
	Hosts int  `json:"hosts"`
	Pause bool `json:"pause"` // after it the order waits for a person
}

// OrderBatches reads the batches of an order.
func (c *Client) OrderBatches(ctx context.Context, order string) ([]OrderBatch, error) {
	const op = "list batches"
	if err := checkOrder(op, order); err != nil {
		return nil, err
	}
	type batch struct {
		Index    number `json:"batch_index"`
		Hosts    number `json:"total_instances"`
		Rotation text   `json:"rotation_strategy"`
	}
	rows, _, err := listRows[batch](ctx, c, c.reading(op, orderPath(order)+"/batches", nil))
	if err != nil {
		return nil, err
	}
	var batches []OrderBatch
	for _, row := range rows {
		batches = append(batches, OrderBatch{int(row.Index), int(row.Hosts), row.Rotation == "PAUSE"})
	}
	return batches, nil
}

// Statistics counts the hosts of an order by their status; those of no host are
// left out.
type Statistics struct {
	Hosts    int                 `json:"hosts"`
	ByStatus map[OrderStatus]int `json:"by_status"`
}

// Done is how many hosts have ended, Failed how many of them not well.
func (s Statistics) Done() (done, failed int) {
	for status, n := range s.ByStatus {
		if status.Ended() {
			done += n
		}
		if status.Ended() && status != OrderFinished {
			failed += n
		}
	}
	return done, failed
}

// OrderStatistics is the cheapest way to see how an order gets on.
func (c *Client) OrderStatistics(ctx context.Context, order string) (Statistics, error) {
	const op = "get statistics"
	if err := checkOrder(op, order); err != nil {
		return Statistics{}, err
	}
	var a struct {
		Total number `json:"total_instance"`
		Rows  []struct {
			Status text   `json:"instance_status"`
			Count  number `json:"instance_count"`
		} `json:"execute_statistics"`
	}
	if err := c.fetch(ctx, c.reading(op, orderPath(order)+"/statistics", nil), &a); err != nil {
		return Statistics{}, err
	}
	s := Statistics{Hosts: int(a.Total), ByStatus: map[OrderStatus]int{}}
	for _, row := range a.Rows {
		if row.Count > 0 {
			s.ByStatus[orderStatus(row.Status)] += int(row.Count)
		}
	}
	return s, nil
}

// HostRun is what became of a run on one host. Output is what the script wrote,
// which may hold secrets.
type HostRun struct {
	ID         int64       `json:"id"`
	ResourceID string      `json:"resource_id"`
	Name       string      `json:"name,omitempty"`
	IP         string      `json:"ip,omitempty"`
	RegionID   string      `json:"region_id,omitempty"`
	Attributes []Attribute `json:"attributes,omitempty"` // nil also where COC does not tell them
	Status     OrderStatus `json:"status"`
	Created    int64       `json:"created,omitempty"`  // milliseconds since 1970
	Finished   int64       `json:"finished,omitempty"` // 0 = not yet, or not told
	Output     string      `json:"output,omitempty"`
}

// Took is how long it ran, 0 if that is not known.
func (h HostRun) Took() time.Duration { return took(h.Created, h.Finished) }

type hostAnswer struct {
	ID     number `json:"id"`
	Target struct {
		ResourceID text `json:"resource_id"`
		RegionID   text `json:"region_id"`
		Properties struct {
			Name     text `json:"host_name"`
			IP       text `json:"fixed_ip"`
			RegionID text `json:"region_id"`
		} `json:"properties"`
		Attributes []struct {
			Key   text `json:"key"`
			Value text `json:"value"`
		} `json:"custom_attributes"`
	} `json:"target_instance"`
	Created  stamp `json:"gmt_created"`
	Finished stamp `json:"gmt_finished"`
	Status   text  `json:"status"`
	Message  text  `json:"message"`
}

func (a hostAnswer) host() HostRun {
	h := HostRun{
		ID: int64(a.ID), ResourceID: string(a.Target.ResourceID), Name: string(a.Target.Properties.Name), IP: string(a.Target.Properties.IP),
		RegionID: string(a.Target.Properties.RegionID), Status: orderStatus(a.Status), Created: int64(a.Created), Finished: int64(a.Finished),
		Output: string(a.Message),
	}
	if h.RegionID == "" {
		h.RegionID = string(a.Target.RegionID)
	}
	for _, at := range a.Target.Attributes {
		h.Attributes = append(h.Attributes, Attribute{string(at.Key), string(at.Value)})
	}
	return h
}

// HostRunQuery says which hosts of a batch to list.
type HostRunQuery struct {
	Order  string
	Batch  int         // 1-20
	Status OrderStatus // "" = all
	Limit  int         // 0 = 50
	After  int64       // Next of the page before; 0 = the first page
}

// HostRunPage is a part of a batch.
type HostRunPage struct {
	Hosts []HostRun
	Total int   // of the batch
	Next  int64 // HostRunQuery.After of the next page; 0 = there is none
}

// ListHostRuns reads one page of a batch.
func (c *Client) ListHostRuns(ctx context.Context, q HostRunQuery) (HostRunPage, error) {
	const op = "get batch"
	var v violations
	query := url.Values{}
	v.id("execute_uuid", q.Order, maxUUID)
	v.between("batch_index", q.Batch, 1, MaxBatches)
	v.page(query, q.Limit, MaxHostRunsPerPage, q.After)
	v.criterion(query, "status", string(q.Status), 64)
	query.Set("marker", strconv.FormatInt(q.After, 10)) // mandatory in one reading, from 0
	if err := v.refuse(op); err != nil {
		return HostRunPage{}, err
	}
	var a struct {
		Total number       `json:"total_instances"`
		Hosts []hostAnswer `json:"execute_instances"`
	}
	if err := c.fetch(ctx, c.reading(op, orderPath(q.Order)+"/batches/"+strconv.Itoa(q.Batch), query), &a); err != nil {
		return HostRunPage{}, err
	}
	p := HostRunPage{Total: max(int(a.Total), len(a.Hosts))}
	for _, h := range a.Hosts {
		p.Hosts = append(p.Hosts, h.host())
		p.Next = int64(h.ID)
	}
	return p, nil
}

// EachHostRun lists all pages of a batch from q.After on.
func (c *Client) EachHostRun(ctx context.Context, q HostRunQuery) iter.Seq2[HostRun, error] {
	return walk(q.After, func(after int64) ([]HostRun, int64, error) {
		q.After = after
		p, err := c.ListHostRuns(ctx, q)
		return p.Hosts, p.Next, err
	})
}
