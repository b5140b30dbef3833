package receivers_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

const good = `{"status":"firing","labels":{"alertname":"A"},"fingerprint":"00000000000000aa"}`

// Each is refused as a whole: exact status, exact sentence, nothing stored.
func TestHandler_BadInput(t *testing.T) {
	const wantTime = "want a time of RFC 3339 such as 2006-01-02T15:04:05.999Z"
	const twice = "the name stands twice in its object, and it is not clear which one is meant"
	tests := []struct {
		name, body string
		status     int
		message    string
	}{
		{"empty", "", 400, "body: is empty"},
		{"only space", " \n", 400, "body: is empty"},
		{"a string, as with an own payload", `"firing"`, 400, "body: want the object that Alertmanager sends, got a string; remove payload from its webhook_config"},
		{"a list", `[]`, 400, "body: want the object that Alertmanager sends, got a list; remove payload from its webhook_config"},
		{"null", `null`, 400, "body: want the object that Alertmanager sends, got null; remove payload from its webhook_config"},
		{"not JSON", `alert=1`, 400, "body: is not valid JSON at byte 0: invalid character 'a' at start of value"},
		{"cut off", message(good)[:60], 400, "alerts[0].status: the JSON ends too early, at byte 60"},
		{"a comma too much", message(good + ","), 400, "alerts: is not valid JSON at byte 125: invalid character ',' at start of value"},
		{"single quotes", `{'version':'4'}`, 400, `body: is not valid JSON at byte 1: invalid character '\'' at start of value`},
		{"two bodies", message(good) + message(good), 400, "body: has more after the JSON object, which ends at byte 292"},
		{"rubbish behind", message(good) + "x", 400, "body: is not valid JSON at byte 293: invalid character 'x' at start of value"},

		{"no version", `{"alerts":[]}`, 400, `version: is "", want "4"; remove payload from Alertmanager's webhook_config`},
		{"version 3", `{"version":"3","alerts":[]}`, 400, `version: is "3", want "4"; remove payload from Alertmanager's webhook_config`},
		{"version as a number", `{"version":4,"alerts":[]}`, 400, "version: want a string, got a number"},
		{"names are case-sensitive", `{"Version":"4","alerts":[]}`, 400, `version: is "", want "4"; remove payload from Alertmanager's webhook_config`},
		{"no alerts", `{"version":"4"}`, 400, "alerts: is missing"},
		{"alerts null", `{"version":"4","alerts":null}`, 400, "alerts: want a list, got null"},
		{"alerts an object", `{"version":"4","alerts":{}}`, 400, "alerts: want a list, got an object"},
		{"truncatedAlerts below zero", `{"version":"4","alerts":[],"truncatedAlerts":-1}`, 400, "truncatedAlerts: want a whole number from 0 to 2147483647"},
		{"truncatedAlerts too large", `{"version":"4","alerts":[],"truncatedAlerts":1e300}`, 400, "truncatedAlerts: want a whole number from 0 to 2147483647"},
		{"truncatedAlerts a string", `{"version":"4","alerts":[],"truncatedAlerts":"1"}`, 400, "truncatedAlerts: want a whole number from 0 to 2147483647"},

		{"alert null", message(good, "null"), 400, "alerts[1]: want an object, got null"},
		{"alert a string", message(good, good, `"x"`), 400, "alerts[2]: want an object, got a string"},
		{"labels null", message(`{"labels":null}`), 400, "alerts[0].labels: want an object, got null"},
		{"labels a list", message(good, `{"labels":["a"]}`), 400, "alerts[1].labels: want an object, got a list"},
		{"annotations a string", message(`{"annotations":"a"}`), 400, "alerts[0].annotations: want an object, got a string"},
		{"label value a number", message(`{"labels":{"code":500}}`), 400, "alerts[0].labels.code: want a string, got a number"},
		{"label value null", message(`{"labels":{"a b":null}}`), 400, `alerts[0].labels["a b"]: want a string, got null`},
		{"label value an object", message(`{"labels":{"a":{"b":"c"}}}`), 400, "alerts[0].labels.a: want a string, got an object"},
		{"status a boolean", message(`{"status":true}`), 400, "alerts[0].status: want a string, got true or false"},
		{"no time", message(`{"startsAt":"yesterday"}`), 400, "alerts[0].startsAt: " + wantTime},
		{"an empty time", message(`{"startsAt":""}`), 400, "alerts[0].startsAt: " + wantTime},
		{"a time as a number", message(`{"endsAt":1795281393}`), 400, "alerts[0].endsAt: want a string, got a number"},
		{"a time beyond the year 9999", message(`{"endsAt":"9999-12-31T23:59:59-01:00"}`), 400, "alerts[0].endsAt: " + wantTime},

		{"name twice in the body", `{"version":"3","version":"4","alerts":[]}`, 400, "version: " + twice},
		{"name twice, once escaped", `{"version":"3","vers\u0069on":"4","alerts":[]}`, 400, "version: " + twice},
		{"name twice in an alert", message(good, `{"status":"firing","status":"resolved"}`), 400, "alerts[1].status: " + twice},
		{"name twice in labels", message(`{"labels":{"a":"1","b":"2","a":"1"}}`), 400, "alerts[0].labels.a: " + twice},
		{"name twice in unknown fields", `{"version":"4","alerts":[],"x":{"y":{"z":1,"z":2}}}`, 400, "x.y.z: " + twice},
		{"name twice beside a wide object", `{"x":` + wide(2000) + `,"version":"3","version":"4","alerts":[]}`, 400, "version: " + twice},
		{"label twice in a wide request", `{"x":` + wide(2000) + `,"version":"4","alerts":[{"labels":{"a":"","a":"1"}}]}`, 400, "alerts[0].labels.a: " + twice},
		{"over 64 fields", message(wide(65)), 400, "alerts[0]: has more than 64 fields"},

		{"invalid UTF-8 in a value", message(`{"labels":{"a":"x` + "\xff" + `"}}`), 400, "alerts[0].labels.a: is not valid JSON at byte 63: invalid UTF-8"},
		{"invalid UTF-8 in a name", message(`{"labels":{"` + "\xc3\x28" + `":"x"}}`), 400, "alerts[0].labels: is not valid JSON at byte 58: invalid UTF-8"},
		{"invalid UTF-8 in unknown fields", `{"x":"` + "\xed\xa0\x80" + `"}`, 400, "x: is not valid JSON at byte 6: invalid UTF-8"},
		{"half a surrogate pair", message(`{"labels":{"a":"\ud83d"}}`), 400, "alerts[0].labels.a: is not valid JSON at byte 62: invalid surrogate pair `\\ud83d\"}}],\"` in string"},
		{"a control character", message("{\"labels\":{\"a\":\"\x01\"}}"), 400, `alerts[0].labels.a: is not valid JSON at byte 62: invalid character '\x01' in string (expecting non-control character)`},
		{"NUL", message("{\"labels\":{\"a\":\"x\x00\"}}"), 400, "alerts[0].labels.a: holds a NUL character"},
		{"NUL escaped", message(`{"labels":{"a":"x\u0000"}}`), 400, "alerts[0].labels.a: holds a NUL character"},
		{"NUL after an escaped backslash", message(`{"labels":{"a":"\\\u0000"}}`), 400, "alerts[0].labels.a: holds a NUL character"},
		{"NUL in a name", message(`{"labels":{"a\u0000":"x"}}`), 400, `alerts[0].labels["a\x00"]: holds a NUL character`},
		{"NUL in unknown fields", `{"x":["\u0000"]}`, 400, "x[0]: holds a NUL character"},
		{"NUL behind", message(good) + "\x00", 400, "body: holds a NUL character"},

		{"33 levels", `{"x":` + nested(32) + `}`, 400, "x" + strings.Repeat("[0]", 31) + ": is nested deeper than 32 levels"},
		{"100000 levels", strings.Repeat(`[`, 100000), 400, strings.Repeat("[0]", 32) + ": is nested deeper than 32 levels"},
		{"33 levels of objects", strings.Repeat(`{"level":`, 33), 400, strings.Repeat("level.", 32)[:191] + ": is nested deeper than 32 levels"},

		{"too many alerts", message(good, good, good, good), 413, "alerts: holds more than max_alerts (3) alerts; set max_alerts in Alertmanager's webhook_config, or group by more labels"},
		{"too large", message(good) + strings.Repeat(" ", 200<<10), 413, "body: is larger than max_body (204800 bytes); send fewer alerts at once (Alertmanager: max_alerts in webhook_config, or group by more labels)"},
	}
	s := newServer(t, func(o *receivers.Options) { o.Config.MaxAlerts, o.Config.MaxBody = 3, 200<<10 })
	for _, tt := range tests {
		for _, mode := range []string{"length known", "chunked"} {
			t.Run(tt.name+"/"+mode, func(t *testing.T) {
				r := s.request(t, http.MethodPost, tt.body)
				if mode == "chunked" {
					r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader(tt.body))
				}
				got := s.do(t, r)
				if got.status != tt.status {
					t.Errorf("answered %d, want %d", got.status, tt.status)
				}
				if diff := cmp.Diff(errorBody(tt.message), got.body); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				if n := len(s.accepted()); n != 0 {
					t.Fatalf("%d batches were accepted", n)
				}
			})
		}
	}
}

// errorBody is the answer with this message.
func errorBody(message string) string {
	return `{"error":"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(message) + `"}`
}

// nested returns lists in lists, this deep.
func nested(depth int) string {
	return strings.Repeat("[", depth) + strings.Repeat("]", depth)
}

// wide returns an object with so many names.
func wide(names int) string {
	text := []byte("{")
	for i := range names {
		text = strconv.AppendInt(append(text, `"l`...), int64(i), 10)
		text = append(text, `":"v",`...)
	}
	return string(text[:len(text)-1]) + "}"
}

func TestHandler_Methods(t *testing.T) {
	s := newServer(t, open)
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "FOO"} {
		t.Run(method, func(t *testing.T) {
			got := s.do(t, s.request(t, method, ""))
			if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "POST" {
				t.Errorf("answered %d, Allow %q", got.status, got.header.Get("Allow"))
			}
			want := errorBody("only POST is accepted; after a redirect Alertmanager sends GET, so its url must be the final one")
			if method != http.MethodHead && got.body != want {
				t.Errorf("body %s, want %s", got.body, want)
			}
		})
	}
}

func TestHandler_ContentEncoding(t *testing.T) {
	s := newServer(t, open)
	t.Run("gzip is refused", func(t *testing.T) {
		var zipped strings.Builder
		w := gzip.NewWriter(&zipped)
		if _, err := io.WriteString(w, message(good)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r := s.request(t, http.MethodPost, zipped.String())
		r.Header.Set("Content-Encoding", "gzip")
		got := s.do(t, r)
		if want := errorBody(`content-encoding "gzip" is not accepted, send the body as it is`); got.status != http.StatusUnsupportedMediaType || got.body != want {
			t.Errorf("answered %d %s, want 415 %s", got.status, got.body, want)
		}
		if got.header.Get("Accept-Encoding") != "identity" {
			t.Errorf("Accept-Encoding %q", got.header.Get("Accept-Encoding"))
		}
	})
	t.Run("so is any encoding beside identity", func(t *testing.T) {
		r := s.request(t, http.MethodPost, message(good))
		r.Header["Content-Encoding"] = []string{"identity", "br"}
		if got := s.do(t, r); got.status != http.StatusUnsupportedMediaType {
			t.Errorf("answered %d %s", got.status, got.body)
		}
	})
	if n := len(s.accepted()); n != 0 {
		t.Fatalf("%d batches were accepted", n)
	}
	t.Run("identity is accepted", func(t *testing.T) {
		r := s.request(t, http.MethodPost, message(good))
		r.Header.Set("Content-Encoding", "Identity")
		if got := s.do(t, r); got.status != http.StatusOK {
			t.Errorf("answered %d %s", got.status, got.body)
		}
	})
}

// What real senders and their proxies do differently is not bad input.
func TestHandler_Tolerates(t *testing.T) {
	tests := []struct{ name, contentType, body string }{
		{"any content type", "application/x-www-form-urlencoded", message(good)},
		{"no content type", "", message(good)},
		{"unknown fields", "", `{"x":[{"y":null}],"version":"4","alerts":[{"status":"firing","z":{}}]}`},
		{"absent optional fields as null", "", `{"version":"4","receiver":null,"groupLabels":null,"alerts":[{"status":"firing","annotations":null,"startsAt":null,"endsAt":null,"fingerprint":null,"generatorURL":null}]}`},
		{"32 levels", "", `{"version":"4","alerts":[],"x":` + nested(31) + `}`},
		{"no alerts", "", `{"version":"4","alerts":[]}`},
		{"a backslash before u0000", "", message(`{"status":"firing","labels":{"a":"\\u0000"}}`)},
		{"as many alerts as allowed", "", message(good, good, good)},
		{"a wide object", "", `{"x":` + wide(2000) + `,"version":"4","alerts":[]}`},
	}
	s := newServer(t, func(o *receivers.Options) { o.Config.MaxAlerts = 3 })
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := s.request(t, http.MethodPost, tt.body)
			r.Header.Set("Content-Type", tt.contentType)
			if got := s.do(t, r); got.status != http.StatusOK {
				t.Errorf("answered %d %s", got.status, got.body)
			}
		})
	}
}
