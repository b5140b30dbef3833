package ledger

import (
	"time"

	"github.com/prometheus/common/model"
)

// Config is the ledger's part of the section delivery of the configuration file.
type Config struct {
	Refresh    model.Duration `yaml:"refresh"`     // a repeat is told again this long after the last confirmed telling; 0 = never
	Fence      model.Duration `yaml:"fence"`       // how long a firing that may be stale is held
	StaleAfter model.Duration `yaml:"stale_after"` // an alarm unheard of for this long is closed; 0 = never
}

// DefaultConfig is what an absent key means.
func DefaultConfig() Config {
	return Config{Refresh: model.Duration(30 * time.Minute), Fence: model.Duration(time.Minute)}
}

// Validate reports each value that cannot work, with its place below delivery.
func (c Config) Validate(report func(path, problem string)) {
	for path, d := range map[string]model.Duration{"refresh": c.Refresh, "fence": c.Fence, "stale_after": c.StaleAfter} {
		if d < 0 {
			report(path, "is negative: use a duration such as 30m, or 0")
		}
	}
}
