package coctest

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// GET /v2/incidents/{id}/tasks and POST /v2/incidents/{id}/actions, of whose
// actions only addRemark is here (coc-api.md 3.4).

type workflowTask struct {
	Type       string              `json:"type"`
	Key        string              `json:"key"`
	Name       string              `json:"name"`
	State      string              `json:"state"`
	Operations []workflowOperation `json:"operations"`
}

type workflowOperation struct {
	Task string `json:"task_id"`
	Key  string `json:"key"`
}

// taskOf is the id of the task that an incident is at: another one per status.
func taskOf(i *Incident) string { return i.Num + "-" + i.Status }

func takesRemarks(i *Incident) bool {
	return slices.Contains([]string{IncidentTriggered, IncidentAcknowledged, IncidentResolved}, i.Status)
}

func (s *Server) listTasks(c *call) reply {
	i := s.visibleIncident(c.r.PathValue("id"))
	if i == nil {
		return ticketError(codeNoIncident, "The incident does not exist.")
	}
	task := workflowTask{Type: "userTask", Key: i.Status, Name: i.Status, State: "ACTIVE", Operations: []workflowOperation{{taskOf(i), "unAcceptedForward"}}}
	if takesRemarks(i) {
		task.Operations = append(task.Operations, workflowOperation{taskOf(i), "addRemark"})
	}
	return ticketOK([]workflowTask{task})
}

type doBody struct {
	Task   jsontext.Value `json:"task_id"`
	Action jsontext.Value `json:"action"`
	Params struct {
		Note jsontext.Value `json:"note"`
	} `json:"params"`
}

func (s *Server) doAction(c *call) reply {
	i := s.visibleIncident(c.r.PathValue("id"))
	if i == nil {
		return ticketError(codeNoIncident, "The incident does not exist.")
	}
	var b doBody
	var v violations
	if problem := decodeObject(c.body, &b); problem != "" {
		return ticketError(codeTicketInvalid, problem)
	}
	task, action := v.mandatory("taskId", b.Task, 255), v.mandatory("action", b.Action, 255)
	note := v.mandatory("note", b.Params.Note, 1000)
	switch {
	case len(v) > 0:
	case action != "addRemark" || !takesRemarks(i):
		v.add("The field[action] value[%s] invalid", action)
	case task != taskOf(i):
		v.add("The field[task_id] value[%s] invalid", task)
	case note == "":
		v.add("note size must be between 1 and 1000")
	}
	if len(v) > 0 {
		return ticketError(codeTicketInvalid, strings.Join(v, " | "))
	}
	i.Remarks = append(i.Remarks, note)
	return ticketOK(nil)
}
