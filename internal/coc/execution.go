package coc

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ExecutionStatus is where an execution or a step of it stands. An unknown one
// stays as COC wrote it, and counts as running.
type ExecutionStatus string

// The statuses of executions; other words than those of script orders
// (coc-api.md 3.10).
const (
	ExecutionPending   ExecutionStatus = "Pending" // waits for a person
	ExecutionRunning   ExecutionStatus = "Running"
	ExecutionSucceeded ExecutionStatus = "Succeed"
	ExecutionCanceling ExecutionStatus = "Canceling"
	ExecutionCanceled  ExecutionStatus = "Canceled"
	ExecutionFailed    ExecutionStatus = "Failed"
	ExecutionTimeout   ExecutionStatus = "Timeout"
)

func executionStatus(t text) ExecutionStatus {
	s := strings.TrimSpace(string(t))
	for _, known := range []ExecutionStatus{
		ExecutionPending, ExecutionRunning, ExecutionSucceeded, ExecutionCanceling, ExecutionCanceled, ExecutionFailed, ExecutionTimeout,
	} {
		if strings.EqualFold(s, string(known)) {
			return known
		}
	}
	return ExecutionStatus(s)
}

// Ended says that nothing will happen any more unless a person retries.
func (s ExecutionStatus) Ended() bool {
	return s == ExecutionSucceeded || s == ExecutionCanceled || s == ExecutionFailed || s == ExecutionTimeout
}

// Execution is one run of a document. Times are milliseconds since 1970, 0 =
// none.
type Execution struct {
	ID          string          `json:"id"`
	Type        string          `json:"type,omitempty"` // NORMAL, BATCH, RATE_CONTROL
	Document    string          `json:"document"`
	Name        string          `json:"name"` // of the document
	Version     string          `json:"version,omitempty"`
	Status      ExecutionStatus `json:"status"`
	Description string          `json:"description,omitempty"`
	Creator     string          `json:"creator,omitempty"`
	Started     int64           `json:"started,omitempty"`
	Finished    int64           `json:"finished,omitempty"`
	SysTags     []Attribute     `json:"sys_tags,omitempty"`
}

// Took is how long it ran, 0 if that is not known.
func (e Execution) Took() time.Duration { return took(e.Started, e.Finished) }

type executionAnswer struct {
	ID          text       `json:"execution_id"`
	Type        text       `json:"type"`
	Document    text       `json:"document_id"`
	Name        text       `json:"document_name"`
	Version     text       `json:"document_version"`
	Status      text       `json:"status"`
	Description text       `json:"description"`
	Creator     text       `json:"creator"`
	Started     stamp      `json:"start_time"`
	Finished    stamp      `json:"end_time"`
	SysTags     []keyValue `json:"sys_tags"`
}

type keyValue struct {
	Key   text `json:"key"`
	Value text `json:"value"`
}

func attributes(pairs []keyValue) []Attribute {
	var all []Attribute
	for _, p := range pairs {
		all = append(all, Attribute{string(p.Key), string(p.Value)})
	}
	return all
}

func (a executionAnswer) execution() Execution {
	return Execution{
		ID: string(a.ID), Type: string(a.Type), Document: string(a.Document), Name: string(a.Name), Version: string(a.Version),
		Status: executionStatus(a.Status), Description: string(a.Description), Creator: string(a.Creator),
		Started: int64(a.Started), Finished: int64(a.Finished), SysTags: attributes(a.SysTags),
	}
}

// GetExecution reads one execution. One that does not exist, for which COC may
// answer 200 without data, is an *Error of class NotFound.
func (c *Client) GetExecution(ctx context.Context, id string) (Execution, error) {
	const op = "get execution"
	if err := checkExecution(op, id); err != nil {
		return Execution{}, err
	}
	r, err := c.call(ctx, c.reading(op, "/v1/executions/"+id, nil))
	if err != nil {
		return Execution{}, err
	}
	if r.data() == nil {
		return Execution{}, &Error{Op: op, Class: NotFound, Status: r.status, RequestID: r.requestID, Sent: true, Message: "there is no such execution"}
	}
	var a executionAnswer
	if err := r.into(op, &a); err != nil {
		return Execution{}, err
	}
	e := a.execution()
	if e.ID != "" && e.ID != id {
		return Execution{}, r.unlike(op, "it is about another execution")
	}
	e.ID = id
	return e, nil
}

func checkExecution(op, id string) error {
	var v violations
	v.id("execution_id", id, maxDocumentID)
	return v.refuse(op)
}

// MaxExecutionsPerPage is ours: COC documents no limit.
const MaxExecutionsPerPage = 100

// ExecutionQuery says which executions to list.
type ExecutionQuery struct {
	Document string    // its id
	Name     string    // part of the document's name
	Creator  string    // part of it
	From     time.Time // started at or after; zero = no bound
	To       time.Time // started at or before; zero = no bound
	Limit    int       // 0 = 100
	Offset   int
}

// ExecutionPage is a part of a list.
type ExecutionPage struct {
	Executions []Execution
	Total      int // of all pages
	Next       int // ExecutionQuery.Offset of the next page; 0 = there is none
}

const opListExecutions = "list executions"

// values turns inclusive bounds into COC's exclusive ones.
func (q ExecutionQuery) values() (url.Values, error) {
	var v violations
	query := url.Values{}
	v.window(query, q.Limit, q.Offset)
	v.criterion(query, "document_id", q.Document, maxDocumentID)
	v.criterion(query, "document_name", q.Name, MaxText)
	v.criterion(query, "creator", q.Creator, MaxText)
	if !q.From.IsZero() {
		query.Set("start_time", strconv.FormatInt(q.From.UnixMilli()-1, 10))
	}
	if !q.To.IsZero() {
		query.Set("end_time", strconv.FormatInt(q.To.UnixMilli()+1, 10))
	}
	return query, v.refuse(opListExecutions)
}

// window adds limit and offset.
func (v *violations) window(query url.Values, limit, offset int) {
	if limit == 0 {
		limit = MaxExecutionsPerPage
	}
	v.between("limit", limit, 1, MaxExecutionsPerPage)
	if offset < 0 {
		v.add("offset is %d, must be at least 0", offset)
	}
	query.Set("limit", strconv.Itoa(limit))
	query.Set("offset", strconv.Itoa(offset))
}

// ListExecutions reads one page.
func (c *Client) ListExecutions(ctx context.Context, q ExecutionQuery) (ExecutionPage, error) {
	query, err := q.values()
	if err != nil {
		return ExecutionPage{}, err
	}
	rows, total, err := listRows[executionAnswer](ctx, c, c.reading(opListExecutions, "/v1/executions", query))
	if err != nil {
		return ExecutionPage{}, err
	}
	p := ExecutionPage{Total: total, Next: nextOffset(q.Offset, len(rows), total)}
	for _, row := range rows {
		p.Executions = append(p.Executions, row.execution())
	}
	return p, nil
}

// EachExecution lists all pages from q.Offset on.
func (c *Client) EachExecution(ctx context.Context, q ExecutionQuery) iter.Seq2[Execution, error] {
	return walk(q.Offset, func(offset int) ([]Execution, int, error) {
		q.Offset = offset
		p, err := c.ListExecutions(ctx, q)
		return p.Executions, p.Next, err
	})
}
