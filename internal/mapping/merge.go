package mapping

import (
	"maps"

	"github.com/cocbridge/cocbridge/internal/render"
)

// namedField is one of the fields of a Config by its key.
type namedField struct {
	name  string
	field **Field
}

const fieldLevel = "alarm_level"

// fields lists all fields with a template of their own, in a fixed order.
func (c *Config) fields() []namedField {
	return []namedField{
		{"alarm_name", &c.AlarmName},
		{fieldLevel, &c.AlarmLevel},
		{"name_space", &c.NameSpace},
		{"region_id", &c.RegionID},
		{"application_id", &c.ApplicationID},
		{"resource_name", &c.ResourceName},
		{"resource_id", &c.ResourceID},
		{"description", &c.Description},
		{"url", &c.URL},
		{"source", &c.Source},
	}
}

// merge lays over on base, field by field. It changes neither.
func merge(over, base Config) Config {
	out := base
	outFields, overFields := out.fields(), over.fields()
	for i, f := range outFields {
		*f.field = override(*overFields[i].field, *f.field, f.name == fieldLevel)
	}
	out.StrictNames = or(over.StrictNames, base.StrictNames)
	out.Additional = mergeAdditional(over.Additional, base.Additional)
	out.Include = mergeInclude(over.Include, base.Include)
	if over.Templates != nil {
		out.Templates = over.Templates
	}
	return out
}

// override lays a field over the one it overrides. One that is only a template
// replaces it wholly: the table below was made for the other template. The level
// keeps its table, because only the four levels may come out of it.
func override(over, base *Field, keepTable bool) *Field {
	if over != nil && over.Value != nil && over.Map == nil && over.Default == nil && !keepTable {
		return over
	}
	return render.Extend(over, base)
}

func mergeAdditional(over, base map[string]*Field) map[string]*Field {
	out := make(map[string]*Field, len(over)+len(base))
	maps.Copy(out, base)
	for key, f := range over {
		out[key] = override(f, base[key], false)
	}
	return out
}

func mergeInclude(over, base *Include) *Include {
	if over == nil || base == nil {
		return or(over, base)
	}
	return &Include{Labels: or(over.Labels, base.Labels), Annotations: or(over.Annotations, base.Annotations)}
}
