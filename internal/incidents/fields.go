package incidents

import "github.com/cocbridge/cocbridge/internal/render"

type namedField struct {
	name  string
	field **render.Field
}

const (
	fieldLevel       = "level"
	fieldTitle       = "title"
	fieldDescription = "description"
)

// fields lists all templates in a fixed order.
func (c *Config) fields() []namedField {
	return []namedField{
		{fieldLevel, &c.Level},
		{fieldTitle, &c.Title},
		{fieldDescription, &c.Description},
		{"application", &c.Application},
		{"region", &c.Region},
		{"enterprise_project", &c.EnterpriseProject},
		{"assignee", &c.Assignee},
		{"assignee_scenario", &c.AssigneeScenario},
		{"assignee_role", &c.AssigneeRole},
		{"solve.cause", &c.Solve.Cause},
		{"solve.solution", &c.Solve.Solution},
		{"confirm.comment", &c.Confirm.Comment},
	}
}
