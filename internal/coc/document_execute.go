package coc

import "context"

// MaxJobText bounds a job's description and the values of its parameters, in
// UTF-16 units. COC documents no limits; these are ours.
const (
	MaxJobDescription = 255
	MaxJobValue       = 4096
)

// JobRun is one execution of a document.
type JobRun struct {
	Document    DocumentRef
	Parameters  []RunParam
	SysTags     []Attribute
	Description string // comes back with the execution, so that it can be found

	// TargetParameter names the parameter that Targets fill, one value after
	// the other.
	TargetParameter string
	Targets         []JobTarget
}

// JobTarget is a set of values for the target parameter.
type JobTarget struct {
	Key    string   `json:"key"` // InstanceValues or BatchValues
	Values []string `json:"values"`
}

// Check names everything that is known to be wrong, in one error, or returns
// nil.
func (j JobRun) Check() error {
	var v violations
	v.document(j.Document)
	v.text("description", j.Description, 0, MaxJobDescription)
	for _, p := range j.Parameters {
		v.filled("parameters.key", p.Name, MaxText)
		v.text("parameters.value of "+p.Name, p.Value, 0, MaxJobValue)
	}
	for _, t := range j.SysTags {
		v.filled("sys_tags.key", t.Key, MaxText)
		v.text("sys_tags.value", t.Value, 0, MaxText)
	}
	if (j.TargetParameter == "") != (len(j.Targets) == 0) {
		v.add("targets and target_parameter_name belong together")
	}
	for _, t := range j.Targets {
		v.oneOf("targets.key", t.Key, "InstanceValues", "BatchValues")
	}
	return v.refuse(opExecuteDocument)
}

type jobBody struct {
	Version         string         `json:"version,omitempty"`
	Parameters      []jobParameter `json:"parameters,omitempty"`
	SysTags         []Attribute    `json:"sys_tags,omitempty"`
	TargetParameter string         `json:"target_parameter_name,omitempty"`
	Targets         []JobTarget    `json:"targets,omitempty"`
	Type            string         `json:"document_type,omitempty"`
	Description     string         `json:"description,omitempty"`
}

type jobParameter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (j JobRun) body() jobBody {
	b := jobBody{
		Version: j.Document.Version, SysTags: j.SysTags, TargetParameter: j.TargetParameter, Targets: j.Targets,
		Type: j.Document.Type, Description: j.Description,
	}
	for _, p := range j.Parameters {
		b.Parameters = append(b.Parameters, jobParameter{p.Name, p.Value})
	}
	return b
}

const opExecuteDocument = "execute document"

// ExecuteDocument starts a job and returns the id of its execution. Each success
// is an execution of its own: after an error that is not NotBegun only the list of
// executions can tell whether there is one (coc-api.md 3.10). It does not wait for its
// turn: see TurnToExecute.
func (c *Client) ExecuteDocument(ctx context.Context, j JobRun) (execution, requestID string, err error) {
	if err := j.Check(); err != nil {
		return "", "", err
	}
	return c.created(ctx, c.executing(opExecuteDocument, "/v1/documents/"+j.Document.ID, j.body()))
}
