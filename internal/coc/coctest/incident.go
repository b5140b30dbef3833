package coctest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Family B, ticket: incidents and what becomes of them (coc-api.md 3.3 to 3.5).
// COC works on them asynchronously: a new incident and each step show only after
// Options.IncidentDelay, and a step that comes sooner than Options.IncidentPause
// after the one before is refused. What people do on the console, EditIncident,
// shows at once.

// The statuses of an incident.
const (
	IncidentTriggered    = "INCIDENT_STATUS_TRIGGERED"
	IncidentAcknowledged = "INCIDENT_STATUS_ACKNOWLEDGED"
	IncidentRejected     = "INCIDENT_STATUS_REJECTED"
	IncidentResolved     = "INCIDENT_STATUS_RESOLVED"
	IncidentCompleted    = "INCIDENT_STATUS_COMPLETED"
)

// Incident is one ticket as it is, whether it shows already or not.
type Incident struct {
	Num               string    `json:"num"`
	RequestID         string    `json:"request_id"` // of its creation
	Created           time.Time `json:"created"`
	Region            string    `json:"region"`
	EnterpriseProject string    `json:"enterprise_project"`
	Application       string    `json:"application"`
	Level             string    `json:"level"`
	Type              string    `json:"type"`
	Title             string    `json:"title"`
	Description       string    `json:"description"`
	Source            string    `json:"source"`
	Assignee          string    `json:"assignee"`
	AssigneeScene     string    `json:"assignee_scene"`
	AssigneeRole      string    `json:"assignee_role"`
	Creator           string    `json:"creator"`
	ServiceInterrupt  bool      `json:"service_interrupt"`
	StartTime         int64     `json:"start_time"`
	Status            string    `json:"status"`
	Cause             string    `json:"cause"`
	Solution          string    `json:"solution"`
	Handled           time.Time `json:"handled"` // when the solution came; zero = not yet
	Remarks           []string  `json:"remarks"`
	Steps             []Step    `json:"steps"`
}

// Step is a change of an incident's status, by a call or by a person.
type Step struct {
	At       time.Time `json:"at"`
	Key      string    `json:"key"`      // operate_key; "" = its creation or a person's edit
	Operator string    `json:"operator"` // "" for a person's edit
	From     string    `json:"from"`
	To       string    `json:"to"`
	shows    time.Time
}

// incidents is the part of the book about incidents.
type incidents struct {
	list  []*Incident
	byNum map[string]*Incident
}

func newIncidents() incidents { return incidents{byNum: map[string]*Incident{}} }

func (i incidents) clone() []Incident {
	all := make([]Incident, len(i.list))
	for n, incident := range i.list {
		all[n] = incident.clone()
	}
	return all
}

func (i *Incident) clone() Incident {
	c := *i
	c.Remarks, c.Steps = slices.Clone(i.Remarks), slices.Clone(i.Steps)
	return c
}

// Incidents returns all tickets, oldest first, hidden ones included.
func (s *Server) Incidents() []Incident {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.incidents.clone()
}

// EditIncident changes a ticket as a person does on the console: status,
// assignee, texts. It shows at once.
func (s *Server) EditIncident(num string, edit func(i *Incident)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.book.incidents.byNum[num]
	if i == nil {
		return fmt.Errorf("coctest: there is no incident %s", num)
	}
	before := i.Status
	edit(i)
	if now := s.opts.Now(); i.Status != before {
		i.Steps = append(i.Steps, Step{At: now, From: before, To: i.Status, shows: now})
	}
	s.changed()
	return nil
}

// shown is the status that COC tells at the time; "" = the incident is hidden.
func (i *Incident) shown(at time.Time) string {
	status := ""
	for _, step := range i.Steps {
		if !step.shows.After(at) {
			status = step.To
		}
	}
	return status
}

// visible are the incidents that show, newest first.
func (s *Server) visible() []*Incident {
	now := s.opts.Now()
	var all []*Incident
	for _, i := range slices.Backward(s.book.incidents.list) {
		if i.shown(now) != "" {
			all = append(all, i)
		}
	}
	slices.SortStableFunc(all, func(a, b *Incident) int { return cmp.Compare(b.Created.UnixMilli(), a.Created.UnixMilli()) })
	return all
}

// visibleIncident is the incident of that number once it shows, else nil.
func (s *Server) visibleIncident(num string) *Incident {
	i := s.book.incidents.byNum[num]
	if i == nil || i.shown(s.opts.Now()) == "" {
		return nil
	}
	return i
}

// pages cuts a list; page counts from 1.
func pages[T any](all []T, page, size int) []T {
	first := min((page-1)*size, len(all))
	return all[first:min(first+size, len(all))]
}

// canonical is a status in its own spelling, whatever the case.
func canonical(status string) string {
	for _, known := range []string{IncidentTriggered, IncidentAcknowledged, IncidentRejected, IncidentResolved, IncidentCompleted} {
		if strings.EqualFold(status, known) {
			return known
		}
	}
	return status
}
