package main

import (
	"os"
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

const onlineRules = `receivers: [{name: am, auth: {bearer_token: t}}]
rules:
  - {name: restart, matchers: ['a="b"'], script: {uuid: SC1, content_sha256: PIN, execute_user: root,
     parameters: {service: {value: nginx, allow: '^nginx$'}}, targets: {hosts: [{resource_id: HOST}]}}}
  - {name: failover, matchers: ['a="b"'], job: {document_id: DM1}}
`

func TestCheckConfig_online(t *testing.T) {
	pin := coc.Script{Content: "systemctl restart \"$1\"\n"}.ContentSHA256()
	for name, tt := range map[string]struct {
		host, pin string
		change    func(b bench)
		code      int
		want      string
	}{
		"all is there":     {"web-1", pin, nil, exitOK, "online: rule restart: what it runs, and where, is in COC\nonline: rule failover: what it runs"},
		"an edited script": {"web-1", strings.Repeat("0", 64), nil, exitOther, "online: rule restart: rule \"restart\": script SC1 has content with the sha256 " + pin},
		"no such host":     {"web-9", pin, nil, exitOther, "online: rule restart: rule \"restart\": targets:"},
		"a host offline":   {"web-3", pin, nil, exitOther, "online: rule restart: rule \"restart\": targets:"},
		"may not list orders": {"web-1", pin, func(b bench) {
			b.Inject(coctest.Fault{On: "/v1/job/script/orders", Status: 403, Code: "common.01020001"})
		},
			exitOther, "online: rule restart: what became of a call whose answer is lost could not be looked up: "},
		"may not list executions": {"web-1", pin, func(b bench) { b.Inject(coctest.Fault{On: "/v1/executions", Status: 403, Code: "common.01020001"}) },
			exitOther, "online: rule failover: what became of a call whose answer is lost could not be looked up: "},
		"no access": {"web-1", pin, func(b bench) { b.Inject(coctest.Fault{Status: 401, Code: "APIGW.0301"}) }, exitOther, "ask COC as the configuration says: "},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			text, err := os.ReadFile(b.config)
			if err != nil {
				t.Fatal(err)
			}
			rules := strings.NewReplacer("PIN", tt.pin, "HOST", tt.host).Replace(onlineRules)
			if err := os.WriteFile(b.config, append(text, rules...), 0o600); err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(b)
			}
			got := execute(t, "", "check-config", "--online", b.config)
			if got.code != tt.code || !strings.Contains(got.stdout+got.stderr, tt.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", got.code, tt.code, tt.want, got.stdout, got.stderr)
			}
			for call, n := range b.Requests().Calls {
				if !strings.HasPrefix(call, "GET ") && !strings.Contains(call, "list") && n > 0 {
					t.Errorf("it has made %d calls of %s", n, call)
				}
			}
		})
	}
}

// Whether tickets may be read says nothing about the credentials, and matters to who
// opens some.
func TestCheckConfig_onlineWithoutTheRightToReadTickets(t *testing.T) {
	const opens = "rules: [{name: page, matchers: ['a=\"b\"'], incident: {creator: u, assignee: u}}]\n"
	denied := coctest.Fault{Status: 403, Code: "common.01020001"}
	for name, tt := range map[string]struct {
		rules string
		fault coctest.Fault
		code  int
		want  string
	}{
		"alarms only":          {"", denied, exitOK, "online: COC takes the credentials; this user may not read tickets (common.01020001), which alarms do not need\n"},
		"a rule opens tickets": {opens, denied, exitOther, "online: COC takes the credentials, but this user may not read tickets, which rules with an incident need: "},
		"a black list":         {"", coctest.Fault{Status: 403, Code: "APIGW.0401"}, exitOther, "ask COC as the configuration says: "},
		"a proxy, not COC":     {"", coctest.Fault{Status: 403, Do: coctest.HTML}, exitOther, "ask COC as the configuration says: "},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			text, err := os.ReadFile(b.config)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(b.config, append(text, tt.rules...), 0o600); err != nil {
				t.Fatal(err)
			}
			tt.fault.On = "/v1/incident-tickets"
			b.Inject(tt.fault)
			got := execute(t, "", "check-config", "--online", b.config)
			if got.code != tt.code || !strings.Contains(got.stdout+got.stderr, tt.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", got.code, tt.code, tt.want, got.stdout, got.stderr)
			}
		})
	}
}
