package mapping_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/cocbridge/cocbridge/internal/mapping"
)

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestConfig_Validate(t *testing.T) {
	for _, c := range []struct{ name, text, path, problem string }{
		{"a syntax error", `alarm_name: '{{ if }}'`, "alarm_name", "template:1: missing value for if"},
		{"an unknown function", `url: '{{ env "x" }}'`, "url", `template:1: function "env" not defined`},
		{"a nested range", `description: '{{ range .Labels }}{{ range .Labels }}{{ end }}{{ end }}'`, "description", "template:1:28: a range within a range takes too long on alerts with many labels; write the inner names out, such as {{ .Labels.instance }}"},
		{"a range over a number", `source: {value: '{{ range 1000000000 }}{{ end }}'}`, "source", "template:1:9: a range over a number can take for ever; range over .Labels.SortedPairs or a list"},
		{"an unknown define", `name_space: '{{ template "x" }}'`, "name_space", `template:1:12: there is no define "x"; list the file that has it under mapping.templates`},
		{"a template in additional", `additional: {a.b: '{{ end }}'}`, "additional.a.b", "template:1: unexpected {{end}}"},
		{"additional without value", `additional: {a: {default: x}}`, "additional.a", "value is missing; write the template into it"},
		{"a reserved key", `additional: {alarm_name: x}`, "additional.alarm_name", "cocbridge writes this key itself; choose another one"},
		{"a reserved key of a cut text", `additional: {description_full: x}`, "additional.description_full", "cocbridge writes this key itself; choose another one"},
		{"a level that COC does not know", `alarm_level: {map: {P1: critical}}`, "alarm_level.map.p1", `"critical" is not a level of COC; write Critical, Major, Minor or Info`},
		{"a default level", `alarm_level: {default: High}`, "alarm_level.default", `"High" is not a level of COC; write Critical, Major, Minor or Info`},
		{"a template in a map", `resource_id: {map: {a: '{{ .x }}'}}`, "resource_id.map.a", "it is a plain text, not a template; put the template into value"},
		{"a template as default", `resource_id: {default: '{{ .x }}'}`, "resource_id.default", "it is a plain text, not a template; put the template into value"},
		{"a file that is not there", `templates: [testdata/none.tmpl]`, "templates", "reading templates: open testdata/none.tmpl: no such file or directory"},
		{"a file that does not parse", `templates: [testdata]`, "templates", "reading templates: read testdata: is a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			decode[mapping.Config](t, c.text).Validate(func(path, problem string) { got = append(got, path+": "+problem) })
			if diff := cmp.Diff([]string{c.path + ": " + c.problem}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConfig_Validate_ReportsAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "broken.tmpl")
	if err := os.WriteFile(file, []byte("{{ define }}"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := decode[mapping.Config](t, `
alarm_name: '{{ if }}'
alarm_level: {map: {a: x, b: y}, default: z}
`)
	var paths []string
	collect := func(path, _ string) { paths = append(paths, path) }
	config.Validate(collect)
	if diff := cmp.Diff([]string{"alarm_name", "alarm_level.map.a", "alarm_level.map.b", "alarm_level.default"}, paths); diff != "" {
		t.Error(diff)
	}
	paths, config.Templates = nil, []string{file, file + ".none"}
	config.Validate(collect)
	if diff := cmp.Diff([]string{"templates", "templates", "alarm_level.map.a", "alarm_level.map.b", "alarm_level.default"}, paths); diff != "" {
		t.Error(diff)
	}
}

func TestConfig_Validate_TakesTheDefaults(t *testing.T) {
	fail := func(path, problem string) { t.Errorf("%s: %s", path, problem) }
	mapping.Defaults().Validate(fail)
	mapping.Config{}.Validate(fail)
	decode[mapping.Config](t, `{additional: {a: }, templates: [testdata/templates.tmpl], description: '{{ template "coc.description" . }}'}`).Validate(fail)
}

func TestValidateRoutes(t *testing.T) {
	base := withApplication()
	base.Additional = map[string]*mapping.Field{"a": field("x")}
	base.Templates = []string{"testdata/templates.tmpl"}
	huge := strings.Repeat("(a?){500}", 5)
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"good ones", `
- {matchers: ['alertname="Watchdog"'], drop: true}
- {matchers: ['severity=~"a|b"', '"host.name"!="x"', 'a=b, c!~d.*', '{e="f"}', "x=` + "`y`" + `"], integration: prod, mapping: {additional: {a: {default: z}}, description: '{{ template "coc.description" . }}'}}
- {}`, nil},
		{"a matcher without a value", `[{matchers: ['a="b"', 'severity']}]`, []string{`[0].matchers[1]: "severity" is not a matcher: end of input: expected an operator such as '=', '!=', '=~' or '!~'; write it like severity="critical" or severity=~"warning|critical"`}},
		{"a broken regular expression", `[{matchers: ['a=~"("']}]`, []string{"[0].matchers[0]: \"a=~\\\"(\\\"\" is not a matcher: error parsing regexp: missing closing ): `^(?:()$`; write it like severity=\"critical\" or severity=~\"warning|critical\""}},
		{"a huge regular expression", `[{matchers: ['a=~"` + huge + `"']}]`, []string{`[0].matchers[0]: "a=~\"` + huge + `\"" is not a matcher: label a: the regular expression is too large (10002 instructions, at most 2000); shorten it or split it up; write it like severity="critical" or severity=~"warning|critical"`}},
		{"empty matchers", `[{matchers: ['', '{}']}]`, []string{
			`[0].matchers[0]: "" is not a matcher: it is empty; write it like severity="critical" or severity=~"warning|critical"`,
			`[0].matchers[1]: "{}" is not a matcher: it is empty; write it like severity="critical" or severity=~"warning|critical"`,
		}},
		{"an unknown integration", `[{integration: prdo}]`, []string{`[0].integration: there is no integration "prdo"; did you mean "prod"?`}},
		{"an integration like no other", `[{integration: something}]`, []string{`[0].integration: there is no integration "something"; known are default, prod`}},
		{"drop and send", `[{drop: true, integration: prod}]`, []string{`[0].integration: a route that drops sends nothing; remove integration or drop`}},
		{"routes that are never reached", `[{matchers: [a=b]}, {}, {matchers: [c=d]}, {drop: true}]`, []string{
			`[2]: it is never reached, because route [1] has no matchers and takes everything; move this one before it`,
			`[3]: it is never reached, because route [1] has no matchers and takes everything; move this one before it`,
		}},
		{"files in a route", `[{mapping: {templates: [x]}}]`, []string{`[0].mapping.templates: files belong into the section mapping, for all routes; move them there`}},
		{"a template of a route", `[{mapping: {description: '{{ template "coc.desc" . }}', alarm_level: {map: {a: b}}, additional: {b: {default: c}}}}]`, []string{
			`[0].mapping.description: template:1:12: there is no define "coc.desc"; known are coc.description, email`,
			`[0].mapping.alarm_level.map.a: "b" is not a level of COC; write Critical, Major, Minor or Info`,
			`[0].mapping.additional.b: value is missing; write the template into it`,
		}},
		{"the application taken away", `[{mapping: {application_id: ' '}}, {drop: true, mapping: {application_id: ''}}]`, []string{
			`[0].mapping.application_id: it is missing here and in mapping; name the COC application that the alarms belong to`,
			`[1]: it is never reached, because route [0] has no matchers and takes everything; move this one before it`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			mapping.ValidateRoutes(base, decode[[]mapping.Route](t, c.text), []string{"default", "prod"}, func(path, problem string) { got = append(got, path+": "+problem) })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestValidateRoutes_Application(t *testing.T) {
	report := func(base mapping.Config, routes ...mapping.Route) (paths []string) {
		mapping.ValidateRoutes(base, routes, []string{"default"}, func(path, _ string) { paths = append(paths, path) })
		return paths
	}
	own := mapping.Route{Matchers: []string{"a=b"}, Mapping: withApplication()}
	for _, c := range []struct {
		name  string
		paths []string
		want  []string
	}{
		{"missing without routes", report(mapping.Config{}), []string{""}},
		{"given in mapping", report(withApplication()), nil},
		{"given in every route", report(mapping.Config{}, own, own), nil},
		{"missing in one route", report(mapping.Config{}, own, mapping.Route{}), []string{"[1].mapping.application_id"}},
		{"not needed to drop", report(mapping.Config{}, own, mapping.Route{Drop: true}), nil},
		{"from a table", report(mapping.Config{ApplicationID: &mapping.Field{Map: map[string]string{"": "app"}}}), nil},
		{"from a default", report(mapping.Config{ApplicationID: &mapping.Field{Default: new("app")}}), nil},
	} {
		if diff := cmp.Diff(c.want, c.paths); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestNew_ListsAllProblems(t *testing.T) {
	_, err := mapping.New(mapping.Options{
		Config:       decode[mapping.Config](t, `{alarm_name: '{{ if }}', application_id: x}`),
		Routes:       decode[[]mapping.Route](t, `[{matchers: [x]}]`),
		Integrations: []string{"default"},
	})
	for _, want := range []string{"mapping: alarm_name: template:1: missing value", `routes: [0].matchers[0]: "x" is not a matcher`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if _, err := mapping.New(mapping.Options{Config: withApplication()}); err == nil || !strings.Contains(err.Error(), "there is no integration") {
		t.Errorf("got %v", err)
	}
}

// Whatever stands in a matcher: it is refused, or the routes can be used.
func FuzzMatcher(f *testing.F) {
	for _, text := range []string{`a="b"`, `a=b`, `"ü"!~"x.*"`, `{a="b",c=~"d|e"}`, `a=~"("`, `{`, `a="\n\"\\"`, "a=`b`", `a=""x""`, `,`, `receiver="x"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		routes := []mapping.Route{{Matchers: []string{text}}, {}}
		var problems []string
		mapping.ValidateRoutes(withApplication(), routes, []string{"default"}, func(path, problem string) { problems = append(problems, path+": "+problem) })
		m, err := mapping.New(mapping.Options{Config: withApplication(), Routes: routes, Integrations: []string{"default"}})
		if (err == nil) != (len(problems) == 0) {
			t.Fatalf("New says %v, ValidateRoutes %v", err, problems)
		}
		if err != nil {
			return
		}
		if r, err := m.Map(sampleAlert()); err != nil || r.Route < 0 || r.Route > 1 {
			t.Error(fmt.Sprint(r.Route, err))
		}
	})
}
