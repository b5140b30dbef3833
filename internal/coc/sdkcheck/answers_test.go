package sdkcheck_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/coc/v1/model"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// TestClient_readsRefusalsLikeTheSDK gives both clients the same refusal, in
// which they must find the same status, code and words.
func TestClient_readsRefusalsLikeTheSDK(t *testing.T) {
	for _, c := range []struct{ fault, want string }{
		{"400", "400 COC.00000001 injected fault"},
		{"400,code=COC.00040701,message=busy", "400 COC.00040701 busy"},
		{"401", "401 common.01010001 Token missing or invalid."},
		{"bad-signature", "401 APIGW.0301 Incorrect IAM authentication information: verify aksk signature fail"},
		{"403", "403 APIGW.0302 The IAM user is not allowed to access the API"},
		{"404", "404 APIGW.0101 The API does not exist or has not been published in the environment"},
		{"405", "405 APIGW.0502 The account is frozen for arrears"},
		{"413", "413 APIGW.0201 Request entity too large"},
		{"429,retry-after=7", "429 APIGW.0308 The throttling threshold has been reached: policy user over ratelimit,limit:10"},
		{"500", "500 APIGW.0601 Internal server error"},
		{"503", "503 APIGW.0613 The backend service is unavailable"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			_, sdkErr, ourErr := answered(t, c.fault)
			them, ok := errors.AsType[*sdkerr.ServiceResponseError](sdkErr)
			if !ok {
				t.Fatalf("the SDK: %v", sdkErr)
			}
			us, ok := errors.AsType[*coc.Error](ourErr)
			if !ok {
				t.Fatalf("ours: %v", ourErr)
			}
			got := []string{
				fmt.Sprint(them.StatusCode, " ", them.ErrorCode, " ", them.ErrorMessage),
				fmt.Sprint(us.Status, " ", us.Code, " ", us.Message),
			}
			if diff := cmp.Diff([]string{c.want, c.want}, got); diff != "" {
				t.Errorf("the SDK, ours (-want +got):\n%s", diff)
			}
			if them.RequestId == "" || len(them.RequestId) != len(us.RequestID) {
				t.Errorf("request ids: the SDK %q, ours %q", them.RequestId, us.RequestID)
			}
		})
	}
}

// TestClient_readsWhatTheSDKMistakes has the answers that the SDK takes for
// success or loses the code of (coc-api.md 5.4), and one it is too strict for.
func TestClient_readsWhatTheSDKMistakes(t *testing.T) {
	for _, c := range []struct{ fault, sdk, ours string }{ // how the outcomes begin
		{"code=COC.00000001,message=alarmId must not be null", "success 200 COC.00000001", "permanent 200 COC.00000001 alarmId must not be null"},
		{"code=COC.00040701,message=busy", "success 200 COC.00040701", "retry 200 COC.00040701 busy"},
		{"code=APIGW.0308,message=policy user over ratelimit", "success 200 APIGW.0308", "throttled 200 APIGW.0308 policy user"},
		{"no-content", "success 204 no code", "retry 204  the answer is empty"},
		{"empty", "success 200 no code", "retry 200  the answer is empty"},
		{"status=302,empty", "success 302 no code", "config 302  redirected"},
		{"body=null", "success 200 no code", "retry 200  the answer is not COC's"},
		{"html", "error 200  readObjectStart: expect {", "retry 200  the answer is not COC's"},
		{"502", "error 502  <html>", "retry 502  the answer is not COC's"},
		{`status=400,body={"error_code":"COC.00000001","error_msg":null}`, `error 400  {"error_code"`, "permanent 400 COC.00000001 the answer gives no reason"},
		{`body={"error_code":0,"error_msg":null}`, "error 200  model.CreateReportCustomEventResponse", "success"},
		{"reset", "no answer", "retry 0  read tcp"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			answer, sdkErr, ourErr := answered(t, c.fault)
			if got := sdkOutcome(answer, sdkErr); !strings.HasPrefix(got, c.sdk) {
				t.Errorf("the SDK: %s\nwant %s", got, c.sdk)
			}
			if got := ourOutcome(ourErr); !strings.HasPrefix(got, c.ours) {
				t.Errorf("ours: %s\nwant %s", got, c.ours)
			}
		})
	}
}

// answered has both clients report an alarm and get what the fault says.
func answered(t *testing.T, fault string) (answer *model.CreateReportCustomEventResponse, sdkErr, ourErr error) {
	t.Helper()
	s := simulate(t, coctest.Options{}, nil)
	parsed, err := coctest.ParseFault(fault)
	if err != nil {
		t.Fatal(err)
	}
	s.Inject(parsed)
	answer, sdkErr = theirs(t, s.account, s.transport).CreateReportCustomEvent(event("k1", sample()))
	us := ours(t, s.account)
	defer us.Close()
	_, ourErr = us.ReportAlarm(t.Context(), "k1", sample())
	return answer, sdkErr, ourErr
}

func sdkOutcome(answer *model.CreateReportCustomEventResponse, err error) string {
	if refusal, ok := errors.AsType[*sdkerr.ServiceResponseError](err); ok {
		return fmt.Sprint("error ", refusal.StatusCode, " ", refusal.ErrorCode, " ", refusal.ErrorMessage)
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return "no answer"
	}
	if err != nil {
		return err.Error()
	}
	code := "no code"
	if answer.ErrorCode != nil {
		code = *answer.ErrorCode
	}
	return fmt.Sprint("success ", answer.HttpStatusCode, " ", code)
}

func ourOutcome(err error) string {
	if err == nil {
		return "success"
	}
	e, ok := errors.AsType[*coc.Error](err)
	if !ok {
		return err.Error()
	}
	return fmt.Sprint(e.Class, " ", e.Status, " ", e.Code, " ", e.Message)
}
