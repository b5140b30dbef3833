package main

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

const runRules = `receivers: [{name: alertmanager, auth: {bearer_token: door}}]
rules:
  - name: restart-nginx
    matchers: ['alertname="NginxDown"']
    script:
      uuid: SC2023102521413701c4a8a62
      dry_run: false
      cooldown: 0s
      parallel: 5
      parameters: {unit: {value: '{{ .Labels.unit }}', allow: '[a-z]+'}}
      targets: {hosts: [{resource_id: web-1}]}
`

// nginxDown tells the daemon that the unit is down, with credentials.
func (d *server) nginxDown(unit string) {
	d.t.Helper()
	body := fmt.Sprintf(`{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"NginxDown","unit":%q},"startsAt":%q}]}`, unit, time.Now().UTC().Format(time.RFC3339Nano))
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, "http://"+d.web+"/webhook/alertmanager", strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer door")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		d.t.Fatalf("the daemon answers %s", resp.Status)
	}
}

// shows asks until the answer matches.
func (d *server) shows(pattern string, args ...string) {
	d.t.Helper()
	re, limit := regexp.MustCompile(`(?ms)`+pattern), time.Now().Add(patience)
	for {
		got := d.ask(args...)
		switch {
		case re.MatchString(got.stdout):
			return
		case time.Now().After(limit):
			d.t.Fatalf("%s never shows %s:\n%s%s", strings.Join(args, " "), pattern, got.stdout, got.stderr)
		}
	}
}

// The life of a run that goes wrong, from the shell: what is in doubt is seen, and
// no dead letter of a run makes anything run.
func TestAutomation_showsDoubtsAndReplaysNothing(t *testing.T) {
	d := startDaemon(t, runRules, true)
	d.sim.AddScript(coctest.Script{UUID: "SC2023102521413701c4a8a62", Name: "restart", Type: "SHELL", Content: "x", Params: []coctest.ScriptParam{{Name: "unit", Value: "x"}}})
	d.sim.SetHosts(coctest.Host{ResourceID: "web-1", Name: "web-1", RegionID: "cn-north-4", ProjectID: "p", AgentID: "sn", AgentState: "ONLINE"})
	d.sim.Inject(
		coctest.Fault{On: "/v1/job/scripts/SC2023102521413701c4a8a62", Method: http.MethodPost, Do: coctest.Reset, After: true},
		coctest.Fault{On: "/v1/job/script/orders", Status: 500})
	d.says(exitOK, `^armed: runs may begin.*^0 of 60 calls within the last hour, 0 runs in doubt$.*^no runs$`, "automation", "status")
	d.nginxDown("nginx")
	d.shows(`^1 of 60 calls within the last hour, 1 runs in doubt$.*^\S+Z +restart-nginx +unknown `, "automation", "status")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := d.sim.Wait(ctx, func(s *coctest.Server) bool {
		return slices.ContainsFunc(s.Alarms(), func(e coctest.Event) bool { return e.Alarm.AlarmName == "CocbridgeRunsUnknown" })
	})
	if err != nil {
		t.Errorf("COC has no alarm about the doubt: %v", err)
	}
	d.nginxDown("nginx; reboot")
	d.shows(`^1 +\S+Z +parameter +1 +\S+ +NginxDown +[0-9a-f]{32}$`, "dead", "list")
	d.says(exitOK, `^detail: rule "restart-nginx": parameter unit: "nginx; reboot" is not what COC takes`, "dead", "show", "1")
	for _, how := range [][]string{{"--all"}, {"1", "--remap"}, {"1", "--force"}} {
		d.says(exitOther, `^1 +unusable +[0-9a-f]{32} +tasks of kind script are not replayed: what acts may do so once only$.*^1 unusable$`, append([]string{"dead", "replay"}, how...)...)
	}
	d.says(exitOK, `^1 +`, "dead", "list")
	d.says(exitOK, `^1 dropped$`, "dead", "drop", "1", "--why=seen to")
	d.says(exitOK, `^no dead letters$`, "dead", "list")
	d.says(exitOK, `, 1 runs in doubt$.*restart-nginx +refused +not_called `, "automation", "status")
	if n := len(d.sim.Orders()); n != 1 {
		t.Errorf("COC has %d orders, want the one in doubt", n)
	}
	d.run.stop()
}
