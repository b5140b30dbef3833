package coc

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// How many incidents a page may have.
const (
	MaxIncidentsPerPage = 200 // of ListIncidents
	MaxTicketsPerPage   = 100 // of ListIncidentTickets
	usualPage           = 50
)

// IncidentQuery says which incidents to list, newest first.
type IncidentQuery struct {
	TitleLike   string    // part of the title
	Creator     string    // user id
	CreatedFrom time.Time // inclusive; zero = no bound
	CreatedTo   time.Time // inclusive; zero = no bound
	Limit       int       // 0 = 50
	Offset      int       // a multiple of Limit: COC counts pages
}

// IncidentPage is a part of a list.
type IncidentPage struct {
	Incidents []Incident `json:"incidents"`
	Total     int        `json:"total"` // of all pages
}

// pageNumber is COC's number of the page at offset, from 1.
func (v *violations) pageNumber(limit, offset, most int) (size, page int) {
	if limit == 0 {
		limit = min(usualPage, most)
	}
	v.between("limit", limit, 1, most)
	if limit < 1 || offset < 0 || offset%limit != 0 {
		v.add("offset is %d, must be a multiple of the limit %d", offset, limit)
		return limit, 1
	}
	return limit, offset/limit + 1
}

// filter is ObjectFilterV2 of the API.
type filter struct {
	Operator string   `json:"operator"`
	Field    string   `json:"field"`
	Name     string   `json:"name,omitempty"`
	Values   []string `json:"values"`
}

type incidentQuestion struct {
	Filters      []filter `json:"string_filters"`
	Sort         filter   `json:"sort_filter"`
	Page         int      `json:"page"`
	PerPage      int      `json:"per_page"`
	ContainTotal bool     `json:"contain_total"`
}

// filters have no inclusive comparison in the documents, hence the millisecond.
func (q IncidentQuery) filters() []filter {
	filters := []filter{}
	add := func(set bool, operator, field, value string) {
		if set {
			filters = append(filters, filter{Operator: operator, Field: field, Name: "f" + strconv.Itoa(len(filters)+1), Values: []string{value}})
		}
	}
	millis := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	add(q.TitleLike != "", "like", "title", q.TitleLike)
	add(q.Creator != "", "=", "creator", q.Creator)
	add(!q.CreatedFrom.IsZero(), ">", "create_time", millis(q.CreatedFrom.Add(-time.Millisecond)))
	add(!q.CreatedTo.IsZero(), "<", "create_time", millis(q.CreatedTo.Add(time.Millisecond)))
	return filters
}

// incidentRow is a ticket of POST /v2/incidents/list, whose names are not those
// of the detail.
type incidentRow struct {
	Num               text  `json:"ticket_id"`
	Title             text  `json:"title"`
	Description       text  `json:"description"`
	Level             text  `json:"level_id"`
	Type              text  `json:"mtm_type"`
	Source            text  `json:"source_id"`
	Status            text  `json:"work_flow_status"`
	Creator           text  `json:"creator"`
	Assignee          text  `json:"assignee"`
	Region            text  `json:"mtm_region"`
	EnterpriseProject text  `json:"enterprise_project_id"`
	Application       text  `json:"current_cloud_service_id"`
	ServiceInterrupt  truth `json:"is_service_interrupt"`
	CreateTime        stamp `json:"create_time"`
	HandleTime        stamp `json:"handle_time"`
	StartTime         stamp `json:"start_time"`
}

func (r incidentRow) incident() Incident {
	return Incident{
		Num: string(r.Num), Title: string(r.Title), Description: string(r.Description), Level: string(r.Level), Type: string(r.Type),
		Source: string(r.Source), Status: IncidentStatusOf(string(r.Status)), Creator: string(r.Creator), Assignee: string(r.Assignee),
		Region: string(r.Region), EnterpriseProject: string(r.EnterpriseProject), Application: string(r.Application),
		ServiceInterrupt: bool(r.ServiceInterrupt), CreateTime: int64(r.CreateTime), HandleTime: int64(r.HandleTime), StartTime: int64(r.StartTime),
	}
}

// ListIncidents is the only search there is: POST /v2/incidents/list
// (coc-api.md 3.11). A new incident takes seconds to show in it. Which filters
// COC honours is not documented in full, so look at what comes back.
func (c *Client) ListIncidents(ctx context.Context, q IncidentQuery) (IncidentPage, error) {
	const op = "list incidents"
	var v violations
	v.text("title", q.TitleLike, 0, MaxIncidentTitle)
	v.text("creator", q.Creator, 0, MaxText)
	size, page := v.pageNumber(q.Limit, q.Offset, MaxIncidentsPerPage)
	if err := v.refuse(op); err != nil {
		return IncidentPage{}, err
	}
	question := incidentQuestion{
		Filters: q.filters(), Sort: filter{Operator: "desc", Field: "create_time", Values: []string{}},
		Page: page, PerPage: size, ContainTotal: true,
	}
	var got struct {
		Rows  []incidentRow `json:"tickets"`
		Total number        `json:"total"`
	}
	if err := c.fetch(ctx, c.searching(op, "/v2/incidents/list", question), &got); err != nil {
		return IncidentPage{}, err
	}
	return pageOf(got.Rows, incidentRow.incident, int(got.Total)), nil
}

func pageOf[R any](rows []R, incident func(R) Incident, total int) IncidentPage {
	p := IncidentPage{Incidents: []Incident{}, Total: max(total, len(rows))}
	for _, row := range rows {
		p.Incidents = append(p.Incidents, incident(row))
	}
	return p
}

// TicketQuery is a page of all incidents.
type TicketQuery struct {
	Limit  int // 0 = 50
	Offset int // a multiple of Limit: COC counts pages
}

// ticketRow is a row of GET /v1/incident-tickets, with names of its own.
type ticketRow struct {
	Num               text `json:"ticket_id"`
	Title             text `json:"title"`
	Description       text `json:"description"`
	Level             text `json:"level"`
	Source            text `json:"source"`
	Status            text `json:"status"`
	Creator           text `json:"creator"`
	Assignee          text `json:"assignee"`
	EnterpriseProject text `json:"enterprise_project"`
}

func (r ticketRow) incident() Incident {
	return Incident{
		Num: string(r.Num), Title: string(r.Title), Description: string(r.Description), Level: string(r.Level), Source: string(r.Source),
		Status: IncidentStatusOf(string(r.Status)), Creator: string(r.Creator), Assignee: string(r.Assignee), EnterpriseProject: string(r.EnterpriseProject),
	}
}

// ListIncidentTickets lists all incidents without a filter, with fewer fields
// and no times: GET /v1/incident-tickets (coc-api.md 3.11).
func (c *Client) ListIncidentTickets(ctx context.Context, q TicketQuery) (IncidentPage, error) {
	const op = "list incident tickets"
	var v violations
	size, page := v.pageNumber(q.Limit, q.Offset, MaxTicketsPerPage)
	if err := v.refuse(op); err != nil {
		return IncidentPage{}, err
	}
	query := url.Values{"offset": {strconv.Itoa(page)}, "limit": {strconv.Itoa(size)}}
	var got struct {
		Rows  []ticketRow `json:"IncidentSimpleTicketInfos"` // encoding/json ignores case
		Total number      `json:"total"`
	}
	if err := c.fetch(ctx, c.reading(op, "/v1/incident-tickets", query), &got); err != nil {
		return IncidentPage{}, err
	}
	return pageOf(got.Rows, ticketRow.incident, int(got.Total)), nil
}
