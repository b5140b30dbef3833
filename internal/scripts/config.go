package scripts

import (
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/cocbridge/cocbridge/internal/coc"
)

// Rule is what a rule runs, with what it shares with other parts of the rule.
type Rule struct {
	Name     string
	Matchers []string
	Hold     time.Duration
	Actions
}

// Actions are what a rule can run; one of them, or none.
type Actions struct {
	Script *ScriptConfig `yaml:"script"`
	Job    *JobConfig    `yaml:"job"`
}

// ScriptConfig is a script that a rule runs on hosts.
type ScriptConfig struct {
	UUID        string           `yaml:"uuid"`
	Pin         string           `yaml:"content_sha256"` // refused when the script in COC differs; empty = not pinned
	Parameters  map[string]Param `yaml:"parameters"`
	User        string           `yaml:"execute_user"`
	SuccessRate float64          `yaml:"success_rate"` // percent of the hosts
	Targets     Targets          `yaml:"targets"`
	BatchSize   int              `yaml:"batch_size"`
	Limits      `yaml:",inline"`
}

// JobConfig is a document that a rule executes.
type JobConfig struct {
	Document    string           `yaml:"document_id"`
	Version     string           `yaml:"version"`       // empty = the latest
	Type        string           `yaml:"document_type"` // PUBLIC or PRIVATE
	Pin         string           `yaml:"content_sha256"`
	Parameters  map[string]Param `yaml:"parameters"`
	Description string           `yaml:"description"` // kept with the execution, before our mark
	Limits      `yaml:",inline"`
}

// Param is the value of one parameter.
type Param struct {
	Value string `yaml:"value"` // a template, rendered once; its result is data
	Allow string `yaml:"allow"` // RE2; the whole rendered value must match
}

// Targets are the hosts a script runs on: a fixed list, or one that is looked up.
type Targets struct {
	Lookup *Lookup `yaml:"lookup"`
	Hosts  []Host  `yaml:"hosts"`
	Max    int     `yaml:"max"`
}

// Lookup finds the host that a label names, among those inside a fence.
type Lookup struct {
	Label  string `yaml:"label"`
	By     string `yaml:"by"` // resource_id, name or ip
	Within Fence  `yaml:"within"`
}

// Fence bounds what a lookup can find. All that is set must hold.
type Fence struct {
	Application string `yaml:"application_id"`
	Group       string `yaml:"group_id"`
	Tag         string `yaml:"tag"` // key=value
}

// Host is a fixed target. What is empty is taken from COC.
type Host struct {
	ResourceID string `yaml:"resource_id"`
	RegionID   string `yaml:"region_id"`
	ProjectID  string `yaml:"project_id"`
	AgentSN    string `yaml:"agent_sn"`
}

// Limits are the brakes of one rule.
type Limits struct {
	Timeout    model.Duration `yaml:"timeout"`      // of one batch
	Cooldown   model.Duration `yaml:"cooldown"`     // per rule and target
	MaxPerHour int            `yaml:"max_per_hour"` // calls
	Parallel   int            `yaml:"parallel"`     // runs that have not ended
	NotAfter   model.Duration `yaml:"not_after"`    // never start later than this after the alert began
	OnResolve  string         `yaml:"on_resolve"`   // leave or cancel
	DryRun     bool           `yaml:"dry_run"`
}

// Automation is the section automation: brakes over all rules.
type Automation struct {
	MaxPerHour int    `yaml:"max_per_hour"`
	Storm      Storm  `yaml:"storm"`
	KillSwitch string `yaml:"kill_switch_file"` // an absolute path; while it exists nothing runs
}

// Storm is the fuse: more new episodes than this that match, and nothing runs
// until a person has armed it again.
type Storm struct {
	Episodes int            `yaml:"episodes"`
	Within   model.Duration `yaml:"within"`
}

// The words of the configuration.
const (
	byResource = "resource_id"
	byName     = "name"
	byIP       = "ip"
	leave      = "leave"
	cancel     = "cancel"
)

// DefaultAutomation is what an absent key means.
func DefaultAutomation() Automation {
	return Automation{MaxPerHour: 60, Storm: Storm{Episodes: 100, Within: model.Duration(5 * time.Minute)}}
}

// DefaultLimits is what an absent key means. A new rule shows what it would run.
func DefaultLimits() Limits {
	return Limits{
		Timeout: model.Duration(5 * time.Minute), Cooldown: model.Duration(30 * time.Minute), MaxPerHour: 20, Parallel: 1,
		NotAfter: model.Duration(10 * time.Minute), OnResolve: leave, DryRun: true,
	}
}

// DefaultScript is what an absent key means. It lacks uuid and targets.
func DefaultScript() ScriptConfig {
	return ScriptConfig{User: "root", SuccessRate: 100, Targets: Targets{Max: 10}, BatchSize: coc.MaxHostsPerBatch, Limits: DefaultLimits()}
}

// DefaultJob is what an absent key means. It lacks document_id.
func DefaultJob() JobConfig { return JobConfig{Type: "PRIVATE", Limits: DefaultLimits()} }

// UnmarshalYAML lays what is given over the defaults.
func (c *ScriptConfig) UnmarshalYAML(n *yaml.Node) error {
	type plain ScriptConfig // without this method
	*c = DefaultScript()
	return n.Decode((*plain)(c))
}

// UnmarshalYAML lays what is given over the defaults.
func (c *JobConfig) UnmarshalYAML(n *yaml.Node) error {
	type plain JobConfig // without this method
	*c = DefaultJob()
	return n.Decode((*plain)(c))
}
