package coc_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cocbridge/cocbridge/internal/coc"
)

var testTime = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// refusal is the body of a refusal by COC or the gateway.
func refusal(code, message string) string {
	body, err := json.Marshal(map[string]string{"error_code": code, "error_msg": message})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// TestClassify_success holds the success rule of coc-api.md 1.3.
func TestClassify_success(t *testing.T) {
	bodies := map[string]bool{
		`{"error_code":"COC.00000000","error_msg":"success","data":null,"provider_code":"049"}`: true,
		`{"error_code":"GOM.00000000","error_msg":null}`:                                        true,
		`{"error_code":" COC.00000000 "}`:                                                       true,
		`{"error_code":"0"}`:                                                                    true,
		`{"error_code":"0000"}`:                                                                 true,
		`{"error_code":0}`:                                                                      true,
		`{"error_code":""}`:                                                                     true,
		`{"error_code":null}`:                                                                   true,
		`{"data":"SC1"}`:                                                                        true,
		`{}`:                                                                                    true,
		` {"a":1} ` + "\n":                                                                      true,

		`{"error_code":"COC.00000001"}`: false,
		`{"error_code":"COC."}`:         false,
		`{"error_code":".0"}`:           false,
		`{"error_code":"A.B.0"}`:        false,
		`{"error_code":"1"}`:            false,
		`{"error_code":7}`:              false,
		`{"error_code":false}`:          false,
		`{"error_code":{}}`:             false,
		`{"error_code":"success"}`:      false,
		``:                              false,
		`null`:                          false,
		`[]`:                            false,
		`"COC.00000000"`:                false,
		`{}{}`:                          false,
		`{"error_code":"COC.00000000"`:  false,
		`<html>welcome</html>`:          false,
	}
	for body, good := range bodies {
		for _, status := range []int{200, 201, 202, 203, 204, 206, 304, 400, 500} {
			want := good && status <= 202
			if got := coc.Classify(coc.Answer{Status: status, Body: body}); (got == nil) != want {
				t.Errorf("HTTP %d %s: %v, success should be %v", status, body, got, want)
			}
		}
	}
}

// TestClassify_table follows the table of coc-api.md 1.5 row by row.
func TestClassify_table(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}
	tooLong := "script_params size must be between 0 and 50"
	for _, test := range []struct {
		row  string
		in   coc.Answer
		want coc.Class
	}{
		{"dial, DNS, TLS: never written", coc.Answer{Err: reset}, coc.Network},
		{"reset after the request was written", coc.Answer{Err: reset, Sent: true}, coc.Retry},
		{"time-out before", coc.Answer{Err: context.DeadlineExceeded}, coc.Network},
		{"time-out after", coc.Answer{Err: context.DeadlineExceeded, Sent: true}, coc.Retry},
		{"neither answer nor error", coc.Answer{Sent: true}, coc.Retry},
		{"500", coc.Answer{Status: 500}, coc.Retry},
		{"502", coc.Answer{Status: 502, Body: "<html>Bad Gateway</html>"}, coc.Retry},
		{"503", coc.Answer{Status: 503}, coc.Retry},
		{"504", coc.Answer{Status: 504}, coc.Retry},
		{"504 with the code that is else of size", coc.Answer{Status: 504, Body: refusal("APIGW.0201", "Backend timeout")}, coc.Retry},
		{"500 with a validation code", coc.Answer{Status: 500, Body: refusal("COC.00000001", tooLong)}, coc.Retry},
		{"408", coc.Answer{Status: 408}, coc.Retry},
		{"425", coc.Answer{Status: 425}, coc.Retry},
		{"499", coc.Answer{Status: 499}, coc.Retry},
		{"empty 200", coc.Answer{Status: 200}, coc.Retry},
		{"HTML 200", coc.Answer{Status: 200, Body: "<html>log in to the WiFi</html>"}, coc.Retry},
		{"a 200 that breaks off", coc.Answer{Status: 200, Body: `{"error_code":"COC.00000000"}`, Err: io.ErrUnexpectedEOF}, coc.Retry},
		{"unexpected 204", coc.Answer{Status: 204}, coc.Retry},
		{"206", coc.Answer{Status: 206, Body: `{}`}, coc.Retry},
		{"101", coc.Answer{Status: 101}, coc.Retry},

		{"301", coc.Answer{Status: 301}, coc.Misconfigured},
		{"302 with a body like success", coc.Answer{Status: 302, Body: `{}`}, coc.Misconfigured},
		{"307", coc.Answer{Status: 307}, coc.Misconfigured},

		{"429", coc.Answer{Status: 429, Body: "slow down"}, coc.Throttled},
		{"429 with the gateway's code", coc.Answer{Status: 429, Body: refusal("APIGW.0308", "policy user over ratelimit,limit:10")}, coc.Throttled},
		{"the gateway's code under another status", coc.Answer{Status: 200, Body: refusal("APIGW.0308", "")}, coc.Throttled},

		{"401 bad signature", coc.Answer{Status: 401, Body: refusal("APIGW.0301", "Incorrect IAM authentication information")}, coc.Auth},
		{"401 clock", coc.Answer{Status: 401, Body: refusal("APIGW.0303", "x-sdk-date is expired")}, coc.Auth},
		{"401 0305", coc.Answer{Status: 401, Body: refusal("APIGW.0305", "")}, coc.Auth},
		{"401 token must be updated", coc.Answer{Status: 401, Body: refusal("APIGW.0307", "The token must be updated")}, coc.Auth},
		{"401 of COC itself", coc.Answer{Status: 401, Body: refusal("common.01010001", "Token missing or invalid.")}, coc.Auth},
		{"that code under 400", coc.Answer{Status: 400, Body: refusal("common.01010001", "Token missing or invalid.")}, coc.Auth},
		{"401 without a code", coc.Answer{Status: 401}, coc.Auth},
		{"401 with an unknown code", coc.Answer{Status: 401, Body: refusal("COC.00099999", "invalid")}, coc.Auth},
		{"403 of an IAM policy", coc.Answer{Status: 403, Body: refusal("PAP5.0011", "Policy doesn't allow it")}, coc.Auth},
		{"403 0302", coc.Answer{Status: 403, Body: refusal("APIGW.0302", "")}, coc.Auth},
		{"403 0401", coc.Answer{Status: 403, Body: refusal("APIGW.0401", "")}, coc.Auth},
		{"403 0802", coc.Answer{Status: 403, Body: refusal("APIGW.0802", "")}, coc.Auth},
		{"402", coc.Answer{Status: 402}, coc.Auth},
		{"405 quota used up", coc.Answer{Status: 405, Body: refusal("APIGW.0501", "")}, coc.Auth},
		{"405 frozen for arrears", coc.Answer{Status: 405, Body: refusal("APIGW.0502", "")}, coc.Auth},

		{"404 of the gateway", coc.Answer{Status: 404, Body: refusal("APIGW.0101", "The API does not exist")}, coc.Misconfigured},
		{"404", coc.Answer{Status: 404, Body: "<html>"}, coc.Misconfigured},
		{"405 wrong method", coc.Answer{Status: 405}, coc.Misconfigured},
		{"407", coc.Answer{Status: 407}, coc.Misconfigured},
		{"421", coc.Answer{Status: 421}, coc.Misconfigured},
		{"400 0104", coc.Answer{Status: 400, Body: refusal("APIGW.0104", "")}, coc.Misconfigured},
		{"400 0106", coc.Answer{Status: 400, Body: refusal("APIGW.0106", "")}, coc.Misconfigured},
		{"400 0602", coc.Answer{Status: 400, Body: refusal("APIGW.0602", "")}, coc.Misconfigured},
		{"400 0607", coc.Answer{Status: 400, Body: refusal("APIGW.0607", "")}, coc.Misconfigured},

		{"413", coc.Answer{Status: 413, Body: refusal("APIGW.0201", "Request body size exceeds limit")}, coc.Permanent},
		{"414", coc.Answer{Status: 414, Body: refusal("APIGW.0201", "")}, coc.Permanent},
		{"494", coc.Answer{Status: 494}, coc.Permanent},

		{"400 COC.00000001", coc.Answer{Status: 400, Body: refusal("COC.00000001", "alarmName must not be null | alarmId must not be null")}, coc.Permanent},
		{"200 COC.00000001", coc.Answer{Status: 200, Body: refusal("COC.00000001", "alarmName must not be null")}, coc.Permanent},
		{"400 COC.00010002", coc.Answer{Status: 400, Body: refusal("COC.00010002", "")}, coc.Permanent},
		{"400 COC.00014002", coc.Answer{Status: 400, Body: refusal("COC.00014002", "")}, coc.Permanent},
		{"400 GOM.00007256", coc.Answer{Status: 400, Body: refusal("GOM.00007256", "")}, coc.Permanent},
		{"400 COC.00040601", coc.Answer{Status: 400, Body: refusal("COC.00040601", "Exist script with same name: a")}, coc.Conflict},
		{"400 COC.00040601, another reason", coc.Answer{Status: 400, Body: refusal("COC.00040601", "invalid param")}, coc.Permanent},
		{"400 COC.00040603", coc.Answer{Status: 400, Body: refusal("COC.00040603", "")}, coc.NotFound},
		{"400 COC.00040709", coc.Answer{Status: 400, Body: refusal("COC.00040709", "")}, coc.NotFound},
		{"400 COC.00042101", coc.Answer{Status: 400, Body: refusal("COC.00042101", "")}, coc.NotFound},
		{"400 COC.00067003", coc.Answer{Status: 400, Body: refusal("COC.00067003", "")}, coc.NotFound},

		{"400 COC.00040701, validation", coc.Answer{Status: 400, Body: refusal("COC.00040701", tooLong)}, coc.Permanent},
		{"400 COC.00040701, null", coc.Answer{Status: 400, Body: refusal("COC.00040701", "limit Must Not Be null")}, coc.Permanent},
		{"400 COC.00040701, invalid", coc.Answer{Status: 400, Body: refusal("COC.00040701", "Invalid param")}, coc.Permanent},
		{"400 COC.00040701, internal", coc.Answer{Status: 400, Body: refusal("COC.00040701", "internal error")}, coc.Retry},
		{"200 COC.00040701, no text", coc.Answer{Status: 200, Body: `{"error_code":"COC.00040701","error_msg":null}`}, coc.Retry},
		{"400 COC.00010014", coc.Answer{Status: 400, Body: refusal("COC.00010014", "invalid")}, coc.Retry},
		{"400 COC.00011013", coc.Answer{Status: 400, Body: refusal("COC.00011013", "login user is null")}, coc.Retry},

		{"500 0601", coc.Answer{Status: 500, Body: refusal("APIGW.0601", "")}, coc.Retry},
		{"500 0612", coc.Answer{Status: 500, Body: refusal("APIGW.0612", "")}, coc.Retry},
		{"500 0705", coc.Answer{Status: 500, Body: refusal("APIGW.0705", "")}, coc.Retry},
		{"503 0613", coc.Answer{Status: 503, Body: refusal("APIGW.0613", "")}, coc.Retry},
		{"200 0601", coc.Answer{Status: 200, Body: refusal("APIGW.0601", "")}, coc.Retry},

		{"400 with an unknown code", coc.Answer{Status: 400, Body: refusal("COC.00099999", "?")}, coc.Permanent},
		{"400 that is not COC's", coc.Answer{Status: 400, Body: "<html>"}, coc.Permanent},
		{"400 that breaks off", coc.Answer{Status: 400, Body: `{"error`, Err: io.ErrUnexpectedEOF}, coc.Retry},
		{"403 that breaks off", coc.Answer{Status: 403, Err: io.ErrUnexpectedEOF}, coc.Auth},
		{"200 with an unknown code", coc.Answer{Status: 200, Body: refusal("weird", "")}, coc.Permanent},
		{"418, a firewall's", coc.Answer{Status: 418, Body: "<html>"}, coc.Permanent},
		{"422", coc.Answer{Status: 422}, coc.Permanent},
	} {
		t.Run(test.row, func(t *testing.T) {
			got := coc.Classify(test.in)
			if got == nil {
				t.Fatalf("success, want %v", test.want)
			}
			if got.Class != test.want {
				t.Errorf("%v, want %v", got.Class, test.want)
			}
			if want := test.in.Sent || test.in.Status != 0; got.Sent != want {
				t.Errorf("Sent is %v, want %v", got.Sent, want)
			}
		})
	}
}

func TestClassify_fields(t *testing.T) {
	for name, test := range map[string]struct {
		in   coc.Answer
		want coc.Error
	}{
		"COC's words and the header's request id": {
			coc.Answer{Status: 400, Header: http.Header{"X-Request-Id": {"h1"}}, Body: `{"error_code":"COC.00000001","error_msg":"alarmId must not be null","request_id":"b1"}`},
			coc.Error{Class: coc.Permanent, Status: 400, Code: "COC.00000001", Message: "alarmId must not be null", RequestID: "h1", Sent: true, Refused: true},
		},
		"the body's request id": {
			coc.Answer{Status: 404, Body: `{"error_code":"APIGW.0101","error_msg":"The API does not exist","request_id":"b1"}`},
			coc.Error{Class: coc.Misconfigured, Status: 404, Code: "APIGW.0101", Message: "The API does not exist", RequestID: "b1", Sent: true, Refused: true},
		},
		"a body that is not COC's is not quoted": {
			coc.Answer{Status: 200, Header: http.Header{"Content-Type": {"text/html"}}, Body: "<html>secret</html>"},
			coc.Error{Class: coc.Retry, Status: 200, Message: `the answer is not COC's: 19 bytes of "text/html" instead of a JSON object`, Sent: true},
		},
		"empty": {
			coc.Answer{Status: 200},
			coc.Error{Class: coc.Retry, Status: 200, Message: "the answer is empty", Sent: true},
		},
		"no reason": {
			coc.Answer{Status: 400, Body: "{}"},
			coc.Error{Class: coc.Permanent, Status: 400, Message: "the answer gives no reason", Sent: true},
		},
		"the host of a redirect, without its path": {
			coc.Answer{Status: 302, Header: http.Header{"Location": {"https://portal.example/login?key=1"}}},
			coc.Error{Class: coc.Misconfigured, Status: 302, Message: `redirected to "portal.example"; COC never redirects`, Sent: true},
		},
		"a redirect to nowhere": {
			coc.Answer{Status: 302, Header: http.Header{"Location": {"::"}}},
			coc.Error{Class: coc.Misconfigured, Status: 302, Message: "redirected; COC never redirects", Sent: true},
		},
		"broken off": {
			coc.Answer{Status: 200, Body: "{}", Err: io.ErrUnexpectedEOF},
			coc.Error{Class: coc.Retry, Status: 200, Message: "the answer broke off: unexpected EOF", Sent: true, Err: io.ErrUnexpectedEOF},
		},
		"never sent": {
			coc.Answer{Err: io.EOF},
			coc.Error{Class: coc.Network, Message: "EOF", Err: io.EOF},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, *coc.Classify(test.in), cmpopts.EquateErrors()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestClassify_retryAfter(t *testing.T) {
	const date = "Tue, 01 Sep 2026 11:00:00 GMT" // the server's clock is an hour behind testTime
	for name, test := range map[string]struct {
		header http.Header
		want   time.Duration
	}{
		"none":                         {http.Header{}, 0},
		"seconds":                      {http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		"blanks":                       {http.Header{"Retry-After": {" 7 "}}, 7 * time.Second},
		"zero":                         {http.Header{"Retry-After": {"0"}}, 0},
		"negative":                     {http.Header{"Retry-After": {"-5"}}, 0},
		"too long":                     {http.Header{"Retry-After": {"86400"}}, coc.MaxRetryAfter},
		"longer than any number":       {http.Header{"Retry-After": {"99999999999999999999999"}}, coc.MaxRetryAfter},
		"shorter than any number":      {http.Header{"Retry-After": {"-99999999999999999999999"}}, 0},
		"not a number":                 {http.Header{"Retry-After": {"soon"}}, 0},
		"a fraction":                   {http.Header{"Retry-After": {"1.5"}}, 0},
		"a date":                       {http.Header{"Retry-After": {"Tue, 01 Sep 2026 12:00:09 GMT"}}, 9 * time.Second},
		"a date by the server's clock": {http.Header{"Retry-After": {"Tue, 01 Sep 2026 11:00:09 GMT"}, "Date": {date}}, 9 * time.Second},
		"a past date":                  {http.Header{"Retry-After": {"Tue, 01 Sep 2026 10:00:00 GMT"}, "Date": {date}}, 0},
		"a far date":                   {http.Header{"Retry-After": {"Tue, 01 Sep 2099 10:00:00 GMT"}, "Date": {date}}, coc.MaxRetryAfter},
	} {
		t.Run(name, func(t *testing.T) {
			got := coc.Classify(coc.Answer{Status: 429, Header: test.header, Now: testTime})
			if got.RetryAfter != test.want {
				t.Errorf("RetryAfter is %v, want %v", got.RetryAfter, test.want)
			}
		})
	}
}

// zeroCode is the success rule's idea of a code, written another way.
var zeroCode = regexp.MustCompile(`^\s*([^.]+\.)?0*\s*$`)

func FuzzClassify(f *testing.F) {
	f.Add(200, `{"error_code":"COC.00000000","error_msg":"success"}`, "", "", "", false, false)
	f.Add(200, `{"error_code":"COC.00000001","error_msg":"alarmId must not be null"}`, "", "", "r1", false, true)
	f.Add(400, `{"error_code":"COC.00040701","error_msg":"size must be"}`, "", "", "", false, true)
	f.Add(429, `{"error_code":"APIGW.0308","request_id":"x"}`, "7", "", "", false, true)
	f.Add(503, "<html>", "Tue, 01 Sep 2026 12:00:09 GMT", "", "", false, true)
	f.Add(302, "", "", "https://portal.example/", "", false, true)
	f.Add(200, `{"error_code":{"a":[1]},"error_msg":7,"request_id":[]}`, "", "", "", true, true)
	f.Add(0, "", "", "", "", true, true)
	f.Add(200, "null", "", "", "\x00\x1b[31m", false, false)
	f.Fuzz(func(t *testing.T, status int, body, retryAfter, location, id string, failed, sent bool) {
		in := coc.Answer{Status: status, Body: body, Sent: sent, Now: testTime, Header: http.Header{
			"Retry-After": {retryAfter}, "Location": {location}, "X-Request-Id": {id},
		}}
		if failed {
			in.Err = errors.New(body)
		}
		got := coc.Classify(in)
		if got == nil {
			mustMeanSuccess(t, in)
			return
		}
		if got.RetryAfter < 0 || got.RetryAfter > coc.MaxRetryAfter {
			t.Errorf("RetryAfter is %v", got.RetryAfter)
		}
		if status != 0 && got.Class == coc.Network {
			t.Errorf("there was an answer, and the class is %v", got.Class)
		}
		got.Op = "fuzz"
		got.Clean("secret")
		mustBePresentable(t, got)
	})
}

func mustMeanSuccess(t *testing.T, in coc.Answer) {
	t.Helper()
	var fields map[string]any
	err := json.Unmarshal([]byte(in.Body), &fields)
	if in.Err != nil || in.Status < 200 || in.Status > 202 || err != nil || fields == nil {
		t.Errorf("success for HTTP %d %q %v", in.Status, in.Body, in.Err)
	}
	switch code := fields["error_code"].(type) {
	case nil:
	case float64:
		if code != 0 {
			t.Errorf("success for the code %v", code)
		}
	case string:
		if !zeroCode.MatchString(code) || strings.HasSuffix(strings.TrimSpace(code), ".") {
			t.Errorf("success for the code %q", code)
		}
	default:
		t.Errorf("success for the code %v", code)
	}
}

func mustBePresentable(t *testing.T, e *coc.Error) {
	t.Helper()
	if len(e.Message) > coc.MaxMessage || len(e.Code) > coc.MaxID || len(e.RequestID) > coc.MaxID {
		t.Errorf("texts of %d, %d and %d bytes", len(e.Message), len(e.Code), len(e.RequestID))
	}
	for _, text := range []string{e.Error(), e.Alike(), e.Cause(), e.Reason(), e.Class.String(), errorText(e.Err)} {
		if regexp.MustCompile(`[\x00-\x1f\x7f]`).MatchString(text) {
			t.Errorf("%q has control characters", text)
		}
		if strings.Contains(strings.ReplaceAll(text, "<secret>", ""), "secret") {
			t.Errorf("%q shows the secret", text)
		}
	}
}
