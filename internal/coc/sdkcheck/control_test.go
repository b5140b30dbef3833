package sdkcheck_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// TestMissigned_noticesTampering is the negative control of the comparison of
// signatures: each change to what is signed must show.
func TestMissigned_noticesTampering(t *testing.T) {
	var recorded []sent
	var accounts []account
	rec := newRecorder(t)
	for i := range 50 {
		r := newReport(newDice(*seed, i), rec)
		r.account.project = "p1"
		us, _ := r.send(t, rec)
		recorded, accounts = append(recorded, us), append(accounts, r.account)
	}
	header := func(name string, change func(string) string) func(dice, *sent) {
		return func(_ dice, s *sent) { s.Header.Set(name, change(s.Header.Get(name))) }
	}
	flipped := func(d dice, text string, from int) string {
		data := []byte(text)
		data[from+d.IntN(len(data)-from)] ^= 1 << d.IntN(8)
		return string(data)
	}
	for _, c := range []struct {
		name   string
		change func(d dice, s *sent)
		want   bool
	}{
		{"nothing", func(dice, *sent) {}, false},
		{"User-Agent, which a proxy may rewrite", header("User-Agent", func(string) string { return "proxy" }), false},
		{"a bit of Authorization", func(d dice, s *sent) {
			s.Header.Set("Authorization", flipped(d, s.Header.Get("Authorization"), 0))
		}, true},
		{"a bit of the signature", func(d dice, s *sent) {
			text := s.Header.Get("Authorization")
			s.Header.Set("Authorization", flipped(d, text, len(text)-64))
		}, true},
		{"a bit of the body", func(d dice, s *sent) { s.Body = []byte(flipped(d, string(s.Body), 0)) }, true},
		{"a newline after the body", func(_ dice, s *sent) { s.Body = append(s.Body, '\n') }, true},
		{"a bit of the path", func(d dice, s *sent) { s.Path = flipped(d, s.Path, 1) }, true},
		{"a bit of the host", func(d dice, s *sent) { s.Host = flipped(d, s.Host, 0) }, true},
		{"the method", func(_ dice, s *sent) { s.Method = http.MethodPut }, true},
		{"a query", func(d dice, s *sent) { s.Query.Add("limit", "") }, true},
		{"the content type", header("Content-Type", func(string) string { return "application/json; charset=utf-8" }), true},
		{"the project", header("X-Project-Id", func(v string) string { return v + "0" }), true},
		{"the date", header("X-Sdk-Date", func(string) string { return "20260301T120001Z" }), true},
		{"the token", header("X-Security-Token", func(v string) string { return v + "0" }), true},
		{"no project", func(_ dice, s *sent) { s.Header.Del("X-Project-Id") }, true},
		{"a second signature", func(_ dice, s *sent) {
			s.Header["Authorization"] = append(s.Header["Authorization"], s.Header["Authorization"]...)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, r := range recorded {
				tampered := r.clone()
				c.change(newDice(*seed, i), &tampered)
				if got := missigned(tampered, accounts[i]); (got != "") != c.want {
					t.Fatalf("request %d of -seed=%d: noticed %q, want something noticed: %v", i, *seed, got, c.want)
				}
			}
		})
	}
}

// TestUnequalJSON_noticesChanges is the negative control of the comparison of
// bodies.
func TestUnequalJSON_noticesChanges(t *testing.T) {
	const body = `{"time":9223372036854775807,"alarmName":"a<b","additional":{"k":"v","l":""}}`
	for _, c := range []struct {
		name, other string
		want        bool
	}{
		{"the same", body, false},
		{"other order, spaces and escapes", ` {"additional":{"l":"","k":"\u0076"},"alarmName":"a\u003cb","time":9223372036854775807}` + "\n", false},
		{"a number beyond what a float tells apart", strings.Replace(body, "807", "806", 1), true},
		{"a number as text", strings.Replace(body, "9223372036854775807", `"9223372036854775807"`, 1), true},
		{"a number in another form", strings.Replace(body, "9223372036854775807", "9223372036854775807.0", 1), true},
		{"one letter", strings.Replace(body, "a<b", "a<c", 1), true},
		{"a name in other case", strings.Replace(body, "alarmName", "alarmname", 1), true},
		{"a field more", strings.Replace(body, "{", `{"URL":"",`, 1), true},
		{"a field less", strings.Replace(body, `,"l":""`, "", 1), true},
		{"null for empty", strings.Replace(body, `""`, "null", 1), true},
		{"a name twice", strings.Replace(body, "{", `{"alarmName":"a<b",`, 1), true},
		{"bytes that are not UTF-8", strings.Replace(body, "a<b", "a<\xff", 1), true},
		{"something behind it", body + "{}", true},
		{"no JSON", body[1:], true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, got := range []string{unequalJSON([]byte(body), []byte(c.other)), unequalJSON([]byte(c.other), []byte(body))} {
				if (got != "") != c.want {
					t.Errorf("noticed %q, want something noticed: %v", got, c.want)
				}
			}
		})
	}
}

// TestCoctest_noticesTampering is the negative control of the simulator: it
// refuses what was changed on the way, if the sender has signed that.
func TestCoctest_noticesTampering(t *testing.T) {
	header := func(name string, change func(string) string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, change(r.Header.Get(name))) }
	}
	to := func(value string) func(string) string { return func(string) string { return value } }
	for _, c := range []struct {
		name     string
		change   func(*http.Request)
		us, them bool // taken
	}{
		{"nothing", func(*http.Request) {}, true, true},
		{"a bit of the body", spoilBody, false, false},
		{"the integration key", func(r *http.Request) { r.URL.Path = eventPath + "k2" }, false, false},
		{"a query", func(r *http.Request) { r.URL.RawQuery = "limit=" }, false, false},
		{"the date", header("X-Sdk-Date", func(v string) string {
			at, _ := time.Parse(signedTime, v)
			return at.Add(time.Second).Format(signedTime)
		}), false, false},
		{"a digit of the signature", header("Authorization", func(v string) string {
			return v[:len(v)-1] + map[bool]string{true: "1", false: "0"}[v[len(v)-1] == '0']
		}), false, false},
		{"Accept-Encoding", header("Accept-Encoding", to("br")), true, true},
		{"User-Agent, which only the SDK signs", header("User-Agent", to("proxy")), true, false},
		{"Content-Type, which only we sign", header("Content-Type", to("application/json; charset=utf-16")), false, true},
		{"Host, which only we sign", func(r *http.Request) { r.Host = "coc.example" }, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := simulate(t, coctest.Options{Keys: []string{"k1", "k2"}}, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					c.change(r)
					next.ServeHTTP(w, r)
				})
			})
			us := ours(t, s.account)
			defer us.Close()
			_, ourErr := us.ReportAlarm(t.Context(), "k1", sample())
			if outcome := ourOutcome(ourErr); outcome != map[bool]string{true: "success", false: "auth 401 " + denial}[c.us] {
				t.Errorf("ours: %s, want it taken: %v", outcome, c.us)
			}
			answer, sdkErr := theirs(t, s.account, s.transport).CreateReportCustomEvent(event("k1", sample()))
			if outcome := sdkOutcome(answer, sdkErr); outcome != map[bool]string{true: "success 200 COC.00000000", false: "error 401 " + denial}[c.them] {
				t.Errorf("the SDK's: %s, want it taken: %v", outcome, c.them)
			}
		})
	}
}

const denial = "common.01010001 Token missing or invalid."

func spoilBody(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	body[len(body)/2] ^= 1
	r.Body = io.NopCloser(bytes.NewReader(body))
}
