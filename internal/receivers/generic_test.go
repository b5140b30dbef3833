package receivers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

// shippedTypes are the types that are made of expressions.
var shippedTypes = []string{"generic", "grafana", "cloudevents", "aws-sns-cloudwatch"}

// typed is the default configuration of a type, under a name of its own.
func typed(kind string) receivers.Config {
	c := receivers.DefaultConfig()
	c.Name, c.Type, c.Path = "uptime", kind, "/webhook/uptime"
	return c
}

func newFormat(t testing.TB, c receivers.Config) receivers.Format {
	t.Helper()
	c.Validate(func(path, problem string) { t.Fatalf("%s: %s", path, problem) })
	f, err := receivers.NewFormat(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestShipped_samples(t *testing.T) {
	for _, kind := range shippedTypes {
		files, err := filepath.Glob("testdata/shipped/" + kind + "/*.json")
		if err != nil || len(files) == 0 {
			t.Fatalf("no samples of %s: %v", kind, err)
		}
		for _, file := range files {
			t.Run(file, func(t *testing.T) {
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				b, err := newFormat(t, typed(kind)).Decode(receivers.Message{Body: body, Arrived: arrival})
				compareGolden(t, strings.TrimSuffix(file, ".json")+".golden", batchText(t, b, err))
			})
		}
	}
}

func batchText(t *testing.T, b receivers.Batch, err error) string {
	t.Helper()
	if err != nil {
		return err.Error() + "\n"
	}
	text, err := json.Marshal(b, json.Deterministic(true), jsontext.WithIndent(" "))
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

func compareGolden(t *testing.T, golden, got string) {
	t.Helper()
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
}

// made is what became of a message, in short: the fingerprints or problems.
func made(b receivers.Batch, err error) string {
	if err != nil {
		return err.Error()
	}
	var parts []string
	for _, a := range b.Alerts {
		parts = append(parts, fmt.Sprintf("%s %v", a.Status, a.Labels))
	}
	for _, r := range b.Rejected {
		parts = append(parts, r.Reason+" "+r.Field+": "+r.Problem)
	}
	return strings.Join(parts, "\n")
}

// What a user writes in place of a shipped expression.
func TestGeneric_expressions(t *testing.T) {
	const body = `{"status":"firing","id":"x","labels":{"a":"1"},"n":2,"list":[1,2,3]}`
	const element = `; element 0 is {"id":"x","labels":{"a":"1"},"list":[1,2,3],"n":2,"status":"firing"}`
	const tooLong = ": it takes too many steps; does it end at all?"
	for _, tt := range []struct {
		name  string
		exprs receivers.GenericConfig
		want  string
	}{
		{"one is overridden, the others stay", receivers.GenericConfig{Labels: `{b: .n}`}, "firing map[b:2]"},
		{"blank is not overridden", receivers.GenericConfig{Labels: " \n"}, "firing map[a:1]"},
		{"numbers, true and false are texts, null is absent", receivers.GenericConfig{Labels: `{i: 1, f: 1.5, e: 1e30, b: false, n: null, big: 123456789012345678901234567890}`}, "firing map[b:false big:123456789012345678901234567890 e:1e+30 f:1.5 i:1]"},
		{"lists and objects are compact JSON", receivers.GenericConfig{Labels: `{l: [1,{z:2,a:"\"<"}], o: {}}`}, `firing map[l:[1,{"a":"\"<","z":2}] o:{}]`},
		{"multiplication", receivers.GenericConfig{Labels: `{a: (.n * 1000), b: ("x" * 3), c: ({p: {q: 1}} * {p: {r: 2}}), d: (2 * 3 + 1)}`}, `firing map[a:2000 b:xxx c:{"p":{"q":1,"r":2}} d:7]`},
		{"assignment to names", receivers.GenericConfig{Labels: `.labels | .b = "2" | .a |= . + "1"`}, "firing map[a:11 b:2]"},
		{"no results are absent", receivers.GenericConfig{Annotations: "empty", ID: "empty", StartsAt: "empty", URL: "empty"}, "firing map[a:1]"},

		{"status yields nothing", receivers.GenericConfig{Status: "empty"}, `bad_status status: receiver uptime: the expression status ` + "`empty`" + ` yields "", want firing or resolved` + element},
		{"two results", receivers.GenericConfig{Status: `"firing", "resolved"`}, "expression status: receiver uptime: the expression status `\"firing\", \"resolved\"` fails: it yields more than one value" + element},
		{"it fails", receivers.GenericConfig{Labels: `.list | .a`}, "expression labels: receiver uptime: the expression labels `.list | .a` fails: expected an object but got: array ([1,2,3])" + element},
		{"it fails in its own words", receivers.GenericConfig{URL: `error("no\n\u0000url")`}, "expression url: receiver uptime: the expression url `error(\"no\\n\\u0000url\")` fails: error: no \ufffdurl" + element},
		{"labels are no object", receivers.GenericConfig{Labels: ".list"}, "expression labels: receiver uptime: the expression labels `.list` yields a list, want an object" + element},
		{"id is an object", receivers.GenericConfig{ID: ".labels"}, "expression id: receiver uptime: the expression id `.labels` yields an object, want a text" + element},
		{"no time", receivers.GenericConfig{StartsAt: ".list"}, "bad_time starts_at: receiver uptime: the expression starts_at `.list` yields [1,2,3], want a time of RFC 3339 such as 2006-01-02T15:04:05Z, or seconds or milliseconds since 1970" + element},
		{"a bad name", receivers.GenericConfig{Labels: `{"": "x"}`}, "bad_name labels: receiver uptime: a name is empty" + element},
		{"too many names", receivers.GenericConfig{Annotations: `[range(65) | {("l\(.)"): 1}] | add`}, "too_many_labels annotations: receiver uptime: has more than 64 names" + element},
		{"an element loops", receivers.GenericConfig{Labels: "def f: f; f"}, "expression labels: receiver uptime: the expression labels `def f: f; f` fails" + tooLong + element},
		{"a text is multiplied without end", receivers.GenericConfig{URL: `"x" * 1e9`}, "expression url: receiver uptime: the expression url `\"x\" * 1e9` fails: a text of 1 bytes times 1e+09 is too long" + element},
		{"what is guarded works as ever", receivers.GenericConfig{Labels: `{a: (.list - [2]), b: (5 - .n), c: ([[1,2],[3]] | contains([[2]])), d: ("a,b" | index(",")), e: ("b" | inside("abc")), f: ([1,2,1] | indices(1)), g: ("aXbX" | gsub("(?<x>X)"; "<\(.x)>")), h: ("a1b2" | [scan("[0-9]")]), i: ("a, b" | split(", *"; null)), j: ("aab" | [match("a"; "g").offset]), k: ("xyx" | rindex("x")), l: ("x-1" | capture("(?<n>[0-9])").n)}`},
			`firing map[a:[1,3] b:3 c:true d:1 e:true f:[0,2] g:a<X>b<X> h:["1","2"] i:["a","b"] j:[0,1] k:2 l:1]`},
		{"a text is too long for all matches", receivers.GenericConfig{URL: `("x" * 20000) | gsub("x"; "y")`}, "expression url: receiver uptime: the expression url `(\"x\" * 20000) | gsub(\"x\"; \"y\")` fails: a text of 20000 bytes is too long to look for all matches; take its beginning, as with .[:4000]" + element},
		{"but not for one", receivers.GenericConfig{Labels: `{a: (("x" * 20000) + "y" | test("y$")), b: (("x" * 20000) | .[:3] | gsub("x"; "y"))}`}, "firing map[a:true b:yyy]"},
		{"each with each", receivers.GenericConfig{URL: `[range(5000)] | . - [range(5000)]`}, "expression url: receiver uptime: the expression url `[range(5000)] | . - [range(5000)]` fails: values of 5001 and 5001 parts are too long to compare each with each" + element},
		{"a text in a text", receivers.GenericConfig{URL: `("x" * 40000) | index("x" * 20000)`}, "expression url: receiver uptime: the expression url `(\"x\" * 40000) | index(\"x\" * 20000)` fails: values of 40000 and 20000 parts are too long to compare each with each" + element},
		{"halt in disguise", receivers.GenericConfig{URL: `. as [$a] | $a`}, "expression url: receiver uptime: the expression url `. as [$a] | $a` fails: expected an array but got: object ({\"id\":\"x\",\"labels\":{\"a\":\" ...})" + element},

		{"alerts yields nothing", receivers.GenericConfig{Alerts: ".list[] | select(. > 3)"}, "body: receiver uptime: the expression alerts `.list[] | select(. > 3)` yields nothing; the body is {\"id\":\"x\",\"labels\":{\"a\":\"1\"},\"list\":[1,2,3],\"n\":2,\"status\":\"firing\"}"},
		{"alerts yields nothing, and the sender also sends what is no alert", receivers.GenericConfig{Alerts: "empty", Notice: "empty"}, ""},
		{"alerts yields no objects", receivers.GenericConfig{Alerts: ".list[0], null"}, "expression alerts: receiver uptime: the expression alerts `.list[0], null` yields a number, want an object; element 0 is 1\nexpression alerts: receiver uptime: the expression alerts `.list[0], null` yields null, want an object; element 1 is null"},
		{"alerts yields a million", receivers.GenericConfig{Alerts: "range(1000000)"}, "body: receiver uptime: the expression alerts `range(1000000)` yields more than max_alerts (50000) values; send fewer at once"},
		{"alerts loops", receivers.GenericConfig{Alerts: "def f: f; f"}, "body: receiver uptime: the expression alerts `def f: f; f` fails" + tooLong},
		{"alerts collects without end", receivers.GenericConfig{Alerts: "[range(1e9)]"}, "body: receiver uptime: the expression alerts `[range(1e9)]` fails" + tooLong},
		{"alerts repeats without end", receivers.GenericConfig{Alerts: `[limit(1e9; repeat("x"))]`}, "body: receiver uptime: the expression alerts `[limit(1e9; repeat(\"x\"))]` fails" + tooLong},
		{"alerts nests without end", receivers.GenericConfig{Alerts: "def f: [f]; f"}, "body: receiver uptime: the expression alerts `def f: [f]; f` fails" + tooLong},
		{"alerts fails", receivers.GenericConfig{Alerts: ".n[]"}, "body: receiver uptime: the expression alerts `.n[]` fails: cannot iterate over: number (2)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := typed("generic")
			c.Generic = tt.exprs
			got := made(newFormat(t, c).Decode(receivers.Message{Body: []byte(body), Arrived: arrival}))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Nothing comes of nothing, and a line that holds no alert is none of the others' business.
func TestGeneric_nothing(t *testing.T) {
	c := typed("generic")
	c.Generic.Alerts = `if type == "array" then .[] else .alerts[]? end`
	const refused = "body: receiver uptime: the expression alerts `if type == \"array\" then .[] else .alerts[]? end` yields nothing; the body is "
	const one = `{"alerts":[{"status":"firing","id":1}]}`
	for body, want := range map[string]string{
		`[]`: "", "[]\n[]": "", one: "firing map[]", one + "\n{}": "firing map[]", "{}\n" + one: "firing map[]",
		`{"alert":[]}`: refused + `{"alert":[]}`, "[]\n{}": refused + "{}",
	} {
		if got := made(newFormat(t, c).Decode(receivers.Message{Body: []byte(body), Arrived: arrival})); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
}

// When the expressions of a request have used up its steps, what is left becomes
// dead letters: it has been taken, and must not be lost.
func TestGeneric_stepsOfAllElements(t *testing.T) {
	c := typed("generic")
	c.Generic.URL = `if .loops then (def f: f; f) else "x" end`
	looping, fine := `{"status":"firing","id":1,"loops":true}`, `{"status":"firing","id":1}`
	body := "[" + fine + strings.Repeat(","+looping, 60) + "," + fine + "]"
	b, err := newFormat(t, c).Decode(receivers.Message{Body: []byte(body), Arrived: arrival})
	if err != nil || len(b.Alerts) != 1 || len(b.Rejected) != 61 {
		t.Fatalf("%d alerts, %d rejected, %v", len(b.Alerts), len(b.Rejected), err)
	}
}

// What is refused when the configuration is read.
func TestGeneric_Validate(t *testing.T) {
	for source, want := range map[string]string{
		".a[":                           "not a jq expression: unexpected EOF at character 3 of `.a[`",
		". as $x | $y":                  "variable not defined: $y; the expression is `. as $x | $y`",
		"foo(1)":                        "function not defined: foo/1; the expression is `foo(1)`",
		"input":                         "the function input cannot be used: the body is the only input; the expression is `input`",
		"[inputs]":                      "the function inputs cannot be used: the body is the only input; the expression is `[inputs]`",
		"input_filename":                "function not defined: input_filename/0; the expression is `input_filename`",
		"debug":                         "function not defined: debug/0; the expression is `debug`",
		"stderr":                        "function not defined: stderr/0; the expression is `stderr`",
		"$__loc__":                      "variable not defined: $__loc__; the expression is `$__loc__`",
		"get_search_list":               "function not defined: get_search_list/0; the expression is `get_search_list`",
		"{a: (.b | env.PATH)}":          "the function env cannot be used: the environment is not for expressions; the expression is `{a: (.b | env.PATH)}`",
		`"x\($ENV)"`:                    "the function $ENV cannot be used: the environment is not for expressions; the expression is `\"x\\($ENV)\"`",
		"if .a then halt else 1 end":    "the function halt cannot be used: use empty or error instead; the expression is `if .a then halt else 1 end`",
		`import "a" as a; .`:            "modules cannot be loaded; the expression is `import \"a\" as a; .`",
		`include "a"; .`:                "modules cannot be loaded; the expression is `include \"a\"; .`",
		".a[.n] = 1":                    "left of = there are only names: a number of the sender's could make a list of any length; the expression is `.a[.n] = 1`",
		"def f: .a *= 2; f":             "the operator *= cannot be used: write |= with * on its right; the expression is `def f: .a *= 2; f`",
		".a -= 1":                       "the operator -= cannot be used: write |= with - on its right; the expression is `.a -= 1`",
		"def gsub(a; b): .; gsub(1; 2)": "the function gsub is jq's own; give yours another name; the expression is `def gsub(a; b): .; gsub(1; 2)`",
		"[.a, .b] | transpose":          "the function transpose cannot be used: two long lists of the sender's, crosswise, could take all memory; the expression is `[.a, .b] | transpose`",
		"setpath([1e8]; 1)":             "the function setpath cannot be used: a path of the sender's could make a list of any length; the expression is `setpath([1e8]; 1)`",
	} {
		t.Run(source, func(t *testing.T) {
			c := typed("generic")
			c.Generic.Labels = source
			var got []string
			c.Validate(func(path, problem string) { got = append(got, path+": "+problem) })
			if diff := cmp.Diff([]string{"generic.labels: " + want}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, err := receivers.NewFormat(c); err == nil || err.Error() != "generic.labels: "+want {
				t.Errorf("NewFormat says %v", err)
			}
		})
	}
}

// The same alert is the same alarm, firing or resolved, whatever else changes.
func TestGeneric_identity(t *testing.T) {
	f := newFormat(t, typed("generic"))
	print := func(body string) string {
		t.Helper()
		b, err := f.Decode(receivers.Message{Body: []byte(body), Arrived: arrival})
		switch {
		case err != nil:
			t.Fatal(err)
		case len(b.Alerts) > 0:
			return b.Alerts[0].Fingerprint
		}
		return b.Rejected[0].Alert.Fingerprint
	}
	long := strings.Repeat("x", 5000)
	for name, same := range map[string][2]string{
		"by id":                     {`{"status":"firing","id":7,"labels":{"a":"1"}}`, `{"status":"resolved","id":"7","labels":{"a":"2"}}`},
		"by labels":                 {`{"status":"firing","labels":{"a":1,"b":"2"}}`, `{"status":"resolved","labels":{"b":"2","a":"1","c":""}}`},
		"also where it is rejected": {`{"status":"firing","id":7}`, `{"status":"?","id":7}`},
		"by all of it":              {`{"status":"firing","x":1}`, `{"x":1,"status":"firing"}`},
	} {
		if a, b := print(same[0]), print(same[1]); a != b {
			t.Errorf("%s: %s and %s", name, a, b)
		}
	}
	for name, other := range map[string][2]string{
		"another id":             {`{"status":"firing","id":7,"labels":{"a":"1"}}`, `{"status":"firing","id":8,"labels":{"a":"1"}}`},
		"labels beyond the cut":  {`{"status":"firing","labels":{"a":"` + long + `1"}}`, `{"status":"firing","labels":{"a":"` + long + `2"}}`},
		"rejected in other ways": {`{"status":"firing","x":1}`, `{"status":"firing","x":2}`},
	} {
		if a, b := print(other[0]), print(other[1]); a == b {
			t.Errorf("%s: both %s", name, a)
		}
	}
}

func TestGeneric_forms(t *testing.T) {
	const form, want = "application/x-www-form-urlencoded; charset=utf-8", "firing map[a:b c]"
	for _, tt := range []struct{ name, contentType, body, want string }{
		{"the usual field", form, "x=1&payload=%7B%22status%22%3A%22firing%22%2C%22labels%22%3A%7B%22a%22%3A%22b+c%22%7D%7D&y", want},
		{"JSON that curl calls a form", form, ` {"status":"firing","labels":{"a":"b c"}}`, want},
		{"without the field", form, "x=1", "body: is a form without the field payload, which is to hold the JSON; send the JSON with content type application/json, or name the field in generic.form_field"},
		{"empty", form, "", "body: is a form without the field payload, which is to hold the JSON; send the JSON with content type application/json, or name the field in generic.form_field"},
		{"twice", form, "payload=1&payload=2", "payload: the field stands twice in the form"},
		{"badly encoded", form, "payload=%7", "payload: the field of the form is not encoded as %XX"},
		{"not JSON", form, "payload=x", "body: is not valid JSON at byte 0: invalid character 'x' at start of value"},
		{"not a form", "text/plain", "payload=x", "body: is not valid JSON at byte 0: invalid character 'p' at start of value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := made(newFormat(t, typed("generic")).Decode(receivers.Message{Body: []byte(tt.body), ContentType: tt.contentType, Arrived: arrival}))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	c := typed("generic")
	c.Generic.FormField = "alert"
	if got := made(newFormat(t, c).Decode(receivers.Message{Body: []byte(`alert={"status":"firing","labels":{"a":"b+c"}}`), ContentType: form, Arrived: arrival})); got != want {
		t.Errorf("another field: %s", got)
	}
}

// Times that senders write.
func TestGeneric_times(t *testing.T) {
	f := newFormat(t, typed("generic"))
	for sent, want := range map[string]string{
		`1795281393`: "2026-11-21T17:16:33Z", `1795281393.5`: "2026-11-21T17:16:33.5Z", `1795281393123`: "2026-11-21T17:16:33.123Z", `"1795281393"`: "2026-11-21T17:16:33Z",
		`"2026-11-21T18:16:33+01:00"`: "2026-11-21T17:16:33Z", `null`: "arrival", `""`: "arrival", `0`: "arrival", `-5`: "arrival", `"0001-01-01T00:00:00Z"`: "arrival",
		`true`: "bad", `"yesterday"`: "bad", `1e300`: "bad", `1795281393123456789`: "bad", `"9999-12-31T23:59:59-01:00"`: "bad", `{}`: "bad",
	} {
		b, err := f.Decode(receivers.Message{Body: []byte(`{"status":"firing","id":1,"starts_at":` + sent + `}`), Arrived: arrival})
		if err != nil {
			t.Fatal(err)
		}
		got := "bad"
		if len(b.Alerts) > 0 {
			got = strings.Replace(b.Alerts[0].StartsAt.Format("2006-01-02T15:04:05.999Z07:00"), "2026-11-21T18:00:00Z", "arrival", 1)
		}
		if got != want {
			t.Errorf("%s is %s, want %s", sent, got, want)
		}
	}
}

// A notice is for the log: without one, or with one that fails, the alerts count.
func TestGeneric_noticeCostsNoAlert(t *testing.T) {
	for body, want := range map[string]string{
		`{"status":"firing","labels":{"alertname":"a"}}`:              "",
		`{"status":"firing","labels":{"alertname":"a"},"n":null}`:     "",
		`{"status":"firing","labels":{"alertname":"a"},"n":"see it"}`: "see it",
		`{"status":"firing","labels":{"alertname":"a"},"n":7}`:        "body: receiver uptime: the expression notice `.n` fails: want a text, got a number",
	} {
		c := typed("generic")
		c.Generic.Notice = ".n"
		b, err := newFormat(t, c).Decode(receivers.Message{Body: []byte(body), Arrived: arrival})
		if err != nil || len(b.Alerts) != 1 || b.Notice != want {
			t.Errorf("%s: %d alerts, notice %q, %v; want one, %q", body, len(b.Alerts), b.Notice, err, want)
		}
	}
}
