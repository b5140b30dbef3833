package render_test

import (
	"strings"
	"testing"

	"github.com/prometheus/alertmanager/template"

	"github.com/cocbridge/cocbridge/internal/render"
)

// Whatever an operator writes and an alert holds: no panic, bounded output.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		``, `plain`, `{{ .Labels.x }}`, `{{ or .Labels.a .Labels.x "default" }}`, `{{ .Labels.x | toUpper | title }}`,
		`{{ range .Labels.SortedPairs }}{{ .Name }}={{ .Value }}{{ else }}-{{ end }}`,
		`{{ range $i, $v := .Labels }}{{ if eq $v "x" }}{{ break }}{{ end }}{{ continue }}{{ end }}`,
		`{{ $s := .Labels.x }}{{ range .Labels }}{{ $s = print $s $s }}{{ end }}{{ $s }}`,
		`{{ template "loop" . }}{{ template "text" .Labels.x }}`,
		`{{ printf "%-20s|%v|%T" .Labels.x .Labels . }}`,
		`{{ reReplaceAll "(a)(b)?" "$2$1" .Labels.x }}{{ match "^a+$" .Labels.x }}`,
		`{{ with dict "a" (list 1 2.5 "x" nil) }}{{ toJson . }}{{ index .a 0 }}{{ end }}`,
		`{{ .StartsAt | tz "Asia/Shanghai" | date "2006" }}{{ since .StartsAt | humanizeDuration }}`,
		`{{ slice .Labels.x 1 2 }}{{ len .Labels }}{{ (toDate "2006" "2026").Unix }}`,
		`{{- /* comment */ -}}{{ if and (not false) (lt 1 2) }}{{ end }}{{ html "<" }}{{ js "'" }}{{ urlquery "&" }}`,
		`{{ (.Labels.Remove (stringSlice "x")).SortedPairs.Values | join "," }}{{ base64encode .Labels.x }}`,
		`{{ define "x" }}{{ template "x" }}{{ end }}`, `{{ range 1000000000 }}{{ end }}`, `{{ range . }}{{ range . }}`,
		"{{ `raw` }}{{ 'c' }}{{ 0x1p-2 }}{{ 1i }}{{ nil }}{{ true }}",
	} {
		f.Add(text, "value ✓ {{ .x }}")
	}
	set := newSet(f, `{{ define "loop" }}{{ range .Labels }}{{ . }}{{ end }}{{ end }}{{ define "text" }}<{{ . }}>{{ end }}`)
	f.Fuzz(func(t *testing.T, text, value string) {
		tmpl, err := set.Compile("field", text)
		if err != nil {
			if !strings.Contains(err.Error(), ": ") || tmpl != nil {
				t.Errorf("template %v beside error %q", tmpl, err)
			}
			return
		}
		got, err := tmpl.Execute(&data{Status: "firing", Labels: template.KV{"x": value, "y": "z", value: "w"}, StartsAt: sample.StartsAt})
		if len(got) > render.MaxOutput || (err != nil && got != "") {
			t.Errorf("%d bytes, error %v", len(got), err)
		}
	})
}
