package main

import "github.com/cocbridge/cocbridge/internal/alert"

// ticket is what map prints of an incident that a rule would open.
type ticket struct {
	Rule        string `json:"rule"`
	Problem     string `json:"problem,omitempty"`
	Title       string `json:"title,omitempty"`
	Level       string `json:"level,omitempty"`
	Description string `json:"description,omitempty"`
	Application string `json:"application,omitempty"`
	Assignee    string `json:"assignee,omitempty"`
	Scenario    string `json:"assignee_scenario,omitempty"`
	Role        string `json:"assignee_role,omitempty"`
}

// tickets are those that the rules would open for the alert alone.
func (d desk) tickets(a alert.Alert) (all []ticket) {
	for _, p := range d.rules.Preview(&a) {
		if p.Problem != nil {
			all = append(all, ticket{Rule: p.Rule, Problem: p.Problem.Error()})
			continue
		}
		t := p.Ticket
		all = append(all, ticket{
			Rule: p.Rule, Title: t.Title, Level: t.Level, Description: t.Description, Application: t.Application,
			Assignee: t.Assignee, Scenario: t.AssigneeScene, Role: t.AssigneeRole,
		})
	}
	return all
}
