package receivers_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/receivers"
)

func mustDecode(t *testing.T, body string) receivers.Batch {
	t.Helper()
	b, err := decode(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecode_Complete(t *testing.T) {
	const body = `{"version":"4","receiver":"team-x","groupLabels":{"alertname":"A"},"externalURL":"http://am:9093","truncatedAlerts":7,"alerts":[
		{"status":"resolved","labels":{"alertname":"A","gone":""},"annotations":{"empty":"","summary":"\u003cb\u003e \ud83d\ude00"},
		 "startsAt":"2026-11-21T19:12:11.300725216+01:00","endsAt":"2026-11-21T18:30:00.5-00:30","generatorURL":"http://p/graph","fingerprint":"ABCDEF0123456789"}]}`
	want := receivers.Batch{Receiver: "alertmanager", Truncated: 7, Alerts: []alert.Alert{{
		Receiver: "alertmanager", Source: "prometheus", Status: alert.Resolved,
		Labels:      map[string]string{"alertname": "A"},
		Annotations: map[string]string{"empty": "", "summary": "<b> 😀"},
		StartsAt:    time.Date(2026, 11, 21, 18, 12, 11, 300725216, time.UTC),
		EndsAt:      time.Date(2026, 11, 21, 19, 0, 0, 5e8, time.UTC),
		Fingerprint: "abcdef0123456789", URL: "http://p/graph",
		SenderReceiver: "team-x", GroupLabels: map[string]string{"alertname": "A"}, ExternalURL: "http://am:9093",
	}}}
	if diff := cmp.Diff(want, mustDecode(t, body)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDecode_Times(t *testing.T) {
	zero := time.Time{}
	start, end := time.Date(2026, 11, 21, 17, 0, 0, 0, time.UTC), time.Date(2026, 11, 21, 17, 30, 0, 0, time.UTC)
	const sent, ended, none = `"startsAt":"2026-11-21T17:00:00Z"`, `"endsAt":"2026-11-21T17:30:00Z"`, `"0001-01-01T00:00:00Z"`
	tests := []struct {
		name, status, times string
		wantStart, wantEnd  time.Time
	}{
		{"firing", "firing", sent, start, zero},
		{"firing with a zero end", "firing", sent + `,"endsAt":` + none, start, zero},
		{"firing with an end in the future", "firing", sent + `,"endsAt":"2099-01-01T00:00:00Z"`, start, zero},
		{"firing without a start", "firing", `"endsAt":` + none, arrival, zero},
		{"firing with a zero start", "firing", `"startsAt":` + none, arrival, zero},
		{"firing with a start before 1970", "firing", `"startsAt":"1969-12-31T23:59:59Z"`, arrival, zero},
		{"firing with a start before all", "firing", `"startsAt":"0000-01-01T00:00:00+14:00"`, arrival, zero},
		{"resolved", "resolved", sent + "," + ended, start, end},
		{"resolved without an end", "resolved", sent, start, arrival},
		{"resolved with a zero end", "resolved", sent + `,"endsAt":` + none, start, arrival},
		{"resolved without a start", "resolved", ended, arrival, end},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := mustDecode(t, message(`{"status":"`+tt.status+`",`+tt.times+`}`))
			if len(b.Alerts) != 1 {
				t.Fatalf("got %+v", b)
			}
			got := []time.Time{b.Alerts[0].StartsAt, b.Alerts[0].EndsAt}
			if diff := cmp.Diff([]time.Time{tt.wantStart, tt.wantEnd}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The arrival time is taken without its monotonic clock, which no file keeps.
func TestDecode_Arrival(t *testing.T) {
	b, err := receivers.Decode([]byte(message(`{"status":"firing"}`)), limits, "alertmanager", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Alerts[0].StartsAt; got.Location() != time.UTC || got != got.Round(0) {
		t.Errorf("StartsAt is %#v", got)
	}
}

// What the sender calls a label set's fingerprint is what we would compute, so
// an alert keeps its identity if a sender leaves the field out.
func TestDecode_Fingerprint(t *testing.T) {
	t.Run("computed as Alertmanager computes it", func(t *testing.T) {
		for _, c := range captures(t) {
			if c.Body == "" || c.ownPayload() {
				continue
			}
			want := mustDecode(t, c.Body)
			got := mustDecode(t, strings.ReplaceAll(c.Body, `"fingerprint"`, `"unknown"`))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s: -want +got:\n%s", c.file, diff)
			}
		}
	})
	one := func(alert string) string { return mustDecode(t, message(alert)).Alerts[0].Fingerprint }
	computed := one(firing(`{"alertname":"A"}`))
	for _, sent := range []string{"", "00000000000000a", "00000000000000aab", "00000000000000ag", "0x000000000000aa", "aa", "00000000000000aabb", "-000000000000001"} {
		t.Run("not a fingerprint: "+sent, func(t *testing.T) {
			got := one(`{"status":"firing","labels":{"alertname":"A"},"fingerprint":"` + sent + `"}`)
			if got != computed {
				t.Errorf("got %s, want %s", got, computed)
			}
		})
	}
	t.Run("empty labels do not count", func(t *testing.T) {
		if got := one(firing(`{"alertname":"A","x":""}`)); got != computed {
			t.Errorf("got %s, want %s", got, computed)
		}
	})
	t.Run("values count as they were sent, not as they are cut", func(t *testing.T) {
		long := strings.Repeat("x", 5000)
		a, b := one(firing(`{"l":"`+long+`a","n":""}`)), one(firing(`{"l":"`+long+`b"}`))
		if a == b {
			t.Errorf("two alerts have the fingerprint %s", a)
		}
		if again := one(firing(`{"l":"` + long + `\u0061"}`)); again != a {
			t.Errorf("one alert has the fingerprints %s and %s", a, again)
		}
	})
}

// One alert that cannot be used does not stop its siblings.
func TestDecode_Rejected(t *testing.T) {
	long := strings.Repeat("n", 257)
	tests := []struct {
		name, alert            string
		reason, field, problem string
		labels                 int // how many are kept
	}{
		{"65 labels", firing(wide(65)), "too_many_labels", "labels", "has more than 64 names", 64},
		{"65 annotations", `{"status":"firing","annotations":` + wide(65) + `}`, "too_many_labels", "annotations", "has more than 64 names", 0},
		{"an empty name", firing(`{"a":"1","":"x"}`), "bad_name", "labels", "a name is empty", 1},
		{"a long name", firing(`{"` + long + `":"x","a":"1"}`), "bad_name", "labels", "a name has over 256 bytes", 1},
		{"a control character in a name", firing(`{"a\nb":"x"}`), "bad_name", "labels", "a name holds a control character", 0},
		{"an escape sequence in a name", firing(`{"a\u009b31m":"x"}`), "bad_name", "labels", "a name holds a control character", 0},
		{"a bad name with an empty value", firing(`{"":""}`), "bad_name", "labels", "a name is empty", 0},
		{"a bad annotation", `{"status":"firing","annotations":{"":"x"}}`, "bad_name", "annotations", "a name is empty", 0},
		{"no status", `{"labels":{"a":"1"}}`, "bad_status", "status", `is "", want firing or resolved`, 1},
		{"another status", `{"status":"Firing"}`, "bad_status", "status", `is "Firing", want firing or resolved`, 0},
		{"the first problem stays", `{"status":"","annotations":{"":""},"labels":{"":""}}`, "bad_name", "annotations", "a name is empty", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := mustDecode(t, message(good, tt.alert, good))
			if len(b.Alerts) != 2 || len(b.Rejected) != 1 {
				t.Fatalf("%d alerts and %d rejected, want 2 and 1", len(b.Alerts), len(b.Rejected))
			}
			r := b.Rejected[0]
			got := []string{r.Reason, r.Field, r.Problem, strconv.Itoa(len(r.Alert.Labels))}
			want := []string{tt.reason, tt.field, tt.problem, strconv.Itoa(tt.labels)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if a := r.Alert; a.Receiver != "alertmanager" || a.SenderReceiver != "web" || a.StartsAt.IsZero() || a.Fingerprint == "" {
				t.Errorf("the rejected alert is incomplete: %+v", a)
			}
		})
	}
}

func TestDecode_Limits(t *testing.T) {
	names := func(n int) string {
		b := mustDecode(t, message(firing(wide(n))))
		return fmt.Sprint(len(b.Alerts), len(b.Rejected))
	}
	if got := names(64); got != "1 0" {
		t.Errorf("64 labels: %s", got)
	}
	name := strings.Repeat("n", 256)
	if b := mustDecode(t, message(firing(`{"`+name+`":"1","täst.ü b":"2"}`))); len(b.Alerts) != 1 || len(b.Alerts[0].Labels) != 2 {
		t.Errorf("good names are rejected: %+v", b.Rejected)
	}
	b := mustDecode(t, `{"version":"4","groupLabels":`+wide(65)+`,"alerts":[`+good+`]}`)
	if n := len(b.Alerts[0].GroupLabels); n != 64 {
		t.Errorf("%d group labels are kept, want 64", n)
	}
}

// A long text is cut at a rune border to at most 4096 bytes, the mark included,
// however it is written.
func TestDecode_Cut(t *testing.T) {
	const mark = "…[cut]"
	tests := []struct{ name, sent, want string }{
		{"4096 bytes stay", strings.Repeat("x", 4096), strings.Repeat("x", 4096)},
		{"4097 are cut", strings.Repeat("x", 4097), strings.Repeat("x", 4088) + mark},
		{"a megabyte is cut", strings.Repeat("x", 1<<20), strings.Repeat("x", 4088) + mark},
		{"two-byte runes", strings.Repeat("ü", 2049), strings.Repeat("ü", 2044) + mark},
		{"three-byte runes", "x" + strings.Repeat("中", 2000), "x" + strings.Repeat("中", 1362) + mark},
		{"four-byte runes", "xx" + strings.Repeat("😀", 2000), "xx" + strings.Repeat("😀", 1021) + mark},
		{"escapes stay while they are short", strings.Repeat(`\u0041`, 4096), strings.Repeat("A", 4096)},
		{"escapes", strings.Repeat(`\u0041`, 100000), strings.Repeat("A", 4088) + mark},
		{"short escapes", strings.Repeat(`\n`, 100000), strings.Repeat("\n", 4088) + mark},
		{"escaped pairs", strings.Repeat(`\ud83d\ude00`, 50000), strings.Repeat("😀", 1022) + mark},
		{"one escape before much text", `\"` + strings.Repeat("中", 50000), `"` + strings.Repeat("中", 1362) + mark},
	}
	for i := range 12 { // the decoder looks at a part only: try every border of it
		tests = append(tests, struct{ name, sent, want string }{
			fmt.Sprintf("escaped pairs after %d bytes", i),
			strings.Repeat("x", i) + strings.Repeat(`\ud83d\ude00`, 50000),
			strings.Repeat("x", i) + strings.Repeat("😀", (4088-i)/4) + mark,
		})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := `"` + tt.sent + `"`
			b := mustDecode(t, `{"version":"4","receiver":`+text+`,"externalURL":`+text+`,"groupLabels":{"l":`+text+`},"alerts":[{"status":"firing","labels":{"l":`+text+
				`},"annotations":{"a":`+text+`},"generatorURL":`+text+`}]}`)
			a := b.Alerts[0]
			if cut := b.Cut == 6; cut != strings.HasSuffix(tt.want, mark) {
				t.Errorf("%d cuts are counted", b.Cut)
			}
			for field, got := range map[string]string{
				"label": a.Labels["l"], "annotation": a.Annotations["a"], "url": a.URL, "group label": a.GroupLabels["l"],
				"sender's receiver": a.SenderReceiver, "external URL": a.ExternalURL,
			} {
				if got != tt.want {
					t.Errorf("%s: %d bytes that end with %q, want %d with %q", field, len(got), tail(got), len(tt.want), tail(tt.want))
				}
			}
		})
	}
}

func tail(s string) string { return s[max(0, len(s)-20):] }
