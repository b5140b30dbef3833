package forwarder

import (
	"fmt"
	"regexp"
	"time"

	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// Config is the forwarder's part of the section delivery of the configuration file.
type Config struct {
	Workers       int            `yaml:"workers"` // for alarms
	Backoff       BackoffConfig  `yaml:"backoff"`
	GiveUpAfter   model.Duration `yaml:"give_up_after"` // counted from the task's first own retryable answer, closed gates not counted
	ShutdownGrace model.Duration `yaml:"shutdown_grace"`
}

// BackoffConfig bounds the pause before a task is tried again.
type BackoffConfig struct {
	Initial model.Duration `yaml:"initial"`
	Max     model.Duration `yaml:"max"`
}

// Integration is one alarm data source in COC.
type Integration struct {
	Name      string        `yaml:"name"`
	Key       secret.String `yaml:"key"`
	KeyFile   string        `yaml:"key_file"`
	RateLimit float64       `yaml:"rate_limit"` // alarms per second; 0 = unlimited
}

// DefaultConfig is what an absent key means.
func DefaultConfig() Config {
	return Config{
		Workers:       16,
		Backoff:       BackoffConfig{Initial: model.Duration(time.Second), Max: model.Duration(time.Minute)},
		GiveUpAfter:   model.Duration(72 * time.Hour),
		ShutdownGrace: model.Duration(10 * time.Second),
	}
}

// DefaultIntegration is what an absent key of an integration means.
func DefaultIntegration() Integration { return Integration{RateLimit: 20} }

// Validate reports each value that cannot work, with its place below delivery.
func (c Config) Validate(report func(path, problem string)) {
	if c.Workers < 1 || c.Workers > 1000 {
		report("workers", "must be 1 to 1000")
	}
	if c.Backoff.Initial <= 0 {
		report("backoff.initial", "must be more than 0, such as 1s")
	}
	if c.Backoff.Max < c.Backoff.Initial {
		report("backoff.max", "must not be less than backoff.initial")
	}
	if c.GiveUpAfter <= 0 {
		report("give_up_after", "must be more than 0, such as 72h")
	}
	if c.ShutdownGrace < 0 {
		report("shutdown_grace", "is negative: use a duration such as 10s")
	}
}

// ValidateIntegrations reports what is wrong in the section integrations.
func ValidateIntegrations(all []Integration, report func(path, problem string)) {
	if len(all) == 0 {
		report("", "at least one is needed: a name and the integration key of an alarm data source in COC (or set COCBRIDGE_INTEGRATION_KEY)")
	}
	seen := map[string]bool{}
	for i, in := range all {
		in.validate(seen, func(path, problem string) { report(fmt.Sprintf("[%d].%s", i, path), problem) })
		seen[in.Name] = true
	}
}

var (
	integrationName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$`)
	integrationKey  = regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`) // coc-api.md 3.1 and 9.38
)

func (in Integration) validate(seen map[string]bool, report func(path, problem string)) {
	if !integrationName.MatchString(in.Name) {
		report("name", "must be 1 to 63 letters, digits, - or _, and begin with a letter or digit")
	}
	if seen[in.Name] {
		report("name", fmt.Sprintf("%q is used twice: give each integration its own name", in.Name))
	}
	if !integrationKey.MatchString(in.Key.Reveal()) {
		report("key", "must be the integration key of the data source, letters and digits only: copy it from the COC console")
	}
	if in.RateLimit < 0 {
		report("rate_limit", "is negative: use alarms per second, or 0 for no limit")
	}
}
