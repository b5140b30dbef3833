package render_test

import (
	"strings"
	"testing"

	am "github.com/prometheus/alertmanager/template"

	"github.com/cocbridge/cocbridge/internal/render"
)

// slow is an alert that cannot name its texts.
type slow render.Alert

// What the short way prints is what text/template prints.
func TestAlert_Text(t *testing.T) {
	alert := render.Alert{
		Receiver: "am", Status: "firing", ID: "7", URL: "http://x", ExternalURL: "http://am",
		Labels:      am.KV{"a": "1", "b": "", "Names": "not the method", "Zone": "z", "ä": "ü", "long": strings.Repeat("x", 60<<10)},
		Annotations: am.KV{"text": "<b>\"quoted\"</b>\n"},
	}
	for _, text := range []string{
		`{{ .Labels.a }}`, `{{ .Labels.b }}`, `{{ .Labels.none }}`, `{{ .GroupLabels.a }}`, `{{ .Labels.ä }}`, `{{ .Labels.Zone }}`,
		`{{ .Labels.Names }}`, `{{ .Labels.Values }}`, `{{ .Labels }}`, `{{ .StartsAt }}`, `{{ .StartsAt.Year }}`, `{{ .EndsAt.IsZero }}`,
		`{{ .Receiver }} is {{ .Status }}: {{ .Annotations.text }}`, `{{ .SenderReceiver }}{{ .ID }}`, `{{ .URL }}`, `{{ .ExternalURL }}`,
		`{{ or .Labels.none .Labels.b .Labels.a "x" }}`, `{{ or .Labels.none "x" }}`, `{{ or .Labels.none .Labels.b }}`, `{{ or "" "" }}`,
		`{{ or .Labels.none .Labels }}`, `{{ or .StartsAt "x" }}`, `{{ or .Labels.none 0 }}`, `{{ or .Labels.none false }}`,
		`{{- " a " -}} b {{- /* c */ -}} d`, `{{ .Labels.a | toUpper }}`, `{{ $x := .Labels.a }}{{ $x }}`, `{{ and .Labels.a .Labels.b }}`,
		`{{ .Labels.long }}`, `{{ .Labels.long }}{{ .Labels.long }}`, `{{ or .Labels.long .Labels.a }}-{{ .Labels.long }}`,
		`{{ .Nothing }}`, `{{ .Labels.a.b }}`, `{{ . }}`, `{{ or }}`, `{{ .Labels.a }}{{ with .Labels.b }}x{{ end }}`,
	} {
		t.Run(text, func(t *testing.T) {
			set, err := render.New()
			if err != nil {
				t.Fatal(err)
			}
			tmpl, err := set.Compile("t", text)
			if err != nil {
				t.Logf("not a template: %v", err)
				return
			}
			want, wantErr := tmpl.Execute((*slow)(&alert))
			got, gotErr := tmpl.Execute(&alert)
			if got != want || (gotErr == nil) != (wantErr == nil) {
				t.Errorf("got %.80q, %v; want %.80q, %v", got, gotErr, want, wantErr)
			}
		})
	}
}
