package incidents_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/render"
)

// A label that turns the direction of a line could make a ticket read as what it is not.
func TestPreview_noTextTurnsTheDirection(t *testing.T) {
	cfg := incidents.DefaultConfig()
	someone := &render.Field{Value: new("user")}
	cfg.Creator, cfg.Assignee = "user", someone
	in, err := incidents.New(incidents.Options{Rules: []incidents.Rule{{Name: "page", Incident: &cfg}}, Application: someone})
	if err != nil {
		t.Fatal(err)
	}
	a := critical("Disk \u202egnp.exe\u2066\u200f", time.Now())
	a.Annotations = map[string]string{"description": "one\u202eowt", "summary": "one\u2067owt"}
	all := in.Preview(&a)
	if len(all) != 1 || all[0].Problem != nil {
		t.Fatalf("%+v", all)
	}
	for _, text := range []string{all[0].Ticket.Title, all[0].Ticket.Description} {
		if !strings.Contains(text, " ") || strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }) {
			t.Errorf("%q", text)
		}
	}
}
