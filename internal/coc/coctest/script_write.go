package coctest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// POST /v1/job/scripts and PUT /v1/job/scripts/{uuid} (coc-api.md 3.6).

type scriptBody struct {
	Name              jsontext.Value `json:"name"`
	Properties        jsontext.Value `json:"properties"`
	Description       jsontext.Value `json:"description"`
	Type              jsontext.Value `json:"type"`
	Content           jsontext.Value `json:"content"`
	Params            jsontext.Value `json:"script_params"`
	EnterpriseProject jsontext.Value `json:"enterprise_project_id"`
}

type propertiesBody struct {
	RiskLevel jsontext.Value `json:"risk_level"`
	Version   jsontext.Value `json:"version"`
	Reviewers jsontext.Value `json:"reviewers"`
	Protocol  jsontext.Value `json:"protocol"`
}

type paramBody struct {
	Name        jsontext.Value `json:"param_name"`
	Value       jsontext.Value `json:"param_value"`
	Description jsontext.Value `json:"param_description"`
	Order       jsontext.Value `json:"param_order"`
	Sensitive   jsontext.Value `json:"sensitive"`
}

var (
	scriptTypes = []string{"SHELL", "PYTHON", "BAT"}
	riskLevels  = []string{"LOW", "MEDIUM", "HIGH"}
	protocols   = []string{"DEFAULT", "SMS", "EMAIL", "DING_TALK", "WE_LINK", "WECHAT", "CALLNOTIFY", "NOT_TO_NOTIFY"}
)

func (s *Server) createScript(c *call) reply {
	var b scriptBody
	var v violations
	if problem := decodeObject(c.body, &b); problem != "" {
		return jobError(codeJobInvalid, problem)
	}
	script := &Script{Status: ScriptApproved}
	script.Name = v.charset("name", v.sized("name", b.Name, 1, 64), nameOnly, Switches{})
	script.Type = v.enum("type", v.sized("type", b.Type, 1, 255), scriptTypes)
	script.EnterpriseProject = v.bounded("enterpriseProjectId", b.EnterpriseProject, 0, 64)
	s.fill(&v, script, b)
	if absent(b.Properties) {
		v.add("properties must not be null")
	}
	if len(v) > 0 {
		return jobError(codeJobSize, strings.Join(v, " | "))
	}
	if slices.ContainsFunc(s.book.scripts, func(other *Script) bool { return other.Name == script.Name }) {
		return jobError(codeJobInvalid, "Exist script with same name: "+script.Name)
	}
	s.file(script)
	return jobOK(script.UUID)
}

func (s *Server) updateScript(c *call) reply {
	script := s.script(c.r.PathValue("uuid"))
	if script == nil {
		return jobError(codeJobNoScript, "The script does not exist.")
	}
	var b scriptBody
	var v violations
	if problem := decodeObject(c.body, &b); problem != "" {
		return jobError(codeJobInvalid, problem)
	}
	changed := *script
	s.fill(&v, &changed, b)
	if len(v) > 0 {
		return jobError(codeJobSize, strings.Join(v, " | "))
	}
	changed.Modified = s.opts.Now()
	*script = changed
	return jobOK(script.UUID)
}

// fill sets what can be changed of a script.
func (s *Server) fill(v *violations, script *Script, b scriptBody) {
	most := 4096
	if s.opts.Switches.BigScripts {
		most = 100 << 10
	}
	script.Description = v.sized("description", b.Description, 1, 256)
	script.Content = v.sized("content", b.Content, 1, most)
	script.Params = v.params(b.Params)
	if absent(b.Properties) {
		return
	}
	var p propertiesBody
	if problem := decodeObject(b.Properties, &p); problem != "" {
		v.add("properties must be an object")
		return
	}
	script.RiskLevel = v.enum("riskLevel", v.sized("riskLevel", p.RiskLevel, 1, 255), riskLevels)
	script.Version = v.sized("version", p.Version, 1, 10)
	script.Protocol = v.enum("protocol", v.bounded("protocol", p.Protocol, 0, 255), protocols)
	script.Reviewers = nil
	if !absent(p.Reviewers) && json.Unmarshal(p.Reviewers, &script.Reviewers, likeJava) != nil || len(script.Reviewers) > 5 {
		v.add("reviewers size must be between 0 and 5")
	}
	script.Status = ScriptApproved
	if len(script.Reviewers) > 0 {
		script.Status = ScriptPending
	}
}

func (v *violations) params(raw jsontext.Value) []ScriptParam {
	if absent(raw) {
		return nil
	}
	var bodies []paramBody
	if json.Unmarshal(raw, &bodies, likeJava) != nil || len(bodies) > 20 {
		v.add("script_params size must be between 0 and 20")
		return nil
	}
	var params []ScriptParam
	names := map[string]bool{}
	for i, b := range bodies {
		at := func(field string) string { return fmt.Sprintf("scriptParams[%d].%s", i, field) }
		p := ScriptParam{
			Name:        v.charset(at("paramName"), v.sized(at("paramName"), b.Name, 1, 64), nameOnly, Switches{}),
			Value:       v.paramValue(at("paramValue"), b.Value, 0),
			Description: v.sized(at("paramDescription"), b.Description, 0, 256),
			Order:       int(v.wholeNumber(at("paramOrder"), b.Order, int64(i+1), int64(i+1))),
			Sensitive:   v.boolean(at("sensitive"), b.Sensitive, false),
		}
		if names[p.Name] {
			v.add("%s value[%s] invalid", at("paramName"), p.Name)
		}
		names[p.Name] = true
		params = append(params, p)
	}
	return params
}
