package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Field is a template of the configuration, or one whose result is looked up in
// a map: in YAML a string, or {value, map, default}. Look-up ignores case. What
// is not in the map gives default, or stays as it is if there is none; without a
// map, default stands for an empty text.
type Field struct {
	Value   *string           `yaml:"value"`
	Map     map[string]string `yaml:"map"`
	Default *string           `yaml:"default"`
}

// UnmarshalYAML takes a template, or a mapping with value, map and default. It
// adds to what the field already holds, so that users extend the defaults; keys
// of map become lower case.
func (f *Field) UnmarshalYAML(n *yaml.Node) error {
	switch n.Kind {
	case yaml.ScalarNode:
		f.Value = new(n.Value)
		return nil
	case yaml.MappingNode:
		return f.add(n)
	default:
		return Mismatch(n, "want a template, or a mapping with value, map and default")
	}
}

func (f *Field) add(n *yaml.Node) error {
	type plain Field // without this method
	var given plain
	if err := n.Decode(&given); err != nil {
		return err
	}
	table, twice := LowerKeys(given.Map)
	if twice != "" {
		return Mismatch(n, fmt.Sprintf("map has %q twice, the case of letters is ignored; remove one", twice))
	}
	given.Map = table
	*f = *Extend((*Field)(&given), f)
	return nil
}

// LowerKeys returns the map with keys in lower case, and a key that comes twice then.
func LowerKeys(table map[string]string) (lowered map[string]string, twice string) {
	if table == nil {
		return nil, ""
	}
	lowered = make(map[string]string, len(table))
	for k, v := range table {
		k = strings.ToLower(k)
		if _, ok := lowered[k]; ok {
			twice = k
		}
		lowered[k] = v
	}
	return lowered, twice
}

// Extend lays a field over another one: what it sets wins, entry by entry. It
// changes neither.
func Extend(over, base *Field) *Field {
	switch {
	case over == nil:
		return base
	case base == nil:
		return over
	}
	overTable, _ := LowerKeys(over.Map)
	table, _ := LowerKeys(base.Map)
	if table == nil {
		table = overTable
	} else {
		maps.Copy(table, overTable)
	}
	out := &Field{Value: over.Value, Map: table, Default: over.Default}
	if out.Value == nil {
		out.Value = base.Value
	}
	if out.Default == nil {
		out.Default = base.Default
	}
	return out
}

// PlainTexts yields the path and text of everything in f that is no template,
// in a fixed order.
func (f *Field) PlainTexts(path string) func(yield func(at, text string) bool) {
	return func(yield func(at, text string) bool) {
		for _, key := range slices.Sorted(maps.Keys(f.Map)) {
			if !yield(path+".map."+key, f.Map[key]) {
				return
			}
		}
		if f.Default != nil {
			yield(path+".default", *f.Default)
		}
	}
}

// Check reports what is wrong with the field, under its path. A nil field, and
// one without a value, lack nothing.
func (f *Field) Check(s *Set, path string, report func(path, problem string)) {
	if f == nil {
		return
	}
	if f.Value != nil && s != nil {
		if _, err := s.Compile("template", *f.Value); err != nil {
			report(path, err.Error())
		}
	}
	for at, text := range f.PlainTexts(path) {
		if strings.Contains(text, "{{") {
			report(at, "it is a plain text, not a template; put the template into value")
		}
	}
	if _, twice := LowerKeys(f.Map); twice != "" {
		report(path+".map", fmt.Sprintf("it has %q twice, the case of letters is ignored; remove one", twice))
	}
}

// Hollow says that nothing can come out of the field, whatever the alert.
func (f *Field) Hollow() bool {
	return strings.TrimSpace(*f.Value) == "" && (f.Default == nil || strings.TrimSpace(*f.Default) == "") && f.Map[""] == ""
}

// Mismatch is the type of error that lets the YAML decoder go on.
func Mismatch(n *yaml.Node, problem string) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %s", n.Line, problem)}}
}
