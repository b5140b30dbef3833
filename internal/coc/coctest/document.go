package coctest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Documents, which are jobs (coc-api.md 3.10).

// Document is one job with what its steps do.
type Document struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Content    string         `json:"content"`
	Public     bool           `json:"public"`
	Versions   []string       `json:"versions"`   // oldest first; none = v1
	Parameters []string       `json:"parameters"` // that it declares
	Steps      []DocumentStep `json:"steps"`
}

// DocumentStep is one step of a job.
type DocumentStep struct {
	Name    string        `json:"name"`
	Takes   time.Duration `json:"takes"`
	Fails   bool          `json:"fails"`
	Suspend bool          `json:"suspend"` // it waits for a person first
	Output  string        `json:"output"`
}

const codeNoDocument = "COC.00042101"

// SetDocuments replaces the jobs that exist.
func (s *Server) SetDocuments(documents ...Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.documents = slices.Clone(documents)
	s.changed()
}

func (s *Server) document(id string) *Document {
	for i := range s.documents {
		if s.documents[i].ID == id {
			return &s.documents[i]
		}
	}
	return nil
}

func (d *Document) versions() []string {
	if len(d.Versions) == 0 {
		return []string{"v1"}
	}
	return d.Versions
}

// pick is the version asked for, "" = the latest; "" comes back if there is none.
func (d *Document) pick(version string) string {
	all := d.versions()
	if version == "" {
		return all[len(all)-1]
	}
	if slices.Contains(all, version) {
		return version
	}
	return ""
}

// isOf says whether the document is of the type; "" = PRIVATE.
func (d *Document) isOf(kind string) bool {
	return d.Public == (kind == "PUBLIC")
}

func (s *Server) getDocument(c *call) reply {
	query := c.r.URL.Query()
	if kind := query.Get("document_type"); !slices.Contains([]string{"", "PUBLIC", "PRIVATE"}, kind) {
		return jobError(codeJobInvalid, "documentType value["+kind+"] invalid")
	}
	d := s.document(c.r.PathValue("document"))
	if d == nil || d.pick(query.Get("version")) == "" || !d.isOf(query.Get("document_type")) {
		return jobError(codeNoDocument, "The document does not exist.")
	}
	detail := map[string]any{
		"document_id": d.ID, "name": d.Name, "content": d.Content, "create_time": seeded.UnixMilli(), "update_time": seeded.UnixMilli(),
		"version": d.pick(query.Get("version")), "creator": caller, "modifier": caller, "enterprise_project_id": "0", "risk_level": "LOW",
		"description": "", "versions": d.versionRows(),
	}
	if s.opts.Switches.Flat {
		return flat(detail)
	}
	return jobOK(detail)
}

// seeded is when documents were made, as far as they tell.
var seeded = time.Date(2025, 7, 1, 10, 0, 0, 0, time.UTC)

func (d *Document) versionRows() []map[string]any {
	rows := []map[string]any{}
	for _, version := range slices.Backward(d.versions()) {
		rows = append(rows, map[string]any{"version": version, "version_uuid": d.versionID(version), "create_time": seeded.UnixMilli()})
	}
	return rows
}

func (d *Document) versionID(version string) string { return d.ID + "-" + version }

type jobBody struct {
	Version         jsontext.Value `json:"version"`
	Parameters      jsontext.Value `json:"parameters"`
	SysTags         jsontext.Value `json:"sys_tags"`
	TargetParameter jsontext.Value `json:"target_parameter_name"`
	Targets         jsontext.Value `json:"targets"`
	Type            jsontext.Value `json:"document_type"`
	Description     jsontext.Value `json:"description"`
}

func (s *Server) executeDocument(c *call) reply {
	d := s.document(c.r.PathValue("document"))
	if d == nil {
		return s.executeError(codeNoDocument, "The document does not exist.")
	}
	var b jobBody
	var v violations
	if len(c.body) > 0 {
		if problem := decodeObject(c.body, &b); problem != "" {
			return s.executeError(codeJobInvalid, problem)
		}
	}
	e := v.execution(d, b)
	if len(v) > 0 {
		return s.executeError(codeJobInvalid, strings.Join(v, " | "))
	}
	s.startExecution(c, d, e)
	return reply{
		status: http.StatusOK, contentType: jsonType, header: map[string]string{"X-request-id": c.id},
		body: encode(map[string]string{"data": e.ID}),
	}
}

// execution checks what was asked for.
func (v *violations) execution(d *Document, b jobBody) *Execution {
	e := &Execution{
		Version:     d.pick(v.bounded("version", b.Version, 0, 255)),
		Description: v.bounded("description", b.Description, 0, 1000),
		Parameters:  v.pairs("parameters", b.Parameters),
		SysTags:     v.pairs("sysTags", b.SysTags),
	}
	kind := v.enum("documentType", v.bounded("documentType", b.Type, 0, 255), []string{"PRIVATE", "PUBLIC"})
	if e.Version == "" || !d.isOf(kind) {
		v.add("version or documentType invalid")
	}
	for _, p := range e.Parameters {
		if !slices.Contains(d.Parameters, p.Key) {
			v.add("parameters value[%s] invalid", p.Key)
		}
	}
	if target := v.bounded("targetParameterName", b.TargetParameter, 0, 255); !absent(b.Targets) && target == "" {
		v.add("targetParameterName must not be null")
	}
	return e
}

func (v *violations) pairs(name string, raw jsontext.Value) []Pair {
	var pairs []Pair
	if !absent(raw) && json.Unmarshal(raw, &pairs, likeJava) != nil {
		v.add("%s must be an array of keys and values", name)
	}
	return pairs
}

// Pair is a key with its value.
type Pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (s *Server) startExecution(c *call, d *Document, e *Execution) {
	now := s.opts.Now()
	e.number = len(s.book.executions) + 1
	e.ID, e.RequestID, e.Document, e.Name, e.Created = fmt.Sprintf("EX%s%08d", now.UTC().Format("20060102150405"), e.number), c.id, d.ID, d.Name, now
	e.Status, e.begins = ExecutionRunning, now
	for i, step := range d.Steps {
		e.Steps = append(e.Steps, StepRun{ID: fmt.Sprintf("EXS%s%03d", e.ID[2:], i+1), DocumentStep: step, Status: ExecutionPending})
	}
	s.book.executions = append(s.book.executions, e)
}
