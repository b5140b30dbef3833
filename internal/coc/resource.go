package coc

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"
	"strings"
)

// MaxResourcesPerPage is the lower one of two documented limits, MaxResourceIDs
// how many ids one question may name (coc-api.md 3.9).
const (
	MaxResourcesPerPage = 100
	MaxResourceIDs      = 100
)

// AgentOnline is the state of a host's UniAgent in which scripts can run.
const AgentOnline = "ONLINE"

// Resource is a cloud server in COC's inventory, which may lag behind.
type Resource struct {
	ID                string            `json:"id"` // its place in the list
	ResourceID        string            `json:"resource_id"`
	Name              string            `json:"name"`
	IP                string            `json:"ip,omitempty"`
	RegionID          string            `json:"region_id"`
	ProjectID         string            `json:"project_id"`
	EnterpriseProject string            `json:"enterprise_project,omitempty"`
	AgentSN           string            `json:"agent_sn,omitempty"`    // what a run calls agent_sn
	AgentState        string            `json:"agent_state,omitempty"` // "" = no UniAgent
	Tags              map[string]string `json:"tags,omitempty"`
}

// Target is the resource as a run names it.
func (r Resource) Target() Target {
	return Target{ResourceID: r.ResourceID, RegionID: r.RegionID, AgentSN: r.AgentSN, ProjectID: r.ProjectID}
}

// tags are a map, or a list of pairs.
type tags map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (t *tags) UnmarshalJSON(raw []byte) error {
	*t = nil
	var pairs []struct {
		Key   text `json:"key"`
		Value text `json:"value"`
	}
	found := tags{}
	if json.Unmarshal(raw, &pairs) == nil {
		for _, p := range pairs {
			found[string(p.Key)] = string(p.Value)
		}
	}
	var fields map[string]text
	if json.Unmarshal(raw, &fields) == nil {
		for key, value := range fields {
			found[key] = string(value)
		}
	}
	if len(found) > 0 {
		*t = found
	}
	return nil
}

type resourceAnswer struct {
	ID                text            `json:"id"`
	ResourceID        text            `json:"resource_id"`
	Name              text            `json:"name"`
	InnerIP           text            `json:"inner_ip"`
	RegionID          text            `json:"region_id"`
	ProjectID         text            `json:"project_id"`
	EnterpriseProject text            `json:"ep_id"`
	AgentID           text            `json:"agent_id"`
	AgentState        text            `json:"agent_state"`
	Tags              tags            `json:"tags"`
	Properties        json.RawMessage `json:"properties"`
}

func (a resourceAnswer) resource() Resource {
	r := Resource{
		ID: string(a.ID), ResourceID: string(a.ResourceID), Name: string(a.Name), IP: string(a.InnerIP), RegionID: string(a.RegionID),
		ProjectID: string(a.ProjectID), EnterpriseProject: string(a.EnterpriseProject), AgentSN: string(a.AgentID),
		AgentState: strings.ToUpper(string(a.AgentState)), Tags: a.Tags,
	}
	var properties struct {
		IP text `json:"fixed_ip"`
	}
	if r.IP == "" && json.Unmarshal(a.Properties, &properties) == nil {
		r.IP = string(properties.IP)
	}
	return r
}

// ResourceQuery says which cloud servers to list. COC finds names and addresses
// by a part of them: compare what comes back.
type ResourceQuery struct {
	IDs               []string // up to 100
	Name              string
	IP                string
	RegionID          string
	AgentState        string
	EnterpriseProject string
	Application       string // its id; no answer tells it
	Group             string // its id; no answer tells it
	Limit             int    // 0 = 100
	After             string // Next of the page before; "" = the first page
}

// ResourcePage is a part of a list. COC tells no total.
type ResourcePage struct {
	Resources []Resource
	Next      string // ResourceQuery.After of the next page; "" = there is none
}

const opListResources = "list resources"

func (q ResourceQuery) values() (query url.Values, limit int, err error) {
	var v violations
	limit = q.Limit
	if limit == 0 {
		limit = MaxResourcesPerPage
	}
	v.between("limit", limit, 1, MaxResourcesPerPage)
	query = url.Values{"provider": {"ecs"}, "type": {"cloudservers"}, "limit": {strconv.Itoa(limit)}}
	v.between("the number of resource_id_list", len(q.IDs), 0, MaxResourceIDs)
	for _, id := range q.IDs {
		v.filled("resource_id_list", id, 64)
		query.Add("resource_id_list", id)
	}
	for _, of := range []struct{ name, value string }{
		{"name", q.Name}, {"ip", q.IP}, {"region_id", q.RegionID}, {"agent_state", q.AgentState}, {"ep_id", q.EnterpriseProject},
		{"application_id", q.Application}, {"group_id", q.Group}, {"marker", q.After},
	} {
		v.criterion(query, of.name, of.value, MaxText)
	}
	return query, limit, v.refuse(opListResources)
}

// ListResources reads one page of cloud servers.
func (c *Client) ListResources(ctx context.Context, q ResourceQuery) (ResourcePage, error) {
	query, limit, err := q.values()
	if err != nil {
		return ResourcePage{}, err
	}
	rows, _, err := listRows[resourceAnswer](ctx, c, c.reading(opListResources, "/v1/resources", query))
	if err != nil {
		return ResourcePage{}, err
	}
	var p ResourcePage
	for _, row := range rows {
		p.Resources = append(p.Resources, row.resource())
	}
	if len(rows) >= limit {
		p.Next = p.Resources[len(rows)-1].ID
	}
	return p, nil
}

// EachResource lists all pages from q.After on.
func (c *Client) EachResource(ctx context.Context, q ResourceQuery) iter.Seq2[Resource, error] {
	return walk(q.After, func(after string) ([]Resource, string, error) {
		q.After = after
		p, err := c.ListResources(ctx, q)
		return p.Resources, p.Next, err
	})
}
