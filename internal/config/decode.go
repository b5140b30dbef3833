package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"

	"github.com/alecthomas/units"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/cocbridge/cocbridge/internal/forwarder"
	"github.com/cocbridge/cocbridge/internal/receivers"
)

// decoder fills a value from a tree of nodes that parse returned. It walks both
// together, so that it can name the line and the path of everything that does
// not fit, and goes on behind it. What does not fit keeps its default.
type decoder struct {
	lines    map[string]int  // path -> line, of all that the file sets
	failed   map[string]bool // paths whose value is wrong, so that nothing is known of it
	merges   int             // entries merged with << so far
	problems []Problem
}

// maxProblems is more than anybody reads, and bounds the work on a file that is
// something else altogether.
const maxProblems = 100

// fail reports a value that cannot be used.
func (d *decoder) fail(n *yaml.Node, path, format string, args ...any) {
	d.failed[path] = true
	d.problem(n, path, format, args...)
}

func (d *decoder) problem(n *yaml.Node, path, format string, args ...any) {
	if len(d.problems) == maxProblems {
		return
	}
	d.problems = append(d.problems, Problem{Line: n.Line, Path: path, Text: fmt.Sprintf(format, args...)})
}

// value decodes n into v. An empty value leaves the default.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	switch {
	case !knownTag(n):
		d.fail(n, path, "YAML tags are not used here; a value that begins with ! needs quotes")
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(n, v.Elem(), path)
	case decodesItself(v.Type()):
		d.custom(n, v, path)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.mismatch(n, v.Type(), path)
		return
	}
	fields := keysOf(v.Type())
	for _, e := range d.entries(n, path) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == e.name })
		if i < 0 {
			d.unknown(e, path, names(fields))
			continue
		}
		at := join(path, e.name)
		d.lines[at] = e.key.Line
		d.value(e.value, v.FieldByIndex(fields[i].index), at)
	}
}

// unknown reports a key that nothing reads. The key that was probably meant
// counts as failed: it would be reported as missing too.
func (d *decoder) unknown(e entry, path string, known []string) {
	if len(d.problems) == maxProblems {
		return
	}
	meant, hint := suggest(e.name, known)
	if meant != "" {
		d.failed[join(path, meant)] = true
	}
	d.problem(e.key, path, "key %q is unknown; %s", e.name, hint)
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.mismatch(n, v.Type(), path)
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range d.entries(n, path) {
		at := join(path, e.name)
		d.lines[at] = e.key.Line
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(e.value, item, at)
		if item.Kind() != reflect.Pointer || !item.IsNil() { // an empty value is none
			v.SetMapIndex(reflect.ValueOf(e.name), item)
		}
	}
}

// list replaces what the list held; each item starts from its own default.
func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.mismatch(n, v.Type(), path)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, child := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.lines[at] = child.Line
		item := v.Index(i)
		setItemDefault(item)
		d.value(child, item, at)
	}
}

func setItemDefault(item reflect.Value) {
	switch item := item.Addr().Interface().(type) {
	case *receivers.Config:
		*item = receivers.DefaultConfig()
		item.Name, item.Path, item.UnknownResolved = "", "", ""
	case *forwarder.Integration:
		*item = forwarder.DefaultIntegration()
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode || n.Decode(v.Addr().Interface()) != nil {
		d.mismatch(n, v.Type(), path)
	}
	if v.CanFloat() && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)) {
		v.SetFloat(0)
		d.mismatch(n, v.Type(), path)
	}
}

// custom decodes a type with a decoding method of its own. Where that takes a
// mapping with the type's keys, the keys are checked first.
func (d *decoder) custom(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.MappingNode && v.Kind() == reflect.Struct && len(keysOf(v.Type())) > 0 {
		before := len(d.problems)
		d.structure(n, reflect.New(v.Type()).Elem(), path)
		if len(d.problems) > before {
			d.failed[path] = true
			return
		}
	}
	err := n.Decode(v.Addr().Interface())
	switch {
	case err == nil:
	case wanted(v.Type()) != "":
		d.mismatch(n, v.Type(), path)
	default:
		d.fail(n, path, "%s", plain(err))
	}
}

func (d *decoder) mismatch(n *yaml.Node, t reflect.Type, path string) {
	got := map[yaml.Kind]string{yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list", yaml.ScalarNode: "a single value"}[n.Kind]
	// Texts may be secrets, so no value that was meant as a text is repeated.
	if n.Kind == yaml.ScalarNode && !slices.Contains([]reflect.Kind{reflect.String, reflect.Struct, reflect.Map, reflect.Slice}, t.Kind()) {
		got = fmt.Sprintf("%.80q", n.Value)
	}
	d.fail(n, path, "want %s, got %s", wanted(t), got)
}

// wanted names what a type takes, for people; empty for other types.
func wanted(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[model.Duration]():
		return "a duration such as 15s, 2m or 72h"
	case reflect.TypeFor[units.Base2Bytes]():
		return "a size such as 512B, 4MiB or 1GiB"
	}
	if decodesItself(t) {
		return ""
	}
	return map[reflect.Kind]string{
		reflect.Bool: "true or false", reflect.Int: "a whole number", reflect.Float64: "a number",
		reflect.String: "a text", reflect.Slice: "a list", reflect.Map: "a mapping", reflect.Struct: "a mapping",
	}[t.Kind()]
}

var yamlPrefix = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\n)?(?:\s*line \d+: )?`)

// plain strips what the YAML package puts before a message.
func plain(err error) string {
	var types *yaml.TypeError
	if errors.As(err, &types) && len(types.Errors) > 0 {
		return yamlPrefix.ReplaceAllString(types.Errors[0], "")
	}
	return yamlPrefix.ReplaceAllString(err.Error(), "")
}

// knownTag refuses every tag but those that YAML gives plain values itself.
func knownTag(n *yaml.Node) bool {
	return slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!map", "!!seq"}, n.ShortTag())
}

func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[yaml.Unmarshaler]()) ||
		p.Implements(reflect.TypeFor[interface{ UnmarshalYAML(func(any) error) error }]()) ||
		p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
