package config_test

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cocbridge/cocbridge/internal/config"
)

// commentedKey is a default in the example: a # directly before a key. Prose
// has a blank behind the #.
var commentedKey = regexp.MustCompile(`(?m)^(\s*)#([a-z_]+:)`)

func TestExample_loads(t *testing.T) {
	c, err := loadExample(t, t.TempDir(), readExample(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Receivers) != 2 || len(c.Integrations) != 1 || len(c.Routes) != 3 || len(c.Warnings) != 0 {
		t.Errorf("got %+v", c)
	}
}

// With every default switched on, the example must still mean the same.
func TestExample_claimsTheRealDefaults(t *testing.T) {
	text, folder := readExample(t), t.TempDir()
	want, err := loadExample(t, folder, text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := loadExample(t, folder, uncomment(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := diffConfig(*want, *got); diff != "" {
		t.Errorf("the commented defaults differ from the real ones (-real +example):\n%s", diff)
	}
	// The negative control: none of these may pass for a default.
	for _, wrong := range []string{"workers: 17", "strict_names: false", "max_body: 1MiB", "method: token", "warning: Major"} {
		key, _, _ := strings.Cut(wrong, " ")
		broken := regexp.MustCompile(`#`+key+`.*`).ReplaceAllString(text, "#"+wrong)
		if got, err := loadExample(t, folder, uncomment(broken)); err == nil && diffConfig(*want, *got) == "" {
			t.Errorf("%s passes for a default", wrong)
		}
	}
}

func TestExample_namesEveryKey(t *testing.T) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(uncomment(readExample(t))), &document); err != nil {
		t.Fatal(err)
	}
	seen, all := map[string]bool{}, map[string]bool{}
	markSeen(document.Content[0], reflect.TypeFor[config.Config](), seen)
	markAll(reflect.TypeFor[config.Config](), all)
	if len(all) < 50 {
		t.Errorf("found only the keys %v", all)
	}
	for key := range all {
		if !seen[key] {
			t.Errorf("the example does not name %s", key)
		}
	}
}

// The first lines promise that eight lines are enough.
func TestExample_eightLinesAreEnough(t *testing.T) {
	_, rest, _ := strings.Cut(readExample(t), "complete configuration:\n#\n")
	block, _, _ := strings.Cut(rest, "#\n")
	block = strings.ReplaceAll(block, "#   ", "")
	if n := strings.Count(block, "\n"); n != 8 {
		t.Errorf("%d lines, not eight:\n%s", n, block)
	}
	if _, err := loadExample(t, t.TempDir(), block); err != nil {
		t.Error(err)
	}
}

func readExample(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func uncomment(text string) string { return commentedKey.ReplaceAllString(text, "$1$2") }

// loadExample loads text beside the two secrets it names.
func loadExample(t *testing.T, folder, text string) (*config.Config, error) {
	t.Helper()
	write(t, folder, "secret_key", "SK\n")
	write(t, folder, "integration_key", "abc123\n")
	text = strings.NewReplacer("YOURACCESSKEY", "AK", "your-coc-application", "app1").Replace(text)
	return config.Load(config.Options{File: write(t, folder, "cocbridge.yaml", text)})
}

// markSeen adds "type.key" for each key of the tree.
func markSeen(n *yaml.Node, t reflect.Type, seen map[string]bool) {
	switch {
	case t.Kind() == reflect.Pointer:
		markSeen(n, t.Elem(), seen)
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for _, child := range n.Content {
			markSeen(child, t.Elem(), seen)
		}
	case t.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		for i := 1; i < len(n.Content); i += 2 {
			markSeen(n.Content[i], t.Elem(), seen)
		}
	case t.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		keys := keysOf(t)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key, ok := keys[n.Content[i].Value]; ok {
				seen[t.String()+"."+n.Content[i].Value] = true
				markSeen(n.Content[i+1], key, seen)
			}
		}
	}
}

// markAll adds "type.key" for each key that t and its parts can have.
func markAll(t reflect.Type, all map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		markAll(t.Elem(), all)
	case reflect.Struct:
		for key, below := range keysOf(t) {
			if name := t.String() + "." + key; !all[name] {
				all[name] = true
				markAll(below, all)
			}
		}
	}
}

// keysOf returns the keys of a struct with the types of their values.
func keysOf(t reflect.Type) map[string]reflect.Type {
	keys := map[string]reflect.Type{}
	for f := range t.Fields() {
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			maps.Copy(keys, keysOf(f.Type))
		case key != "" && key != "-":
			keys[key] = f.Type
		}
	}
	return keys
}
