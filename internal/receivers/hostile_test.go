package receivers_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

var figures = flag.Bool("receivers.figures", false, "log what each case of the hostile corpus costs")

// hostile is a request that must be refused with a 4xx, store nothing, and cost little.
type hostile struct {
	name   string
	body   string
	method string
	header http.Header
	length int64 // as claimed; 0 = the body's, -1 = unknown
	config func(*receivers.Config)
}

func lots(text string, size int) string { return strings.Repeat(text, size/len(text)) }

const mib = 1 << 20

// everywhere are cases for a receiver of any type.
var everywhere = []hostile{
	{name: "empty"}, {name: "blank", body: lots(" \n", 4*mib)}, {name: "no JSON", body: "status=firing"},
	{name: "a text", body: `"firing"`}, {name: "a number", body: "1"}, {name: "null", body: "null"}, {name: "true", body: "true"},
	{name: "a byte order mark", body: "\ufeff{}"}, {name: "UTF-16", body: "{\x00}\x00"}, {name: "XML", body: "<?xml version='1.0'?><a/>"},
	{name: "YAML", body: "status: firing"}, {name: "a comment", body: "// {}\n{}"}, {name: "single quotes", body: `{'a':1}`},
	{name: "a trailing comma", body: `{"a":1,}`}, {name: "NaN", body: `{"a":NaN}`}, {name: "a leading zero", body: `{"a":01}`}, {name: "a plus", body: `{"a":+1}`},
	{name: "cut in an object", body: `{"a":`}, {name: "cut in a text", body: `{"a":"b`}, {name: "cut in an escape", body: `{"a":"\u00`}, {name: "cut in a list", body: `{"a":[1,`},
	{name: "a lone surrogate", body: `{"a":"\ud800"}`}, {name: "a wrong escape", body: `{"a":"\x41"}`}, {name: "a raw line end", body: "{\"a\":\"\n\"}"},
	{name: "bad UTF-8", body: "{\"a\":\"\xff\"}"}, {name: "overlong UTF-8", body: "{\"a\":\"\xc0\xaf\"}"}, {name: "bad UTF-8 in a name", body: "{\"\xff\":1}"},
	{name: "NUL", body: "{\"a\":\"\x00\"}"}, {name: "NUL, escaped", body: `{"a":"\u0000"}`}, {name: "NUL in a name", body: `{"a\u0000":1}`},
	{name: "a name twice", body: `{"status":"firing","status":"resolved"}`}, {name: "a name twice, deep down", body: `{"x":{"y":{"z":1,"z":2}}}`},
	{name: "33 levels", body: `{"x":` + nested(33) + `}`}, {name: "a million levels", body: lots("[", mib)}, {name: "objects in objects", body: lots(`{"a":`, mib)},
	{name: "closing brackets", body: lots("]", mib)}, {name: "quotes", body: lots(`"`, mib)}, {name: "backslashes", body: `{"a":"` + lots(`\`, mib)},
	{name: "empty objects", body: "[" + lots("{},", 4*mib) + "{}]"}, {name: "empty lists", body: "[" + lots("[],", 4*mib) + "[]]"}, {name: "nulls", body: "[" + lots("null,", 4*mib) + "null]"},
	{name: "empty objects in alerts", body: `{"version":"4","alerts":[` + lots("{},", 4*mib) + "{}]}"},
	{name: "a long text, unfinished", body: `{"a":"` + lots("x", 8*mib)}, {name: "a long number", body: lots("9", 4*mib)},
	{name: "GET", method: http.MethodGet}, {name: "PUT", method: http.MethodPut, body: "{}"}, {name: "an unknown method", method: "BREW", body: "{}"},
	{name: "a body over max_body", body: lots("x", 2*mib), config: func(c *receivers.Config) { c.MaxBody = mib }},
	{name: "the same, of unknown length", body: lots("x", 2*mib), length: -1, config: func(c *receivers.Config) { c.MaxBody = mib }},
	{name: "a claim of 8 EiB", body: "{}", length: 1<<63 - 1},
	{name: "gzip where it is not allowed", body: "\x1f\x8b", header: http.Header{"Content-Encoding": {"gzip"}}},
	{name: "gzip that is none", body: "{}", header: http.Header{"Content-Encoding": {"gzip"}}, config: takesGzip},
	{name: "gzip twice", body: "{}", header: http.Header{"Content-Encoding": {"gzip", "gzip"}}, config: takesGzip},
	{name: "no credentials", body: "{}", config: withToken},
	{name: "wrong credentials", body: "{}", header: http.Header{"Authorization": {"Bearer x"}}, config: withToken},
	{name: "two credentials", body: "{}", header: http.Header{"Authorization": {"Bearer tok", "Bearer tok"}}, config: withToken},
	{name: "long credentials", body: "{}", header: http.Header{"Authorization": {"Bearer " + lots("x", 8<<10)}}, config: withToken},
	{name: "a wrong signature", body: "{}", header: http.Header{"X-Signature-256": {strings.Repeat("0", 64)}}, config: withKey},
	{name: "a wrong signature of much", body: lots("x", 4*mib), header: http.Header{"X-Signature-256": {strings.Repeat("0", 64)}}, config: withKey},
	{name: "through a proxy", body: "{}", header: http.Header{"X-Forwarded-For": {"192.0.2.1"}}},
	{name: "from a web page", body: "{}", header: http.Header{"Origin": {"https://evil.example"}}},
}

func takesGzip(c *receivers.Config) { c.Gzip = true }
func withToken(c *receivers.Config) { c.Auth.BearerToken = "tok" }
func withKey(c *receivers.Config)   { c.Auth.HMAC.Secret = "key" }

// only are cases for one type.
var only = map[string][]hostile{
	"alertmanager": {
		{name: "another version", body: `{"version":"3","alerts":[]}`}, {name: "no alerts", body: `{"version":"4"}`}, {name: "alerts is an object", body: `{"version":"4","alerts":{}}`},
		{name: "a label that is a number", body: message(firing(`{"a":1}`))}, {name: "many fields", body: message(wide(100_000))},
		{name: "group labels for each of many alerts", body: `{"version":"4","alerts":[` + lots(good+",", mib) + good + `],"groupLabels":` + long(64) + `}`},
		{name: "a context too large to be stored with every alert", body: `{"version":"4","alerts":[` + lots(`{"status":"firing"},`, mib-20) + good + `],"externalURL":"` + lots("x", 4096) + `"}`},
		{name: "more behind it", body: message(good) + message(good)},
	},
	"generic": {
		{name: "values without end", body: lots("1 ", mib)}, {name: "a long number in an object", body: `{"status":"firing","id":1` + lots("0", mib) + `}`},
		{name: "lines of which the last is cut", body: lots(`{"status":"firing","id":1}`+"\n", 100<<10) + `{"status":`},
		{name: "more alerts than allowed", body: "[" + lots(`{"status":"firing","id":1},`, mib) + `{}]`, config: func(c *receivers.Config) { c.MaxAlerts = 100 }},
		{name: "the expression alerts fails", body: `{"alerts":"x"}`, config: func(c *receivers.Config) { c.Generic.Alerts = ".alerts[]" }},
		{name: "the expression alerts yields nothing", body: `{"alert":[]}`, config: func(c *receivers.Config) { c.Generic.Alerts = ".alerts[]?" }},
		{name: "a number makes the expression long", body: `{"n":1e300}`, config: func(c *receivers.Config) { c.Generic.Alerts = "[range(.n)][0]" }},
		{name: "a text makes the product long", body: `{"n":"` + lots("x", mib) + `"}`, config: func(c *receivers.Config) { c.Generic.Alerts = ".n * 1000" }},
		{name: "concatenation is quadratic", body: `{"l":[` + lots(`"`+lots("x", 1000)+`",`, 256<<10) + `""]}`, config: func(c *receivers.Config) {
			c.Generic.Alerts = `reduce .l[] as $x (""; . + $x) | error("done")`
		}},
		{name: "matches are quadratic", body: `{"t":"` + lots("a", 200<<10) + `"}`, config: func(c *receivers.Config) {
			c.Generic.Alerts = `.t | gsub("a"; "b") | error("done")`
		}},
		{name: "so are differences", body: `{"a":[` + lots("1,", 80_000) + `1],"b":[` + lots("2,", 80_000) + `2]}`, config: func(c *receivers.Config) { c.Generic.Alerts = ".a - .b | error(\"done\")" }},
		{name: "and searches", body: `{"t":"` + lots("a", 200<<10) + `","u":"` + lots("a", 100<<10) + `b"}`, config: func(c *receivers.Config) {
			c.Generic.Alerts = `.u as $u | .t | index($u) | error("done")`
		}},
		{name: "a form without the field", body: lots("a=b&", mib), header: form}, {name: "a form with the field twice", body: "payload=1&payload=2", header: form},
		{name: "a form with half a field", body: "payload=%7B%22", header: form}, {name: "a form of percent signs", body: "payload=" + lots("%", mib), header: form},
	},
	"grafana": {
		{name: "no alerts", body: `{"status":"firing"}`}, {name: "alerts is a text", body: `{"alerts":"x"}`}, {name: "alerts is null", body: `{"alerts":null}`},
		{name: "a list", body: `[]`}, {name: "none of many", body: `{"alerts":[]}`}, {name: "more alerts than allowed", body: `{"alerts":[` + lots("{},", 250_000) + `{}]}`, config: func(c *receivers.Config) { c.MaxAlerts = 1000 }},
	},
	"cloudevents": {
		{name: "no specversion", body: `{"id":"1"}`}, {name: "the data alone", body: `{"data":{"status":"firing"}}`}, {name: "a batch in an object", body: `{"events":[{"specversion":"1.0"}]}`},
		{name: "more events than allowed", body: "[" + lots("{},", 200_000) + "{}]", config: func(c *receivers.Config) { c.MaxAlerts = 1000 }},
	},
	"aws-sns-cloudwatch": {
		{name: "no type", body: `{"Message":"{}"}`}, {name: "an unknown type", body: `{"Type":"Hello"}`}, {name: "no message", body: `{"Type":"Notification"}`},
		{name: "a message that is no JSON", body: `{"Type":"Notification","Message":"hello"}`}, {name: "a message over 256 KiB", body: `{"Type":"Notification","Message":"\"` + lots("x", mib) + `\""}`},
		{name: "a message of many levels", body: `{"Type":"Notification","Message":"` + lots("[", 200<<10) + `"}`}, {name: "two messages in one", body: `{"Type":"Notification","Message":"{}{}"}`},
	},
}

var form = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}

// long is an object of so many long labels.
func long(names int) string {
	var parts []string
	for i := range names {
		parts = append(parts, fmt.Sprintf(`"l%d":%q`, i, lots("x", 4000)))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestHostileCorpus(t *testing.T) {
	bomb := zip(t, lots(" ", 16*mib))
	cases := 0
	var worst spending
	for _, kind := range receivers.Types() {
		all := slices.Concat(everywhere, only[kind], []hostile{
			{name: "a gzip bomb", body: bomb, header: http.Header{"Content-Encoding": {"gzip"}}, config: func(c *receivers.Config) { c.Gzip, c.MaxBody = true, mib }},
		})
		for _, h := range all {
			cases++
			t.Run(kind+"/"+h.name, func(t *testing.T) {
				spent := h.refused(t, kind)
				worst.cpu, worst.peak = max(worst.cpu, spent.cpu), max(worst.peak, spent.peak)
			})
		}
	}
	if cases < 150 {
		t.Errorf("only %d cases", cases)
	}
	if *figures {
		t.Logf("%d cases over %v, at worst %s of the processor and %.1f MiB", cases, receivers.Types(), worst.cpu, float64(worst.peak)/mib)
	}
}

const (
	// maxCost bounds what a case may allocate in all, its garbage included; what is
	// alive at once is less. A case is at most 8 MiB long.
	maxCost = 96 * mib
	// maxCPU is generous: a case takes milliseconds, one that runs away minutes.
	maxCPU = 5 * time.Second
)

func (h hostile) refused(t *testing.T, kind string) (spent spending) {
	c := typed(kind)
	if h.config != nil {
		h.config(&c)
	}
	stored := 0
	handler := newHandler(t, receivers.Options{Config: c, Accept: func(context.Context, receivers.Batch) error { stored++; return nil }})
	r := h.request()
	w := httptest.NewRecorder()
	spent = cost(func() { handler.ServeHTTP(w, r) })
	if w.Code < 400 || w.Code >= 500 {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if stored > 0 {
		t.Error("it was stored")
	}
	if w.Body.Len() > 1024 {
		t.Errorf("the answer has %d bytes", w.Body.Len())
	}
	if spent.allocated > maxCost {
		t.Errorf("it took %d bytes", spent.allocated)
	}
	if spent.cpu > maxCPU {
		t.Errorf("it took %s of the processor", spent.cpu)
	}
	if *figures {
		t.Logf("%6.1f ms %6.1f MiB  %s/%s: %d", spent.cpu.Seconds()*1000, float64(spent.peak)/mib, kind, h.name, w.Code)
	}
	return spent
}

func (h hostile) request() *http.Request {
	method := h.method
	if method == "" {
		method = http.MethodPost
	}
	r := httptest.NewRequest(method, "/", io.NopCloser(strings.NewReader(h.body)))
	r.ContentLength = int64(len(h.body))
	if h.length != 0 {
		r.ContentLength = h.length
	}
	for name, values := range h.header {
		r.Header[name] = values
	}
	return r
}

// spending is what a request takes of the process.
type spending struct {
	cpu       time.Duration
	allocated uint64 // in all, garbage included
	peak      int64  // how much larger the process was at its largest; only with figures
}

func cost(f func()) (s spending) {
	var before, after runtime.MemStats
	if *figures {
		debug.FreeOSMemory()
		// 5 resets the high-water mark (proc(5)).
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err == nil {
			defer func(from int64) { s.peak = status("VmHWM:") - from }(status("VmRSS:"))
		}
	}
	runtime.ReadMemStats(&before)
	start := processorTime()
	f()
	s.cpu = processorTime() - start
	runtime.ReadMemStats(&after)
	s.allocated = after.TotalAlloc - before.TotalAlloc
	return s
}

// status reads a line of /proc/self/status, in bytes.
func status(name string) int64 {
	text, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(text), name)
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kib, _ := strconv.ParseInt(number, 10, 64)
	return kib << 10
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
