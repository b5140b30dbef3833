package incidents

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/match"
	"github.com/cocbridge/cocbridge/internal/render"
)

var ruleName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$`)

// Validate reports what is wrong with the rules, by paths such as [0].matchers[1].
// templates are the files with defines.
func Validate(rules []Rule, templates []string, report func(path, problem string)) {
	set, _ := render.New(templates...) // its problems are mapping's to report
	seen := map[string]bool{}
	for i, r := range rules {
		within := func(path, problem string) { report(fmt.Sprintf("[%d].%s", i, path), problem) }
		if !ruleName.MatchString(r.Name) {
			within("name", "must be 1 to 63 letters, digits, - or _, and begin with a letter or digit")
		} else if seen[r.Name] {
			within("name", fmt.Sprintf("%q is used twice: give each rule its own name", r.Name))
		}
		seen[r.Name] = true
		match.Validate(r.Matchers, func(path, problem string) { within("matchers"+path, problem) })
		if r.Incident == nil {
			continue // it may do something else
		}
		r.Incident.validate(set, func(path, problem string) { within("incident."+path, problem) })
	}
}

// validate takes defaults for the values that could not be read: those are
// reported already.
func (c *Config) validate(set *render.Set, report func(path, problem string)) {
	c.fill()
	for _, f := range c.fields() {
		(*f.field).Check(set, f.name, report)
	}
	for i, label := range c.GroupBy {
		if label == "" || slices.Contains(c.GroupBy[:i], label) {
			report(fmt.Sprintf("group_by[%d]", i), fmt.Sprintf("%q is empty or there twice; name each label once", label))
		}
	}
	c.validateTicket(report)
	c.validateSteps(report)
}

func (c *Config) validateTicket(report func(path, problem string)) {
	for at, text := range c.Level.PlainTexts(fieldLevel) {
		if !slices.Contains(coc.IncidentLevels(), text) {
			report(at, fmt.Sprintf("%q is not a level of COC; write one of %s", text, strings.Join(coc.IncidentLevels(), ", ")))
		}
	}
	if c.Title.Hollow() {
		report(fieldTitle, "it is empty; write what has happened, such as '{{ .Labels.alertname }}'")
	}
	if c.Description.Hollow() {
		report(fieldDescription, "it is empty; write such as '{{ .Annotations.description }}'")
	}
	if strings.TrimSpace(c.Type) == "" {
		report("type", "it is empty; write such as inc_type_p_function_issues")
	}
	if !slices.Contains(coc.IncidentSources(), c.Source) {
		report("source", fmt.Sprintf("%q is not a source of COC; write one of %s", c.Source, strings.Join(coc.IncidentSources(), ", ")))
	}
	if c.Creator == "" {
		report("creator", "it is missing; write the IAM user id in whose name tickets are opened")
	}
	if c.Assignee.Hollow() && (c.AssigneeScenario.Hollow() || c.AssigneeRole.Hollow()) {
		report("assignee", "nobody would get the ticket; set assignee (an IAM user id), or both assignee_scenario and assignee_role")
	}
}

func (c *Config) validateSteps(report func(path, problem string)) {
	oneOf := func(path, word string, words ...string) {
		if !slices.Contains(words, word) {
			report(path, fmt.Sprintf("%q is unknown; write %s", word, strings.Join(words, " or ")))
		}
	}
	oneOf("accept.when", c.Accept.When, never, opened)
	oneOf("solve.when", c.Solve.When, never, resolved)
	oneOf("confirm.when", c.Confirm.When, never, solvedIt)
	oneOf("refire.do", c.Refire.Do, remarkIt, newOne, unsolve)
	oneOf("on_closed_by_person", c.OnClosedByPerson, leave, remarkIt)
}

// Warnings are about what may be right all the same.
func Warnings(rules []Rule) (texts []string) {
	for i, r := range rules {
		if r.Incident == nil {
			continue
		}
		if !slices.Contains(coc.IncidentTypes(), r.Incident.Type) {
			texts = append(texts, fmt.Sprintf("rules[%d].incident.type: %q is not one of COC's own types; it must be a type that your account has added", i, r.Incident.Type))
		}
	}
	return texts
}

// Notes are what a person who checks a configuration should know of its rules.
func Notes(rules []Rule) (texts []string) {
	for _, r := range rules {
		if r.Incident != nil {
			texts = append(texts, fmt.Sprintf("rule %q opens incidents by itself: if an alarm conversion rule in COC covers the same alarms, "+
				"each problem opens two; switch one of them off", r.Name))
		}
	}
	return texts
}

// problems joins what Validate says, for New.
func problems(rules []Rule, templates []string) error {
	var errs []error
	Validate(rules, templates, func(path, problem string) { errs = append(errs, fmt.Errorf("rules%s: %s", path, problem)) })
	return errors.Join(errs...)
}
