package coctest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Scripts (coc-api.md 3.6).

// The statuses of a script.
const (
	ScriptPending  = "PENDING_APPROVE"
	ScriptApproved = "APPROVED"
	ScriptRejected = "REJECTED"
)

// Script is one script as it is. Sensitive values are kept, and masked in
// answers.
type Script struct {
	ID                int64         `json:"id"`
	UUID              string        `json:"uuid"`
	Name              string        `json:"name"`
	Type              string        `json:"type"`
	Status            string        `json:"status"`
	Description       string        `json:"description"`
	Content           string        `json:"content"`
	RiskLevel         string        `json:"risk_level"`
	Version           string        `json:"version"`
	Protocol          string        `json:"protocol"`
	Reviewers         []Reviewer    `json:"reviewers"`
	Params            []ScriptParam `json:"params"`
	EnterpriseProject string        `json:"enterprise_project"`
	Creator           string        `json:"creator"`
	Created           time.Time     `json:"created"`
	Modified          time.Time     `json:"modified"`
	Runs              int           `json:"runs"`
}

// Reviewer approves a script.
type Reviewer struct {
	Name string `json:"reviewer_name"`
	ID   string `json:"reviewer_id"`
}

// ScriptParam is a parameter that a script declares.
type ScriptParam struct {
	Name        string `json:"param_name"`
	Value       string `json:"param_value"`
	Description string `json:"param_description"`
	Order       int    `json:"param_order"`
	Sensitive   bool   `json:"sensitive"`
}

// caller is who the account is, in answers.
const caller = "coctest"

// Scripts returns all scripts in the order of their creation.
func (s *Server) Scripts() []Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Script, len(s.book.scripts))
	for i, script := range s.book.scripts {
		all[i] = *script
	}
	return all
}

// AddScript makes one as a person does on the console, approved unless it says
// otherwise, and returns its id.
func (s *Server) AddScript(script Script) (uuid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file(&script)
	return script.UUID
}

// file gives a script what every one has. The caller holds mu.
func (s *Server) file(script *Script) {
	s.book.lastScript++
	now := s.opts.Now()
	script.ID, script.Created, script.Modified = s.book.lastScript, now, now
	if script.UUID == "" {
		script.UUID = fmt.Sprintf("SC%s%09x", now.UTC().Format("20060102150405"), script.ID)
	}
	if script.Status == "" {
		script.Status = ScriptApproved
	}
	if script.Creator == "" {
		script.Creator = caller
	}
	s.book.scripts = append(s.book.scripts, script)
	s.changed()
}

// EditScript changes one as a person does: its content, its approval.
func (s *Server) EditScript(uuid string, edit func(script *Script)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	script := s.script(uuid)
	if script == nil {
		return fmt.Errorf("coctest: there is no script %s", uuid)
	}
	edit(script)
	script.Modified = s.opts.Now()
	s.changed()
	return nil
}

// RemoveScript deletes one as a person does.
func (s *Server) RemoveScript(uuid string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.remove(uuid) {
		return fmt.Errorf("coctest: there is no script %s", uuid)
	}
	s.changed()
	return nil
}

func (s *Server) remove(uuid string) bool {
	before := len(s.book.scripts)
	s.book.scripts = slices.DeleteFunc(s.book.scripts, func(script *Script) bool { return script.UUID == uuid })
	return len(s.book.scripts) < before
}

func (s *Server) script(uuid string) *Script {
	for _, script := range s.book.scripts {
		if script.UUID == uuid {
			return script
		}
	}
	return nil
}

// scriptRow is a script in a list, scriptDetail one by itself.
type scriptRow struct {
	ID                int64            `json:"id,omitzero"`
	UUID              string           `json:"script_uuid"`
	Name              string           `json:"name"`
	Type              string           `json:"type"`
	Status            string           `json:"status"`
	Created           int64            `json:"gmt_created"`
	Modified          int64            `json:"gmt_modified"`
	Creator           string           `json:"creator"`
	CreatorID         string           `json:"creator_id"`
	Operator          *string          `json:"operator"`
	EnterpriseProject string           `json:"enterprise_project_id"`
	Properties        scriptProperties `json:"properties"`
}

type scriptProperties struct {
	RiskLevel string     `json:"risk_level"`
	Version   string     `json:"version"`
	Reviewers []Reviewer `json:"reviewers"`
	Protocol  string     `json:"protocol,omitempty"`
}

type scriptDetail struct {
	scriptRow
	Description string        `json:"description"`
	Content     string        `json:"content"`
	Params      []ScriptParam `json:"script_params"`
}

func (s *Script) row() scriptRow {
	return scriptRow{
		ID: s.ID, UUID: s.UUID, Name: s.Name, Type: s.Type, Status: s.Status, Created: s.Created.UnixMilli(), Modified: s.Modified.UnixMilli(),
		Creator: s.Creator, CreatorID: s.Creator, EnterpriseProject: s.EnterpriseProject,
		Properties: scriptProperties{s.RiskLevel, s.Version, s.Reviewers, s.Protocol},
	}
}

func (s *Script) detail() scriptDetail {
	d := scriptDetail{scriptRow: s.row(), Description: s.Description, Content: s.Content, Params: slices.Clone(s.Params)}
	d.ID = 0
	for i := range d.Params {
		if d.Params[i].Sensitive {
			d.Params[i].Value = "******"
		}
	}
	return d
}

func (s *Server) getScript(c *call) reply {
	script := s.script(c.r.PathValue("uuid"))
	switch {
	case len(c.r.PathValue("uuid")) > 25:
		return jobError(codeJobSize, "scriptUuid size must be between 1 and 25")
	case script == nil:
		return jobError(codeJobNoScript, "The script does not exist.")
	case s.opts.Switches.Flat:
		return flat(script.detail())
	}
	return jobOK(script.detail())
}

func (s *Server) listScripts(c *call) reply {
	var v violations
	limit := v.queryInt(c.r, numeric{"limit", 0, 1, 100})
	marker := v.queryInt(c.r, numeric{"marker", 0, 0, 1<<31 - 1})
	v.queryText(c.r, "name_like", 32)
	v.queryText(c.r, "creator", 64)
	if len(v) > 0 {
		return jobError(codeJobSize, strings.Join(v, " | "))
	}
	var rows []scriptRow
	total := 0
	for _, script := range s.book.scripts {
		if !script.matches(c.r.URL.Query().Get) {
			continue
		}
		total++
		if script.ID > int64(marker) && len(rows) < limit {
			rows = append(rows, script.row())
		}
	}
	if s.opts.Switches.Flat {
		return flat(listing(rows, total))
	}
	return jobOK(listing(rows, total))
}

func (s *Script) matches(criterion func(name string) string) bool {
	equal := func(name, value string) bool { return criterion(name) == "" || criterion(name) == value }
	return strings.Contains(s.Name, criterion("name_like")) && equal("creator", s.Creator) &&
		equal("risk_level", s.RiskLevel) && equal("type", s.Type)
}

// queryText checks an optional criterion.
func (v *violations) queryText(r *http.Request, name string, most int) {
	values, set := r.URL.Query()[name]
	if n := utf16Len(strings.Join(values, ",")); set && (n < 1 || n > most) {
		v.add("%s size must be between 1 and %d", name, most)
	}
}

func (s *Server) deleteScript(c *call) reply {
	uuid := c.r.PathValue("uuid")
	if !s.remove(uuid) {
		return jobError(codeJobNoScript, "The script does not exist.")
	}
	return jobOK(uuid)
}

func (s *Server) controlScripts(w http.ResponseWriter, _ *http.Request) {
	answerControl(w, s.Scripts())
}

// controlScript changes what the body names, or deletes the script.
func (s *Server) controlScript(w http.ResponseWriter, r *http.Request) {
	var to struct {
		Status  *string `json:"status"`
		Content *string `json:"content"`
		Deleted bool    `json:"deleted"`
	}
	if !readControl(w, r, &to) {
		return
	}
	if to.Deleted {
		control(w, s.RemoveScript(r.PathValue("uuid")))
		return
	}
	control(w, s.EditScript(r.PathValue("uuid"), func(script *Script) {
		replace(&script.Status, to.Status)
		replace(&script.Content, to.Content)
	}))
}
