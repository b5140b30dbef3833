package coc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	byIAM = "IAM"
	// iamTimeout bounds one question to IAM. It is well below the time for a
	// report, which may have to wait for it.
	iamTimeout = 10 * time.Second
)

// iam is IAM as one credential sees it (coc-api.md 2.1, 2.3).
type iam struct {
	wire
	endpoint *url.URL // nil = there is none
	section  string   // of the configuration, for what an operator is told
}

// ask sends one question to IAM, which authorize may sign.
func (i iam) ask(ctx context.Context, m message, authorize func(*http.Request) error) answer {
	ctx, cancel := context.WithTimeout(ctx, iamTimeout)
	defer cancel()
	return i.send(ctx, m, authorize)
}

// at is the URL of a path at IAM.
func (i iam) at(path string, query url.Values) *url.URL {
	u := i.endpoint.JoinPath(path)
	u.RawQuery = query.Encode()
	return u
}

// iamMessage is what IAM says in either of its envelopes (coc-api.md 1.3 F).
func iamMessage(body []byte) string {
	var nested struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &nested) == nil && nested.Error.Message != "" {
		return nested.Error.Message
	}
	return parseEnvelope(body).message
}

// unreachable is for answers that say nothing about the credential: none at all,
// 429, 5xx, and what is not IAM's.
func (i iam) unreachable(a answer) *Error {
	what := fmt.Sprintf("HTTP %d is not an answer of IAM", a.status)
	switch {
	case a.err != nil:
		what = a.err.Error()
	case a.status == http.StatusTooManyRequests || a.status >= 500:
		what = strings.TrimSpace(fmt.Sprintf("it is in trouble: HTTP %d %s", a.status, quoted(iamMessage(a.body))))
	}
	return &Error{Class: Network, By: byIAM, Status: a.status, RetryAfter: retryAfter(a), RequestID: requestID(a.header, envelope{}), Err: a.err,
		Message: fmt.Sprintf("%s: %s; check the network, coc.http and %s.iam_endpoint", i.endpoint.Host, what, i.section)}
}

// refusal is for answers that do. IAM gives no codes to tell them apart, so the
// wording decides; where it does not, it is the user name or the password.
func (i iam) refusal(a answer) *Error {
	message := iamMessage(a.body)
	class, what := i.meaning(a.status, strings.ToLower(message))
	return &Error{Class: class, By: byIAM, Status: a.status, RequestID: requestID(a.header, envelope{}),
		Message: strings.TrimSpace(what + " " + quoted(message))}
}

// wordings are what IAM's messages contain, in lower case, and what it means. {}
// stands for the section of the configuration. The first that fits counts.
var wordings = []struct {
	words []string
	class Class
	means string
}{
	{[]string{"locked"}, Auth,
		"the user is locked, for 15 minutes after too many wrong passwords or by an administrator: look who else logs in with {}.user, and have it unlocked"},
	{[]string{"second factor", "two-factor", "multi-factor", "mfa", "totp", "login protect", "verification code"}, Auth,
		"the user must log in with a second factor, which a program cannot: switch login protection (MFA) off for it, or use another user or method aksk"},
	{[]string{"huawei id", "huaweiid"}, Auth,
		"a HUAWEI ID cannot log in here: create an IAM user in the account and name it in {}.user"},
	{[]string{"project"}, Misconfigured,
		"the user's account has no such project: correct {}.project or coc.region, or set coc.project_id"},
	{[]string{"programmatic", "access mode"}, Auth,
		"the user has no programmatic access: switch it on in IAM"},
}

// meaning is what an operator has to know about a refusal.
func (i iam) meaning(status int, message string) (Class, string) {
	for _, w := range wordings {
		for _, word := range w.words {
			if strings.Contains(message, word) {
				return w.class, strings.ReplaceAll(w.means, "{}", i.section)
			}
		}
	}
	switch status {
	case http.StatusUnauthorized:
		return Auth, strings.ReplaceAll("the user, its password or its account is wrong: correct {}.user, {}.password or {}.domain; "+
			"a HUAWEI ID cannot log in here, only an IAM user", "{}", i.section)
	case http.StatusForbidden:
		return Auth, "IAM does not let the user in: look at its permissions and at the account's access rules"
	}
	return Misconfigured, strings.ReplaceAll("IAM does not take the request: correct {}.iam_endpoint, user, domain and project", "{}", i.section)
}

func quoted(message string) string {
	if message == "" {
		return ""
	}
	return fmt.Sprintf("(%.160q)", message)
}
