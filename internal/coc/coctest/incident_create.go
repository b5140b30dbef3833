package coctest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// POST /v1/external/incident/create (coc-api.md 3.3).

var (
	incidentLevels  = []string{"level_10", "level_20", "level_30", "level_40", "level_50"}
	incidentSources = []string{"incident_source_manual", "incident_source_forwarding", "incident_source_alarm"}
	// incidentType is the form of a type; accounts have types of their own.
	incidentType = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

type createBody struct {
	Region            jsontext.Value `json:"region"`
	EnterpriseProject jsontext.Value `json:"enterprise_project"`
	Application       jsontext.Value `json:"current_cloud_service"`
	Level             jsontext.Value `json:"incident_level"`
	ServiceInterrupt  jsontext.Value `json:"is_service_interrupt"`
	Type              jsontext.Value `json:"incident_type"`
	Title             jsontext.Value `json:"incident_title"`
	Description       jsontext.Value `json:"incident_description"`
	Source            jsontext.Value `json:"incident_source"`
	Assignee          jsontext.Value `json:"incident_assignee"`
	Scene             jsontext.Value `json:"assignee_scene"`
	Scenario          jsontext.Value `json:"assignee_scenario"`
	Role              jsontext.Value `json:"assignee_role"`
	Creator           jsontext.Value `json:"creator"`
	Ownership         jsontext.Value `json:"incident_ownership"`
	StartTime         jsontext.Value `json:"start_time"`
}

func (s *Server) createIncident(c *call) reply {
	i, problem := s.validateIncident(c.body)
	if problem != "" {
		return ticketError(codeTicketInvalid, problem)
	}
	s.openIncident(c, i)
	return ticketOK(map[string]string{"incident_num": i.Num})
}

// openIncident files a ticket. The caller holds mu.
func (s *Server) openIncident(c *call, i *Incident) {
	now := s.opts.Now()
	book := &s.book.incidents
	i.Num = fmt.Sprintf("IM%s%07d", now.UTC().Format("20060102150405")+fmt.Sprintf("%03d", now.Nanosecond()/1e6), len(book.list)+1)
	i.Created, i.RequestID, i.Status = now, c.id, IncidentTriggered
	i.Steps = []Step{{At: now, Operator: i.Creator, To: i.Status, shows: now.Add(s.opts.IncidentDelay)}}
	book.list, book.byNum[i.Num] = append(book.list, i), i
}

func (s *Server) validateIncident(body []byte) (*Incident, string) {
	var b createBody
	var v violations
	if problem := decodeObject(body, &b); problem != "" {
		return nil, problem
	}
	sw := s.opts.Switches
	i := &Incident{
		Region:            v.list("region", b.Region, false),
		EnterpriseProject: v.list("enterpriseProject", b.EnterpriseProject, false),
		Application:       v.list("currentCloudService", b.Application, !sw.OptionalApplication),
		Level:             v.enum("incidentLevel", v.mandatory("incidentLevel", b.Level, 255), incidentLevels),
		ServiceInterrupt:  v.boolean("isServiceInterrupt", b.ServiceInterrupt, sw.TextBool),
		Type:              v.mandatory("incidentType", b.Type, 255),
		Title:             v.mandatory("incidentTitle", b.Title, 200),
		Source:            v.enum("incidentSource", v.mandatory("incidentSource", b.Source, 255), incidentSources),
		Assignee:          v.list("incidentAssignee", b.Assignee, false),
		AssigneeScene:     v.bounded("assigneeScene", b.Scene, 0, 255),
		AssigneeRole:      v.bounded("assigneeRole", b.Role, 0, 255),
		Creator:           v.mandatory("creator", b.Creator, 255),
		StartTime:         v.millis("startTime", b.StartTime),
	}
	if sw.Scenario {
		i.AssigneeScene = v.bounded("assigneeScenario", b.Scenario, 0, 255)
	}
	i.Description = v.bounded("incidentDescription", b.Description, 0, 600)
	if absent(b.Description) && !sw.OptionalApplication {
		v.add("incidentDescription must not be null")
	}
	s.checkIncident(&v, i)
	return i, strings.Join(v, " | ")
}

// checkIncident looks at what is more than the form of one field.
func (s *Server) checkIncident(v *violations, i *Incident) {
	if i.Type != "" && !incidentType.MatchString(i.Type) {
		v.add("incidentType value[%s] invalid", i.Type)
	}
	if i.Assignee == "" && (i.AssigneeScene == "" || i.AssigneeRole == "") {
		v.add("incidentAssignee or assigneeScene and assigneeRole must not be null")
	}
	for field, user := range map[string]string{"creator": i.Creator, "incidentAssignee": i.Assignee} {
		if user != "" && !s.isStaff(user) {
			v.add("The field[%s] value[%s] invalid", field, user)
		}
	}
	slices.Sort(*v)
}

// isStaff says whether COC knows the user id.
func (s *Server) isStaff(user string) bool {
	return len(s.opts.Staff) == 0 || slices.Contains(s.opts.Staff, user)
}

// decodeObject says why the body is not a JSON object; "" = it is.
func decodeObject(body []byte, into any) string {
	if jsontext.Value(body).Kind() != jsontext.KindBeginObject {
		return "the request body must be a JSON object"
	}
	if err := json.Unmarshal(body, into, likeJava); err != nil {
		return "JSON parse error: " + err.Error()
	}
	return ""
}

// mandatory may be empty, but not absent: COC tests the two apart (1.4).
func (v *violations) mandatory(name string, raw jsontext.Value, most int) string {
	if absent(raw) {
		v.add("%s must not be null", name)
		return ""
	}
	return v.bounded(name, raw, 0, most)
}

func (v *violations) bounded(name string, raw jsontext.Value, least, most int) string {
	if absent(raw) {
		return ""
	}
	text, ok := unquote(raw)
	if !ok {
		v.add("%s must be a string", name)
		return ""
	}
	if n := utf16Len(text); n < least || n > most {
		v.add("%s size must be between %d and %d", name, least, most)
		return ""
	}
	return text
}

// list takes an array of at most one string and returns that.
func (v *violations) list(name string, raw jsontext.Value, mandatory bool) string {
	if absent(raw) {
		if mandatory {
			v.add("%s must not be null", name)
		}
		return ""
	}
	var items []string
	if err := json.Unmarshal(raw, &items, likeJava); err != nil {
		v.add("%s must be an array of strings", name)
		return ""
	}
	if len(items) > 1 {
		v.add("%s size must be between 0 and 1", name)
	}
	return strings.Join(items, ",")
}

// boolean takes a JSON bool, or by switch also its name in a string.
func (v *violations) boolean(name string, raw jsontext.Value, text bool) bool {
	switch {
	case absent(raw):
		v.add("%s must not be null", name)
	case raw.Kind() == jsontext.KindTrue, text && string(raw) == `"true"`:
		return true
	case raw.Kind() == jsontext.KindFalse, text && string(raw) == `"false"`:
	default:
		v.add("%s must be a boolean", name)
	}
	return false
}

// millis is an optional time in milliseconds; 0 = absent.
func (v *violations) millis(name string, raw jsontext.Value) int64 {
	if absent(raw) {
		return 0
	}
	return v.time(name, raw, Switches{})
}

// milliseconds is how COC writes a time; nil, null, for none.
func milliseconds(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}
