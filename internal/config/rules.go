package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/receivers"
	"github.com/cocbridge/cocbridge/internal/scripts"
)

// Rule is one entry of the section rules: who it is for, and what is done besides
// telling the alarm.
type Rule struct {
	incidents.Rule  `yaml:",inline"`
	scripts.Actions `yaml:",inline"`
}

// IncidentRules are the rules as incidents see them; the place in the list is the same.
func (c *Config) IncidentRules() []incidents.Rule {
	all := make([]incidents.Rule, len(c.Rules))
	for i, r := range c.Rules {
		all[i] = r.Rule
	}
	return all
}

// ScriptRules are the rules as scripts see them; the place in the list is the same.
func (c *Config) ScriptRules() []scripts.Rule {
	all := make([]scripts.Rule, len(c.Rules))
	for i, r := range c.Rules {
		all[i] = scripts.Rule{Name: r.Name, Matchers: r.Matchers, Hold: time.Duration(r.Hold), Actions: r.Actions}
	}
	return all
}

// Trusted says whether the receiver's alerts may run something: only who shows
// credentials may.
func Trusted(r receivers.Config) bool { return r.Authenticated() && !r.Auth.InsecureNone }

// Trusts says so of the receiver with that name.
func (c *Config) Trusts(receiver string) bool {
	return slices.ContainsFunc(c.Receivers, func(r receivers.Config) bool { return r.Name == receiver && Trusted(r) })
}

func (c *Config) validateRules(report func(path, problem string)) {
	incidents.Validate(c.IncidentRules(), c.Mapping.Templates, within("rules", report))
	scripts.Validate(c.ScriptRules(), c.Mapping.Templates, within("rules", report))
	for i, r := range c.Rules {
		at := fmt.Sprintf("rules[%d]", i)
		switch {
		case r.Script != nil && r.Job != nil:
			report(at+".job", "a rule runs a script or a job, not both; write a second rule")
		case r.Incident == nil && r.Script == nil && r.Job == nil:
			report(at+".incident", "the rule does nothing; say what ticket it opens (incident), or what it runs (script or job)")
		}
	}
	c.Automation.Validate(within("automation", report))
	c.Warnings = append(c.Warnings, incidents.Warnings(c.IncidentRules())...)
	c.Warnings = append(c.Warnings, scripts.Warnings(c.ScriptRules(), slices.ContainsFunc(c.Receivers, Trusted))...)
}
