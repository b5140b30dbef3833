package sdkcheck_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	sdk "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/coc/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/coc/v1/model"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/secret"
)

// account is what both clients are told.
type account struct {
	endpoint string
	proxy    string // "" = none
	project  string
	keys     keys
	now      func() time.Time // of our client only: the SDK's has the machine's clock
}

// ours is our client. Its caller closes it.
func ours(t *testing.T, a account) *coc.Client {
	t.Helper()
	cfg := coc.DefaultConfig()
	cfg.Endpoint, cfg.ProjectID, cfg.HTTP.ProxyURL = a.endpoint, a.project, a.proxy
	cfg.Auth.AccessKey = a.keys.access
	cfg.Auth.SecretKey, cfg.Auth.SecurityToken = secret.String(a.keys.secret), secret.String(a.keys.token)
	cfg.RateLimits = coc.RateLimits{Tickets: 1e6, Execute: 1e6, Reads: 1e6}
	c, err := coc.New(cfg, coc.Options{Version: "test", Now: a.now})
	if err != nil {
		t.Fatalf("coc.New with %+v: %v", a, err)
	}
	return c
}

// theirs is the SDK's client over the given transport.
func theirs(t *testing.T, a account, transport http.RoundTripper) *sdk.CocClient {
	t.Helper()
	credentials, err := basic.NewCredentialsBuilder().WithAk(a.keys.access).WithSk(a.keys.secret).
		WithSecurityToken(a.keys.token).WithProjectId(a.project).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	httpConfig := config.DefaultHttpConfig().WithHttpRoundTripper(transport)
	httpConfig.UserAgent = "sdkcheck" // else the SDK names the machine
	client, err := sdk.CocClientBuilder().WithCredential(credentials).WithEndpoint(a.endpoint).
		WithHttpConfig(httpConfig).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return sdk.NewCocClient(client)
}

// event is the alarm as a caller of the SDK writes it down.
func event(key string, a coc.Alarm) *model.CreateReportCustomEventRequest {
	level := model.GetReportCustomEventRequestBodyAlarmLevelEnum()
	status := model.GetReportCustomEventRequestBodyAlarmStatusEnum()
	body := &model.ReportCustomEventRequestBody{
		AlarmId:   a.AlarmID,
		AlarmName: a.AlarmName,
		AlarmLevel: map[coc.Level]model.ReportCustomEventRequestBodyAlarmLevel{
			coc.Critical: level.CRITICAL, coc.Major: level.MAJOR, coc.Minor: level.MINOR, coc.Info: level.INFO,
		}[a.AlarmLevel],
		Time:          a.Time,
		NameSpace:     a.NameSpace,
		RegionId:      optional(a.RegionID),
		ApplicationId: optional(a.ApplicationID),
		ResourceName:  optional(a.ResourceName),
		ResourceId:    optional(a.ResourceID),
		AlarmDesc:     a.AlarmDesc,
		Url:           optional(a.URL),
		AlarmSource:   a.AlarmSource,
	}
	switch a.AlarmStatus {
	case coc.StatusAlarm:
		body.AlarmStatus = &status.ALARM
	case coc.StatusOK:
		body.AlarmStatus = &status.OK
	}
	if len(a.Additional) > 0 {
		var any any = a.Additional
		body.Additional = &any
	}
	return &model.CreateReportCustomEventRequest{IntegrationKey: key, Body: body}
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
