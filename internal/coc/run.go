package coc

import (
	"context"
	"time"
)

// The limits of one run (coc-api.md 3.7).
const (
	MaxBatches       = 20
	MaxHostsPerBatch = 10
	MaxHosts         = MaxBatches * MaxHostsPerBatch
	MaxAttributes    = 5
	MaxAttributeKey  = 10
	MaxAttribute     = 20 // of its value
	// MinRunTimeout and MaxRunTimeout are safe in both readings of COC's bounds.
	MinRunTimeout = 6 * time.Second
	MaxRunTimeout = 1799 * time.Second
)

// Run is one execution of a script on hosts.
type Run struct {
	Script      string // uuid
	User        string // on the hosts, such as root; 1-32
	Timeout     time.Duration
	SuccessRate float64 // percent of hosts that must succeed; 1-100
	Params      []RunParam
	Batches     []Batch // one after the other
}

// RunParam is a value for a parameter that the script declares; see ParamAllowed.
type RunParam struct{ Name, Value string }

// Batch is a set of hosts that run at the same time.
type Batch struct {
	Targets []Target
	Pause   bool // wait for a person after this batch
}

// Target is one host. AgentSN and ProjectID are needed by old versions of COC
// and not looked at by new ones.
type Target struct {
	ResourceID string // of the ECS
	RegionID   string
	AgentSN    string
	ProjectID  string
	Attributes []Attribute // kept with the order; no secrets
}

// Attribute is a note that stays with a target: up to 10 characters and up to 20.
type Attribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// InBatches deals targets out, size to a batch.
func InBatches(targets []Target, size int) []Batch {
	var batches []Batch
	for len(targets) > 0 {
		n := min(size, len(targets))
		batches = append(batches, Batch{Targets: targets[:n]})
		targets = targets[n:]
	}
	return batches
}

// Check names everything that COC would refuse, in one error, or returns nil. It
// shows no parameter's value.
func (r Run) Check() error {
	var v violations
	v.id("script_uuid", r.Script, maxUUID)
	v.filled("execute_user", r.User, 32)
	if r.Timeout < MinRunTimeout || r.Timeout > MaxRunTimeout {
		v.add("timeout is %v, must be %v to %v", r.Timeout, MinRunTimeout, MaxRunTimeout)
	}
	if !(r.SuccessRate >= 1 && r.SuccessRate <= 100) {
		v.add("success_rate is %v, must be 1 to 100", r.SuccessRate)
	}
	v.between("the number of script_params", len(r.Params), 0, MaxScriptParams)
	for _, p := range r.Params {
		v.param(p.Name, p.Value, 1)
	}
	v.between("the number of execute_batches", len(r.Batches), 1, MaxBatches)
	v.targets(r.Batches)
	return v.refuse(opExecuteScript)
}

func (v *violations) targets(batches []Batch) {
	seen := map[string]bool{}
	for i, b := range batches {
		if n := len(b.Targets); n < 1 || n > MaxHostsPerBatch {
			v.add("batch %d has %d hosts, must have 1 to %d", i+1, n, MaxHostsPerBatch)
		}
		for _, t := range b.Targets {
			v.target(t)
			if seen[t.ResourceID] {
				v.add("host %.64s is named twice", t.ResourceID)
			}
			seen[t.ResourceID] = true
		}
	}
}

func (v *violations) target(t Target) {
	v.filled("resource_id", t.ResourceID, 64)
	v.filled("region_id", t.RegionID, 32)
	v.text("agent_sn", t.AgentSN, 0, 32)
	v.text("project_id", t.ProjectID, 0, 32)
	v.between("the number of custom_attributes", len(t.Attributes), 0, MaxAttributes)
	for _, a := range t.Attributes {
		v.filled("custom_attributes.key", a.Key, MaxAttributeKey)
		v.filled("custom_attributes.value", a.Value, MaxAttribute)
	}
}

// runBody has the fields that old versions of COC need too.
type runBody struct {
	Param   runParam   `json:"execute_param"`
	Batches []runBatch `json:"execute_batches"`
}

type runParam struct {
	Resourceful bool       `json:"resourceful"`
	Timeout     int64      `json:"timeout"` // seconds
	SuccessRate float64    `json:"success_rate"`
	User        string     `json:"execute_user"`
	Params      []runValue `json:"script_params,omitempty"`
}

type runValue struct {
	Name  string `json:"param_name"`
	Value string `json:"param_value"`
	Order int    `json:"param_order"`
}

type runBatch struct {
	Index    int         `json:"batch_index"`
	Targets  []runTarget `json:"target_instances"`
	Rotation string      `json:"rotation_strategy"`
}

type runTarget struct {
	ResourceID string      `json:"resource_id"`
	RegionID   string      `json:"region_id"`
	Provider   string      `json:"provider"`
	Type       string      `json:"type"`
	AgentSN    string      `json:"agent_sn,omitempty"`
	ProjectID  string      `json:"project_id,omitempty"`
	Attributes []Attribute `json:"custom_attributes,omitempty"`
}

func (r Run) body() runBody {
	b := runBody{Param: runParam{Resourceful: true, Timeout: int64(r.Timeout / time.Second), SuccessRate: r.SuccessRate, User: r.User}}
	for i, p := range r.Params {
		b.Param.Params = append(b.Param.Params, runValue{p.Name, p.Value, i + 1})
	}
	for i, batch := range r.Batches {
		wire := runBatch{Index: i + 1, Rotation: "CONTINUE"}
		if batch.Pause {
			wire.Rotation = "PAUSE"
		}
		for _, t := range batch.Targets {
			wire.Targets = append(wire.Targets, runTarget{t.ResourceID, t.RegionID, "ECS", "CLOUDSERVER", t.AgentSN, t.ProjectID, t.Attributes})
		}
		b.Batches = append(b.Batches, wire)
	}
	return b
}

const opExecuteScript = "execute script"

// ExecuteScript starts the run and returns the id of its order. Each success is
// a run of its own: after an error that is not NotBegun nobody knows whether it
// runs, and only the list of orders can tell (coc-api.md 3.7). A 204, with which
// COC may refuse a run, is such an error. What breaks a limit is refused without a
// request. It does not wait for its turn: see TurnToExecute.
func (c *Client) ExecuteScript(ctx context.Context, r Run) (order, requestID string, err error) {
	if err := r.Check(); err != nil {
		return "", "", err
	}
	return c.created(ctx, c.executing(opExecuteScript, scriptPath(r.Script), r.body()))
}
