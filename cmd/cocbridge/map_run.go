package main

import (
	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/scripts"
)

// plannedRun is what map prints of a script or a job that a rule would run.
type plannedRun struct {
	Rule       string            `json:"rule"`
	Problem    string            `json:"problem,omitempty"` // why it would run nowhere
	Kind       string            `json:"kind"`
	What       string            `json:"what"` // uuid of the script, id of the document
	Version    string            `json:"version,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	User       string            `json:"execute_user,omitempty"`
	Targets    string            `json:"targets,omitempty"`
	Hold       string            `json:"hold,omitempty"`
	DryRun     bool              `json:"dry_run"`
	NotCalled  string            `json:"not_called,omitempty"` // the brake, as cocbridge_runs_not_called_total has it
	Why        string            `json:"why,omitempty"`        // the brake in words
}

// bad: what a brake holds back is never looked at closely enough to become a dead letter.
func (r plannedRun) bad() bool { return r.Problem != "" && r.NotCalled == "" }

func newRuns(cfg *config.Config) (*scripts.Scripts, error) {
	return scripts.New(scripts.Options{
		Rules: cfg.ScriptRules(), Templates: cfg.Mapping.Templates, Automation: cfg.Automation, DryRun: cfg.COC.DryRun,
		Trusted: cfg.Trusts,
	})
}

// planned are the runs that the rules would plan for the alert alone.
func (d desk) planned(a alert.Alert) (all []plannedRun) {
	for _, p := range d.runs.Preview(&a) {
		r := plannedRun{
			Rule: p.Rule, Kind: p.Kind, What: p.Request.What, Version: p.Request.Version, User: p.Request.User,
			Targets: p.Targets, DryRun: p.DryRun, NotCalled: p.Brake, Why: p.Why,
		}
		if p.Problem != nil {
			r.Problem = p.Problem.Error()
		}
		if p.Hold > 0 {
			r.Hold = model.Duration(p.Hold).String()
		}
		if p.Request.Params != nil {
			r.Parameters = map[string]string{}
		}
		for _, v := range p.Request.Params {
			r.Parameters[v.Name] = v.Value
		}
		all = append(all, r)
	}
	return all
}
