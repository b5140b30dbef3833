package render_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/template"

	"github.com/cocbridge/cocbridge/internal/render"
)

type data struct {
	Status      string
	Labels      template.KV
	Annotations template.KV
	StartsAt    time.Time
	Nothing     any
}

var sample = data{
	Status:   "firing",
	Labels:   template.KV{"alertname": "DiskFull", "severity": "critical", "instance": "db-1:9100"},
	StartsAt: time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC),
}

func newSet(t testing.TB, files ...string) *render.Set {
	t.Helper()
	var paths []string
	for i, text := range files {
		path := filepath.Join(t.TempDir(), strconv.Itoa(i)+".tmpl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	s, err := render.New(paths...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTemplate_Execute(t *testing.T) {
	set := newSet(t,
		`ignored {{ define "where" }}on {{ .Labels.instance }}{{ end }}{{ define "empty" }}{{ end }}`,
		`{{ define "pairs" }}{{ range .Labels.SortedPairs }}{{ .Name }};{{ end }}{{ end }}`)
	for _, c := range []struct{ name, text, want string }{
		{"a constant", `no { { actions`, `no { { actions`},
		{"nothing", ``, ``},
		{"a label", `{{ .Labels.alertname }}`, `DiskFull`},
		{"a label that is missing", `[{{ .Labels.none }}]`, `[]`},
		{"a map that is nil", `[{{ .Annotations.summary }}]`, `[]`},
		{"the first that is set", `{{ or .Labels.none .Annotations.none .Labels.severity "x" }}`, `critical`},
		{"Alertmanager's functions", `{{ .Labels.severity | toUpper | reReplaceAll "([A-Z])R" "<$1>" }} {{ title "ab cd" }} {{ join "," (stringSlice "a" "b") }}`, `<C>ITICAL Ab Cd a,b`},
		{"match", `{{ if match "^db-[0-9]+:" .Labels.instance }}db{{ else }}no{{ end }}`, `db`},
		{"time", `{{ .StartsAt.Format "15:04" }} {{ .StartsAt | tz "Asia/Shanghai" | date "15:04" }}`, `12:30 20:30`},
		{"a define", `{{ template "where" . }}{{ template "empty" }}`, `on db-1:9100`},
		{"a define with a range", `{{ template "pairs" . }}`, `alertname;instance;severity;`},
		{"two ranges side by side", `{{ range .Labels }}a{{ else }}{{ range .Labels }}b{{ end }}{{ end }}{{ range $i, $p := .Labels.SortedPairs }}{{ $i }}{{ end }}`, `aaa012`},
		{"a range over nothing", `{{ range .Nothing }}x{{ else }}none{{ end }}`, `none`},
		{"variables in a range", `{{ $n := "" }}{{ range .Labels.SortedPairs }}{{ $n = print $n .Name " " }}{{ end }}{{ $n }}`, `alertname instance severity `},
		{"dict and list", `{{ with dict "a" (list 1 .Status) }}{{ index .a 1 }}{{ end }}`, `firing`},
		{"printf", `{{ printf "%05.1f%%|%-8s|" 2.25 .Status }}`, `002.2%|firing  |`},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmpl, err := set.Compile("field", c.text)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tmpl.Execute(&sample)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// T9 of reliability.md: what an alert sends is never parsed.
func TestTemplate_Execute_DataIsNeverParsed(t *testing.T) {
	const hostile = `{{.Secrets}}{{printf "%s" .}}{{template "x"}}%s%!(EXTRA)$1${1}<b>&amp;`
	set := newSet(t)
	for _, text := range []string{
		`{{ .Labels.x }}`,
		`{{ print .Labels.x }}`,
		`{{ printf "%s" .Labels.x }}`,
		`{{ .Labels.x | reReplaceAll "nothing" "else" }}`,
		`{{ or .Labels.none .Labels.x }}`,
		`{{ with .Labels.x }}{{ . }}{{ end }}`,
		`{{ range .Labels }}{{ . }}{{ end }}`,
		`{{ safeHtml .Labels.x }}`,
	} {
		tmpl, err := set.Compile("field", text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tmpl.Execute(data{Labels: template.KV{"x": hostile}})
		if err != nil {
			t.Fatal(err)
		}
		if got != hostile {
			t.Errorf("%s gives %q", text, got)
		}
	}
}

func TestSet_Compile_Refuses(t *testing.T) {
	set := newSet(t, `
{{ define "loop" }}{{ range .Labels }}x{{ end }}{{ end }}
{{ define "self" }}{{ template "self" . }}{{ end }}
{{ define "ping" }}{{ template "pong" . }}{{ end }}
{{ define "pong" }}{{ template "ping" . }}{{ end }}
{{ define "number" }}
  {{ range 1000000000 }}{{ end }}{{ end }}
{{ define "a" }}{{ template "b" }}{{ template "b" }}{{ template "b" }}{{ template "b" }}{{ template "b" }}{{ template "b" }}{{ template "b" }}{{ template "b" }}{{ end }}
{{ define "b" }}{{ template "c" }}{{ template "c" }}{{ template "c" }}{{ template "c" }}{{ template "c" }}{{ template "c" }}{{ template "c" }}{{ template "c" }}{{ end }}
{{ define "c" }}{{ template "d" }}{{ template "d" }}{{ template "d" }}{{ template "d" }}{{ template "d" }}{{ template "d" }}{{ template "d" }}{{ template "d" }}{{ end }}
{{ define "d" }}{{ template "e" }}{{ template "e" }}{{ template "e" }}{{ template "e" }}{{ template "e" }}{{ template "e" }}{{ template "e" }}{{ template "e" }}{{ end }}
{{ define "e" }}{{ if true }}{{ end }}{{ if true }}{{ end }}{{ if true }}{{ end }}{{ end }}`)
	for _, c := range []struct{ name, text, want string }{
		{"a syntax error", "line one\n{{ if }}", "field:2: missing value for if"},
		{"an unknown function", `{{ env "HOME" }}`, `function "env" not defined`},
		{"call", `{{ call .X }}`, `function "call" not defined`},
		{"a nested range", `{{ range .Labels }}{{ range .Labels }}{{ end }}{{ end }}`, "field:1:28: a range within a range"},
		{"a nested range in an if", `{{ range .Labels }}{{ if . }}{{ else }}{{ range $.Labels }}{{ end }}{{ end }}{{ end }}`, "a range within a range"},
		{"a nested range through a define", `{{ range .Labels }}{{ template "loop" $ }}{{ end }}`, "0.tmpl:2:28: a range within a range"},
		{"a range over a number", `{{ range 1e11 }}{{ end }}`, "field:1:9: a range over a number"},
		{"a range over a number in a define", `{{ template "number" }}`, "0.tmpl:7:11: a range over a number"},
		{"recursion", `{{ template "self" . }}`, `define "self" uses itself (self uses self)`},
		{"mutual recursion", `{{ template "ping" . }}`, `define "ping" uses itself (ping uses pong uses ping)`},
		{"an unknown define", `ab {{ template "lop" . }}`, `field:1:15: there is no define "lop"; known are a, b, c, d, e, loop`},
		{"defines that multiply", `{{ template "a" }}`, "over 10000 parts"},
		{"a define in a field", `{{ define "x" }}{{ end }}`, "field: define and block belong into a file"},
		{"a block in a field", `{{ block "x" . }}{{ end }}`, "field: define and block belong into a file"},
		{"a format from the alert", `{{ printf .Labels.x 1 }}`, "field:1:3: the format of printf must be a text in quotes"},
		{"a format through a pipe", `{{ .Labels.x | printf }}`, "the format of printf must be a text in quotes"},
		{"a format in a call", `{{ print (printf .Labels.x) }}`, "the format of printf must be a text in quotes"},
		{"a format in a variable", `{{ $x := .Labels.x }}{{ $y := printf $x }}`, "the format of printf must be a text in quotes"},
		{"a huge width", `{{ printf "%1000000d" 1 }}`, "a width in the format of printf is over 999"},
		{"a width from an argument", `{{ printf "%*d" 1 1 }}`, "a width in the format of printf is over 999"},
		{"a pattern from the alert", `{{ match .Labels.x "a" }}`, "the pattern of match must be a text in quotes"},
		{"a pattern through a pipe", `{{ .Labels.x | match }}`, "the pattern of match must be a text in quotes"},
		{"a replacement from the alert", `{{ reReplaceAll "a" .Labels.x "a" }}`, "the replacement of reReplaceAll must be a text in quotes"},
		{"a broken pattern", `{{ match "a(" .Labels.x }}`, "field:1:3: error parsing regexp: missing closing ): `a(`"},
		{"a huge pattern", `{{ match "((a?){500}b){2}" .Labels.x }}`, "the regular expression is too large"},
		{"routeLabels", `{{ routeLabels "x" }}`, "routeLabels is known to Alertmanager only"},
		{"too long a constant", strings.Repeat("x", render.MaxOutput+1), "field: the text is longer than 65536 bytes"},
		{"too long a template", strings.Repeat("{{/**/}}", 200_000), "field: the template is longer than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := set.Compile("field", c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestSet_Compile_UnusedDefineMayBeAnything(t *testing.T) {
	set := newSet(t, `{{ define "email" }}{{ range .Alerts }}{{ range .Labels.SortedPairs }}{{ routeLabels "x" }}{{ end }}{{ end }}{{ end }}{{ define "ok" }}fine{{ end }}`)
	tmpl, err := set.Compile("field", `{{ template "ok" }}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tmpl.Execute(nil); got != "fine" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSet_Compile_NameOfADefine(t *testing.T) {
	set := newSet(t, `{{ define "field" }}the define{{ end }}`)
	tmpl, err := set.Compile("field", `{{ template "field" }}!`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tmpl.Execute(nil); got != "the define!" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTemplate_Execute_Fails(t *testing.T) {
	set := newSet(t, `{{ define "long" }}{{ range .Labels }}{{ . }}{{ end }}{{ end }}`)
	long := template.KV{}
	for i := range 64 {
		long["l"+strconv.Itoa(i)] = strings.Repeat("字", 1365)
	}
	var many []int
	for i := range 1001 {
		many = append(many, i)
	}
	d := data{Labels: long, StartsAt: sample.StartsAt, Nothing: many}
	for _, c := range []struct{ name, text, want string }{
		{"too long an output", `{{ range .Labels }}{{ . }}{{ end }}`, "field: the text is longer than 65536 bytes"},
		{"too long an output of a define", `{{ template "long" . }}`, "field: the text is longer than 65536 bytes"},
		{"a variable that doubles", `{{ $s := "ab" }}{{ range .Labels }}{{ $s = print $s $s }}{{ end }}`, "field: the text is longer than"},
		{"a list that doubles", `{{ $l := list "ab" }}{{ range .Labels }}{{ $l = list $l $l }}{{ end }}`, "field: the text is longer than"},
		{"a variable that doubles through with", `{{ $s := "ab" }}{{ range .Labels }}{{ with print $s $s }}{{ $s = . }}{{ end }}{{ end }}`, "field: the text is longer than"},
		{"a replacement that grows", `{{ $t := join "" .Labels.Values }}{{ reReplaceAll "" "0123456789" $t }}`, "field: the text is longer than"},
		{"a range over a time", `{{ range .StartsAt.UnixNano }}{{ end }}`, "range over a int64; only lists and maps"},
		{"a range over a number in a list", `{{ range index (list 1000000000) 0 }}{{ end }}`, "range over a int; only lists and maps"},
		{"a range over a number in a variable", `{{ $n := 1000000000 }}{{ range $n }}{{ end }}`, "range over a int; only lists and maps"},
		{"a range over a long list", `{{ range .Nothing }}{{ end }}`, "range over 1001 items, at most 1000"},
		{"an unknown field", `ab {{ .Lables.x }}`, `field:1:13: executing "field" at <.Lables.x>: can't evaluate field Lables`},
		{"wrong arguments", `{{ toUpper 1 }}`, `field:1:11: executing "field" at <1>: expected string`},
		{"a function that fails", `{{ urlUnescape "%zz" }}`, "error calling urlUnescape"},
		{"a method that panics", `{{ .StartsAt.In nil }}`, "error calling In: time: missing Location in call to Time.In"},
		{"an index out of range", `{{ slice .Status 0 9 }}`, "error calling slice: index out of range: 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmpl, err := set.Compile("field", c.text)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tmpl.Execute(d)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if got != "" {
				t.Errorf("a text of %d bytes beside the error", len(got))
			}
		})
	}
}

type panicking struct{}

func (panicking) Go() string { panic("kaboom") }

func TestTemplate_Execute_RecoversPanics(t *testing.T) {
	tmpl, err := newSet(t).Compile("field", `{{ .Go }}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Execute(panicking{}); err == nil || !strings.Contains(err.Error(), "kaboom") {
		t.Errorf("got %v", err)
	}
}

func TestNew_Refuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a := write("a.tmpl", `{{ define "x" }}1{{ end }}`)
	b := write("b.tmpl", `{{ define "x" }}2{{ end }}`)
	twice := write("twice.tmpl", `{{ define "y" }}1{{ end }}{{ define "y" }}2{{ end }}`)
	broken := write("broken.tmpl", "\n{{ define }}")
	for _, c := range []struct {
		name  string
		files []string
		want  []string
	}{
		{"the same name in two files", []string{a, b}, []string{`b.tmpl: "x" is defined in `, `a.tmpl too; rename one of them`}},
		{"the same file twice", []string{a, a}, []string{`a.tmpl: "x" is defined in `}},
		{"the same name twice in a file", []string{twice}, []string{`twice.tmpl:1: template: multiple definition of template "y"`}},
		{"a file that is not there and one that is broken", []string{filepath.Join(dir, "none.tmpl"), broken}, []string{"reading templates: open ", "none.tmpl: no such file", "broken.tmpl:2: unexpected"}},
		{"a folder", []string{dir}, []string{"reading templates: ", "is a directory"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := render.New(c.files...)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want an error with %q", err, want)
				}
			}
		})
	}
}

func TestTemplate_Execute_Concurrently(t *testing.T) {
	set := newSet(t, `{{ define "x" }}{{ match "^D" .Labels.alertname }}{{ end }}`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			tmpl, err := set.Compile("field", `{{ template "x" . }} {{ .Labels.severity | reReplaceAll "c" "k" }}`)
			if err != nil {
				t.Error(err)
				return
			}
			for range 100 {
				if got, err := tmpl.Execute(&sample); got != "true kritikal" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestCheckPattern(t *testing.T) {
	for pattern, ok := range map[string]bool{"": true, "^(a|b)+$": true, "a(": false, "((a?){500}b){2}": false} {
		if err := render.CheckPattern(pattern); (err == nil) != ok {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

func BenchmarkTemplate_Execute(b *testing.B) {
	set := newSet(b)
	for name, text := range map[string]string{
		"constant": `app-1`,
		"label":    `{{ .Labels.alertname }}`,
		"or":       `{{ or .Labels.namespace .Labels.job "default" }}`,
	} {
		tmpl, err := set.Compile("field", text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = tmpl.Execute(&sample)
			}
		})
	}
}
