package coctest

import (
	"net/http"
	"strconv"
	"strings"
)

// GET /v1/external/incident/{incident_num} (coc-api.md 3.5), POST
// /v2/incidents/list and GET /v1/incident-tickets (3.11).

// detail has the field names of the detail, and its oddities: lists of an empty
// string, nulls, filed_key.
type detail struct {
	Num               string      `json:"incident_num"`
	Region            []string    `json:"region"`
	EnterpriseProject []string    `json:"enterprise_project"`
	Application       []string    `json:"current_cloud_service"`
	Level             string      `json:"incident_level"`
	ServiceInterrupt  any         `json:"is_service_interrupt"`
	Type              string      `json:"incident_type"`
	Title             string      `json:"incident_title"`
	Description       string      `json:"incident_description"`
	Source            string      `json:"incident_source"`
	Assignee          []string    `json:"incident_assignee"`
	Scene             *string     `json:"assignee_scene"`
	Role              *string     `json:"assignee_role"`
	WarRoom           *string     `json:"warroom_id"`
	HandleTime        any         `json:"handle_time"`
	Status            string      `json:"status"`
	CreateTime        int64       `json:"create_time"`
	Creator           string      `json:"creator"`
	StartTime         any         `json:"start_time"`
	Enums             []enumDatum `json:"enum_data_list"`
}

type enumDatum struct {
	Field   string `json:"filed_key"` // sic
	Key     string `json:"enum_key"`
	Chinese string `json:"name_zh"`
	English string `json:"name_en"`
}

func (s *Server) getIncident(c *call) reply {
	i := s.visibleIncident(c.r.PathValue("num"))
	if i == nil {
		return ticketError(codeNoIncident, "The incident does not exist.")
	}
	status := i.shown(s.opts.Now())
	d := detail{
		Num: i.Num, Region: []string{i.Region}, EnterpriseProject: []string{i.EnterpriseProject}, Application: []string{i.Application},
		Level: i.Level, ServiceInterrupt: i.ServiceInterrupt, Type: i.Type, Title: i.Title, Description: i.Description, Source: i.Source,
		Assignee: []string{i.Assignee}, Scene: &i.AssigneeScene, Role: &i.AssigneeRole, HandleTime: milliseconds(i.Handled),
		Status: status, CreateTime: i.Created.UnixMilli(), Creator: i.Creator,
		Enums: []enumDatum{{"work_flow_status", status, status, status}, {"level_id", i.Level, i.Level, i.Level}},
	}
	if i.StartTime != 0 {
		d.StartTime = i.StartTime
	}
	if s.opts.Switches.TextBool {
		d.ServiceInterrupt = strconv.FormatBool(i.ServiceInterrupt)
	}
	if s.opts.Switches.Seconds {
		d.CreateTime /= 1000
	}
	return ticketOK(d)
}

// row has the names of the list, which tells numbers and bools as text.
type row struct {
	Num               string  `json:"ticket_id"`
	Title             string  `json:"title"`
	Description       string  `json:"description"`
	Level             string  `json:"level_id"`
	Type              string  `json:"mtm_type"`
	Source            string  `json:"source_id"`
	Status            string  `json:"work_flow_status"`
	Creator           string  `json:"creator"`
	Assignee          string  `json:"assignee"`
	Region            string  `json:"mtm_region"`
	EnterpriseProject string  `json:"enterprise_project_id"`
	Application       string  `json:"current_cloud_service_id"`
	ServiceInterrupt  string  `json:"is_service_interrupt"`
	CreateTime        string  `json:"create_time"`
	HandleTime        *string `json:"handle_time"`
}

type listFilter struct {
	Operator string   `json:"operator"`
	Field    string   `json:"field"`
	Values   []string `json:"values"`
}

type listBody struct {
	Filters []listFilter `json:"string_filters"`
	Sort    *listFilter  `json:"sort_filter"`
	Page    int          `json:"page"`
	PerPage int          `json:"per_page"`
}

func (s *Server) listIncidents(c *call) reply {
	b := listBody{Page: 1, PerPage: 10}
	if problem := decodeObject(c.body, &b); problem != "" {
		return ticketError(codeTicketInvalid, problem)
	}
	if problem := b.check(); problem != "" {
		return ticketError(codeTicketInvalid, problem)
	}
	var found []*Incident
	for _, i := range s.visible() {
		if b.matches(i) {
			found = append(found, i)
		}
	}
	rows := []row{}
	for _, i := range pages(found, b.Page, b.PerPage) {
		rows = append(rows, s.rowOf(i))
	}
	return ticketOK(map[string]any{"tickets": rows, "total": len(found)})
}

func (s *Server) rowOf(i *Incident) row {
	r := row{
		Num: i.Num, Title: i.Title, Description: i.Description, Level: i.Level, Type: i.Type, Source: i.Source,
		Status: i.shown(s.opts.Now()), Creator: i.Creator, Assignee: i.Assignee, Region: i.Region,
		EnterpriseProject: i.EnterpriseProject, Application: i.Application,
		ServiceInterrupt: strconv.FormatBool(i.ServiceInterrupt), CreateTime: strconv.FormatInt(i.Created.UnixMilli(), 10),
	}
	if !i.Handled.IsZero() {
		text := strconv.FormatInt(i.Handled.UnixMilli(), 10)
		r.HandleTime = &text
	}
	return r
}

// filterFields are the fields that a filter may name, with their value.
var filterFields = map[string]func(i *Incident) string{
	"title":       func(i *Incident) string { return i.Title },
	"creator":     func(i *Incident) string { return i.Creator },
	"ticket_id":   func(i *Incident) string { return i.Num },
	"create_time": func(i *Incident) string { return strconv.FormatInt(i.Created.UnixMilli(), 10) },
}

func (b listBody) check() string {
	var v violations
	if b.Page < 1 || b.Page > 1000000 {
		v.add("page must be between 1 and 1000000")
	}
	if b.PerPage < 1 || b.PerPage > 200 {
		v.add("perPage must be between 1 and 200")
	}
	if len(b.Filters) > 20 {
		v.add("stringFilters size must be between 0 and 20")
	}
	for _, f := range b.Filters {
		if filterFields[f.Field] == nil || compare[f.Operator] == nil || len(f.Values) == 0 {
			v.add("The field[%s] operator[%s] invalid", f.Field, f.Operator)
		}
	}
	return strings.Join(v, " | ")
}

// compare are the operators of a filter. Numbers are as long as each other.
var compare = map[string]func(value string, wanted []string) bool{
	"like": func(value string, wanted []string) bool { return strings.Contains(value, wanted[0]) },
	"=":    func(value string, wanted []string) bool { return value == wanted[0] },
	">":    func(value string, wanted []string) bool { return value > wanted[0] },
	"<":    func(value string, wanted []string) bool { return value < wanted[0] },
	"in": func(value string, wanted []string) bool {
		for _, w := range wanted {
			if value == w {
				return true
			}
		}
		return false
	},
}

func (b listBody) matches(i *Incident) bool {
	for _, f := range b.Filters {
		if !compare[f.Operator](filterFields[f.Field](i), f.Values) {
			return false
		}
	}
	return true
}

// simpleTicket is a row of the unfiltered list.
type simpleTicket struct {
	Num               string   `json:"ticket_id"`
	Title             string   `json:"title"`
	Description       string   `json:"description"`
	Status            string   `json:"status"`
	Level             string   `json:"level"`
	EnterpriseProject string   `json:"enterprise_project"`
	Source            string   `json:"source"`
	Creator           string   `json:"creator"`
	Assignee          []string `json:"assignee"`
}

func (s *Server) listTickets(c *call) reply {
	var v violations
	page := v.queryInt(c.r, numeric{"offset", 1, 1, 1<<31 - 1})
	size := v.queryInt(c.r, numeric{"limit", 50, 1, 100})
	if len(v) > 0 {
		return ticketError(codeTicketInvalid, strings.Join(v, " | "))
	}
	all := s.visible()
	rows := []simpleTicket{}
	for _, i := range pages(all, page, size) {
		rows = append(rows, simpleTicket{i.Num, i.Title, i.Description, i.shown(s.opts.Now()), i.Level, i.EnterpriseProject, i.Source, i.Creator, []string{i.Assignee}})
	}
	return ticketOK(map[string]any{"IncidentSimpleTicketInfos": rows, "total": len(all)})
}

// numeric is a parameter of a query. usually stands for an absent one; below
// least it says that the parameter is mandatory.
type numeric struct {
	name                 string
	usually, least, most int
}

func (v *violations) queryInt(r *http.Request, p numeric) int {
	values := r.URL.Query()[p.name]
	if len(values) == 0 {
		if p.usually < p.least {
			v.add("%s must not be null", p.name)
		}
		return p.usually
	}
	n, err := strconv.Atoi(values[0])
	if err != nil || n < p.least || n > p.most || len(values) > 1 {
		v.add("%s must be between %d and %d", p.name, p.least, p.most)
		return p.least
	}
	return n
}
