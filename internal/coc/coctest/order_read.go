package coctest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// The read side of script orders (coc-api.md 3.8).

type orderInfo struct {
	UUID       string          `json:"execute_uuid"`
	Created    int64           `json:"gmt_created"`
	Finished   any             `json:"gmt_finished"`
	Costs      any             `json:"execute_costs"`
	Creator    string          `json:"creator"`
	Status     string          `json:"status"`
	Properties orderProperties `json:"properties"`
}

type orderProperties struct {
	ScriptUUID   string         `json:"script_uuid"`
	ScriptName   string         `json:"script_name"`
	CurrentBatch int            `json:"current_execute_batch_index"`
	Param        map[string]any `json:"execute_param"`
}

// seenOrder is the order of the path as it is now, nil while it does not show.
func (s *Server) seenOrder(c *call) *Order {
	now := s.opts.Now()
	for _, o := range s.book.orders {
		if o.UUID == c.r.PathValue("order") && s.orderShows(o, now) {
			o.advance(now, s.opts.OrderStart)
			return o
		}
	}
	return nil
}

func (s *Server) orderShows(o *Order, now time.Time) bool {
	return !now.Before(o.Created.Add(s.opts.OrderDelay))
}

// withOrder is an operation on an order that shows.
func (s *Server) withOrder(op func(c *call, o *Order) reply) operation {
	return func(c *call) reply {
		if len(c.r.PathValue("order")) > 26 {
			return jobError(codeJobSize, "executeUuid size must be between 1 and 26")
		}
		o := s.seenOrder(c)
		if o == nil {
			return jobError(codeJobNoOrder, "The script order does not exist.")
		}
		return op(c, o)
	}
}

func (s *Server) statusWord(status string) string {
	if status == OrderAbnormal && s.opts.Switches.ErrorWord {
		return "ERROR"
	}
	return status
}

// costs are milliseconds, by switch seconds; null before the end.
func (s *Server) costs(from, to time.Time) any {
	switch {
	case to.IsZero() || from.IsZero():
		return nil
	case s.opts.Switches.CostsInSeconds:
		return int64(to.Sub(from) / time.Second)
	}
	return to.Sub(from).Milliseconds()
}

// orderInfo echoes the default values of parameters, not those that were sent.
func (s *Server) orderInfo(_ *call, o *Order) reply {
	info := orderInfo{
		UUID: o.UUID, Created: o.Created.UnixMilli(), Finished: milliseconds(o.Finished), Costs: s.costs(o.Created, o.Finished),
		Creator: caller, Status: s.statusWord(o.Status),
		Properties: orderProperties{ScriptUUID: o.ScriptUUID, ScriptName: o.Name, CurrentBatch: o.Current + 1},
	}
	params := []ScriptParam{}
	if script := s.script(o.ScriptUUID); script != nil {
		info.Properties.ScriptName, params = script.Name, script.detail().Params
	}
	info.Properties.Param = map[string]any{
		"timeout": int64(o.Timeout / time.Second), "success_rate": o.Rate, "execute_user": o.User, "script_params": params,
	}
	return jobOK(info)
}

type batchRow struct {
	Index      int    `json:"batch_index"`
	Total      int    `json:"total_instances"`
	Rotation   string `json:"rotation_strategy"`
	Properties string `json:"properties"`
}

func (s *Server) orderBatches(_ *call, o *Order) reply {
	rows := []batchRow{}
	for i, b := range o.Batches {
		rows = append(rows, batchRow{i + 1, len(b.Hosts), b.Rotation, "{}"})
	}
	if s.opts.Switches.Flat {
		return flat(rows)
	}
	return jobOK(rows)
}

type statisticsRow struct {
	Status  string `json:"instance_status"`
	Count   int    `json:"instance_count"`
	Batches []int  `json:"batch_indexes"`
}

// orderStatistics has a row for each status, zeros included.
func (s *Server) orderStatistics(_ *call, o *Order) reply {
	rows, total := []statisticsRow{}, 0
	for _, status := range []string{OrderReady, OrderProcessing, OrderAbnormal, OrderCanceled, OrderFinished} {
		row := statisticsRow{Status: status, Batches: []int{}}
		for i, b := range o.Batches {
			n := len(slices.DeleteFunc(slices.Clone(b.Hosts), func(h HostRun) bool { return h.Status != status }))
			if n > 0 {
				row.Count += n
				row.Batches = append(row.Batches, i+1)
			}
		}
		total += row.Count
		rows = append(rows, row)
	}
	return jobOK(map[string]any{"total_instance": total, "execute_statistics": rows})
}

type hostRow struct {
	ID       int64      `json:"id"`
	Target   targetInfo `json:"target_instance"`
	Created  any        `json:"gmt_created"`
	Finished any        `json:"gmt_finished"`
	Costs    any        `json:"execute_costs"`
	Status   string     `json:"status"`
	Message  string     `json:"message"`
}

type targetInfo struct {
	ResourceID  string            `json:"resource_id"`
	AgentSN     string            `json:"agent_sn"`
	AgentStatus string            `json:"agent_status"`
	RegionID    *string           `json:"region_id"`
	ProjectID   *string           `json:"project_id"`
	Properties  map[string]string `json:"properties"`
	Attributes  []tagPair         `json:"custom_attributes"`
}

func (s *Server) orderBatch(c *call, o *Order) reply {
	var v violations
	index, err := strconv.Atoi(c.r.PathValue("batch"))
	if err != nil || index < 1 || index > len(o.Batches) {
		return jobError(codeJobSize, "batchIndex value["+c.r.PathValue("batch")+"] invalid")
	}
	limit := v.queryInt(c.r, numeric{"limit", 0, 1, 50})
	marker := v.queryInt(c.r, numeric{"marker", -1, 0, 1<<31 - 1})
	if len(v) > 0 {
		return jobError(codeJobSize, strings.Join(v, " | "))
	}
	status := c.r.URL.Query().Get("status")
	rows := []hostRow{}
	for _, h := range o.Batches[index-1].Hosts {
		if h.ID > int64(marker) && len(rows) < limit && (status == "" || status == h.Status) {
			rows = append(rows, s.hostRow(h))
		}
	}
	return jobOK(map[string]any{"batch_index": index, "total_instances": len(o.Batches[index-1].Hosts), "execute_instances": rows})
}

func (s *Server) hostRow(h HostRun) hostRow {
	r := hostRow{
		ID: h.ID, Created: milliseconds(h.Started), Finished: milliseconds(h.Finished), Costs: s.costs(h.Started, h.Finished),
		Status: h.Status, Message: h.Message,
		Target: targetInfo{
			ResourceID: h.ResourceID, AgentSN: h.host.AgentID, AgentStatus: agentOnline,
			Properties: map[string]string{
				"host_name": h.host.Name, "fixed_ip": h.host.IP, "region_id": h.host.RegionID, "project_id": h.host.ProjectID,
			},
		},
	}
	for _, key := range h.keys {
		if !s.opts.Switches.HideAttributes {
			r.Target.Attributes = append(r.Target.Attributes, tagPair{key, h.Attributes[key]})
		}
	}
	return r
}

type orderRow struct {
	ID         int64               `json:"order_id"`
	Name       string              `json:"order_name"`
	UUID       string              `json:"execute_uuid"`
	Created    int64               `json:"gmt_created"`
	Finished   any                 `json:"gmt_finished"`
	Costs      any                 `json:"execute_costs"`
	Creator    string              `json:"creator"`
	Status     string              `json:"status"`
	Properties map[string][]string `json:"properties"`
}

func (s *Server) listOrders(c *call) reply {
	var v violations
	query := c.r.URL.Query()
	limit := v.queryInt(c.r, numeric{"limit", 10, 1, 100})
	marker := v.queryInt(c.r, numeric{"marker", 1 << 62, 0, 1 << 62})
	from := v.queryInt(c.r, numeric{"start_time", 0, 0, 1 << 62})
	to := v.queryInt(c.r, numeric{"end_time", 1 << 62, 0, 1 << 62})
	v.queryText(c.r, "creator", 64)
	if len(v) > 0 {
		return jobError(codeJobSize, strings.Join(v, " | "))
	}
	now := s.opts.Now()
	var rows []orderRow
	total := 0
	for _, o := range slices.Backward(s.book.orders) {
		o.advance(now, s.opts.OrderStart)
		created := int(o.Created.UnixMilli())
		if !s.orderShows(o, now) || created < from || created > to ||
			query.Get("creator") != "" && query.Get("creator") != caller || query.Get("status") != "" && query.Get("status") != o.Status {
			continue
		}
		total++
		if o.ID < int64(marker) && len(rows) < limit {
			rows = append(rows, s.orderRow(o))
		}
	}
	return jobOK(listing(rows, total))
}

func (s *Server) orderRow(o *Order) orderRow {
	regions := []string{}
	for _, b := range o.Batches {
		for _, h := range b.Hosts {
			regions = append(regions, h.host.RegionID)
		}
	}
	slices.Sort(regions)
	return orderRow{
		ID: o.ID, Name: o.Name, UUID: o.UUID, Created: o.Created.UnixMilli(), Finished: milliseconds(o.Finished),
		Costs: s.costs(o.Created, o.Finished), Creator: caller, Status: o.Status,
		Properties: map[string][]string{"region_ids": slices.Compact(regions)},
	}
}
