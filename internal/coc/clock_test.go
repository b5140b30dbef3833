package coc_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
)

// gateway refuses what is signed for a time over 15 minutes from its own, as
// COC's does (coc-api.md 2.2.5).
type gateway struct {
	recorder
	now      time.Time
	noDate   bool
	refuse   int    // answer every request with this status
	code     string // of a refusal
	message  string
	onArrive func()
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got := g.keep(r)
	if g.onArrive != nil {
		g.onArrive()
	}
	w.Header().Set("Date", g.now.Format(http.TimeFormat))
	if g.noDate {
		w.Header()["Date"] = nil
	}
	status := g.refuse
	if signed, err := time.Parse("20060102T150405Z", got.Header.Get("X-Sdk-Date")); err != nil || signed.Sub(g.now).Abs() > 15*time.Minute {
		status = max(status, http.StatusUnauthorized)
	}
	if status == 0 {
		accept(w, r)
		return
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, refusal(g.code, g.message))
}

// dates are the X-Sdk-Date of all requests so far.
func (g *gateway) dates() []string {
	var dates []string
	for _, r := range g.all() {
		dates = append(dates, r.Header.Get("X-Sdk-Date"))
	}
	return dates
}

func clientAt(t *testing.T, url string, now func() time.Time) *coc.Client {
	t.Helper()
	client, err := coc.New(testConfig(url), coc.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestClient_clockSkew(t *testing.T) {
	const local, corrected = "20260901T120000Z", "20260901T140000Z"
	const expired = "Incorrect IAM authentication information: X-Sdk-Date is expired"
	const badKey = "Incorrect IAM authentication information: Get secretKey failed"
	for name, test := range map[string]struct {
		gateway *gateway
		ahead   time.Duration // the gateway's clock
		want    []string      // X-Sdk-Date of two calls
		fails   bool
	}{
		"the clocks agree":                          {&gateway{}, 0, []string{local, local}, false},
		"the code of a clock complaint":             {&gateway{code: "APIGW.0303"}, 2 * time.Hour, []string{local, corrected, corrected}, false},
		"the wording of a clock complaint":          {&gateway{code: "APIGW.0301", message: expired}, 2 * time.Hour, []string{local, corrected, corrected}, false},
		"401 without complaint, Date differs":       {&gateway{code: "APIGW.0301", message: badKey}, 2 * time.Hour, []string{local, corrected, corrected}, false},
		"the local clock is ahead":                  {&gateway{code: "APIGW.0301"}, -2 * time.Hour, []string{local, "20260901T100000Z", "20260901T100000Z"}, false},
		"a complaint although the clocks agree":     {&gateway{refuse: 401, code: "APIGW.0303"}, 0, []string{local, local, local, local}, true},
		"its wording although the clocks agree":     {&gateway{refuse: 401, message: expired}, 0, []string{local, local, local, local}, true},
		"401 for another reason, Date agrees":       {&gateway{refuse: 401, code: "APIGW.0301", message: badKey}, 0, []string{local, local}, true},
		"401 for another reason, Date is a bit off": {&gateway{refuse: 401, code: "APIGW.0301", message: badKey}, 59 * time.Second, []string{local, local}, true},
		"401 remains after the correction":          {&gateway{refuse: 401, code: "APIGW.0301"}, 2 * time.Hour, []string{local, corrected, corrected}, true},
		"no Date to learn from":                     {&gateway{noDate: true, code: "APIGW.0303", message: expired}, 2 * time.Hour, []string{local, local}, true},
		"only 401 is about the clock":               {&gateway{refuse: 403, code: "APIGW.0302", message: expired}, 2 * time.Hour, []string{local, local}, true},
	} {
		t.Run(name, func(t *testing.T) {
			gw := test.gateway
			gw.now = testTime.Add(test.ahead)
			server := httptest.NewServer(gw)
			t.Cleanup(server.Close)
			client := clientAt(t, server.URL, func() time.Time { return testTime })
			for range 2 {
				if err := report(t, client); (err != nil) != test.fails {
					t.Errorf("%v, want failure %v", err, test.fails)
				} else if err != nil && err.Class != coc.Auth {
					t.Errorf("class %v, want auth", err.Class)
				}
			}
			if diff := cmp.Diff(test.want, gw.dates()); diff != "" {
				t.Errorf("X-Sdk-Date (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClient_clockSkew_repeatCarriesTheBody(t *testing.T) {
	gw := gateway{now: testTime.Add(time.Hour)}
	server := httptest.NewUnstartedServer(&gw)
	server.EnableHTTP2 = true // over HTTP/2 a body that is not rewound is sent as 0 bytes
	server.StartTLS()
	t.Cleanup(server.Close)
	cfg := testConfig(server.URL)
	cfg.HTTP.TLSConfig.CAFile = writeCA(t, server)
	client, err := coc.New(cfg, coc.Options{Now: func() time.Time { return testTime }})
	if err != nil {
		t.Fatal(err)
	}
	if err := report(t, client); err != nil {
		t.Fatal(err)
	}
	got := gw.all()
	if len(got) != 2 || got[0].Body != got[1].Body || got[0].Body == "" {
		t.Errorf("requests %+v, want the same body twice", got)
	}
	for _, r := range got {
		if r.Proto != "HTTP/1.1" {
			t.Errorf("sent by %s, want HTTP/1.1", r.Proto)
		}
	}
}

// TestClient_clockSkew_afterTheClockIsSet corrects the correction.
func TestClient_clockSkew_afterTheClockIsSet(t *testing.T) {
	gw := gateway{now: testTime.Add(3 * time.Hour)}
	server := httptest.NewServer(&gw)
	t.Cleanup(server.Close)
	var local atomic.Int64
	local.Store(testTime.Unix())
	client := clientAt(t, server.URL, func() time.Time { return time.Unix(local.Load(), 0) })
	for range 2 { // the second time with the local clock set right
		if err := report(t, client); err != nil {
			t.Fatal(err)
		}
		local.Store(gw.now.Unix())
	}
	want := []string{"20260901T120000Z", "20260901T150000Z", "20260901T180000Z", "20260901T150000Z"}
	if diff := cmp.Diff(want, gw.dates()); diff != "" {
		t.Errorf("X-Sdk-Date (-want +got):\n%s", diff)
	}
}

// TestClient_clockSkew_manyAtOnce has 20 calls signed with the wrong time before
// the first of them is refused: each must be repeated, not only the first.
func TestClient_clockSkew_manyAtOnce(t *testing.T) {
	const calls = 20
	var arrived atomic.Int32
	allHere := make(chan struct{})
	gw := gateway{now: testTime.Add(time.Hour), onArrive: func() {
		if arrived.Add(1) == calls {
			close(allHere)
		}
		<-allHere
	}}
	server := httptest.NewServer(&gw)
	t.Cleanup(server.Close)
	client := clientAt(t, server.URL, func() time.Time { return testTime })
	var group sync.WaitGroup
	for range calls {
		group.Go(func() {
			if _, err := client.ReportAlarm(t.Context(), testKey, validAlarm()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := len(gw.all()); got != 2*calls {
		t.Errorf("%d requests for %d calls, want two each", got, calls)
	}
}
