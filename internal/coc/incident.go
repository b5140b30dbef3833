package coc

import (
	"context"
	"strings"
)

// IncidentStatus is where an incident stands. COC may know more than the
// constants: an unknown status stays as COC wrote it.
type IncidentStatus string

// The statuses in the documents (coc-api.md 3.5.1). COC's spelling differs in
// case from place to place; an Incident has these.
const (
	StatusDraft        IncidentStatus = "incident_draft"
	StatusTriggered    IncidentStatus = "INCIDENT_STATUS_TRIGGERED"
	StatusAcknowledged IncidentStatus = "INCIDENT_STATUS_ACKNOWLEDGED"
	StatusRejected     IncidentStatus = "INCIDENT_STATUS_REJECTED"
	StatusResolved     IncidentStatus = "INCIDENT_STATUS_RESOLVED"
	StatusCompleted    IncidentStatus = "INCIDENT_STATUS_COMPLETED"
)

// IncidentStatusOf is the constant for a status in any case, or else s itself.
func IncidentStatusOf(s string) IncidentStatus {
	s = strings.TrimSpace(s)
	for _, known := range []IncidentStatus{StatusDraft, StatusTriggered, StatusAcknowledged, StatusRejected, StatusResolved, StatusCompleted} {
		if strings.EqualFold(s, string(known)) {
			return known
		}
	}
	return IncidentStatus(s)
}

// Incident is a ticket as COC tells of it. What a call does not tell is empty;
// of lists, which COC fills with at most one, it is the first item. Times are
// milliseconds since 1970, 0 = none.
type Incident struct {
	Num               string         `json:"incident_num"`
	Title             string         `json:"title"`
	Description       string         `json:"description"`
	Level             string         `json:"level"`
	Type              string         `json:"type,omitempty"`
	Source            string         `json:"source,omitempty"`
	Status            IncidentStatus `json:"status"`
	Creator           string         `json:"creator"`
	Assignee          string         `json:"assignee,omitempty"`
	AssigneeScene     string         `json:"assignee_scene,omitempty"`
	AssigneeRole      string         `json:"assignee_role,omitempty"`
	Region            string         `json:"region,omitempty"`
	EnterpriseProject string         `json:"enterprise_project,omitempty"`
	Application       string         `json:"application,omitempty"`
	WarRoom           string         `json:"war_room,omitempty"`
	ServiceInterrupt  bool           `json:"service_interrupt"`
	CreateTime        int64          `json:"create_time,omitempty"`
	HandleTime        int64          `json:"handle_time,omitempty"` // of the solution
	StartTime         int64          `json:"start_time,omitempty"`  // of the fault
}

// incidentDetail is the answer of GET /v1/external/incident/{incident_num}
// (coc-api.md 3.5).
type incidentDetail struct {
	Num               text  `json:"incident_num"`
	Region            text  `json:"region"`
	EnterpriseProject text  `json:"enterprise_project"`
	Application       text  `json:"current_cloud_service"`
	Level             text  `json:"incident_level"`
	ServiceInterrupt  truth `json:"is_service_interrupt"`
	Type              text  `json:"incident_type"`
	Title             text  `json:"incident_title"`
	Description       text  `json:"incident_description"`
	Source            text  `json:"incident_source"`
	Assignee          text  `json:"incident_assignee"`
	AssigneeScene     text  `json:"assignee_scene"`
	AssigneeScenario  text  `json:"assignee_scenario"` // one table's name of it
	AssigneeRole      text  `json:"assignee_role"`
	WarRoom           text  `json:"warroom_id"`
	HandleTime        stamp `json:"handle_time"`
	Status            text  `json:"status"`
	CreateTime        stamp `json:"create_time"`
	Creator           text  `json:"creator"`
	StartTime         stamp `json:"start_time"`
}

func (d incidentDetail) incident() Incident {
	scene := d.AssigneeScene
	if scene == "" {
		scene = d.AssigneeScenario
	}
	return Incident{
		Num: string(d.Num), Title: string(d.Title), Description: string(d.Description), Level: string(d.Level),
		Type: string(d.Type), Source: string(d.Source), Status: IncidentStatusOf(string(d.Status)), Creator: string(d.Creator),
		Assignee: string(d.Assignee), AssigneeScene: string(scene), AssigneeRole: string(d.AssigneeRole),
		Region: string(d.Region), EnterpriseProject: string(d.EnterpriseProject), Application: string(d.Application),
		WarRoom: string(d.WarRoom), ServiceInterrupt: bool(d.ServiceInterrupt),
		CreateTime: int64(d.CreateTime), HandleTime: int64(d.HandleTime), StartTime: int64(d.StartTime),
	}
}

// GetIncident reads one incident. One that does not exist, or does not show yet
// since it was created seconds ago, is an *Error of class NotFound.
func (c *Client) GetIncident(ctx context.Context, num string) (Incident, error) {
	const op = "get incident"
	var v violations
	v.id("incident_num", num, MaxText)
	if err := v.refuse(op); err != nil {
		return Incident{}, err
	}
	var d incidentDetail
	if err := c.fetch(ctx, c.reading(op, "/v1/external/incident/"+num, nil), &d); err != nil {
		return Incident{}, err
	}
	return d.incident(), nil
}
