package receivers_test

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/template"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/receivers"
)

func FuzzDecode(f *testing.F) {
	for _, c := range captures(f) {
		f.Add([]byte(c.Body))
	}
	for _, body := range []string{
		"", "null", `{"version":"4","alerts":[]}`, message(good, firing(wide(65)), `{"status":"?"}`),
		message(firing(`{"":"x","a\u0001":"y","b":"","c":"\ud83d\ude00"}`)),
		message(`{"status":"resolved","startsAt":"1969-12-31T23:59:59+01:00","endsAt":"9999-12-31T23:59:59Z"}`),
		message(firing(`{"a":"` + strings.Repeat(`\u4e2d`, 4096) + `"}`)),
		`{"version":"4","truncatedAlerts":3,"groupLabels":null,"alerts":[{"status":"firing","annotations":null,"x":[[{"y":1}]]}]}`,
		message(`{"labels":{"a":"1","a":"2"}}`), `{"x":` + nested(33) + `}`, `{"x":"\u0000"}`, `{"x":"\\u0000\ud800"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		sent := string(body)
		b, err := receivers.Decode(body, receivers.Limits{MaxAlerts: 100}, "am", arrival)
		if string(body) != sent {
			t.Fatal("the body was changed")
		}
		if err != nil {
			checkError(t, err)
			return
		}
		checkBatch(t, b)
		checkAgainstOracle(t, body, b)
	})
}

// FuzzShipped gives each body to every type that is made of expressions, as JSON
// and as a form.
func FuzzShipped(f *testing.F) {
	files, err := filepath.Glob("testdata/shipped/*/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(body))
		f.Add("payload=" + url.QueryEscape(string(body)))
	}
	for _, body := range []string{
		`{"status":"firing","labels":` + wide(65) + `}`, `{"status":"firing","id":"` + strings.Repeat("中", 3000) + `"}`, `[{},1,[],null]`, `{"status":1e999,"id":{}}`,
		`{"Type":"Notification","Message":"{\"NewStateValue\":\"\\u0000\"}"}`, `{"specversion":"1.0","type":"\u0001.resolved","source":1,"data":[]}`,
	} {
		f.Add(body)
	}
	var formats []receivers.Format
	for _, kind := range receivers.ShippedTypes() {
		c := typed(kind)
		c.Name, c.MaxAlerts = "am", 100
		formats = append(formats, newFormat(f, c))
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, format := range formats {
			for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded"} {
				sent := []byte(body)
				b, err := format.Decode(receivers.Message{Body: sent, ContentType: contentType, Arrived: arrival})
				if string(sent) != body {
					t.Fatal("the body was changed")
				}
				if err != nil {
					checkError(t, err)
					continue
				}
				checkBatch(t, b)
				checkTexts(t, b.Notice)
			}
		}
	})
}

// FuzzExpressions gives any text as an expression: it is refused, or it ends.
func FuzzExpressions(f *testing.F) {
	for _, kind := range receivers.ShippedTypes() {
		text, _ := receivers.Expressions(kind)
		for line := range strings.Lines(text) {
			_, expression, _ := strings.Cut(line, ": ")
			f.Add(strings.Trim(expression, "'\n"))
		}
	}
	for _, expression := range []string{"def f: f; f", ".a[.b] = 1", "$ENV", "input", `"\(1)" * 2`, "..", "[.[]?]", "try error catch .", ". as [$a] ?// $a | $a", "@base64d", "import \"a\" as a; ."} {
		f.Add(expression)
	}
	message := receivers.Message{Body: []byte(`{"status":"firing","id":1,"labels":{"a":"1"},"n":3,"l":[1,"x",null]}`), Arrived: arrival}
	f.Fuzz(func(t *testing.T, expression string) {
		c := typed("generic")
		c.Name, c.Generic.Labels = "am", expression
		valid := true
		c.Validate(func(_, _ string) { valid = false })
		format, err := receivers.NewFormat(c)
		if valid != (err == nil) {
			t.Fatalf("Validate says %v, NewFormat %v", valid, err)
		}
		if err != nil {
			return
		}
		b, err := format.Decode(message)
		if err != nil {
			checkError(t, err)
			return
		}
		checkBatch(t, b)
	})
}

// checkError: one plain sentence that can be shown to anybody.
func checkError(t *testing.T, err error) {
	var e *receivers.Error
	if !errors.As(err, &e) || e.Reason == "" || e.Problem == "" {
		t.Fatalf("%#v", err)
	}
	if text := err.Error(); len(text) > 600 || strings.ContainsFunc(text, unicode.IsControl) {
		t.Fatalf("bad message %q", text)
	}
}

// checkBatch: every promise of Batch.
func checkBatch(t *testing.T, b receivers.Batch) {
	if len(b.Alerts)+len(b.Rejected) > 100 || b.Truncated < 0 || b.Receiver != "am" {
		t.Fatalf("%d alerts, %d rejected, %d truncated", len(b.Alerts), len(b.Rejected), b.Truncated)
	}
	for _, a := range b.Alerts {
		if a.Status != alert.Firing && a.Status != alert.Resolved {
			t.Fatalf("status %q", a.Status)
		}
		if a.EndsAt.IsZero() != (a.Status == alert.Firing) {
			t.Fatalf("%s with endsAt %s", a.Status, a.EndsAt)
		}
		checkAlert(t, a)
	}
	for _, r := range b.Rejected {
		if r.Reason == "" || r.Field == "" || r.Problem == "" {
			t.Fatalf("rejected without a cause: %+v", r)
		}
		checkAlert(t, r.Alert)
	}
	if _, err := json.Marshal(b); err != nil {
		t.Fatalf("the batch cannot be stored: %v", err)
	}
}

func checkAlert(t *testing.T, a alert.Alert) {
	epoch := time.Unix(0, 0)
	if !a.StartsAt.After(epoch) || a.StartsAt.Location() != time.UTC || (!a.EndsAt.IsZero() && !a.EndsAt.After(epoch)) {
		t.Fatalf("times %s and %s", a.StartsAt, a.EndsAt)
	}
	if len(a.Fingerprint) != 16 || strings.Trim(a.Fingerprint, "0123456789abcdef") != "" {
		t.Fatalf("fingerprint %q", a.Fingerprint)
	}
	for _, set := range []map[string]string{a.Labels, a.Annotations, a.GroupLabels} {
		if len(set) > 64 {
			t.Fatalf("%d names", len(set))
		}
		for name, value := range set {
			if name == "" || len(name) > 256 || strings.ContainsFunc(name, unicode.IsControl) {
				t.Fatalf("name %q", name)
			}
			checkTexts(t, name, value)
		}
	}
	for _, value := range a.Labels {
		if value == "" {
			t.Fatalf("an empty label in %v", a.Labels)
		}
	}
	checkTexts(t, string(a.Status), a.URL, a.SenderReceiver, a.ExternalURL)
}

func checkTexts(t *testing.T, texts ...string) {
	for _, s := range texts {
		if len(s) > 4096 || !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			t.Fatalf("text %q", s)
		}
	}
}

// checkAgainstOracle: Alertmanager's own types, decoded by the JSON library,
// hold the same alerts. It knows no limits, so only what is within them is compared.
func checkAgainstOracle(t *testing.T, body []byte, b receivers.Batch) {
	var data template.Data
	if err := json.Unmarshal(body, &data); err != nil {
		var semantic *json.SemanticError
		if errors.As(err, &semantic) && semantic.GoType == reflect.TypeFor[time.Time]() {
			return // the library is stricter than package time
		}
		if len(b.Rejected) > 0 || strings.Count(string(body), ":") > 64 {
			return // a wide object or a skipped label; neither is looked into
		}
		t.Fatalf("we accept what the library refuses: %v", err)
	}
	if len(data.Alerts) != len(b.Alerts)+len(b.Rejected) {
		t.Fatalf("%d alerts, the library has %d", len(b.Alerts)+len(b.Rejected), len(data.Alerts))
	}
	if len(b.Rejected) > 0 {
		return
	}
	for i, want := range data.Alerts {
		got := b.Alerts[i]
		if diff := cmp.Diff(within(want.Labels, true), within(got.Labels, true)); diff != "" {
			t.Fatalf("labels: -want +got:\n%s", diff)
		}
		if diff := cmp.Diff(within(want.Annotations, false), within(got.Annotations, false)); diff != "" {
			t.Fatalf("annotations: -want +got:\n%s", diff)
		}
		if want.StartsAt.After(time.Unix(0, 0)) && !got.StartsAt.Equal(want.StartsAt) {
			t.Fatalf("startsAt %s, want %s", got.StartsAt, want.StartsAt)
		}
		if string(got.Status) != want.Status {
			t.Fatalf("status %s, want %s", got.Status, want.Status)
		}
	}
}

// within returns the names with values that are not cut.
func within(set map[string]string, dropEmpty bool) map[string]string {
	short := map[string]string{}
	for name, value := range set {
		if len(value) > 4096 || strings.HasSuffix(value, "…[cut]") || dropEmpty && value == "" {
			continue
		}
		short[name] = value
	}
	return short
}
