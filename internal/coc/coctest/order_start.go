package coctest

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// POST /v1/job/scripts/{uuid}: run a script (coc-api.md 3.7).

type executeBody struct {
	Param   jsontext.Value `json:"execute_param"`
	Batches jsontext.Value `json:"execute_batches"`
}

type executeParam struct {
	Resourceful jsontext.Value `json:"resourceful"`
	Timeout     jsontext.Value `json:"timeout"`
	Rate        jsontext.Value `json:"success_rate"`
	User        jsontext.Value `json:"execute_user"`
	Params      jsontext.Value `json:"script_params"`
}

type batchBody struct {
	Index    jsontext.Value `json:"batch_index"`
	Targets  []targetBody   `json:"target_instances"`
	Rotation jsontext.Value `json:"rotation_strategy"`
}

type targetBody struct {
	ResourceID jsontext.Value `json:"resource_id"`
	RegionID   jsontext.Value `json:"region_id"`
	AgentSN    jsontext.Value `json:"agent_sn"`
	ProjectID  jsontext.Value `json:"project_id"`
	Provider   jsontext.Value `json:"provider"`
	Type       jsontext.Value `json:"type"`
	Attributes jsontext.Value `json:"custom_attributes"`
}

func (s *Server) executeScript(c *call) reply {
	script := s.script(c.r.PathValue("uuid"))
	switch {
	case script == nil:
		return s.executeError(codeJobNoScript, "The script does not exist.")
	case script.Status != ScriptApproved:
		return s.executeError(codeJobInvalid, "The script is not approved.")
	}
	o, problem := s.validateRun(script, c.body)
	if problem != "" {
		return s.executeError(codeJobSize, problem)
	}
	s.startOrder(c, script, o)
	return jobOK(o.UUID)
}

// executeError is a 400, or by switch a 204 with a body, which HTTP has no room
// for: it is written to the raw connection.
func (s *Server) executeError(code, message string) reply {
	answer := jobError(code, message)
	if s.opts.Switches.Error204 {
		answer.status = http.StatusNoContent
	}
	return answer
}

func (s *Server) startOrder(c *call, script *Script, o *Order) {
	now := s.opts.Now()
	script.Runs++
	o.ID, o.ScriptUUID, o.RequestID, o.Created, o.Status = int64(len(s.book.orders)+1), script.UUID, c.id, now, OrderReady
	o.UUID = fmt.Sprintf("SCT%s%09x", now.UTC().Format("20060102150405"), o.ID)
	o.Name = script.Name + "_" + now.UTC().Format("20060102150405")
	for b := range o.Batches {
		for h := range o.Batches[b].Hosts {
			s.book.lastHostRun++
			o.Batches[b].Hosts[h].ID = s.book.lastHostRun
		}
	}
	s.book.orders = append(s.book.orders, o)
}

func (s *Server) validateRun(script *Script, body []byte) (*Order, string) {
	var b executeBody
	var p executeParam
	var v violations
	if problem := decodeObject(body, &b); problem != "" {
		return nil, problem
	}
	if problem := decodeObject(b.Param, &p); problem != "" {
		return nil, "executeParam must not be null"
	}
	o := &Order{
		Timeout: time.Duration(v.wholeNumber("timeout", p.Timeout, 6, 1799)) * time.Second,
		Rate:    v.rate(p.Rate, s.opts.Switches.TextRate),
		User:    v.sized("executeUser", p.User, 1, 32),
		Params:  v.runParams(script, p.Params, s.opts.Switches.OldExecute),
	}
	if s.opts.Switches.OldExecute && absent(p.Resourceful) {
		v.add("resourceful must not be null")
	}
	o.Batches = s.validateBatches(&v, b.Batches)
	return o, strings.Join(v, " | ")
}

// rate is a number of 1 to 100; by switch also one in a string.
func (v *violations) rate(raw jsontext.Value, text bool) float64 {
	if unquoted, ok := unquote(raw); ok && text {
		raw = jsontext.Value(unquoted)
	}
	var rate float64
	if absent(raw) || json.Unmarshal(raw, &rate) != nil || rate < 1 || rate > 100 {
		v.add("successRate must be between 1 and 100")
	}
	return rate
}

// runParams must be declared by the script; what is not sent has its default.
func (v *violations) runParams(script *Script, raw jsontext.Value, order bool) map[string]string {
	params := map[string]string{}
	for _, p := range script.Params {
		params[p.Name] = p.Value
	}
	if absent(raw) {
		return params
	}
	var bodies []paramBody
	if json.Unmarshal(raw, &bodies, likeJava) != nil || len(bodies) > 20 {
		v.add("script_params size must be between 0 and 20")
		return params
	}
	for i, b := range bodies {
		name := v.sized(fmt.Sprintf("scriptParams[%d].paramName", i), b.Name, 1, 64)
		value := v.paramValue(fmt.Sprintf("scriptParams[%d].paramValue", i), b.Value, 1)
		if _, declared := params[name]; !declared {
			v.add("scriptParams[%d].paramName value[%s] invalid", i, name)
		}
		if order {
			v.wholeNumber(fmt.Sprintf("scriptParams[%d].paramOrder", i), b.Order, 1, 20)
		}
		params[name] = value
	}
	return params
}

func (s *Server) validateBatches(v *violations, raw jsontext.Value) []OrderBatch {
	var bodies []batchBody
	if absent(raw) || json.Unmarshal(raw, &bodies, likeJava) != nil || len(bodies) < 1 || len(bodies) > 20 {
		v.add("executeBatches size must be between 1 and 20")
		return nil
	}
	var batches []OrderBatch
	named := map[string]bool{}
	for i, b := range bodies {
		v.wholeNumber(fmt.Sprintf("executeBatches[%d].batchIndex", i), b.Index, int64(i+1), int64(i+1))
		rotation := v.enum("rotationStrategy", v.sized("rotationStrategy", b.Rotation, 1, 255), []string{"CONTINUE", "PAUSE"})
		if n := len(b.Targets); n < 1 || n > 10 {
			v.add("executeBatches[%d].targetInstances size must be between 1 and 10", i)
		}
		batch := OrderBatch{Rotation: rotation}
		for _, t := range b.Targets {
			run := s.validateTarget(v, t)
			if named[run.ResourceID] {
				v.add("resourceId value[%s] invalid", run.ResourceID)
			}
			named[run.ResourceID] = true
			batch.Hosts = append(batch.Hosts, run)
		}
		batches = append(batches, batch)
	}
	return batches
}

func (s *Server) validateTarget(v *violations, t targetBody) HostRun {
	run := HostRun{ResourceID: v.sized("resourceId", t.ResourceID, 1, 64), Status: OrderReady, Attributes: map[string]string{}}
	region := v.sized("regionId", t.RegionID, 1, 32)
	v.enum("provider", v.bounded("provider", t.Provider, 0, 255), []string{"ECS"})
	v.enum("type", v.bounded("type", t.Type, 0, 255), []string{"CLOUDSERVER"})
	if s.opts.Switches.OldExecute {
		v.sized("agentSn", t.AgentSN, 1, 32)
		v.sized("projectId", t.ProjectID, 1, 32)
	}
	run.attributes(v, t.Attributes)
	h := s.host(run.ResourceID)
	switch {
	case run.ResourceID == "":
	case h == nil || h.RegionID != region:
		v.add("resourceId value[%s] invalid", run.ResourceID)
	case h.AgentState != agentOnline:
		v.add("the UniAgent of value[%s] is not online, invalid", run.ResourceID)
	default:
		run.host = *h
	}
	return run
}

func (h *HostRun) attributes(v *violations, raw jsontext.Value) {
	var pairs []tagPair
	if absent(raw) {
		return
	}
	if json.Unmarshal(raw, &pairs, likeJava) != nil || len(pairs) > 5 {
		v.add("customAttributes size must be between 0 and 5")
	}
	for _, p := range pairs {
		if n := utf16Len(p.Key); n < 1 || n > 10 {
			v.add("customAttributes.key size must be between 1 and 10")
		}
		if n := utf16Len(p.Value); n < 1 || n > 20 {
			v.add("customAttributes.value size must be between 1 and 20")
		}
		h.Attributes[p.Key] = p.Value
		h.keys = append(h.keys, p.Key)
	}
}
