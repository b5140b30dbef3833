package coctest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

func (r *rig) control(method, path, body string) answer {
	r.t.Helper()
	return r.do(newRequest(r.t, method, r.url+"/_coctest/"+path, body))
}

func TestControl_Alarms(t *testing.T) {
	r := start(t, coctest.Options{})
	first := r.post(alarmJSON("additional", `{"a":"<&>"}`)).header.Get("X-Request-Id")
	second := r.post("{\n \"alarmId\": \"x\"," + alarmJSON("alarmStatus", `"ok"`, "time", "1700000000001")[1:]).header.Get("X-Request-Id")
	line := `{"seq":%d,"at":"2026-03-01T12:00:00Z","key":"k1","request_id":"%s","alarm":%s}` + "\n"
	want := fmt.Sprintf(line, 1, first, alarmJSON("additional", `{"a":"<&>"}`)) +
		fmt.Sprintf(line, 2, second, `{"alarmId":"x",`+alarmJSON("alarmStatus", `"ok"`, "time", "1700000000001")[1:])
	got := r.control(http.MethodGet, "alarms", "")
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if got.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("Content-Type: %q", got.header.Get("Content-Type"))
	}
}

func TestControl_Report(t *testing.T) {
	t.Run("of nothing", func(t *testing.T) {
		r := start(t, coctest.Options{})
		want := `{"counts":{"requests":0,"accepted":0,"refused":{},"faults":{},"alarms":0,"duplicates":0,"refreshes":0,"returned":0,"refires":0,"ok_without_alarm":0,"violations":0},` +
			`"violations":[],"duplicates":[],"refusals":[],"alarms":{}}` + "\n"
		if diff := cmp.Diff(want, r.control(http.MethodGet, "report", "").body); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	})
	t.Run("of all that happened", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.Inject(coctest.Fault{Status: 503, Times: 1})
		r.post(alarmJSON())
		r.post(alarmJSON())
		r.post(alarmJSON())
		r.post(alarmJSON("alarmStatus", `"ok"`, "alarmName", `"x"`))
		id := r.post("[]").header.Get("X-Request-Id")
		want := `{"counts":{"requests":5,"accepted":3,"refused":{"400 COC.00000001":1},"faults":{"503,times=1":1},"alarms":1,"duplicates":1,"refreshes":0,"returned":0,"refires":0,"ok_without_alarm":0,"violations":1},` +
			`"violations":["identity: alarm a1: event 3 (Major ok of 1700000000000) differs from the alarm it ends in alarmName"],"duplicates":[2],` +
			`"refusals":[{"at":"2026-03-01T12:00:00Z","request_id":"` + id + `","status":400,"code":"COC.00000001","reason":"the request body must be a JSON object"}],` +
			`"alarms":{"a1":[` +
			`{"seq":1,"at":"2026-03-01T12:00:00Z","status":"alarm","level":"Major","time":1700000000000},` +
			`{"seq":2,"at":"2026-03-01T12:00:00Z","status":"alarm","level":"Major","time":1700000000000},` +
			`{"seq":3,"at":"2026-03-01T12:00:00Z","status":"ok","level":"Major","time":1700000000000}]}}` + "\n"
		if diff := cmp.Diff(want, r.control(http.MethodGet, "report", "").body); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	})
}

func TestControl_Faults(t *testing.T) {
	r := start(t, coctest.Options{})
	set := func(body string, status int, text string) {
		t.Helper()
		if got := r.control(http.MethodPost, "faults", body); got.status != status || !strings.Contains(got.body, text) {
			t.Errorf("faults %s: %d %s", body, got.status, got.body)
		}
	}
	want := func(status int) {
		t.Helper()
		if got := r.post(alarmJSON()); got.status != status {
			t.Errorf("answer: %d %s", got.status, got.body)
		}
	}
	set(`["503"]`, http.StatusNoContent, "")
	want(503)
	set(`["429,times=1","500"]`, http.StatusNoContent, "")
	want(429)
	want(500)
	set(`["502","oops"]`, http.StatusBadRequest, `fault "oops": unknown word "oops"`)
	set(`"502"`, http.StatusBadRequest, "not a JSON array of faults")
	want(500) // what was there stays
	set(`[]`, http.StatusNoContent, "")
	want(200)
}

func TestControl_Reset(t *testing.T) {
	r := start(t, coctest.Options{})
	r.post(alarmJSON())
	if got := r.control(http.MethodPost, "reset", ""); got.status != http.StatusNoContent {
		t.Errorf("answer: %d %s", got.status, got.body)
	}
	wantCounts(t, r, coctest.Counts{})
	if got := r.control(http.MethodGet, "reset", ""); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", got.status)
	}
	if got := r.control(http.MethodGet, "x", ""); got.status != http.StatusNotFound {
		t.Errorf("unknown path: %d", got.status)
	}
}
