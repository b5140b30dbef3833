package sdkcheck_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
)

// sample is taken by the strict simulator.
func sample() coc.Alarm {
	return coc.Alarm{
		AlarmID: "a1", AlarmName: "磁盘", AlarmLevel: coc.Major, Time: 1700000000000, NameSpace: "prod",
		ApplicationID: "app", AlarmDesc: "hot", AlarmStatus: coc.StatusAlarm, AlarmSource: "prometheus",
	}
}

// TestClient_differsFromTheSDK is the list of the package comment as it looks on
// the wire.
func TestClient_differsFromTheSDK(t *testing.T) {
	rec := newRecorder(t)
	alarm := sample()
	alarm.AlarmDesc = "a < b & c > d"
	us, them := report{
		account: account{"http://localhost:81", rec.proxy.URL, "p1", keys{"AK", "SK", "token"}, time.Now},
		key:     "k1",
		alarm:   alarm,
	}.send(t, rec)

	const head = `{"alarmId":"a1","alarmName":"磁盘","alarmLevel":"Major","time":1700000000000,"nameSpace":"prod",` +
		`"applicationId":"app","alarmDesc":"`
	const tail = `","alarmStatus":"alarm","alarmSource":"prometheus"}`
	type wire struct {
		ContentType, UserAgent, Encoding string
		Signed                           string
		Content                          string
	}
	of := func(s sent) wire {
		return wire{s.header("content-type"), s.header("user-agent"), s.header("accept-encoding"), signedHeaders(s), string(s.Body)}
	}
	ourWire := wire{
		ContentType: "application/json",
		UserAgent:   "cocbridge/test",
		Signed:      "content-type;host;x-project-id;x-sdk-date;x-security-token",
		Content:     head + `a \u003c b \u0026 c \u003e d` + tail,
	}
	theirWire := wire{
		ContentType: "application/json; charset=utf-8",
		UserAgent:   "huaweicloud-usdk-go/3.0; sdkcheck",
		Encoding:    "gzip",
		Signed:      "user-agent;x-project-id;x-sdk-date;x-security-token",
		Content:     head + `a < b & c > d` + tail + "\n",
	}
	if diff := cmp.Diff(ourWire, of(us)); diff != "" {
		t.Errorf("ours (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(theirWire, of(them)); diff != "" {
		t.Errorf("the SDK's (-want +got):\n%s", diff)
	}
}

// signedHeaders is the list in Authorization.
func signedHeaders(s sent) string {
	_, rest, _ := strings.Cut(s.header("authorization"), "SignedHeaders=")
	list, _, _ := strings.Cut(rest, ",")
	return list
}
