package coctest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

func TestParseFault(t *testing.T) {
	for text, want := range map[string]coctest.Fault{
		"status=503,times=3":         {Status: 503, Times: 3},
		"503":                        {Status: 503},
		"429,retry-after=7":          {Status: 429, RetryAfter: "7"},
		"429,limit=10,per=1s":        {Status: 429, Limit: 10, Per: time.Second},
		"reset-before":               {Do: coctest.Reset},
		"reset-after,times=1":        {Do: coctest.Reset, After: true, Times: 1},
		"hang":                       {Do: coctest.Hang},
		"hang-after,key=k1":          {Do: coctest.Hang, After: true, Key: "k1"},
		"503,on=/v3/,key=k1":         {Status: 503, On: "/v3/", Key: "k1"},
		"latency=50ms":               {Latency: 50 * time.Millisecond},
		"latency=1s,503,after":       {Latency: time.Second, Status: 503, After: true},
		"html":                       {Do: coctest.HTML},
		"502,html":                   {Do: coctest.HTML, Status: 502},
		"empty,alarm=a1":             {Do: coctest.Empty, AlarmID: "a1"},
		"no-content":                 {Status: 204},
		"redirect,location=/x":       {Status: 302, Location: "/x"},
		"endless":                    {Do: coctest.Endless},
		"clock":                      {Do: coctest.Clock},
		"unauthorized,times=1":       {Status: 401, Times: 1},
		"code=COC.1,message=a, b=c":  {Code: "COC.1", Message: "a, b=c"},
		"200,body={\"a\":1,\"b\":2}": {Status: 200, Body: `{"a":1,"b":2}`},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := coctest.ParseFault(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("fault (-want +got):\n%s", diff)
			}
			again, err := coctest.ParseFault(got.String())
			if err != nil || again != got {
				t.Errorf("%q does not read back: %+v, %v", got, again, err)
			}
		})
	}
}

func TestParseFault_Errors(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "unknown word",
		"503,":             "unknown word",
		"oops":             `fault "oops": unknown word "oops"; use a status, after, bad-signature, clock,`,
		"times=3":          "it does nothing",
		"after":            "it does nothing",
		"latency=1s,after": "after needs an answer to lose",
		"status=99":        "not between 200 and 599",
		"600":              "not between 200 and 599",
		"503,times=x":      `times: strconv.Atoi: parsing "x": invalid syntax`,
		"503,times=-1":     "must not be negative",
		"503,latency=5":    "latency: time: missing unit",
		"503,key=":         "key needs a value",
		"429,limit=3":      "limit and per belong together",
		"reset,hang":       "reset and hang exclude each other",
	} {
		t.Run(text, func(t *testing.T) {
			if _, err := coctest.ParseFault(text); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

func FuzzParseFault(f *testing.F) {
	for _, text := range []string{"503", "429,retry-after=7", "reset-after,times=1", "code=x,message=a,b", "hang,redirect,after", "body=,", "503,on=/v3/"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := coctest.ParseFault(text)
		if err != nil {
			return
		}
		if again, err := coctest.ParseFault(fault.String()); err != nil || again != fault {
			t.Errorf("%q is printed as %q, which reads as %+v, %v", text, fault, again, err)
		}
	})
}

// Answers in place of the real one. Nothing is stored.
func TestFault_Answers(t *testing.T) {
	gateway := func(code string) string { return `,"error_code":"` + code + `","request_id":"` }
	for text, want := range map[string]struct {
		status int
		header map[string]string
		body   string // part of it; "" = empty
	}{
		"503":                            {503, nil, gateway("APIGW.0613")},
		"500":                            {500, nil, gateway("APIGW.0601")},
		"502":                            {502, map[string]string{"Content-Type": "text/html"}, "<html>"},
		"502,body=bad":                   {502, nil, "bad"},
		"403":                            {403, nil, gateway("APIGW.0302")},
		"404":                            {404, nil, gateway("APIGW.0101")},
		"405":                            {405, nil, gateway("APIGW.0502")},
		"413":                            {413, nil, gateway("APIGW.0201")},
		"429,retry-after=7":              {429, map[string]string{"Retry-After": "7"}, gateway("APIGW.0308")},
		"400":                            {400, nil, refused("COC.00000001", "injected fault")},
		"400,code=COC.00040701":          {400, nil, refused("COC.00040701", "injected fault")},
		"code=COC.00040701,message=a, b": {200, nil, refused("COC.00040701", "a, b")},
		"code=APIGW.0308":                {200, nil, gateway("APIGW.0308")},
		"200":                            {200, nil, accepted},
		"202":                            {202, nil, accepted},
		"html":                           {200, map[string]string{"Content-Type": "text/html"}, "<html>"},
		"empty":                          {200, nil, ""},
		"no-content":                     {204, map[string]string{"Content-Type": ""}, ""},
		"redirect":                       {302, map[string]string{"Location": "/redirected"}, "<html>"},
		"307,location=https://a/b":       {307, map[string]string{"Location": "https://a/b"}, "<html>"},
		"unauthorized":                   {401, nil, tokenRefused},
		"bad-signature":                  {401, nil, gateway("APIGW.0301")},
		"clock":                          {401, map[string]string{"Date": "Sun, 01 Mar 2026 12:00:00 GMT"}, "x-sdk-date: 20260301T110000Z, server time: 20260301T120000Z"},
	} {
		t.Run(text, func(t *testing.T) {
			r := start(t, coctest.Options{})
			r.Inject(fault(t, text))
			got := r.post(alarmJSON())
			if got.status != want.status || !strings.Contains(got.body, want.body) || want.body == "" && got.body != "" {
				t.Errorf("answer: %d %s", got.status, got.body)
			}
			for name, value := range want.header {
				if got.header.Get(name) != value {
					t.Errorf("%s: %q", name, got.header.Get(name))
				}
			}
			if got.header.Get("X-Request-Id") == "" {
				t.Error("no request id")
			}
			wantCounts(t, r, coctest.Counts{Requests: 1, Faults: map[string]int{fault(t, text).String(): 1}})
		})
	}
}

// A fault on IAM comes in IAM's envelope.
func TestFault_AnswersOfIAM(t *testing.T) {
	for text, want := range map[string]string{
		"403,on=/v3/":                   iamRefusal(403, "Forbidden"),
		"401,on=/v3/,message=no, never": iamRefusal(401, "no, never"),
		"401,on=/v3/,body=x":            "x",
	} {
		r := start(t, coctest.Options{})
		r.Inject(fault(t, text))
		if got := r.login(login("", "")); got.body != want || got.status != fault(t, text).Status {
			t.Errorf("%s: %d %s", text, got.status, got.body)
		}
	}
}

func TestFault_After(t *testing.T) {
	r := start(t, coctest.Options{})
	r.Inject(fault(t, "503,after,times=2"))
	if got := r.post(alarmJSON()); got.status != 503 {
		t.Errorf("answer: %d %s", got.status, got.body)
	}
	if got := r.post("{}"); got.status != 503 {
		t.Errorf("answer: %d %s", got.status, got.body)
	}
	wantCounts(t, r, coctest.Counts{
		Requests: 2, Accepted: 1, Alarms: 1,
		Refused: map[string]int{"400 COC.00000001": 1}, Faults: map[string]int{"503,times=2,after": 2},
	})
}

func TestFault_Reset(t *testing.T) {
	for text, stored := range map[string]int{"reset-before": 0, "reset-after": 1} {
		t.Run(text, func(t *testing.T) {
			r := start(t, coctest.Options{})
			r.Inject(fault(t, text+",times=1"))
			if _, err := r.try(r.request(alarmJSON())); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("error: %v", err)
			}
			if len(r.Alarms()) != stored {
				t.Errorf("stored: %v", r.Alarms())
			}
			if got := r.post(alarmJSON()); got.body != accepted {
				t.Errorf("answer after the fault: %d %s", got.status, got.body)
			}
		})
	}
	t.Run("without a socket the request just ends", func(t *testing.T) {
		s := coctest.New(coctest.Options{})
		s.Inject(fault(t, "reset"))
		defer func() {
			if cause := recover(); cause != http.ErrAbortHandler {
				t.Errorf("panic: %v", cause)
			}
		}()
		s.ServeHTTP(httptest.NewRecorder(), newRequest(t, http.MethodPost, "http://h"+eventPath+"k", ""))
	})
	t.Run("over TLS", func(t *testing.T) {
		s := coctest.New(coctest.Options{})
		s.Inject(fault(t, "reset"))
		socket := httptest.NewTLSServer(s)
		defer socket.Close()
		_, err := socket.Client().Post(socket.URL+eventPath+"k", "", nil)
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("error: %v", err)
		}
	})
}

func TestFault_Hang(t *testing.T) {
	hanging := func(t *testing.T, text string) (r *rig, cancel func(), done chan error) {
		r = start(t, coctest.Options{})
		r.Inject(fault(t, text))
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		done = make(chan error)
		req := r.request(alarmJSON()).WithContext(ctx)
		go func() { _, err := r.try(req); done <- err }()
		if err := r.Wait(t.Context(), func(s *coctest.Server) bool { return len(s.Requests().Faults) == 1 }); err != nil {
			t.Fatal(err)
		}
		return r, cancel, done
	}
	t.Run("ends when the client leaves", func(t *testing.T) {
		r, cancel, done := hanging(t, "hang")
		cancel()
		<-r.ended
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("is the deadline of who is impatient", func(t *testing.T) {
		r := start(t, coctest.Options{})
		ctx := r.Impatient(t.Context())
		if _, err := r.try(r.request(alarmJSON()).WithContext(ctx)); err != nil || ctx.Err() != nil {
			t.Fatalf("without a fault: %v, %v", err, ctx.Err())
		}
		r.Inject(fault(t, "hang-after"))
		if _, err := r.try(r.request(alarmJSON()).WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) || r.Requests().Accepted != 2 {
			t.Errorf("error: %v, %d accepted", err, r.Requests().Accepted)
		}
	})
	t.Run("ends without an answer when the server is closed", func(t *testing.T) {
		r, _, done := hanging(t, "hang-before")
		r.Close()
		if err := <-done; !errors.Is(err, io.EOF) {
			t.Errorf("error: %v", err)
		}
		wantCounts(t, r, coctest.Counts{Requests: 1, Faults: map[string]int{"hang-before": 1}})
	})
	t.Run("may have stored before", func(t *testing.T) {
		r, _, _ := hanging(t, "hang-after")
		if err := r.Wait(t.Context(), func(s *coctest.Server) bool { return s.Requests().Accepted == 1 }); err != nil {
			t.Error(err)
		}
	})
}

func TestFault_Endless(t *testing.T) {
	t.Run("goes on until the client leaves", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.Inject(fault(t, "endless"))
		resp, err := http.DefaultClient.Do(r.request(alarmJSON()))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, resp.Body, 8<<20); err != nil {
			t.Errorf("after %d bytes: %v", n, err)
		}
		_ = resp.Body.Close()
		<-r.ended
	})
	t.Run("ends when the server is closed", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.Inject(fault(t, "endless"))
		resp, err := http.DefaultClient.Do(r.request(alarmJSON()))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		r.Close()
		if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error: %v", err)
		}
	})
}

func TestFault_Latency(t *testing.T) {
	slept := func(r *[]time.Duration, result error) func(context.Context, time.Duration) error {
		return func(_ context.Context, d time.Duration) error { *r = append(*r, d); return result }
	}
	t.Run("delays and goes on", func(t *testing.T) {
		var naps []time.Duration
		r := start(t, coctest.Options{Sleep: slept(&naps, nil)})
		r.Inject(fault(t, "latency=50ms"))
		if got := r.post(alarmJSON()); got.body != accepted {
			t.Errorf("answer: %d %s", got.status, got.body)
		}
		if diff := cmp.Diff([]time.Duration{50 * time.Millisecond}, naps); diff != "" {
			t.Errorf("naps (-want +got):\n%s", diff)
		}
	})
	t.Run("adds to the faults behind it", func(t *testing.T) {
		var naps []time.Duration
		r := start(t, coctest.Options{Sleep: slept(&naps, nil)})
		r.Inject(fault(t, "latency=1s"), fault(t, "503,latency=2s"), fault(t, "latency=4s"))
		if got := r.post(alarmJSON()); got.status != 503 {
			t.Errorf("answer: %d %s", got.status, got.body)
		}
		if diff := cmp.Diff([]time.Duration{3 * time.Second}, naps); diff != "" {
			t.Errorf("naps (-want +got):\n%s", diff)
		}
	})
	t.Run("ends with the request", func(t *testing.T) {
		var naps []time.Duration
		r := start(t, coctest.Options{Sleep: slept(&naps, context.Canceled)})
		r.Inject(fault(t, "latency=1h"))
		if _, err := r.try(r.request(alarmJSON())); !errors.Is(err, io.EOF) {
			t.Errorf("error: %v", err)
		}
		if len(r.Alarms()) != 0 {
			t.Error("stored")
		}
	})
	t.Run("really waits by default", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.Inject(fault(t, "latency=1ms,times=1"), fault(t, "latency=1h"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		req := r.request(alarmJSON()).WithContext(ctx)
		go func() { _, err := r.try(req); done <- err }()
		if err := r.Wait(t.Context(), func(s *coctest.Server) bool { return len(s.Requests().Faults) == 2 }); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error: %v", err)
		}
	})
}

func TestFault_Select(t *testing.T) {
	statuses := func(r *rig, bodies ...string) (got []int) {
		for _, body := range bodies {
			got = append(got, r.post(body).status)
		}
		return got
	}
	a, b := alarmJSON(), alarmJSON("alarmId", `"b1"`)
	t.Run("only so many times", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.Inject(fault(t, "503,times=2"), fault(t, "500,times=1"))
		if diff := cmp.Diff([]int{503, 503, 500, 200}, statuses(r, a, a, a, a)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("only one alarm", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.Inject(fault(t, "503,alarm=b1"))
		if diff := cmp.Diff([]int{200, 503, 400, 200}, statuses(r, a, b, "{}", a)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("only one key", func(t *testing.T) {
		r := start(t, coctest.Options{Keys: []string{testKey, "k2"}})
		r.Inject(fault(t, "503,key=k2"))
		if diff := cmp.Diff([]int{200, 503}, []int{r.post(a).status, postTo(r, "k2").status}); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("only COC, unless it says on what", func(t *testing.T) {
		for on, want := range map[string][]int{"": {503, 201, 401}, ",on=/v3/auth": {200, 503, 401}, ",on=/v3/": {200, 503, 503}, ",on=/v1/": {503, 201, 401}} {
			r := start(t, coctest.Options{Users: []coctest.User{bob}, Projects: ours})
			r.Inject(fault(t, "503"+on))
			projects := r.do(newRequest(t, http.MethodGet, r.url+"/v3/projects", ""))
			got := []int{r.post(a).status, r.login(login("", "")).status, projects.status}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("503%s (-want +got):\n%s", on, diff)
			}
		}
	})
	t.Run("until cleared", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.Inject(fault(t, "503"))
		got := statuses(r, a, a)
		r.ClearFaults()
		if diff := cmp.Diff([]int{503, 503, 200}, append(got, statuses(r, a)...)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("only what exceeds a rate, refused calls included", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.Inject(fault(t, "429,limit=2,per=10s"))
		got := statuses(r, a, a, a) // at 0 s
		r.advance(9 * time.Second)
		got = append(got, statuses(r, a, a)...) // these two keep the window full
		r.advance(9 * time.Second)
		got = append(got, statuses(r, a)...)
		r.advance(10 * time.Second)
		got = append(got, statuses(r, a, a, a)...)
		if diff := cmp.Diff([]int{200, 200, 429, 429, 429, 429, 200, 200, 429}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("before the credentials are looked at", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.Inject(fault(t, "503"))
		if got := r.do(newRequest(t, http.MethodPost, r.url+eventPath+"x", "")); got.status != 503 {
			t.Errorf("answer: %d", got.status)
		}
	})
	t.Run("not on paths that do not exist", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.Inject(fault(t, "503"))
		if got := r.do(newRequest(t, http.MethodPost, r.url+"/", "")); got.status != 404 {
			t.Errorf("answer: %d", got.status)
		}
	})
}

func fault(t *testing.T, text string) coctest.Fault {
	t.Helper()
	f, err := coctest.ParseFault(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
