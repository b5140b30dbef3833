package coctest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

func TestServer_Accept(t *testing.T) {
	r := start(t, coctest.Options{})
	body := alarmJSON("regionId", `"cn-north-4"`, "resourceId", `"i-1"`, "URL", `"https://a/b"`,
		"additional", `{"a": 1}`, "unknown", `true`)
	got := r.post(body)
	if got.status != http.StatusOK || got.body != accepted {
		t.Fatalf("answer: %d %s", got.status, got.body)
	}
	if got.header.Get("Content-Type") != "application/json;charset=UTF-8" {
		t.Errorf("Content-Type: %q", got.header.Get("Content-Type"))
	}
	if got.header.Get("Date") != "Sun, 01 Mar 2026 12:00:00 GMT" {
		t.Errorf("Date is not the server's clock: %q", got.header.Get("Date"))
	}
	want := []coctest.Event{{
		Seq: 1, At: epoch, Key: testKey, RequestID: got.header.Get("X-Request-Id"),
		Alarm: coctest.Alarm{
			AlarmID: "a1", AlarmName: "HighCPU", AlarmLevel: "Major", Time: 1700000000000, NameSpace: "prod",
			RegionID: "cn-north-4", ApplicationID: "app", ResourceName: "web-1", ResourceID: "i-1", AlarmDesc: "hot",
			URL: "https://a/b", AlarmStatus: "alarm", AlarmSource: "prometheus",
			Additional: []byte(`{"a": 1}`), Raw: []byte(body),
		},
	}}
	if diff := cmp.Diff(want, r.Alarms()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	wantCounts(t, r, coctest.Counts{Requests: 1, Accepted: 1, Alarms: 1})
}

func TestServer_Gateway(t *testing.T) {
	r := start(t, coctest.Options{})
	for name, c := range map[string]struct{ method, path string }{
		"another method is 404":         {http.MethodGet, eventPath + testKey},
		"another path is 404":           {http.MethodPost, "/v1/event/prometheus/" + testKey},
		"a trailing slash is 404":       {http.MethodPost, eventPath + testKey + "/"},
		"no key is 404":                 {http.MethodPost, eventPath},
		"a double slash is no redirect": {http.MethodPost, "/v1//event/huawei/custom/" + testKey},
		"dots are no redirect":          {http.MethodPost, "/v1/event/huawei/custom/%2e%2e/x"},
	} {
		t.Run(name, func(t *testing.T) {
			got := r.do(newRequest(t, c.method, r.url+c.path, alarmJSON()))
			want := `{"error_msg":"The API does not exist or has not been published in the environment","error_code":"APIGW.0101","request_id":"` +
				got.header.Get("X-Request-Id") + `"}`
			if got.status != http.StatusNotFound || got.body != want {
				t.Errorf("answer: %d %s", got.status, got.body)
			}
		})
	}
}

func TestServer_RequestID(t *testing.T) {
	r := start(t, coctest.Options{})
	seen := map[string]bool{}
	for _, req := range []*http.Request{
		r.request(alarmJSON()), r.request("{}"), newRequest(t, http.MethodPost, r.url+eventPath+testKey, ""),
		newRequest(t, http.MethodGet, r.url+"/", ""), newRequest(t, http.MethodGet, r.url+"/_coctest/report", ""),
	} {
		id := r.do(req).header.Get("X-Request-Id")
		if len(id) != 32 || seen[id] {
			t.Errorf("%s %s: request id %q", req.Method, req.URL.Path, id)
		}
		seen[id] = true
	}
}

func TestServer_BodyLimit(t *testing.T) {
	r := start(t, coctest.Options{})
	pad := func(size int) string {
		short := alarmJSON("additional", `{"x":""}`)
		return strings.Replace(short, `""`, `"`+strings.Repeat("x", size-len(short))+`"`, 1)
	}
	const limit = 12 << 20
	t.Run("12 MiB are accepted", func(t *testing.T) {
		if got := r.post(pad(limit)); got.status != http.StatusOK {
			t.Errorf("answer: %d %s", got.status, got.body)
		}
	})
	for name, length := range map[string]int64{"one byte more is 413": limit + 1, "of unknown length too": -1} {
		t.Run(name, func(t *testing.T) {
			req := r.request(pad(limit + 1))
			req.ContentLength = length
			got := r.do(req)
			if got.status != http.StatusRequestEntityTooLarge || !strings.Contains(got.body, "APIGW.0201") {
				t.Errorf("answer: %d %s", got.status, got.body)
			}
		})
	}
	t.Run("room is not made for what is only announced", func(t *testing.T) {
		req := r.request("")
		req.ContentLength = 1 << 50
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("answer: %d %s", w.Code, w.Body)
		}
	})
	t.Run("a chunked body is read whole", func(t *testing.T) {
		req := r.request(alarmJSON("alarmId", `"chunked"`))
		req.ContentLength = -1
		if got := r.do(req); got.body != accepted {
			t.Errorf("answer: %d %s", got.status, got.body)
		}
	})
}

func TestServer_Wait(t *testing.T) {
	one := func(s *coctest.Server) bool { return s.Requests().Accepted == 1 }
	for name, c := range map[string]struct {
		act   func(r *rig)
		holds func(n coctest.Counts) bool
	}{
		"an accepted request": {
			func(r *rig) { r.post(alarmJSON()) }, func(n coctest.Counts) bool { return n.Accepted == 1 }},
		"a refused request": {
			func(r *rig) { r.post("{}") }, func(n coctest.Counts) bool { return len(n.Refused) == 1 }},
		"a fault": {
			func(r *rig) { r.Inject(coctest.Fault{Status: 503}); r.post(alarmJSON()) },
			func(n coctest.Counts) bool { return len(n.Faults) == 1 }},
		"a reset": {
			func(r *rig) { r.post("{}"); r.Reset() },
			func(n coctest.Counts) bool { return n.Requests == 0 }},
	} {
		t.Run("returns after "+name, func(t *testing.T) {
			r := start(t, coctest.Options{})
			r.post(alarmJSON("time", "1")) // refused, so that nothing holds at first
			if name != "a reset" {
				r.Reset()
			}
			looked, done := make(chan struct{}), make(chan error)
			look := sync.OnceFunc(func() { close(looked) })
			go func() {
				done <- r.Wait(t.Context(), func(s *coctest.Server) bool { defer look(); return c.holds(s.Requests()) })
			}()
			<-looked
			c.act(r)
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("returns at once when the condition holds", func(t *testing.T) {
		s := coctest.New(coctest.Options{})
		if err := s.Wait(t.Context(), func(*coctest.Server) bool { return true }); err != nil {
			t.Error(err)
		}
	})
	t.Run("ends with its context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := coctest.New(coctest.Options{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := s.Wait(ctx, one); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error: %v", err)
			}
		})
	})
	t.Run("ends with the server", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := coctest.New(coctest.Options{})
			done := make(chan error)
			go func() { done <- s.Wait(t.Context(), one) }()
			synctest.Wait()
			s.Close()
			s.Close()
			if err := <-done; !errors.Is(err, coctest.ErrClosed) {
				t.Errorf("error: %v", err)
			}
		})
	})
}

func TestServer_RequestsIsACopy(t *testing.T) {
	r := start(t, coctest.Options{})
	n := r.Requests()
	n.Refused["x"], n.Faults["x"] = 1, 1
	wantCounts(t, r, coctest.Counts{})
}

func TestServer_KeepEvents(t *testing.T) {
	r := start(t, coctest.Options{KeepEvents: 3})
	for _, id := range []string{`"a"`, `"a"`, `"b"`, `"c"`, `"d"`} {
		r.post(alarmJSON("alarmId", id))
	}
	var got []int
	for _, e := range r.Alarms() {
		got = append(got, e.Seq)
	}
	if diff := cmp.Diff([]int{3, 4, 5}, got); diff != "" {
		t.Errorf("kept events (-want +got):\n%s", diff)
	}
	r.post(alarmJSON("alarmId", `"a"`, "time", "1600000000000")) // its track is still there
	wantCounts(t, r, coctest.Counts{Requests: 6, Accepted: 6, Alarms: 4, Duplicates: 1, Violations: 1})
}

func TestServer_Reset(t *testing.T) {
	r := start(t, coctest.Options{})
	r.post(alarmJSON())
	r.post(alarmJSON("alarmStatus", `"ok"`, "time", "1600000000000"))
	r.post("{}")
	r.Inject(coctest.Fault{Status: 503})
	r.Reset()
	wantCounts(t, r, coctest.Counts{})
	if len(r.Violations())+len(r.Duplicates())+len(r.Refusals()) != 0 {
		t.Error("something is left")
	}
	r.post(alarmJSON())
	if got := r.Alarms(); len(got) != 1 || got[0].Seq != 1 {
		t.Errorf("events: %v", got)
	}
}

func wantCounts(t *testing.T, r *rig, want coctest.Counts) {
	t.Helper()
	if diff := cmp.Diff(want, r.Requests(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestServer_Concurrent(t *testing.T) {
	r := start(t, coctest.Options{})
	r.Inject(coctest.Fault{Status: 503, Times: 10})
	const senders, each = 8, 50
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for j := range each {
				if _, err := r.try(r.request(sent{0, "alarm", "Major", j}.json("alarmId", fmt.Sprintf(`"a%d"`, i)))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	wantCounts(t, r, coctest.Counts{
		Requests: senders * each, Accepted: senders*each - 10, Alarms: senders, Faults: map[string]int{"503,times=10": 10},
	})
	for i, e := range r.Alarms() {
		if e.Seq != i+1 {
			t.Fatalf("event %d has number %d", i+1, e.Seq)
		}
	}
}

func BenchmarkServer_Report(b *testing.B) {
	s := coctest.New(coctest.Options{Keys: []string{testKey}, AccessKey: testAccess, SecretKey: testSecret, KeepEvents: 1000})
	body := alarmJSON("additional", `{"text":"`+strings.Repeat("x", 1000)+`"}`)
	req := httptest.NewRequest(http.MethodPost, eventPath+testKey, nil)
	sign(req, body, time.Now())
	b.ReportAllocs()
	for b.Loop() {
		req.Body = io.NopCloser(strings.NewReader(body))
		req.ContentLength = int64(len(body))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}
