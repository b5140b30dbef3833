package mapping_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/mapping"
)

var update = flag.Bool("update", false, "write what Map returns into testdata")

// golden is a file of testdata: after the first line that is ---, what Map
// makes of each of the alerts before it.
type golden struct {
	Mapping      mapping.Config   `yaml:"mapping"`
	Routes       []mapping.Route  `yaml:"routes"`
	Integrations []string         `yaml:"integrations"`
	Region       string           `yaml:"region"`
	Alerts       []map[string]any `yaml:"alerts"` // alert.Alert in its JSON form
}

const border = "\n---\n"

func TestMapper_Map_Golden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(content), border)
			got := mapAll(t, input)
			if *update {
				if err := os.WriteFile(file, []byte(strings.TrimRight(input, "\n")+border+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// mapAll returns, as YAML, what comes out for each alert of the input.
func mapAll(t *testing.T, input string) string {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(input))
	decoder.KnownFields(true)
	var in golden
	if err := decoder.Decode(&in); err != nil {
		t.Fatal(err)
	}
	if in.Integrations == nil {
		in.Integrations = []string{"default"}
	}
	m, err := mapping.New(mapping.Options{Config: in.Mapping, Routes: in.Routes, Integrations: in.Integrations, Region: in.Region})
	if err != nil {
		t.Fatal(err)
	}
	var results []any
	for _, raw := range in.Alerts {
		result, err := m.Map(decodeAlert(t, raw))
		results = append(results, goldenResult(result, err))
	}
	return toYAML(t, results)
}

func decodeAlert(t *testing.T, raw map[string]any) alert.Alert {
	t.Helper()
	text, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var a alert.Alert
	if err := decoder.Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

// goldenResult leaves out what is not set.
func goldenResult(r mapping.Result, err error) any {
	out := map[string]any{"route": r.Route}
	if r.Drop {
		out["drop"] = true
	}
	if r.Integration != "" {
		out["integration"] = r.Integration
	}
	if r.LevelUnknown {
		out["levelUnknown"] = true
	}
	if len(r.Cut) > 0 {
		out["cut"] = r.Cut
	}
	if problem, ok := errors.AsType[*mapping.Error](err); ok {
		out["error"] = map[string]any{"field": problem.Field, "problem": problem.Problem}
	}
	if r.Alarm.AlarmID != "" {
		out["alarm"] = r.Alarm
	}
	return out
}

// toYAML goes through JSON, so that the alarm has the keys that COC sees.
func toYAML(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		t.Fatal(err)
	}
	unquote(&node)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// unquote turns JSON's style into YAML's.
func unquote(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		unquote(child)
	}
}
