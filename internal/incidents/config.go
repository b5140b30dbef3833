package incidents

import (
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/cocbridge/cocbridge/internal/render"
)

// Rule is one entry of the section rules: what else to do about alerts.
type Rule struct {
	Name     string         `yaml:"name"`
	Matchers []string       `yaml:"matchers"` // Alertmanager's syntax; all must match, none = every alert
	Hold     model.Duration `yaml:"hold"`     // act only on what still fires after this
	Incident *Config        `yaml:"incident"`
}

// Config says what ticket a rule opens and what becomes of it.
type Config struct {
	GroupBy           []string      `yaml:"group_by"` // one open ticket per values of these labels; none = per alert
	Level             *render.Field `yaml:"level"`
	Type              string        `yaml:"type"`
	Title             *render.Field `yaml:"title"`
	Description       *render.Field `yaml:"description"`
	Application       *render.Field `yaml:"application"` // empty = mapping.application_id
	Region            *render.Field `yaml:"region"`
	EnterpriseProject *render.Field `yaml:"enterprise_project"`
	ServiceInterrupt  bool          `yaml:"service_interrupt"`
	Creator           string        `yaml:"creator"` // IAM user id
	Assignee          *render.Field `yaml:"assignee"`
	AssigneeScenario  *render.Field `yaml:"assignee_scenario"`
	AssigneeRole      *render.Field `yaml:"assignee_role"`
	Source            string        `yaml:"source"`
	Accept            AcceptConfig  `yaml:"accept"`
	Solve             SolveConfig   `yaml:"solve"`
	Confirm           ConfirmConfig `yaml:"confirm"`
	Refire            RefireConfig  `yaml:"refire"`
	OnClosedByPerson  string        `yaml:"on_closed_by_person"` // leave or remark
}

// AcceptConfig says when the ticket is accepted, and in whose name all steps are taken.
type AcceptConfig struct {
	When     string `yaml:"when"`     // never or opened
	Operator string `yaml:"operator"` // IAM user id; empty = creator
}

// SolveConfig says when a solution is committed, and its texts.
type SolveConfig struct {
	When     string         `yaml:"when"`  // never or resolved: every member has recovered
	After    model.Duration `yaml:"after"` // and stayed so for this long
	Cause    *render.Field  `yaml:"cause"`
	Solution *render.Field  `yaml:"solution"`
}

// ConfirmConfig says whether our own solution is confirmed, which closes the ticket.
type ConfirmConfig struct {
	When    string        `yaml:"when"` // never or solved
	Comment *render.Field `yaml:"comment"`
}

// RefireConfig says what becomes of a ticket whose members fire again soon after
// it was solved.
type RefireConfig struct {
	Within model.Duration `yaml:"within"`
	Do     string         `yaml:"do"` // remark, new or unsolve
}

// The words of the configuration.
const (
	never    = "never"
	opened   = "opened"
	resolved = "resolved"
	solvedIt = "solved"
	remarkIt = "remark"
	newOne   = "new"
	unsolve  = "unsolve"
	leave    = "leave"
)

// DefaultConfig is what an absent key means. It lacks creator and assignee.
func DefaultConfig() Config {
	return Config{
		Level: &render.Field{
			Value:   new(`{{ .Labels.severity }}`),
			Map:     map[string]string{"critical": "level_10", "warning": "level_30"},
			Default: new("level_50"),
		},
		Type:              "inc_type_p_function_issues",
		Title:             field(`{{ .Labels.alertname }}`),
		Description:       field(`{{ or .Annotations.description .Annotations.summary .Labels.alertname }}`),
		Application:       field(""),
		Region:            field(""),
		EnterpriseProject: field("0"),
		Assignee:          field(""),
		AssigneeScenario:  field(""),
		AssigneeRole:      field(""),
		Source:            "incident_source_alarm",
		Accept:            AcceptConfig{When: opened},
		Solve: SolveConfig{
			When: resolved, After: model.Duration(5 * time.Minute),
			Cause: field(`Recovered at {{ .EndsAt }}`), Solution: field(`{{ .Timeline }}`),
		},
		Confirm:          ConfirmConfig{When: never, Comment: field("")},
		Refire:           RefireConfig{Within: model.Duration(30 * time.Minute), Do: remarkIt},
		OnClosedByPerson: leave,
	}
}

func field(template string) *render.Field { return &render.Field{Value: &template} }

// UnmarshalYAML lays what is given over the defaults.
func (c *Config) UnmarshalYAML(n *yaml.Node) error {
	type plain Config // without this method
	*c = DefaultConfig()
	if err := n.Decode((*plain)(c)); err != nil {
		return err
	}
	c.fill()
	return nil
}

// fill takes the default for each template that has none: an empty value is none.
func (c *Config) fill() {
	base := DefaultConfig()
	defaults := base.fields()
	for i, f := range c.fields() {
		if *f.field == nil || (*f.field).Value == nil {
			*f.field = render.Extend(*f.field, *defaults[i].field)
		}
	}
}
