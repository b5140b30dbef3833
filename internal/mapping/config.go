package mapping

import "github.com/cocbridge/cocbridge/internal/render"

// Config is the section mapping of the configuration file; a route's mapping
// overrides it field by field. A nil pointer or map means: not set here.
type Config struct {
	AlarmName     *Field            `yaml:"alarm_name"`
	StrictNames   *bool             `yaml:"strict_names"`
	AlarmLevel    *Field            `yaml:"alarm_level"`
	NameSpace     *Field            `yaml:"name_space"`
	RegionID      *Field            `yaml:"region_id"`
	ApplicationID *Field            `yaml:"application_id"`
	ResourceName  *Field            `yaml:"resource_name"`
	ResourceID    *Field            `yaml:"resource_id"`
	Description   *Field            `yaml:"description"`
	URL           *Field            `yaml:"url"`
	Source        *Field            `yaml:"source"`
	Additional    map[string]*Field `yaml:"additional"`
	Include       *Include          `yaml:"include"`
	Templates     []string          `yaml:"templates"` // files with {{ define }}s; only at the top level, not in a route
}

// Field is a template, or a template whose result is looked up in a map. Over
// another Field, one that sets value alone replaces it (but alarm_level keeps its
// map); else each key is laid over.
type Field = render.Field

// Include says what goes into additional by itself; texts that were cut always do.
type Include struct {
	Labels      *Names `yaml:"labels"`
	Annotations *Names `yaml:"annotations"`
}

// Names is a list of names, or all of them: in YAML a list, or the word all.
type Names struct {
	All  bool
	List []string
}

// Route says where alerts go and how they are mapped; the first whose matchers
// all match wins.
type Route struct {
	Matchers    []string `yaml:"matchers"` // Alertmanager's syntax; the label receiver is the configured receiver's name
	Drop        bool     `yaml:"drop"`
	Integration string   `yaml:"integration"`
	Mapping     Config   `yaml:"mapping"`
}
