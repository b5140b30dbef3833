package coctest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// GET /v1/resources (coc-api.md 3.9), and the hosts that scripts run on.

// Host is a cloud server in COC's CMDB, with what a script does on it.
type Host struct {
	ResourceID        string            `json:"resource_id"`
	Name              string            `json:"name"`
	IP                string            `json:"ip"`
	RegionID          string            `json:"region_id"`
	ProjectID         string            `json:"project_id"`
	EnterpriseProject string            `json:"enterprise_project"`
	AgentID           string            `json:"agent_id"`
	AgentState        string            `json:"agent_state"` // ONLINE, OFFLINE, ...; "" = no UniAgent
	Tags              map[string]string `json:"tags"`
	Application       string            `json:"application"` // no answer tells it
	Group             string            `json:"group"`       // no answer tells it
	Takes             time.Duration     `json:"takes"`       // a script; in JSON nanoseconds
	Fails             bool              `json:"fails"`       // a script does
	Output            string            `json:"output"`      // of a script; "" = ok
}

const agentOnline = "ONLINE"

// Hosts returns the cloud servers.
func (s *Server) Hosts() []Host {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Host{}, s.hosts...)
}

// SetHosts replaces the cloud servers. Runs under way go on.
func (s *Server) SetHosts(hosts ...Host) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts = slices.Clone(hosts)
	s.changed()
}

// EditHost changes one as somebody outside does: its agent stops, it moves.
func (s *Server) EditHost(resourceID string, edit func(h *Host)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.host(resourceID)
	if h == nil {
		return fmt.Errorf("coctest: there is no host %s", resourceID)
	}
	edit(h)
	s.changed()
	return nil
}

func (s *Server) host(resourceID string) *Host {
	for i := range s.hosts {
		if s.hosts[i].ResourceID == resourceID {
			return &s.hosts[i]
		}
	}
	return nil
}

type resourceRow struct {
	ID         string            `json:"id"`
	ResourceID string            `json:"resource_id"`
	Name       string            `json:"name"`
	Provider   string            `json:"provider"`
	Type       string            `json:"type"`
	ProjectID  string            `json:"project_id"`
	RegionID   string            `json:"region_id"`
	EPID       string            `json:"ep_id"`
	Tags       any               `json:"tags"`
	AgentID    *string           `json:"agent_id"`
	AgentState *string           `json:"agent_state"`
	InnerIP    string            `json:"inner_ip"`
	Properties map[string]string `json:"properties"`
}

type tagPair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// rowID is the marker of a host: its place, so that all have the same length.
func rowID(place int) string { return fmt.Sprintf("r%06d", place+1) }

func (s *Server) resourceRow(place int) resourceRow {
	h := s.hosts[place]
	r := resourceRow{
		ID: rowID(place), ResourceID: h.ResourceID, Name: h.Name, Provider: "ecs", Type: "cloudservers", ProjectID: h.ProjectID,
		RegionID: h.RegionID, EPID: h.EnterpriseProject, InnerIP: h.IP, Properties: map[string]string{"fixed_ip": h.IP, "host_name": h.Name, "status": "ACTIVE"},
	}
	if h.AgentState != "" {
		r.AgentID, r.AgentState = &h.AgentID, &h.AgentState
	}
	pairs := []tagPair{}
	for key, value := range h.Tags {
		pairs = append(pairs, tagPair{key, value})
	}
	slices.SortFunc(pairs, func(a, b tagPair) int { return strings.Compare(a.Key, b.Key) })
	r.Tags = pairs
	if s.opts.Switches.TagMap {
		r.Tags = h.Tags
	}
	return r
}

// listResources knows some criteria. Those it does not know are
// ignored, as by COC.
func (s *Server) listResources(c *call) reply {
	var v violations
	most := 100
	if s.opts.Switches.Resources500 {
		most = 500
	}
	query := c.r.URL.Query()
	for name, only := range map[string]string{"provider": "ecs", "type": "cloudservers"} {
		if got := query.Get(name); got == "" {
			v.add("%s must not be null", name)
		} else if got != only {
			v.add("%s value[%s] invalid", name, got)
		}
	}
	limit := v.queryInt(c.r, numeric{"limit", 0, 1, most})
	ids := commaSeparated(query["resource_id_list"])
	if len(ids) > 100 {
		v.add("resourceIdList size must be between 0 and 100")
	}
	if len(v) > 0 {
		slices.Sort(v)
		return jobError(codeJobSize, strings.Join(v, " | "))
	}
	rows := []resourceRow{}
	for place, h := range s.hosts {
		if len(rows) < limit && rowID(place) > query.Get("marker") && h.matches(query.Get, ids) && (s.opts.Switches.IgnoreFences || h.within(query.Get)) {
			rows = append(rows, s.resourceRow(place))
		}
	}
	return jobOK(rows)
}

// matches knows names and addresses in part, as COC's console does, and the rest
// in full.
func (h Host) matches(criterion func(name string) string, ids []string) bool {
	within := func(name, value string) bool { return strings.Contains(value, criterion(name)) }
	equal := func(name, value string) bool { return criterion(name) == "" || criterion(name) == value }
	return (len(ids) == 0 || slices.Contains(ids, h.ResourceID)) &&
		within("name", h.Name) && within("ip", h.IP) && equal("region_id", h.RegionID) && equal("agent_state", h.AgentState) &&
		equal("ep_id", h.EnterpriseProject)
}

// within knows the criteria of which answers tell nothing.
func (h Host) within(criterion func(name string) string) bool {
	equal := func(name, value string) bool { return criterion(name) == "" || criterion(name) == value }
	return equal("application_id", h.Application) && equal("group_id", h.Group)
}

func commaSeparated(values []string) []string {
	var all []string
	for _, value := range values {
		all = append(all, strings.FieldsFunc(value, func(r rune) bool { return r == ',' })...)
	}
	return all
}

func (s *Server) controlHosts(w http.ResponseWriter, _ *http.Request) { answerControl(w, s.Hosts()) }

// controlHost changes what the body names.
func (s *Server) controlHost(w http.ResponseWriter, r *http.Request) {
	var to struct {
		AgentState *string `json:"agent_state"`
		Output     *string `json:"output"`
		Fails      *bool   `json:"fails"`
	}
	if !readControl(w, r, &to) {
		return
	}
	control(w, s.EditHost(r.PathValue("id"), func(h *Host) {
		replace(&h.AgentState, to.AgentState)
		replace(&h.Output, to.Output)
		replace(&h.Fails, to.Fails)
	}))
}

func replace[T any](field, with *T) {
	if with != nil {
		*field = *with
	}
}

func parseInt(raw jsontext.Value) (int64, error) { return strconv.ParseInt(string(raw), 10, 64) }
