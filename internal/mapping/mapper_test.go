package mapping_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/mapping"
)

func newMapper(t testing.TB, o mapping.Options) *mapping.Mapper {
	t.Helper()
	if o.Integrations == nil {
		o.Integrations = []string{"default"}
	}
	m, err := mapping.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func field(template string) *mapping.Field { return &mapping.Field{Value: &template} }

// withApplication is the least configuration.
func withApplication() mapping.Config { return mapping.Config{ApplicationID: field("app-1")} }

var started = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func sampleAlert() alert.Alert {
	return alert.Alert{
		Receiver:    "alertmanager",
		Source:      "prometheus",
		Status:      alert.Firing,
		Fingerprint: "f90f64c0ecfd3905",
		Labels: map[string]string{
			"alertname": "Disk full", "severity": "critical", "namespace": "shop", "job": "node", "instance": "db-1:9100",
			"cluster": "eu-1", "team": "storage", "device": "/dev/sda1", "mountpoint": "/var/lib", "fstype": "ext4",
		},
		Annotations: map[string]string{
			"summary":     "Disk is almost full",
			"description": "The file system /var/lib of db-1:9100 has 2 % left and will be full in about four hours.",
			"runbook_url": "https://runbooks.example/disk-full",
		},
		StartsAt: started,
		URL:      "http://prometheus:9090/graph?g0.expr=node_filesystem_avail_bytes",
	}
}

func TestMapper_Map_NamesTheErrorsOfOneAlert(t *testing.T) {
	config := withApplication()
	config.Description = field(`{{ slice .Labels.alertname 0 9 }}`)
	m := newMapper(t, mapping.Options{Config: config, Routes: []mapping.Route{
		{Matchers: []string{`team="storage"`}, Integration: "second"},
		{Matchers: []string{`team="other"`}},
	}, Integrations: []string{"first", "second"}})

	good := sampleAlert()
	if got, err := m.Map(good); err != nil || got.Alarm.AlarmDesc != "Disk full" {
		t.Errorf("got %q, %v", got.Alarm.AlarmDesc, err)
	}

	short := sampleAlert()
	short.Labels["alertname"] = "short"
	got, err := m.Map(short)
	problem, ok := errors.AsType[*mapping.Error](err)
	if !ok || problem.Field != "description" || !strings.Contains(problem.Problem, "error calling slice") {
		t.Errorf("got %#v", err)
	}
	if diff := cmp.Diff(mapping.Result{Route: 0, Integration: "second"}, got); diff != "" {
		t.Error(diff)
	}

	nowhere := sampleAlert()
	nowhere.Labels["team"] = "nobody"
	got, err = m.Map(nowhere)
	const want = "mapping: routes: no route matches; add a last route without matchers"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if diff := cmp.Diff(mapping.Result{Route: -1}, got); diff != "" {
		t.Error(diff)
	}
}

// T9 of reliability.md: what an alert holds is never parsed.
func TestMapper_Map_KeepsTemplatesInDataVerbatim(t *testing.T) {
	const hostile = `{{.Secrets}}{{printf "%s" .}}`
	a := sampleAlert()
	a.Labels = map[string]string{"alertname": "A", "x": hostile}
	a.Annotations = map[string]string{"description": hostile}
	config := withApplication()
	config.Additional = map[string]*mapping.Field{"mine": field(`{{ printf "%s" .Labels.x }}`)}
	got, err := newMapper(t, mapping.Options{Config: config}).Map(a)
	if err != nil {
		t.Fatal(err)
	}
	for at, text := range map[string]string{
		"alarmDesc":   got.Alarm.AlarmDesc,
		"label":       got.Alarm.Additional["label_x"],
		"annotation":  got.Alarm.Additional["annotation_description"],
		"user's text": got.Alarm.Additional["mine"],
	} {
		if text != hostile {
			t.Errorf("%s is %q", at, text)
		}
	}
}

func TestMapper_Map_TellsCutTextsApart(t *testing.T) {
	m := newMapper(t, mapping.Options{Config: withApplication()})
	long := strings.Repeat("磁盘", 200)
	seen := map[string]bool{}
	for i := range 100 {
		a := sampleAlert()
		a.Labels["alertname"] = long + fmt.Sprint(i)
		got, err := m.Map(a)
		if err != nil {
			t.Fatal(err)
		}
		if seen[got.Alarm.AlarmName] {
			t.Fatalf("two names became %q", got.Alarm.AlarmName)
		}
		seen[got.Alarm.AlarmName] = true
		if n := coc.Units(got.Alarm.AlarmName); n != coc.MaxText {
			t.Errorf("%d units", n)
		}
		if full := got.Alarm.Additional["alarm_name_full"]; full != a.Labels["alertname"] {
			t.Errorf("the full text is %q", full)
		}
	}
}

// Only what a person sees as one character may be left out whole.
func TestMapper_Map_CutsBetweenGraphemes(t *testing.T) {
	m := newMapper(t, mapping.Options{Config: withApplication()})
	for _, grapheme := range []string{"x", "字", "😀", "👨‍👩‍👧‍👦", "🇩🇪", "e\u0301", "각", "👍🏽"} {
		for shift := range 12 {
			a := sampleAlert()
			lead := strings.Repeat("-", shift)
			a.Annotations["description"] = lead + strings.Repeat(grapheme, 300)
			got, err := m.Map(a)
			if err != nil {
				t.Fatal(err)
			}
			room := coc.MaxText - 1 - shift
			want := lead + strings.Repeat(grapheme, room/coc.Units(grapheme)) + "…"
			if got.Alarm.AlarmDesc != want {
				t.Errorf("%q shifted by %d: got %q", grapheme, shift, got.Alarm.AlarmDesc)
			}
		}
	}
}

func TestMapper_Map_TimesOfAlarm(t *testing.T) {
	m := newMapper(t, mapping.Options{Config: withApplication()})
	ended := started.Add(time.Hour)
	for _, c := range []struct {
		name string
		set  func(*alert.Alert)
		want int64
	}{
		{"firing", func(a *alert.Alert) { a.EndsAt = ended }, started.UnixMilli()},
		{"resolved", func(a *alert.Alert) { a.Status, a.EndsAt = alert.Resolved, ended }, ended.UnixMilli()},
		{"resolved without an end", func(a *alert.Alert) { a.Status = alert.Resolved }, started.UnixMilli()},
		{"a fraction", func(a *alert.Alert) { a.StartsAt = started.Add(1999 * time.Microsecond) }, started.UnixMilli() + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := sampleAlert()
			c.set(&a)
			got, err := m.Map(a)
			if err != nil || got.Alarm.Time != c.want {
				t.Errorf("got %d, %v, want %d", got.Alarm.Time, err, c.want)
			}
		})
	}
}

// What is dropped when there is too much is decided by class, then length,
// then key, however the map is laid out in memory.
func TestMapper_Map_DropsAdditionalInOrder(t *testing.T) {
	config := withApplication()
	config.Additional = map[string]*mapping.Field{"mine": field(`{{ .Annotations.u }}`)}
	m := newMapper(t, mapping.Options{Config: config})
	for _, c := range []struct {
		name string
		size map[string]int // of what is sent
		want []string
	}{
		{"all fit", map[string]int{"a1": 2000, "a2": 9000, "l1": 3000}, []string{"annotation_a1", "annotation_a2", "label_alertname", "label_l1"}},
		{"the longest annotation goes first", map[string]int{"a1": 6000, "a2": 6001, "l1": 6000}, []string{"additional_cut", "annotation_a1", "label_alertname", "label_l1"}},
		{"of two of one length the first", map[string]int{"a1": 6000, "a2": 6000, "l1": 6000}, []string{"additional_cut", "annotation_a2", "label_alertname", "label_l1"}},
		{"small annotations before large labels", map[string]int{"a1": 10, "a2": 10, "l1": 9000, "l2": 8000}, []string{"additional_cut", "label_alertname", "label_l2"}},
		{"labels before cut texts", map[string]int{"l1": 2000, "description": 16000}, []string{"additional_cut", "description_full", "label_alertname"}},
		{"cut texts before the user's", map[string]int{"l1": 2000, "description": 9000, "u": 9000}, []string{"additional_cut", "mine"}},
		{"the user's too", map[string]int{"u": 17000}, []string{"additional_cut"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := sampleAlert()
			a.Labels, a.Annotations = map[string]string{"alertname": "A"}, map[string]string{}
			for name, size := range c.size {
				if strings.HasPrefix(name, "l") {
					a.Labels[name] = strings.Repeat("x", size)
				} else {
					a.Annotations[name] = strings.Repeat("x", size)
				}
			}
			for range 20 { // maps are laid out anew
				got, err := m.Map(a)
				if err != nil {
					t.Fatal(err)
				}
				keys := slices.Sorted(maps.Keys(got.Alarm.Additional))
				if diff := cmp.Diff(c.want, keys); diff != "" {
					t.Fatal(diff)
				}
			}
		})
	}
}

// T11 of reliability.md: 4 KiB values against 200 rules within 50 ms; the
// benchmark prints the time, and what could be slow is refused.
func BenchmarkMapper_Map_200Routes(b *testing.B) {
	var routes []mapping.Route
	for i := range 200 {
		routes = append(routes, mapping.Route{Matchers: []string{fmt.Sprintf(`team=~"(team|group)-[0-9]*(a|b)+-%d.*"`, i)}})
	}
	m := newMapper(b, mapping.Options{Config: withApplication(), Routes: routes})
	a := sampleAlert()
	a.Labels["team"] = "team-" + strings.Repeat("1ab", 1364)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = m.Map(a)
	}
}

func BenchmarkMapper_Map(b *testing.B) {
	m := newMapper(b, mapping.Options{Config: withApplication(), Region: "cn-north-4", Routes: []mapping.Route{
		{Matchers: []string{`alertname="Watchdog"`}, Drop: true},
		{Matchers: []string{`team=~"db|web"`, `receiver="zabbix"`}},
		{},
	}})
	a := sampleAlert()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Map(a); err != nil {
			b.Fatal(err)
		}
	}
}

// Matchers are Alertmanager's, in both of its syntaxes; receiver is virtual.
func TestMapper_Map_Matchers(t *testing.T) {
	for _, c := range []struct {
		matcher string
		want    bool
	}{
		{`team="storage"`, true},
		{`team=storage`, true},
		{`team!="storage"`, false},
		{`team=~"stor"`, false},
		{`team=~"stor.*|db"`, true},
		{`team!~"stor.*"`, false},
		{`{team="storage",severity="critical"}`, true},
		{`{team="storage",severity="info"}`, false},
		{`"team"="storage"`, true},
		{`missing=""`, true},
		{`missing=~".+"`, false},
		{`receiver="alertmanager"`, true},
		{`receiver="from the payload"`, false},
		{`device=~/dev/[a-z]{3}1`, true}, // classic only
		{`escaped="\u00fc"`, true},       // both take it; Alertmanager reads it as the classic syntax does
	} {
		t.Run(c.matcher, func(t *testing.T) {
			m := newMapper(t, mapping.Options{Config: withApplication(), Routes: []mapping.Route{{Matchers: []string{c.matcher}}, {}}})
			a := sampleAlert()
			a.Labels["receiver"], a.Labels["escaped"] = "from the payload", `\u00fc`
			r, err := m.Map(a)
			if err != nil || (r.Route == 0) != c.want {
				t.Errorf("route %d, %v", r.Route, err)
			}
		})
	}
}

// Zabbix's severities, as its receiver names them, are all in the default table.
func TestMapper_Map_levelsOfZabbix(t *testing.T) {
	m, err := mapping.New(mapping.Options{Config: withApplication(), Integrations: []string{"default"}})
	if err != nil {
		t.Fatal(err)
	}
	for severity, want := range map[string]string{
		"not_classified": "Info", "information": "Info", "warning": "Minor", "average": "Minor", "high": "Major", "disaster": "Critical",
	} {
		a := sampleAlert()
		a.Labels["severity"] = severity
		r, err := m.Map(a)
		if err != nil || string(r.Alarm.AlarmLevel) != want || r.LevelUnknown {
			t.Errorf("%s: %s, unknown %v, %v", severity, r.Alarm.AlarmLevel, r.LevelUnknown, err)
		}
	}
}
