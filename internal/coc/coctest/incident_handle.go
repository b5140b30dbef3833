package coctest

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// POST /v1/external/incident/handle (coc-api.md 3.4).

type handleBody struct {
	Num       jsontext.Value `json:"incident_num"`
	Operator  jsontext.Value `json:"operator"`
	Key       jsontext.Value `json:"operate_key"`
	Parameter jsontext.Value `json:"parameter"`
}

type handleParameter struct {
	Type      jsontext.Value `json:"mtm_type"`
	Interrupt jsontext.Value `json:"is_service_interrupt"`
	Cause     jsontext.Value `json:"cause"`
	Solution  jsontext.Value `json:"solution"`
	Result    jsontext.Value `json:"virtual_confirm_result"`
	Comment   jsontext.Value `json:"virtual_confirm_comment"`
}

// handling is a step that was asked for.
type handling struct {
	num, operator, key string
	solution           struct {
		kind, cause, text string
		interrupt         bool
	}
	confirmed bool
}

const (
	keyAccept  = "acceptedIncident1"
	keySolve   = "commitSolution1"
	keyConfirm = "confirm"
	keyReopen  = "ReOpen"
)

func (s *Server) handleIncident(c *call) reply {
	h, problem := s.validateHandling(c.body)
	if problem != "" {
		return ticketError(codeTicketInvalid, problem)
	}
	i := s.visibleIncident(h.num)
	if i == nil {
		return ticketError(codeNoIncident, "The incident does not exist.")
	}
	to := h.transition(i.Status)
	if to == "" || s.tooEarly(i) {
		return ticketError(codeTicketInvalid, badKey(h.key))
	}
	s.step(i, h, to)
	return ticketOK(nil)
}

func badKey(key string) string { return fmt.Sprintf("The field[operate_key] value[%s] invalid", key) }

func (s *Server) validateHandling(body []byte) (handling, string) {
	var b handleBody
	var v violations
	if problem := decodeObject(body, &b); problem != "" {
		return handling{}, problem
	}
	h := handling{
		num:      v.mandatory("incidentNum", b.Num, 255),
		operator: v.mandatory("operator", b.Operator, 255),
		key:      v.mandatory("operateKey", b.Key, 255),
	}
	if h.operator == "" || !s.isStaff(h.operator) {
		v.add("The field[operator] value[%s] invalid", h.operator)
	}
	h.parameters(&v, b.Parameter, s.opts.Switches)
	return h, strings.Join(v, " | ")
}

// parameters checks them by the key they belong to.
func (h *handling) parameters(v *violations, raw jsontext.Value, sw Switches) {
	var p handleParameter
	if !absent(raw) {
		if problem := decodeObject(raw, &p); problem != "" {
			v.add("parameter must be an object")
			return
		}
	}
	switch h.key {
	case keyAccept:
	case keySolve:
		h.solution.kind = v.mandatory("mtmType", p.Type, 255)
		h.solution.interrupt = v.boolean("isServiceInterrupt", p.Interrupt, sw.TextBool)
		h.solution.cause = v.mandatory("cause", p.Cause, 10000)
		h.solution.text = v.mandatory("solution", p.Solution, 10000)
	case keyConfirm:
		h.confirmed = v.boolean("virtualConfirmResult", p.Result, sw.TextBool)
		v.mandatory("virtualConfirmComment", p.Comment, 300)
	case keyReopen:
		if !sw.AllKeys {
			v.add("%s", badKey(h.key))
		}
	default:
		v.add("%s", badKey(h.key))
	}
}

// transition is the status that the step leads to; "" = it is not legal.
func (h *handling) transition(from string) string {
	switch {
	case h.key == keyAccept && from == IncidentTriggered:
		return IncidentAcknowledged
	case h.key == keySolve && from == IncidentAcknowledged:
		return IncidentResolved
	case h.key == keyConfirm && from == IncidentResolved && h.confirmed:
		return IncidentCompleted
	case h.key == keyConfirm && from == IncidentResolved:
		return IncidentAcknowledged
	case h.key == keyReopen && from == IncidentRejected:
		return IncidentTriggered
	}
	return ""
}

// tooEarly says that COC still works on the step before.
func (s *Server) tooEarly(i *Incident) bool {
	last := i.Steps[len(i.Steps)-1]
	return (last.Operator != "") && s.opts.Now().Before(last.At.Add(s.opts.IncidentPause))
}

func (s *Server) step(i *Incident, h handling, to string) {
	now := s.opts.Now()
	i.Steps = append(i.Steps, Step{At: now, Key: h.key, Operator: h.operator, From: i.Status, To: to, shows: now.Add(s.opts.IncidentDelay)})
	i.Status = to
	if h.key == keySolve {
		i.Cause, i.Solution, i.ServiceInterrupt, i.Handled = h.solution.cause, h.solution.text, h.solution.interrupt, now
		i.Type = h.solution.kind
	}
}
