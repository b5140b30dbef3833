package incidents

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/match"
	"github.com/cocbridge/cocbridge/internal/render"
)

// rule is a Rule ready for use.
type rule struct {
	name     string
	hold     time.Duration
	cfg      Config
	hash     string // of all that is configured: another one = the rule has changed
	matchers match.Matchers
	texts    map[string]*render.Text
}

// compile takes a rule that Validate has nothing against. application is the
// default for tickets' applications.
func compile(set *render.Set, from Rule, application *render.Field) (*rule, error) {
	r := &rule{name: from.Name, hold: time.Duration(from.Hold), cfg: *from.Incident, texts: map[string]*render.Text{}}
	if r.cfg.Application.Hollow() && application != nil {
		r.cfg.Application = application
	}
	text, err := json.Marshal(from)
	if err != nil {
		return nil, err
	}
	r.hash = digest(string(text))[:groupSize]
	if r.matchers, err = match.ParseAll(from.Matchers); err != nil {
		return nil, err
	}
	for _, f := range r.cfg.fields() {
		t, err := set.Compile("template", *(*f.field).Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		r.texts[f.name] = render.NewText(t, *f.field)
	}
	return r, nil
}

// operator is the user in whose name steps are taken.
func (r *rule) operator() string {
	if r.cfg.Accept.Operator != "" {
		return r.cfg.Accept.Operator
	}
	return r.cfg.Creator
}

// view is what templates see: the first member, and the whole episode.
type view struct {
	*render.Alert
	Number        string // of the ticket, once there is one
	Members       int
	Timeline      string // first seen, alerts, flaps, runs, and what was done when
	ScriptSummary string // what scripts have done; empty = none ran
}

// level is the ticket level the alert asks for, worst first; empty when it
// cannot be told.
func (r *rule) level(a *alert.Alert) string {
	text, _, err := r.texts[fieldLevel].Execute(view{Alert: render.NewAlert(a)}, "")
	if err != nil || !slices.Contains(coc.IncidentLevels(), text) {
		return ""
	}
	return text
}

// text renders one field, of one line unless keep says otherwise.
func (r *rule) text(name string, v view, keep string) (string, error) {
	text, _, err := r.texts[name].Execute(v, keep)
	if err != nil {
		return "", &Refused{Code: "incident_" + name, Text: fmt.Sprintf("rule %q: incident.%s: %v; correct the template", r.name, name, err)}
	}
	return text, nil
}

// ticket renders what is to be created.
func (r *rule) ticket(v view, mark, level string) (coc.NewIncident, error) {
	texts := map[string]string{}
	for _, name := range []string{fieldLevel, fieldTitle, fieldDescription, "application", "region", "enterprise_project", "assignee", "assignee_scenario", "assignee_role"} {
		keep := ""
		if name == fieldDescription {
			keep = render.Lines
		}
		var err error
		if texts[name], err = r.text(name, v, keep); err != nil {
			return coc.NewIncident{}, err
		}
	}
	if level == "" {
		level = texts[fieldLevel]
	}
	if err := r.refuse(texts, level); err != nil {
		return coc.NewIncident{}, err
	}
	description, _ := coc.Shorten(texts[fieldDescription], coc.MaxIncidentDescription)
	return coc.NewIncident{
		Region: texts["region"], EnterpriseProject: texts["enterprise_project"], Application: texts["application"],
		Level: level, Type: r.cfg.Type, Title: marked(texts[fieldTitle], mark), Description: description, Source: r.cfg.Source,
		Assignee: texts["assignee"], AssigneeScene: texts["assignee_scenario"], AssigneeRole: texts["assignee_role"],
		Creator: r.cfg.Creator, ServiceInterrupt: r.cfg.ServiceInterrupt, StartTime: max(0, v.StartsAt.UnixMilli()),
	}, nil
}

// refuse names a text that COC would take although nobody could work with it
// (coc-api.md 9.4), or that it would not take.
func (r *rule) refuse(texts map[string]string, level string) error {
	bad := func(name, problem string) error {
		return &Refused{Code: "incident_" + name, Text: fmt.Sprintf("rule %q: incident.%s: %s", r.name, name, problem)}
	}
	switch {
	case texts[fieldTitle] == "":
		return bad(fieldTitle, "it renders empty for this alert; give it a default")
	case texts[fieldDescription] == "":
		return bad(fieldDescription, "it renders empty for this alert; give it a default")
	case !slices.Contains(coc.IncidentLevels(), level):
		return bad(fieldLevel, fmt.Sprintf("%.32q is not a level of COC; add it to the map, or give it a default", level))
	case texts["assignee"] == "" && (texts["assignee_scenario"] == "" || texts["assignee_role"] == ""):
		return bad("assignee", "it renders empty for this alert, and so does assignee_scenario or assignee_role; give one a default")
	}
	return nil
}

// within renders a text of several lines and cuts it; fallback stands for an
// empty one, since COC demands something.
func (r *rule) within(name string, v view, limit int, fallback string) (string, error) {
	text, err := r.text(name, v, render.Lines)
	if text == "" {
		text = fallback
	}
	text, _ = coc.Shorten(text, limit)
	return text, err
}
