package coc

import (
	"context"
	"net/http"
)

// The limits of an incident's texts in UTF-16 units (coc-api.md 3.3).
const (
	MaxIncidentTitle       = 200
	MaxIncidentDescription = 600
)

// Levels of an incident, worst first (coc-api.md 3.5.1).
var incidentLevels = []string{"level_10", "level_20", "level_30", "level_40", "level_50"}

var incidentSources = []string{"incident_source_manual", "incident_source_forwarding", "incident_source_alarm"}

// incidentTypes are those that COC has by itself. "ohter" is how COC spells it.
var incidentTypes = []string{
	"inc_type_p_security_issues", "inc_type_p_function_issues", "inc_type_p_reliability_issues", "inc_type_p_config_issues",
	"inc_type_p_middlewares", "inc_type_p_hardware_issues", "inc_type_p_networking_issues", "inc_type_p_shelter_issues",
	"inc_type_p_monitoring_issues", "inc_type_p_consulting_issues", "inc_type_p_suppliers_issues", "inc_type_p_ohter_issues",
	"inc_type_p_change_issues",
}

// IncidentLevels are all levels there are, worst first.
func IncidentLevels() []string { return append([]string(nil), incidentLevels...) }

// IncidentSources are all sources there are.
func IncidentSources() []string { return append([]string(nil), incidentSources...) }

// IncidentTypes are the types that every account has. An account may add types
// of its own.
func IncidentTypes() []string { return append([]string(nil), incidentTypes...) }

// NewIncident is an incident to be created. Either Assignee is set, or
// AssigneeScene and AssigneeRole are. Lengths are in UTF-16 units.
type NewIncident struct {
	Region            string // a war room needs it
	EnterpriseProject string // "0" = default
	Application       string
	Level             string // one of IncidentLevels
	Type              string // usually one of IncidentTypes
	Title             string // 1-200
	Description       string // 1-600
	Source            string // one of IncidentSources
	Assignee          string // user id
	AssigneeScene     string
	AssigneeRole      string
	Creator           string // user id
	ServiceInterrupt  bool
	StartTime         int64 // of the fault, milliseconds since 1970; 0 = not told
}

// Check names everything that COC would refuse, in one error, or returns nil.
func (in NewIncident) Check() error { return in.violations().refuse(opCreateIncident) }

func (in NewIncident) violations() violations {
	var v violations
	v.oneOf("incident_level", in.Level, incidentLevels...)
	v.filled("incident_type", in.Type, MaxText)
	v.filled("incident_title", in.Title, MaxIncidentTitle)
	v.filled("incident_description", in.Description, MaxIncidentDescription)
	v.oneOf("incident_source", in.Source, incidentSources...)
	v.filled("creator", in.Creator, MaxText)
	for _, field := range []struct{ name, value string }{
		{"region", in.Region}, {"enterprise_project", in.EnterpriseProject}, {"current_cloud_service", in.Application},
		{"incident_assignee", in.Assignee}, {"assignee_scene", in.AssigneeScene}, {"assignee_role", in.AssigneeRole},
	} {
		v.text(field.name, field.value, 0, MaxText)
	}
	if in.Assignee == "" && (in.AssigneeScene == "" || in.AssigneeRole == "") {
		v.add("incident_assignee is empty; name one, or both assignee_scene and assignee_role")
	}
	if in.StartTime < 0 {
		v.add("start_time is %d, must be milliseconds since 1970", in.StartTime)
	}
	return v
}

// incidentBody sends what every reading of the documents accepts: lists of one,
// the fields that only some of them want, and a real bool.
type incidentBody struct {
	Region            []string `json:"region,omitempty"`
	EnterpriseProject []string `json:"enterprise_project,omitempty"`
	Application       []string `json:"current_cloud_service"`
	Level             string   `json:"incident_level"`
	ServiceInterrupt  bool     `json:"is_service_interrupt"`
	Type              string   `json:"incident_type"`
	Title             string   `json:"incident_title"`
	Description       string   `json:"incident_description"`
	Source            string   `json:"incident_source"`
	Assignee          []string `json:"incident_assignee,omitempty"`
	AssigneeScene     string   `json:"assignee_scene,omitempty"`
	AssigneeRole      string   `json:"assignee_role,omitempty"`
	Creator           string   `json:"creator"`
	StartTime         int64    `json:"start_time,omitempty"`
}

func (in NewIncident) body() incidentBody {
	return incidentBody{
		Region: listed(in.Region), EnterpriseProject: listed(in.EnterpriseProject), Application: listed(in.Application),
		Level: in.Level, ServiceInterrupt: in.ServiceInterrupt, Type: in.Type, Title: in.Title, Description: in.Description,
		Source: in.Source, Assignee: listed(in.Assignee), AssigneeScene: in.AssigneeScene, AssigneeRole: in.AssigneeRole,
		Creator: in.Creator, StartTime: in.StartTime,
	}
}

// listed is a list of one, or an empty one.
func listed(s string) []string {
	if s == "" {
		return []string{}
	}
	return []string{s}
}

const opCreateIncident = "create incident"

// CreateIncident opens an incident ticket and returns its number. Each success
// is a ticket of its own that pages people: after an error that is not NotBegun
// nobody knows whether there is one, and the caller must look before it tries
// again (coc-api.md 3.3). What breaks a limit is refused without a request.
func (c *Client) CreateIncident(ctx context.Context, in NewIncident) (num, requestID string, err error) {
	if err := in.Check(); err != nil {
		return "", "", err
	}
	var made struct {
		Num text `json:"incident_num"`
	}
	r, err := c.call(ctx, c.changing(opCreateIncident, http.MethodPost, "/v1/external/incident/create", in.body()))
	if err != nil {
		return "", "", err
	}
	if err := r.into(opCreateIncident, &made); err != nil {
		return "", r.requestID, err
	}
	if !idForm.MatchString(string(made.Num)) {
		return "", r.requestID, r.unlike(opCreateIncident, "it has no incident number")
	}
	return string(made.Num), r.requestID, nil
}
