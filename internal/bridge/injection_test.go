package bridge_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// injections reads what a hostile label may say, the list of internal/scripts.
func injections(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../scripts/testdata/injections.txt")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		value, err := strconv.Unquote(strings.TrimSpace(line))
		must(t, err)
		all = append(all, value)
	}
	if len(all) < 60 {
		t.Fatalf("only %d entries", len(all))
	}
	return all
}

// rawJSON quotes a text and leaves bytes that are no UTF-8 as they are, which
// encoding/json would mend.
func rawJSON(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c < ' ' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\u%04x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`
}

// say posts one NginxDown with credentials, and returns the status.
func (r *rig) say(n int, unit, host string) int {
	r.t.Helper()
	body := fmt.Sprintf(`{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"NginxDown","n":"%d","unit":%s,"instance_id":%s},"startsAt":%q}]}`,
		n, rawJSON(unit), rawJSON(host), r.clock.Now().Format(time.RFC3339))
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://"+r.b.Addr()+"/webhook/alertmanager", strings.NewReader(body))
	must(r.t, err)
	req.Header.Set("Authorization", "Bearer door")
	resp, err := http.DefaultClient.Do(req)
	must(r.t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	must(r.t, err)
	return resp.StatusCode
}

const manyRuns = "automation: {max_per_hour: 1000, storm: {episodes: 1000}}\n"

// Each hostile text as the label that becomes a parameter, and as the one that
// names the host: COC is asked to run nothing, a dead letter names what was wrong,
// and an honest alert that follows still runs.
func TestScript_injectionsRunNothing(t *testing.T) {
	rules := scriptRules(quick) + manyRuns
	by := func(what string) string {
		return strings.Replace(rules, "by: resource_id", "by: "+what, 1)
	}
	for name, tc := range map[string]struct {
		rules, cause, names, goodHost string
		say                           func(r *rig, n int, hostile string) int
	}{
		"parameter":      {rules, "parameter", "parameter unit", "web-1", func(r *rig, n int, hostile string) int { return r.say(n, hostile, "web-1") }},
		"host's id":      {rules, "target", "instance_id", "web-1", func(r *rig, n int, hostile string) int { return r.say(n, "nginx", hostile) }},
		"host's name":    {by("name"), "target", "instance_id", "web-1.example", func(r *rig, n int, hostile string) int { return r.say(n, "nginx", hostile) }},
		"host's address": {by("ip"), "target", "instance_id", "10.0.0.1", func(r *rig, n int, hostile string) int { return r.say(n, "nginx", hostile) }},
	} {
		t.Run(name, func(t *testing.T) {
			r := makeScriptRig(t, tc.rules, coctest.Options{})
			must(t, r.sim.EditHost("web-2", func(h *coctest.Host) { h.IP = "10.0.0.2" }))
			r.start()
			taken := 0
			for n, hostile := range injections(t) {
				switch status := tc.say(r, n, hostile); status {
				case http.StatusOK:
					taken++
				case http.StatusBadRequest:
				default:
					t.Errorf("%q is answered with %d", hostile, status)
				}
			}
			r.until("all are decided", func() bool {
				return r.metric("cocbridge_runs_not_called_total")+r.metric("cocbridge_run_calls_total") >= float64(taken)
			})
			if all := r.sim.Orders(); len(all) > 0 {
				t.Fatalf("COC has run %d orders, such as %q on %v", len(all), all[0].Params, all[0].Batches[0].Hosts)
			}
			r.until("each is a dead letter", func() bool { return r.metric("cocbridge_dead_letters", "kind", "script") >= float64(taken) })
			if taken < 60 {
				t.Errorf("only %d were taken by the receiver", taken)
			}
			for _, d := range r.deadLetters(admin.Select{}) {
				if d.Cause != tc.cause || !strings.Contains(d.Detail, tc.names) {
					t.Errorf("a dead letter does not name %q: %s: %s", tc.names, d.Cause, d.Detail)
				}
			}
			must(t, r.b.Ready())
			if status := r.say(-1, "nginx", tc.goodHost); status != http.StatusOK {
				t.Fatalf("an honest alert is answered with %d", status)
			}
			r.runsEnded("succeeded", 1)
			if all := r.sim.Orders(); len(all) != 1 || all[0].Params["unit"] != "nginx" || all[0].Batches[0].Hosts[0].ResourceID != "web-1" {
				t.Errorf("orders: %+v", all)
			}
		})
	}
}
