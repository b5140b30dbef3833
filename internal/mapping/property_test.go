package mapping_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/mapping"
)

// pieces are what hostile texts are made of.
var pieces = []string{
	"", "a", "Z9-_", " ", "\n", "\r\n", "\t", "\x00", "\x1b[2J", "\u0085", "\u2028", "\u202e", "\u2067", "\u200f", "\u061c", "\ufeff", "\u200b",
	"磁盘空间不足", "々〇", "𠀀", "é", "e\u0301", "\u0301", "😀", "👨‍👩‍👧‍👦", "\u200d", "🇩🇪", "👍🏽", "\xff", "\xf0\x9f", "\xed\xa0\x80",
	`{{.Secrets}}`, `{{ range . }}`, "<script>&'\"", `\u0000`, "%s%d%!", "$1", "http://", "../..", "critical", "\ufffd", "\U0010ffff",
}

func hostileText(r *rand.Rand, extra string) string {
	var b strings.Builder
	for range r.IntN(4) {
		piece := pieces[r.IntN(len(pieces))]
		if r.IntN(8) == 0 {
			piece = extra
		}
		b.WriteString(strings.Repeat(piece, 1+r.IntN(1+4096/(1+len(piece)))/(1+r.IntN(200))))
	}
	return b.String()
}

// hostileAlert has texts of up to 4 KiB, as receivers let through, and more.
func hostileAlert(r *rand.Rand, extra string) alert.Alert {
	text := func() string { return hostileText(r, extra) }
	a := alert.Alert{
		Receiver: text(), Source: text(), Fingerprint: text(), ID: text(), URL: text(), Status: alert.Firing,
		StartsAt: time.UnixMilli(r.Int64N(1<<47) - 1<<40), SenderReceiver: text(), ExternalURL: text(),
		Labels: map[string]string{}, Annotations: map[string]string{},
	}
	for _, name := range []string{"alertname", "severity", "namespace", "job", "instance", "host", "resource_id", "app"} {
		if r.IntN(3) > 0 {
			a.Labels[name] = text()
		}
	}
	for _, name := range []string{"description", "summary"} {
		if r.IntN(3) > 0 {
			a.Annotations[name] = text()
		}
	}
	for range r.IntN(30) {
		a.Labels[text()], a.Annotations[text()] = text(), text()
	}
	return a
}

// properties are configurations under which every alert must give an alarm that
// COC takes, or an Error.
func properties(t testing.TB) []*mapping.Mapper {
	no := false
	loose := mapping.Config{
		AlarmName: field(`{{ .Labels.alertname }}{{ .Annotations.summary }}`), StrictNames: &no,
		AlarmLevel: field(`{{ .Labels.job }}`), NameSpace: field(`{{ .Annotations.summary }}`), RegionID: field(`{{ .Receiver }}`),
		ApplicationID: field(`{{ .Labels.app }}`), ResourceName: field(`{{ .Receiver }}{{ .ID }}`),
		Description: field(`{{ range .Labels.SortedPairs }}{{ .Name }}={{ .Value }}{{ end }}`), Source: field(`{{ .ID }}`),
		Additional: map[string]*mapping.Field{"x": field(`{{ toJson .Labels }}`), "y": field(`{{ reReplaceAll "." "$0$0" .Labels.job }}`)},
	}
	return []*mapping.Mapper{
		newMapper(t, mapping.Options{Config: withApplication(), Region: "cn-north-4"}),
		newMapper(t, mapping.Options{Config: loose, Routes: []mapping.Route{{Matchers: []string{`severity!="critical"`}}, {Matchers: []string{`receiver=~".*"`}}}}),
	}
}

func TestMapper_Map_Property(t *testing.T) {
	mappers := properties(t)
	mapped := 0
	for seed := range uint64(400) {
		for i, m := range mappers {
			if checkMap(t, m, hostileAlert(rand.New(rand.NewPCG(seed, 1)), "extra"), i == 0) {
				mapped++
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if mapped < 250 {
		t.Errorf("only %d alerts were mapped", mapped)
	}
}

func FuzzMap(f *testing.F) {
	for i, piece := range pieces {
		f.Add(uint64(i), piece, false)
	}
	mappers := properties(f)
	f.Fuzz(func(t *testing.T, seed uint64, extra string, alone bool) {
		a := hostileAlert(rand.New(rand.NewPCG(seed, 2)), extra)
		if alone {
			a.Labels = map[string]string{"alertname": extra, "instance": extra, extra: extra}
		}
		for i, m := range mappers {
			checkMap(t, m, a, i == 0)
		}
	})
}

// checkMap says whether the alert was mapped.
func checkMap(t *testing.T, m *mapping.Mapper, a alert.Alert, strict bool) bool {
	t.Helper()
	got, err := m.Map(a)
	if err != nil {
		if problem, ok := errors.AsType[*mapping.Error](err); !ok || problem.Field == "" || !strings.Contains(problem.Problem, ";") {
			t.Errorf("not an error that helps: %#v", err)
		}
		return false
	}
	checkAlarm(t, got, strict)

	again, err := m.Map(a)
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Errorf("not deterministic: %v\n%s", err, diff)
	}

	resolved := a
	resolved.Status, resolved.EndsAt = alert.Resolved, a.StartsAt.Add(time.Minute)
	recovery, err := m.Map(resolved)
	if err != nil || recovery.Alarm.AlarmStatus != coc.StatusOK {
		t.Errorf("the recovery cannot be mapped: %v", err)
	}
	if diff := cmp.Diff(got.Alarm, recovery.Alarm, cmpopts.IgnoreFields(coc.Alarm{}, "Time", "AlarmStatus")); diff != "" {
		t.Errorf("the recovery is about another alarm: %s", diff)
	}
	return true
}

var (
	strictID   = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)
	strictName = regexp.MustCompile(`^[\x{4e00}-\x{9fa5}A-Za-z0-9_-]+$`)
)

// checkAlarm holds an alarm against coc-api.md 3.1 in the strict reading.
func checkAlarm(t *testing.T, r mapping.Result, strict bool) {
	t.Helper()
	a := r.Alarm
	if err := a.Check(); err != nil {
		t.Error(err)
	}
	if !strictID.MatchString(a.AlarmID) || strict && !strictName.MatchString(a.AlarmName) {
		t.Errorf("charset of %q, %q", a.AlarmID, a.AlarmName)
	}
	if digits := len(strconv.FormatInt(a.Time, 10)); digits < 12 || digits > 14 {
		t.Errorf("time %d", a.Time)
	}
	texts := []string{a.AlarmName, a.NameSpace, a.RegionID, a.ApplicationID, a.ResourceName, a.ResourceID, a.URL, a.AlarmSource}
	for _, text := range texts {
		checkText(t, text, "")
	}
	checkText(t, a.AlarmDesc, "\n\t")
	for key, value := range a.Additional {
		checkText(t, key, "")
		checkText(t, value, "\n\t")
	}
	checkSize(t, a.Additional)
	for _, name := range r.Cut {
		_, full := a.Additional[name+"_full"]
		_, dropped := a.Additional["additional_cut"]
		if !full && !dropped {
			t.Errorf("%s was cut, and its text is lost", name)
		}
	}
}

func checkText(t *testing.T, text, keep string) {
	t.Helper()
	control := func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune(keep, r) || unicode.Is(unicode.Bidi_Control, r)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, control) || strings.TrimSpace(text) != text {
		t.Errorf("text is not clean: %q", text)
	}
}

func checkSize(t *testing.T, additional map[string]string) {
	t.Helper()
	if len(additional) == 0 {
		return
	}
	v1, err1 := json.Marshal(additional)
	v2, err2 := jsonv2.Marshal(additional)
	if err1 != nil || err2 != nil || len(v1) > coc.MaxAdditional || len(v2) > coc.MaxAdditional {
		t.Errorf("additional has %d or %d bytes: %v, %v", len(v1), len(v2), err1, err2)
	}
	if _, empty := additional[""]; empty {
		t.Error("a key is empty")
	}
}
