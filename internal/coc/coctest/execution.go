package coctest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Executions of documents: like orders a deterministic machine that runs by the
// server's clock (coc-api.md 3.10).

// The statuses of executions and their steps.
const (
	ExecutionPending  = "Pending"
	ExecutionRunning  = "Running"
	ExecutionSucceed  = "Succeed"
	ExecutionCanceled = "Canceled"
	ExecutionFailed   = "Failed"
)

// Execution is one run of a document.
type Execution struct {
	ID          string    `json:"id"`
	RequestID   string    `json:"request_id"` // of the call that started it
	Document    string    `json:"document"`
	Name        string    `json:"name"`
	Version     string    `json:"version"`
	Description string    `json:"description"`
	Parameters  []Pair    `json:"parameters"`
	SysTags     []Pair    `json:"sys_tags"`
	Status      string    `json:"status"`
	Created     time.Time `json:"created"`
	Finished    time.Time `json:"finished"`
	Steps       []StepRun `json:"steps"`
	Operations  []string  `json:"operations"` // that were accepted

	number  int
	current int
	begins  time.Time // the current step
	resumed bool      // the current step need not wait any more
}

// StepRun is one step of an execution.
type StepRun struct {
	ID string `json:"id"`
	DocumentStep
	Status   string    `json:"status"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
}

// Executions returns all executions, oldest first, as they are now.
func (s *Server) Executions() []Execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Execution, len(s.book.executions))
	for i, e := range s.book.executions {
		e.advance(s.opts.Now())
		all[i] = *e
		all[i].Steps, all[i].Operations = slices.Clone(e.Steps), slices.Clone(e.Operations)
	}
	return all
}

// advance brings the execution to what it is at now.
func (e *Execution) advance(now time.Time) {
	for e.Status == ExecutionRunning {
		if e.current == len(e.Steps) {
			e.Status, e.Finished = ExecutionSucceed, e.begins
			return
		}
		step := &e.Steps[e.current]
		if step.Suspend && !e.resumed {
			e.Status = ExecutionPending
			return
		}
		step.Status, step.Started = ExecutionRunning, e.begins
		end := e.begins.Add(step.Takes)
		if now.Before(end) {
			return
		}
		e.endStep(step, end)
	}
}

func (e *Execution) endStep(step *StepRun, at time.Time) {
	step.Finished = at
	if step.Fails {
		step.Status, e.Status, e.Finished = ExecutionFailed, ExecutionFailed, at
		return
	}
	step.Status = ExecutionSucceed
	e.next(at)
}

func (e *Execution) next(at time.Time) {
	e.current++
	e.begins, e.resumed = at, false
}

// operate says whether the operation is legal, and does it.
func (e *Execution) operate(operation string, now time.Time) bool {
	switch {
	case operation == "TERMINATE" && (e.Status == ExecutionRunning || e.Status == ExecutionPending):
		e.Status, e.Finished = ExecutionCanceled, now
		for i := e.current; i < len(e.Steps); i++ {
			e.Steps[i].Status = ExecutionCanceled
		}
	case operation == "RESUME" && e.Status == ExecutionPending:
		e.Status, e.resumed, e.begins = ExecutionRunning, true, now
	case operation == "RETRY" && e.Status == ExecutionFailed:
		e.Status, e.resumed, e.begins, e.Finished = ExecutionRunning, true, now, time.Time{}
	case operation == "SKIP_BATCH" && e.Status == ExecutionRunning:
		e.Steps[e.current].Status, e.Steps[e.current].Finished = ExecutionCanceled, now
		e.next(now)
	default:
		return false
	}
	e.advance(now)
	return true
}

type executionRow struct {
	ID          any            `json:"id"`
	ExecutionID string         `json:"execution_id"`
	Type        string         `json:"type"`
	Name        string         `json:"document_name"`
	Document    string         `json:"document_id"`
	VersionID   string         `json:"document_version_id"`
	Version     string         `json:"document_version"`
	Started     int64          `json:"start_time"`
	Finished    any            `json:"end_time"`
	Updated     int64          `json:"update_time"`
	Status      string         `json:"status"`
	Description *string        `json:"description"`
	Parameters  []Pair         `json:"parameters"`
	Target      *string        `json:"target_parameter_name"`
	Targets     jsontext.Value `json:"targets"`
	Creator     string         `json:"creator"`
	Tags        []Pair         `json:"tags"`
	SysTags     []Pair         `json:"sys_tags"`
}

// number is an id as a number, by switch as text.
func (s *Server) number(n int) any {
	if s.opts.Switches.TextIDs {
		return strconv.Itoa(n)
	}
	return n
}

func (s *Server) executionRow(e *Execution) executionRow {
	r := executionRow{
		ID: s.number(e.number), ExecutionID: e.ID, Type: "NORMAL", Name: e.Name, Document: e.Document, VersionID: e.Document + "-" + e.Version,
		Version: e.Version, Started: e.Created.UnixMilli(), Finished: milliseconds(e.Finished), Updated: e.begins.UnixMilli(), Status: e.Status,
		Parameters: e.Parameters, Targets: jsontext.Value("null"), Creator: caller,
	}
	if !s.opts.Switches.HideAttributes {
		r.SysTags = e.SysTags
		if e.Description != "" {
			r.Description = &e.Description
		}
	}
	return r
}

// seenExecution is the execution of the path as it is now, nil while it does not
// show.
func (s *Server) seenExecution(id string) *Execution {
	now := s.opts.Now()
	for _, e := range s.book.executions {
		if e.ID == id && !now.Before(e.Created.Add(s.opts.OrderDelay)) {
			e.advance(now)
			return e
		}
	}
	return nil
}

// noExecution is a 200 without data, by switch a 400.
func (s *Server) noExecution() reply {
	if s.opts.Switches.Lost400 {
		return jobError(codeNoDocument, "The execution does not exist.")
	}
	return jobOK(nil)
}

func (s *Server) getExecution(c *call) reply {
	e := s.seenExecution(c.r.PathValue("execution"))
	if e == nil {
		return s.noExecution()
	}
	return jobOK(s.executionRow(e))
}

func (s *Server) listExecutions(c *call) reply {
	var v violations
	query := c.r.URL.Query()
	limit := v.queryInt(c.r, numeric{"limit", 10, 1, 100})
	offset := v.queryInt(c.r, numeric{"offset", 0, 0, 1 << 62})
	from := v.queryInt(c.r, numeric{"start_time", 0, 0, 1 << 62})
	to := v.queryInt(c.r, numeric{"end_time", 1 << 62, 0, 1 << 62})
	if len(v) > 0 {
		return jobError(codeJobSize, strings.Join(v, " | "))
	}
	rows := []executionRow{}
	for _, e := range slices.Backward(s.book.executions) {
		created := int(e.Created.UnixMilli())
		if s.seenExecution(e.ID) != nil && created > from && created < to && e.matches(query.Get) {
			rows = append(rows, s.executionRow(e))
		}
	}
	return flat(listing(cut(rows, offset, limit), len(rows)))
}

func (e *Execution) matches(criterion func(name string) string) bool {
	document := criterion("document_id")
	return (document == "" || document == e.Document) && strings.Contains(e.Name, criterion("document_name")) &&
		strings.Contains(caller, criterion("creator"))
}

func cut[T any](all []T, offset, limit int) []T {
	first := min(offset, len(all))
	return all[first:min(first+limit, len(all))]
}

type stepRow struct {
	ID       any               `json:"id"`
	StepID   string            `json:"execution_step_id"`
	Action   string            `json:"action"`
	Name     string            `json:"name"`
	Started  any               `json:"start_time"`
	Finished any               `json:"end_time"`
	Status   string            `json:"status"`
	Message  *string           `json:"message"`
	Inputs   []Pair            `json:"inputs"`
	Outputs  []Pair            `json:"outputs"`
	More     map[string]string `json:"properties"`
}

func (s *Server) listSteps(c *call) reply {
	var v violations
	limit := v.queryInt(c.r, numeric{"limit", 10, 1, 100})
	offset := v.queryInt(c.r, numeric{"offset", 0, 0, 1 << 62})
	if len(v) > 0 {
		return jobError(codeJobSize, strings.Join(v, " | "))
	}
	e := s.seenExecution(c.r.PathValue("execution"))
	if e == nil {
		return s.noExecution()
	}
	rows := []stepRow{}
	for i, step := range e.Steps {
		row := stepRow{
			ID: s.number(i + 1), StepID: step.ID, Action: "hwc:runbook:script@1.0.0", Name: step.Name, Status: step.Status,
			Started: milliseconds(step.Started), Finished: milliseconds(step.Finished), Inputs: []Pair{}, Outputs: []Pair{},
		}
		if !step.Finished.IsZero() && step.Output != "" {
			row.Outputs = append(row.Outputs, Pair{"output", step.Output})
		}
		rows = append(rows, row)
	}
	return flat(listing(cut(rows, offset, limit), len(rows)))
}

func (s *Server) operateExecution(c *call) reply {
	var b struct {
		ID        jsontext.Value `json:"execution_id"`
		Operation jsontext.Value `json:"operate_type"`
	}
	var v violations
	if problem := decodeObject(c.body, &b); problem != "" {
		return jobError(codeJobInvalid, problem)
	}
	id := v.sized("executionId", b.ID, 1, 255)
	operation := v.sized("operateType", b.Operation, 1, 255)
	if len(v) > 0 {
		return jobError(codeJobInvalid, strings.Join(v, " | "))
	}
	e := s.seenExecution(id)
	if e == nil {
		return jobError(codeNoDocument, "The execution does not exist.")
	}
	if !e.operate(operation, s.opts.Now()) {
		return jobError(codeJobInvalid, "operateType value["+operation+"] invalid in status "+e.Status)
	}
	e.Operations = append(e.Operations, operation)
	return reply{status: http.StatusOK}
}

func (s *Server) controlExecutions(w http.ResponseWriter, _ *http.Request) {
	answerControl(w, s.Executions())
}
