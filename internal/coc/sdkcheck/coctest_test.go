package sdkcheck_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// simulated is a COC and an account of it.
type simulated struct {
	*coctest.Server
	account   account
	transport *http.Transport
}

// simulate starts a COC that knows the account named here, whatever opts say of
// it. wrap stands in front of it; nil = nothing does.
func simulate(t *testing.T, opts coctest.Options, wrap func(http.Handler) http.Handler) simulated {
	k := keys{"AKTEST", "SKTEST", opts.SecurityToken}
	opts.AccessKey, opts.SecretKey, opts.ProjectID = k.access, k.secret, "p1"
	if opts.Keys == nil {
		opts.Keys = []string{"k1"}
	}
	s := simulated{Server: coctest.New(opts), transport: &http.Transport{}}
	var handler http.Handler = s.Server
	if wrap != nil {
		handler = wrap(handler)
	}
	socket := httptest.NewServer(handler)
	t.Cleanup(func() {
		s.Close()
		s.transport.CloseIdleConnections()
		socket.Close()
	})
	s.account = account{endpoint: socket.URL, project: "p1", keys: k}
	return s
}

// TestSDK_reportsToCoctest is the proof that the simulator is not too strict:
// it takes each alarm that the SDK sends and the documents allow.
func TestSDK_reportsToCoctest(t *testing.T) {
	for _, token := range []string{"", "a temporary one"} {
		t.Run(fmt.Sprintf("with the security token %q", token), func(t *testing.T) {
			s := simulate(t, coctest.Options{SecurityToken: token}, nil)
			client := theirs(t, s.account, s.transport)
			for i := range *count {
				want := newDice(*seed, i).strict(fmt.Sprintf("a%d", i))
				answer, err := client.CreateReportCustomEvent(event("k1", want))
				if err != nil || answer.HttpStatusCode != http.StatusOK || *answer.ErrorCode != "COC.00000000" {
					t.Fatalf("alarm %d of -seed=%d: %v, %v\n%+v", i, *seed, answer, err, s.Refusals())
				}
				if diff := cmp.Diff(readBack(want), accepted(s.Alarms()[i].Alarm)); diff != "" {
					t.Fatalf("alarm %d of -seed=%d (-sent +accepted):\n%s", i, *seed, diff)
				}
			}
			if diff := cmp.Diff([]string(nil), s.Violations()); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

// readBack is the alarm as JSON carries it: bytes that are not UTF-8 are U+FFFD.
func readBack(a coc.Alarm) coc.Alarm {
	for _, text := range []*string{&a.NameSpace, &a.RegionID, &a.ApplicationID, &a.ResourceName, &a.ResourceID, &a.AlarmDesc, &a.URL, &a.AlarmSource} {
		*text = string([]rune(*text))
	}
	if len(a.Additional) == 0 {
		a.Additional = nil
		return a
	}
	additional := map[string]string{}
	for name, value := range a.Additional {
		additional[name] = string([]rune(value))
	}
	a.Additional = additional
	return a
}

// accepted is the alarm in the client's type.
func accepted(e coctest.Alarm) coc.Alarm {
	a := coc.Alarm{
		AlarmID: e.AlarmID, AlarmName: e.AlarmName, AlarmLevel: coc.Level(e.AlarmLevel), Time: e.Time, NameSpace: e.NameSpace,
		RegionID: e.RegionID, ApplicationID: e.ApplicationID, ResourceName: e.ResourceName, ResourceID: e.ResourceID,
		AlarmDesc: e.AlarmDesc, URL: e.URL, AlarmStatus: coc.AlarmStatus(e.AlarmStatus), AlarmSource: e.AlarmSource,
	}
	if e.Additional == nil {
		return a
	}
	a.Additional = map[string]string{}
	for name, value := range decoded(e.Additional).(map[string]any) {
		a.Additional[name] = value.(string)
	}
	return a
}

// TestSDK_isRefusedByCoctest has what the SDK sends without a check of its own.
func TestSDK_isRefusedByCoctest(t *testing.T) {
	minutes := func(n int) func() time.Time {
		return func() time.Time { return time.Now().Add(time.Duration(n) * time.Minute) }
	}
	for _, c := range []struct {
		name    string
		opts    coctest.Options
		account func(*account)
		key     string
		alarm   func(*coc.Alarm)
		want    string // status, code and part of the message; "" = taken
	}{
		{name: "nothing", want: ""},
		{name: "no alarmStatus, which has no documented default", alarm: func(a *coc.Alarm) { a.AlarmStatus = "" }, want: ""},
		{name: "no applicationId, which the SDK takes for optional", alarm: func(a *coc.Alarm) { a.ApplicationID = "" },
			want: "400 COC.00000001 applicationId must not be null"},
		{name: "no applicationId, by switch", alarm: func(a *coc.Alarm) { a.ApplicationID = "" },
			opts: coctest.Options{Switches: coctest.Switches{OptionalApplication: true}}, want: ""},
		{name: "a name with a space, as in one sample of the documents", alarm: func(a *coc.Alarm) { a.AlarmName = "CPU high" },
			want: "400 COC.00000001 alarmName must match"},
		{name: "a name with a space, by switch", alarm: func(a *coc.Alarm) { a.AlarmName = "CPU high" },
			opts: coctest.Options{Switches: coctest.Switches{FreeCharset: true}}, want: ""},
		{name: "an empty text", alarm: func(a *coc.Alarm) { a.AlarmDesc = "" },
			want: "400 COC.00000001 alarmDesc size must be between 1 and 255"},
		{name: "a long text", alarm: func(a *coc.Alarm) { a.AlarmDesc = strings.Repeat("磁", 254) + "😀" },
			want: "400 COC.00000001 alarmDesc size must be between 1 and 255"},
		{name: "no time", alarm: func(a *coc.Alarm) { a.Time = 0 }, want: "400 COC.00000001 time must be greater than or equal to 1"},
		{name: "seconds", alarm: func(a *coc.Alarm) { a.Time = 1700000000 }, want: "400 COC.00000001 time must be milliseconds"},
		{name: "an unknown integration key", key: "k2", want: "400 COC.00000001 integrationKey is invalid"},
		{name: "a key that leaves its path", key: "../../x?y=1", want: "404 APIGW.0101"},
		{name: "another secret key", account: func(a *account) { a.keys.secret = "x" }, want: "401 common.01010001"},
		{name: "another access key", account: func(a *account) { a.keys.access = "x" }, want: "401 common.01010001"},
		{name: "another project", account: func(a *account) { a.project = "x" }, want: "401 common.01010001"},
		{name: "a missing token", opts: coctest.Options{SecurityToken: "x"}, account: func(a *account) { a.keys.token = "" },
			want: "401 common.01010001"},
		{name: "a clock 14 minutes behind", opts: coctest.Options{Now: minutes(14)}, want: ""},
		{name: "a clock 16 minutes behind", opts: coctest.Options{Now: minutes(16)}, want: "401 common.01010001"},
		{name: "a clock 16 minutes ahead, seen by the gateway", want: "401 APIGW.0303 Incorrect authentication information: signature expired",
			opts: coctest.Options{Now: minutes(-16), Switches: coctest.Switches{GatewayAuth: true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := simulate(t, c.opts, nil)
			key, alarm := "k1", sample()
			alarm.AlarmName = "disk"
			if c.alarm != nil {
				c.alarm(&alarm)
			}
			if c.account != nil {
				c.account(&s.account)
			}
			if c.key != "" {
				key = c.key
			}
			_, err := theirs(t, s.account, s.transport).CreateReportCustomEvent(event(key, alarm))
			got := ""
			if refusal, ok := errors.AsType[*sdkerr.ServiceResponseError](err); ok {
				got = fmt.Sprint(refusal.StatusCode, " ", refusal.ErrorCode, " ", refusal.ErrorMessage)
			} else if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
				t.Errorf("refused with %q, want %q\n%+v", got, c.want, s.Refusals())
			}
		})
	}
}

// TestCoctest_takesWhatTheSDKSigns has the SDK's signer and encoder make
// requests with all kinds of paths, queries and signed headers.
func TestCoctest_takesWhatTheSDKSigns(t *testing.T) {
	var all []sent
	var known []string
	for i := range *count {
		s := newSigned(newDice(*seed, i))
		all, known = append(all, s), append(known, strings.TrimPrefix(s.Path, eventPath))
	}
	s := simulate(t, coctest.Options{Keys: known, Switches: coctest.Switches{FreeCharset: true, FreeTime: true}}, nil)
	for i, r := range all {
		status, body := s.post(t, r)
		if status != http.StatusOK {
			t.Fatalf("request %d of -seed=%d: %d %s\n%+v\n%q", i, *seed, status, body, s.Refusals(), r)
		}
	}
}

const eventPath = "/v1/event/huawei/custom/"

// newSigned is a request to the only endpoint there is, with a key that is as
// odd as a path can be.
func newSigned(d dice) sent {
	s := sent{Method: http.MethodPost, Path: eventPath + d.segment(), Query: d.query(), Header: http.Header{"X-Project-Id": {"p1"}}}
	for _, name := range []string{"X-Language", "User-Agent", "X-User-Profile"} {
		if d.IntN(2) == 0 {
			s.Header.Set(name, "  "+d.word(letters+" \t\"';,=%+"+han, d.length(1, 40))+" ")
		}
	}
	if d.IntN(2) == 0 {
		s.Header.Set("Host", "filled in by post")
	}
	s.Body = []byte(`{"alarmId":"a","alarmName":"n","alarmLevel":"Info","time":1,"nameSpace":"n","applicationId":"a","alarmDesc":"d","alarmSource":"s"}`)
	return s
}

// post signs and sends r as the SDK does.
func (s simulated) post(t *testing.T, r sent) (status int, answer string) {
	t.Helper()
	b := request.NewHttpRequestBuilder().WithMethod(r.Method).WithEndpoint(s.account.endpoint).WithPath(r.Path).WithBody("", string(r.Body))
	for name, values := range r.Query {
		b.AddQueryParam(name, reflect.ValueOf(values))
	}
	b.AddHeaderParam("Content-Type", "application/json")
	for name := range r.Header {
		b.AddHeaderParam(name, r.Header.Get(name))
	}
	if r.Header.Get("Host") != "" {
		b.AddHeaderParam("Host", strings.TrimPrefix(s.account.endpoint, "http://"))
	}
	added, err := signer.Sign(b.Build(), s.account.keys.access, s.account.keys.secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range added {
		b.AddHeaderParam(name, value)
	}
	req, err := b.Build().ConvertRequest()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(bytes.TrimSpace(body))
}
