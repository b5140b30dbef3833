package coc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// opReportAlarm is Error.Op of ReportAlarm.
const opReportAlarm = "report alarm"

// ReportAlarm tells COC that an alarm fires or has recovered (coc-api.md 3.1).
// No error means that COC has taken it; it returns no id, only the request's, as
// a handle for its support. Any other result is an *Error. A repeat does little harm: one more raw alarm. An alarm that breaks a
// limit, or a key that cannot be one, is refused without a request.
func (c *Client) ReportAlarm(ctx context.Context, key secret.String, a Alarm) (requestID string, err error) {
	if err := CheckKey(key); err != nil {
		return "", &Error{Op: opReportAlarm, Class: Misconfigured, Message: err.Error(), Err: err}
	}
	body, err := a.encode()
	if err != nil {
		return "", &Error{Op: opReportAlarm, Class: Permanent, Message: err.Error(), Err: err}
	}
	r, err := c.call(ctx, request{
		op:      opReportAlarm,
		method:  http.MethodPost,
		path:    "/v1/event/huawei/custom/" + url.PathEscape(key.Reveal()),
		body:    body,
		timeout: time.Duration(c.timeouts.Report),
		secrets: []secret.String{key},
	})
	return r.requestID, err
}

// CheckKey says whether key can be an integration key. The error does not show it.
func CheckKey(key secret.String) error {
	text := key.Reveal()
	if text == "" || len(text) > MaxText || !alphanumeric(text) {
		return errors.New("the integration key must be 1 to 255 letters and digits; copy it from the data source's page in the COC console")
	}
	return nil
}
