package store

import (
	"fmt"
	"math"
	"time"

	"github.com/alecthomas/units"
	"github.com/prometheus/common/model"
)

// Config is the section store of the configuration file.
type Config struct {
	Path    string           `yaml:"path"`     // folder; cocbridge.db lies in it
	MaxSize units.Base2Bytes `yaml:"max_size"` // of the file; intake stops at 85 % of it
	History model.Duration   `yaml:"history"`  // how long what has ended is remembered
}

// DefaultConfig is what an absent key means.
func DefaultConfig() Config {
	return Config{Path: "./data", MaxSize: units.GiB, History: model.Duration(168 * time.Hour)}
}

// minSize is room for a few thousand alarms and the committer's largest group.
const minSize = 16 * units.MiB

// Validate reports every problem of the section, each with the path of its key.
func (c Config) Validate(report func(path, problem string)) {
	if c.Path == "" {
		report("path", "the folder of the store is missing; name one, for example ./data")
	}
	if c.MaxSize < minSize {
		report("max_size", fmt.Sprintf("%v is too small for a store; use at least %v", c.MaxSize, minSize))
	}
	if int64(c.MaxSize) > math.MaxInt/2 {
		report("max_size", fmt.Sprintf("%v does not fit into this machine's address space; use at most 1GiB", c.MaxSize))
	}
	if c.History <= 0 {
		report("history", "what has ended must be remembered for some time, or its repeats count as news; use for example 168h")
	}
}
