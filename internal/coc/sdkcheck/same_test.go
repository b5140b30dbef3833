package sdkcheck_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/secret"
)

// TestClient_sendsWhatTheSDKSends has both clients report the same alarm for the
// same account, and compares the requests as a server got them.
func TestClient_sendsWhatTheSDKSends(t *testing.T) {
	rec := newRecorder(t)
	for i := range *count {
		c := newReport(newDice(*seed, i), rec)
		us, them := c.send(t, rec)
		problem := missigned(us, c.account)
		if problem == "" {
			problem = different(us, them)
		}
		if problem != "" {
			t.Fatalf("request %d of -seed=%d: %s", i, *seed, problem)
		}
	}
}

// report is one call for both clients to make.
type report struct {
	account account
	key     string
	alarm   coc.Alarm
}

func newReport(d dice, rec *recorder) report {
	at := d.at()
	a := account{endpoint: "http://" + d.loopback(), proxy: rec.proxy.URL, keys: d.keys(), now: func() time.Time { return at }}
	if d.IntN(4) > 0 {
		a.project = d.word("0123456789abcdef", 32)
	}
	return report{a, d.word(letters, d.length(1, coc.MaxText)), d.alarm()}
}

// send makes the call with our client, then with theirs.
func (r report) send(t *testing.T, rec *recorder) (us, them sent) {
	t.Helper()
	client := ours(t, r.account)
	defer client.Close()
	if _, err := client.ReportAlarm(t.Context(), secret.String(r.key), r.alarm); err != nil {
		t.Fatalf("our client: %v", err)
	}
	us = <-rec.calls
	if _, err := theirs(t, r.account, rec.transport).CreateReportCustomEvent(event(r.key, r.alarm)); err != nil {
		t.Fatalf("the SDK's client: %v", err)
	}
	return us, <-rec.calls
}

// missigned says why Authorization is not what the SDK's signer makes of the
// same request at the account's time, with Content-Type signed as well; "" = it
// is.
func missigned(s sent, a account) string {
	names := s.signable()
	rest := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "content-type" })
	sdk, err := s.sdkAuthorization(a.keys, rest)
	if err != nil {
		return "the SDK's signer: " + err.Error()
	}
	if diff := cmp.Diff(sdk, s.authorization(a.keys, rest)); diff != "" {
		return "without Content-Type, the SDK's signer and this test disagree (-SDK +test):\n" + diff
	}
	if diff := cmp.Diff([]string{s.authorization(a.keys, names)}, s.Header.Values("Authorization")); diff != "" {
		return "Authorization (-SDK +ours):\n" + diff
	}
	return cmp.Diff(a.now().UTC().Format(signedTime), s.header("x-sdk-date"))
}

// TestAuthorization_publishedVector covers the one line that the SDK's signer
// cannot confirm: Content-Type is a signed header like any other (coc-api.md 2.2).
func TestAuthorization_publishedVector(t *testing.T) {
	s := sent{
		Method: http.MethodGet,
		Host:   "service.region.example.com",
		Path:   "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
		Query:  url.Values{"limit": {"2"}, "marker": {"13551d6b-755d-4757-b956-536f674975c0"}},
		Header: http.Header{"Content-Type": {"application/json"}, "X-Sdk-Date": {"20191115T033655Z"}},
	}
	k := keys{access: "QTWAOYTTINDUT2QVKYUC", secret: "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"}
	want := "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;x-sdk-date, " +
		"Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
	if diff := cmp.Diff(want, s.authorization(k, []string{"content-type", "host", "x-sdk-date"})); diff != "" {
		t.Errorf("Authorization (-published +this test's):\n%s", diff)
	}
}

// ownHeaders are those in which the clients differ on purpose; the package
// comment says why, TestClient_differsFromTheSDK says how.
var ownHeaders = []string{"Accept-Encoding", "Authorization", "Connection", "Content-Length", "Content-Type", "User-Agent", "X-Sdk-Date"}

// different says in what else two requests differ; "" = in nothing.
func different(us, them sent) string {
	type common struct {
		Method, Host, Path string
		Query              url.Values
		Header             http.Header
	}
	of := func(s sent) common {
		c := common{s.Method, s.Host, s.Path, s.Query, s.Header.Clone()}
		for _, name := range ownHeaders {
			c.Header.Del(name)
		}
		return c
	}
	if diff := cmp.Diff(of(them), of(us)); diff != "" {
		return "the requests differ (-SDK +ours):\n" + diff
	}
	return unequalJSON(us.Body, them.Body)
}

// unequalJSON says why two texts do not say the same in JSON; "" = they do.
// Numbers are compared by their digits.
func unequalJSON(us, them []byte) string {
	if !jsontext.Value(us).IsValid() {
		return "our body is not JSON with each name once: " + string(us)
	}
	if !jsontext.Value(them).IsValid() {
		return "the SDK's body is not JSON with each name once: " + string(them)
	}
	if diff := cmp.Diff(decoded(them), decoded(us)); diff != "" {
		return "the bodies differ (-SDK +ours):\n" + diff
	}
	return ""
}

// decoded is the value of a text that is known to be JSON.
func decoded(text []byte) (value any) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		panic(err)
	}
	return value
}
