package receivers_test

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/receivers"
)

func zabbixConfig() receivers.Config {
	c := receivers.DefaultConfig()
	c.Name, c.Type, c.Path = "zabbix", "zabbix", "/webhook/zabbix"
	return c
}

func decodeZabbix(t testing.TB, body string) (receivers.Batch, error) {
	t.Helper()
	format, err := receivers.NewFormat(zabbixConfig())
	if err != nil {
		t.Fatal(err)
	}
	return format.Decode(receivers.Message{Body: []byte(body), Arrived: arrival})
}

func mustDecodeZabbix(t *testing.T, body string) alert.Alert {
	t.Helper()
	b, err := decodeZabbix(t, body)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Alerts) != 1 || len(b.Rejected) != 0 || b.Receiver != "zabbix" {
		t.Fatalf("got %+v", b)
	}
	return b.Alerts[0]
}

// zabbixCaptures are requests of a real Zabbix. Those with another script than
// ours have an error as golden output.
func zabbixCaptures(t testing.TB) []capture {
	t.Helper()
	files, err := filepath.Glob("testdata/zabbix/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	all := make([]capture, len(files))
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &all[i]); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[i].file = file
	}
	return all
}

func TestZabbix_Captures(t *testing.T) {
	for _, c := range zabbixCaptures(t) {
		if c.Method != http.MethodPost {
			continue
		}
		t.Run(c.file, func(t *testing.T) {
			got := zabbixOutcome(t, c.Body)
			golden := strings.TrimSuffix(c.file, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func zabbixOutcome(t *testing.T, body string) string {
	b, err := decodeZabbix(t, body)
	if err != nil {
		return err.Error() + "\n"
	}
	text, err := json.Marshal(b, json.Deterministic(true), jsontext.WithIndent(" "))
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// event is a request with these parameters over those of a usual problem; null
// takes one away.
func event(t testing.TB, change string) string {
	t.Helper()
	fields := map[string]any{
		"event_id": "31", "event_source": "0", "event_value": "1", "event_update_status": "0", "event_nseverity": "4",
		"event_name": "Disk full", "host_name": "web-1", "alert_message": "Problem started", "event_tagsjson": "[]",
	}
	var changed map[string]any
	if err := json.Unmarshal([]byte(change), &changed); err != nil {
		t.Fatal(err)
	}
	maps.Copy(fields, changed)
	text, err := json.Marshal(fields, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestZabbix_Complete(t *testing.T) {
	got := mustDecodeZabbix(t, event(t, `{"event_update_status":"1","host_ip":"192.0.2.7","host_host":"web1.internal","trigger_id":"23133",
		"trigger_hostgroup_name":"Linux, Web","trigger_description":"look","trigger_url":"https://wiki.example/disk","zabbix_url":"https://zabbix.example/",
		"event_opdata":"97 %","alert_subject":"Updated: Disk full","event_date":"2026.11.21","event_time":"19:00:00","event_ack_status":"Yes",
		"event_update_action":"acknowledged and commented","event_update_message":"on it","user_fullname":"Ops (ops)",
		"event_update_date":"2026.11.21","event_update_time":"19:01:02","event_tagsjson":"[{\"tag\":\"team\",\"value\":\"db\"}]"}`))
	want := alert.Alert{
		Receiver: "zabbix", Source: "zabbix", Status: alert.Firing, StartsAt: arrival, Fingerprint: "31", ID: "31", Once: true,
		Revision: "update 2026.11.21 19:01:02", URL: "https://zabbix.example/tr_events.php?triggerid=23133&eventid=31",
		Labels: map[string]string{
			"alertname": "Disk full", "severity": "high", "host": "web-1", "instance": "192.0.2.7", "hostgroup": "Linux, Web",
			"trigger_id": "23133", "event_id": "31", "event_source": "trigger", "team": "db",
		},
		Annotations: map[string]string{
			"summary": "Updated: Disk full", "description": "Problem started", "opdata": "97 %", "trigger_description": "look",
			"trigger_url": "https://wiki.example/disk", "event_date": "2026.11.21", "event_time": "19:00:00", "acknowledged": "Yes",
			"update_action": "acknowledged and commented", "update_message": "on it", "update_user": "Ops (ops)",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What a message is, by value, update and source.
func TestZabbix_State(t *testing.T) {
	for _, tt := range []struct {
		name, change string
		status       alert.Status
		revision     string
	}{
		{"problem", `{}`, alert.Firing, ""},
		{"problem without the status of updates", `{"event_update_status":"{EVENT.UPDATE.STATUS}"}`, alert.Firing, ""},
		{"update", `{"event_update_status":"1"}`, alert.Firing, "update"},
		{"recovery", `{"event_value":"0"}`, alert.Resolved, ""},
		{"closed by hand, or a comment afterwards", `{"event_value":"0","event_update_status":"1"}`, alert.Resolved, "update"},
		{"numbers that are numbers", `{"event_id":31,"event_value":0,"event_update_status":1,"event_source":0,"event_nseverity":5}`, alert.Resolved, "update"},
		{"no source", `{"event_source":null}`, alert.Firing, ""},
		{"internal", `{"event_source":"3","event_update_status":"{EVENT.UPDATE.STATUS}","event_nseverity":"{EVENT.NSEVERITY}"}`, alert.Firing, ""},
		{"service", `{"event_source":"4"}`, alert.Firing, ""},
		{"update of a service", `{"event_source":"4","event_update_status":"{EVENT.UPDATE.STATUS}","event_update_nseverity":"5"}`, alert.Firing, "update"},
		{"recovery of a service", `{"event_source":"4","event_value":"0"}`, alert.Resolved, ""},
		{"discovery has no value", `{"event_source":"1","event_value":"{EVENT.VALUE}","event_update_status":"{EVENT.UPDATE.STATUS}"}`, alert.Firing, ""},
		{"autoregistration has no value", `{"event_source":"2","event_value":"{EVENT.VALUE}"}`, alert.Firing, ""},
		{"escalation canceled", `{"alert_message":"NOTE: Escalation canceled: trigger \"x\" disabled.\nLast message sent:\nProblem"}`, alert.Resolved, ""},
		{"escalation cancelled, as it was spelled", `{"alert_message":"NOTE: Escalation cancelled: x"}`, alert.Resolved, ""},
		{"a message that speaks of it", `{"alert_message":"see NOTE: Escalation canceled: x"}`, alert.Firing, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := mustDecodeZabbix(t, event(t, tt.change))
			if a.Status != tt.status || a.Revision != tt.revision || a.EndsAt.IsZero() != (tt.status == alert.Firing) {
				t.Errorf("%s, revision %q, ends at %s", a.Status, a.Revision, a.EndsAt)
			}
			if canceled := strings.HasPrefix(tt.name, "escalation"); canceled != (a.Annotations["reason"] != "") {
				t.Errorf("reason %q", a.Annotations["reason"])
			}
		})
	}
}

func TestZabbix_Severity(t *testing.T) {
	for n, want := range []string{"not_classified", "information", "warning", "average", "high", "disaster"} {
		got := mustDecodeZabbix(t, event(t, `{"event_nseverity":"`+string(rune('0'+n))+`"}`)).Labels["severity"]
		if got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	if got := mustDecodeZabbix(t, event(t, `{"event_update_nseverity":"5"}`)).Labels["severity"]; got != "disaster" {
		t.Errorf("the new severity of a service: %q", got)
	}
	if got, ok := mustDecodeZabbix(t, event(t, `{"event_nseverity":"{EVENT.NSEVERITY}"}`)).Labels["severity"]; ok {
		t.Errorf("an event without severity: %q", got)
	}
}

func TestZabbix_Absent(t *testing.T) {
	for text, absent := range map[string]bool{
		"": true, "*UNKNOWN*": true, "{HOST.NAME}": true, "{HOST.NAME2}": true, "{EVENT.TAGS.x y}": true, `{EVENT.TAGS."a b"}`: true,
		"{$ZABBIX.URL}": true, `{$X:"ctx"}`: true, "{DATE}": true,
		"UNKNOWN": false, "{}": false, "{host.name}": false, "a {HOST.NAME}": false, "{HOST.NAME} b": false, `{"A.B":1}`: false, "{A.{B}}": false,
	} {
		body, err := json.Marshal(map[string]string{"host_name": text})
		if err != nil {
			t.Fatal(err)
		}
		got, ok := mustDecodeZabbix(t, event(t, string(body))).Labels["host"]
		if ok == absent || !absent && got != text {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestZabbix_Tags(t *testing.T) {
	many := `[` + strings.Repeat(`{"tag":"same","value":"x"},`, 100)
	for i := range 80 {
		many += `{"tag":"t` + string(rune('a'+i/26)) + string(rune('a'+i%26)) + `","value":"v"},`
	}
	many = strings.TrimSuffix(many, ",") + `]`
	for _, tt := range []struct {
		name, tags string
		want       map[string]string // besides those of the event; nil = only counted
		left       string
	}{
		{"none", `[]`, map[string]string{}, ""},
		{"null", `null`, map[string]string{}, ""},
		{"one", `[{"tag":"team","value":"db"}]`, map[string]string{"team": "db"}, ""},
		{"repeats are joined, each value once", `[{"tag":"a","value":"1"},{"tag":"a","value":"2"},{"tag":"a","value":"1"}]`, map[string]string{"a": "1,2"}, ""},
		{"an empty value", `[{"tag":"flag","value":""}]`, map[string]string{"flag": "true"}, ""},
		{"a macro as value", `[{"tag":"os","value":"*UNKNOWN*"}]`, map[string]string{"os": "true"}, ""},
		{"clashes with our labels", `[{"tag":"host","value":"x"},{"tag":"severity","value":"y"},{"tag":"receiver","value":"z"},{"tag":"instance","value":"i"}]`,
			map[string]string{"tag_host": "x", "tag_severity": "y", "tag_receiver": "z", "tag_instance": "i"}, ""},
		{"a clash that is a tag too", `[{"tag":"host","value":"x"},{"tag":"tag_host","value":"y"}]`, map[string]string{"tag_host": "x,y"}, ""},
		{"those of media types", `[{"tag":"__zbx_coc_alarm","value":"x"},{"tag":"__zbx_jira","value":"y"},{"tag":"__own","value":"z"}]`, map[string]string{"__own": "z"}, ""},
		{"names that no label has", `[{"tag":"","value":"x"},{"tag":"a\nb","value":"y"},{"tag":"` + strings.Repeat("n", 257) + `","value":"z"}]`, map[string]string{}, "3"},
		{"too many", many, nil, "23"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := json.Marshal(map[string]string{"event_tagsjson": tt.tags})
			if err != nil {
				t.Fatal(err)
			}
			labels := mustDecodeZabbix(t, event(t, string(body))).Labels
			if labels["tags_left_out"] != tt.left || len(labels) > 64 {
				t.Errorf("%d labels, %q left out, want %q", len(labels), labels["tags_left_out"], tt.left)
			}
			for _, own := range []string{"alertname", "severity", "host", "event_id", "event_source", "tags_left_out"} {
				delete(labels, own)
			}
			if diff := cmp.Diff(tt.want, labels); tt.want != nil && diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestZabbix_URL(t *testing.T) {
	for change, want := range map[string]string{
		`{"zabbix_url":"https://z.example/zabbix/","trigger_id":"7"}`:                                            "https://z.example/zabbix/tr_events.php?triggerid=7&eventid=31",
		`{"zabbix_url":"https://z.example","trigger_id":"{TRIGGER.ID}","trigger_url":"http://a"}`:                "https://z.example",
		`{"zabbix_url":"{$ZABBIX.URL}","trigger_id":"7","trigger_url":"https://wiki.example"}`:                   "https://wiki.example",
		`{"zabbix_url":"javascript:x","trigger_id":"7","trigger_url":"data:x"}`:                                  "",
		`{"zabbix_url":"https://z.example","trigger_id":"7&x=y","trigger_url":"https://wiki.example/a b\u000a"}`: "https://z.example",
		`{}`: "",
	} {
		if got := mustDecodeZabbix(t, event(t, change)).URL; got != want {
			t.Errorf("%s: %q, want %q", change, got, want)
		}
	}
}

func TestZabbix_LongTextsAreCut(t *testing.T) {
	a := mustDecodeZabbix(t, event(t, `{"event_name":"`+strings.Repeat("中", 2000)+`"}`))
	if got := a.Labels["alertname"]; len(got) > 4096 || !strings.HasSuffix(got, "…[cut]") {
		t.Errorf("%d bytes: …%s", len(got), got[len(got)-20:])
	}
}

// Discovery and autoregistration know a host by other macros.
func TestZabbix_Fallbacks(t *testing.T) {
	got := mustDecodeZabbix(t, event(t, `{"event_source":"1","event_name":"{EVENT.NAME}","host_name":"{HOST.NAME}","event_nseverity":null,
		"discovery_ip":"192.0.2.9","discovery_dns":"new.example","alert_subject":"Discovery: 192.0.2.9"}`)).Labels
	want := map[string]string{"alertname": "Discovery: 192.0.2.9", "host": "new.example", "instance": "192.0.2.9", "event_id": "31", "event_source": "discovery"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestZabbix_Answer(t *testing.T) {
	alarm := mustDecodeZabbix(t, event(t, `{}`)).AlarmID()
	for name, tt := range map[string]struct {
		look receivers.Look
		want string
	}{
		"without a console":  {nil, `{"status":"ok","alerts":1,"tags":{"__zbx_coc_alarm":"` + alarm + `"}}`},
		"nothing to link to": {func(alert.Alert) receivers.Seen { return receivers.Seen{} }, `{"status":"ok","alerts":1,"tags":{"__zbx_coc_alarm":"` + alarm + `"}}`},
		"with a console and a ticket": {
			func(a alert.Alert) receivers.Seen {
				return receivers.Seen{Link: "https://c.example/?a=" + a.AlarmID(), Incident: "IM1"}
			},
			`{"status":"ok","alerts":1,"tags":{"__zbx_coc_alarm":"` + alarm + `","__zbx_coc_link":"https://c.example/?a=` + alarm + `","__zbx_coc_incident":"IM1"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, func(o *receivers.Options) { o.Config, o.Look = zabbixConfig(), tt.look })
			r := s.request(t, http.MethodPost, event(t, `{}`))
			// What a script sends that adds a header, but not this one.
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if got := s.do(t, r); got.status != http.StatusOK || got.body != tt.want {
				t.Errorf("answered %d %s, want %s", got.status, got.body, tt.want)
			}
		})
	}
}

// Each is refused as a whole: 400, the exact sentence, nothing stored.
func TestZabbix_BadInput(t *testing.T) {
	const wantID = ", want the number of an event; give the media type the parameter event_id with the value {EVENT.ID}"
	const twice = "the name stands twice in its object, and it is not clear which one is meant"
	const noObject = "body: want an object with the parameters of the media type, got %; import deploy/zabbix/media_cocbridge.yaml"
	const noTags = "event_tagsjson: is not a list of tags; give the media type the parameter event_tagsjson with the value {EVENT.TAGSJSON}"
	with := func(change string) string { return event(t, change) }
	var all []string
	for _, name := range []string{"EVENT.ID", "EVENT.VALUE", "EVENT.SOURCE", "EVENT.NSEVERITY", "EVENT.NAME", "EVENT.TAGSJSON"} {
		all = append(all, `"`+strings.ToLower(strings.ReplaceAll(name, ".", "_"))+`":"{`+name+`}"`)
	}
	for _, tt := range []struct{ name, body, want string }{
		{"the Test button", `{` + strings.Join(all, ",") + `}`, "test received, macros unresolved: working"},
		{"empty", "", "body: is empty"},
		{"null", "null", strings.Replace(noObject, "%", "null", 1)},
		{"a list", "[{}]", strings.Replace(noObject, "%", "a list", 1)},
		{"a text", `"x"`, strings.Replace(noObject, "%", "a string", 1)},
		{"a form", "event_id=1", "body: is not valid JSON at byte 0: invalid character 'e' at start of value"},
		{"cut off by Zabbix", with(`{}`)[:40], "body: the JSON ends too early, at byte 40"},
		{"two", with(`{}`) + with(`{}`), "body: has more after the JSON object, which ends at byte 203"},
		{"of another script", `{"eventid":"4","value":"1"}`, "event_id: is missing; give the media type the parameter event_id with the value {EVENT.ID}"},
		{"no event id", with(`{"event_id":null}`), "event_id: is missing; give the media type the parameter event_id with the value {EVENT.ID}"},
		{"an empty event id", with(`{"event_id":""}`), "event_id: is missing; give the media type the parameter event_id with the value {EVENT.ID}"},
		{"another macro as event id", with(`{"event_id":"{EVENT.IDD}"}`), `event_id: is "{EVENT.IDD}"` + wantID},
		{"an unresolved id beside a value", with(`{"event_id":"{EVENT.ID}"}`), `event_id: is "{EVENT.ID}"` + wantID},
		{"event id 0", with(`{"event_id":"0"}`), `event_id: is "0"` + wantID},
		{"event id with zeros", with(`{"event_id":"007"}`), `event_id: is "007"` + wantID},
		{"event id below 0", with(`{"event_id":-1}`), `event_id: is "-1"` + wantID},
		{"event id with a fraction", with(`{"event_id":1.5}`), `event_id: is "1.5"` + wantID},
		{"event id with a blank", with(`{"event_id":"1 "}`), `event_id: is "1 "` + wantID},
		{"event id with a line", with(`{"event_id":"1\n2"}`), `event_id: is "1\n2"` + wantID},
		{"a very long event id", with(`{"event_id":"` + strings.Repeat("9", 5000) + `"}`), `event_id: is "` + strings.Repeat("9", 56) + `…[cut]"` + wantID},
		{"event id an object", with(`{"event_id":{"a":1}}`), "event_id: want a string, got an object"},
		{"event id a list", with(`{"event_id":["1"]}`), "event_id: want a string, got a list"},
		{"event id true", with(`{"event_id":true}`), "event_id: want a string, got true or false"},
		{"no value", with(`{"event_value":null}`), "event_value: is missing; give the media type the parameter event_value with the value {EVENT.VALUE}"},
		{"value 2", with(`{"event_value":"2"}`), `event_value: is "2", want a number from 0 to 1`},
		{"value PROBLEM", with(`{"event_value":"PROBLEM"}`), `event_value: is "PROBLEM", want a number from 0 to 1`},
		{"value 01", with(`{"event_value":"01"}`), `event_value: is "01", want a number from 0 to 1`},
		{"value 1e0", with(`{"event_value":"+1"}`), `event_value: is "+1", want a number from 0 to 1`},
		{"value true", with(`{"event_value":true}`), "event_value: want a string, got true or false"},
		{"update status 2", with(`{"event_update_status":"2"}`), `event_update_status: is "2", want a number from 0 to 1`},
		{"source 5", with(`{"event_source":"5"}`), `event_source: is "5", want a number from 0 to 4`},
		{"severity 6", with(`{"event_nseverity":"6"}`), `event_nseverity: is "6", want a number from 0 to 5`},
		{"severity High", with(`{"event_nseverity":"High"}`), `event_nseverity: is "High", want a number from 0 to 5`},
		{"a name that is an object", with(`{"event_name":{}}`), "event_name: want a string, got an object"},
		{"tags that are a list", with(`{"event_tagsjson":[]}`), "event_tagsjson: want a string, got a list"},
		{"tags that are no JSON", with(`{"event_tagsjson":"service:web"}`), noTags},
		{"tags that are an object", with(`{"event_tagsjson":"{\"a\":\"b\"}"}`), noTags},
		{"a tag that is a text", with(`{"event_tagsjson":"[\"a\"]"}`), noTags},
		{"a tag's value that is a number", with(`{"event_tagsjson":"[{\"tag\":\"a\",\"value\":1}]"}`), noTags},
		{"more after the tags", with(`{"event_tagsjson":"[] []"}`), noTags},
		{"a NUL in the tags", with(`{"event_tagsjson":"[{\"tag\":\"a\\u0000\",\"value\":\"\"}]"}`), "event_tagsjson: holds a NUL character"},
		{"tags nested too deep", with(`{"event_tagsjson":"` + nested(40) + `"}`), "event_tagsjson: is nested deeper than 32 levels"},
		{"very long tags", with(`{"event_tagsjson":"` + strings.Repeat(" ", 70000) + `[]"}`), "event_tagsjson: is longer than the 64 KiB that Zabbix sends; send the value of {EVENT.TAGSJSON}"},
		{"a parameter twice", `{"event_id":"1","event_value":"1","event_id":"2"}`, "event_id: " + twice},
		{"a parameter twice, once escaped", `{"event_id":"1","event\u005fid":"2"}`, "event_id: " + twice},
		{"an unknown parameter twice", `{"x":"1","x":"2"}`, "x: " + twice},
		{"257 parameters", wide(257), "body: has more than 256 fields"},
		{"nested too deep", `{"x":` + nested(33) + `}`, "x" + strings.Repeat("[0]", 31) + ": is nested deeper than 32 levels"},
		{"NUL", with(`{"event_name":"a\u0000b"}`), "event_name: holds a NUL character"},
		{"invalid UTF-8", `{"event_name":"` + "\xff" + `"}`, "event_name: is not valid JSON at byte 15: invalid UTF-8"},
		{"Alertmanager's message", message(good), "event_id: is missing; give the media type the parameter event_id with the value {EVENT.ID}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, func(o *receivers.Options) { o.Config = zabbixConfig() })
			got := s.post(t, tt.body)
			if got.status != http.StatusBadRequest || got.body != errorBody(tt.want) {
				t.Errorf("answered %d %s\nwant %s", got.status, got.body, errorBody(tt.want))
			}
			if len(s.accepted()) != 0 {
				t.Error("something was stored")
			}
			_, err := decodeZabbix(t, tt.body)
			checkError(t, err)
		})
	}
}

func FuzzZabbix(f *testing.F) {
	for _, c := range zabbixCaptures(f) {
		f.Add([]byte(c.Body))
	}
	for _, change := range []string{`{}`, `{"event_tagsjson":"[{\"tag\":\"a\",\"value\":\"{X}\"},{\"tag\":\"\"}]"}`, `{"event_id":1,"event_value":0}`,
		`{"event_source":"2"}`, `{"alert_message":"NOTE: Escalation canceled: \u001b[31m"}`, `{"zabbix_url":"http://\u0001"}`} {
		f.Add([]byte(event(f, change)))
	}
	format, err := receivers.NewFormat(zabbixConfig())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		sent := string(body)
		b, err := format.Decode(receivers.Message{Body: body, Arrived: arrival})
		if string(body) != sent {
			t.Fatal("the body was changed")
		}
		if err != nil {
			checkError(t, err)
			return
		}
		checkZabbix(t, b, body)
	})
}

// checkZabbix: one alert, with every promise of Batch, that the library reads
// the same event id from.
func checkZabbix(t *testing.T, b receivers.Batch, body []byte) {
	if len(b.Alerts) != 1 || len(b.Rejected) != 0 {
		t.Fatalf("%d alerts, %d rejected", len(b.Alerts), len(b.Rejected))
	}
	a := b.Alerts[0]
	if a.EndsAt.IsZero() != (a.Status == alert.Firing) || !a.Once || a.Fingerprint != a.ID || a.Labels["event_id"] != a.ID {
		t.Fatalf("got %+v", a)
	}
	checkTexts(t, a.ID, a.Revision)
	var known struct {
		ID jsontext.Value `json:"event_id"`
	}
	var semantic *json.SemanticError
	if err := json.Unmarshal(body, &known, jsontext.AllowDuplicateNames(true)); err != nil && !errors.As(err, &semantic) {
		t.Fatalf("we accept what the library refuses: %v", err)
	}
	if strings.Trim(string(known.ID), `"`) != a.ID && !strings.Contains(string(known.ID), `\`) {
		t.Fatalf("event id %s, the library has %s", a.ID, known.ID)
	}
	a.Fingerprint = "0000000000000000" // the id is checked above
	checkAlert(t, a)
	if _, err := json.Marshal(b); err != nil {
		t.Fatalf("the batch cannot be stored: %v", err)
	}
}
