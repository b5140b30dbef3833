package coc_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

func newScript() coc.NewScript {
	return coc.NewScript{
		Name: "restart_nginx", Type: "SHELL", Description: "restarts it", Content: "systemctl restart nginx <&>", RiskLevel: "LOW", Version: "1.0",
		Params: []coc.ScriptParam{{Name: "unit", Value: "nginx", Description: "what"}, {Name: "key", Value: "s3cret", Sensitive: true}},
	}
}

func TestClient_script_throughItsLife(t *testing.T) {
	for name, opts := range map[string]coctest.Options{"nested": {}, "flat": {Switches: coctest.Switches{Flat: true}}} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, opts)
			uuid, requestID, err := s.client.CreateScript(t.Context(), newScript())
			if err != nil || requestID == "" {
				t.Fatal(err, requestID)
			}
			_, _, err = s.client.CreateScript(t.Context(), newScript())
			wantClass(t, err, coc.Conflict, true)
			got, err := s.client.GetScript(t.Context(), uuid)
			want := coc.Script{
				UUID: uuid, Name: "restart_nginx", Type: "SHELL", Status: coc.ScriptApproved, Description: "restarts it",
				Content: "systemctl restart nginx <&>", RiskLevel: "LOW", Version: "1.0", Creator: "coctest",
				Params:  []coc.ScriptParam{{Name: "unit", Value: "nginx", Description: "what"}, {Name: "key", Value: "******", Sensitive: true}},
				Created: epoch.UnixMilli(), Modified: epoch.UnixMilli(),
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			sum := sha256.Sum256([]byte("systemctl restart nginx <&>"))
			if got.ContentSHA256() != hex.EncodeToString(sum[:]) {
				t.Errorf("sha256 %s", got.ContentSHA256())
			}
			change := coc.ScriptChange{Description: "d", Content: "true", RiskLevel: "HIGH", Version: "2", Reviewers: []coc.Reviewer{{Name: "n", ID: "i"}}, Protocol: "SMS"}
			if _, err := s.client.UpdateScript(t.Context(), uuid, change); err != nil {
				t.Fatal(err)
			}
			got, err = s.client.GetScript(t.Context(), uuid)
			if err != nil || got.Status != coc.ScriptPending || got.Content != "true" || len(got.Params) != 0 ||
				cmp.Diff(change.Reviewers, got.Reviewers) != "" || got.Protocol != "SMS" {
				t.Errorf("%+v, %v, want it changed and back with its reviewers", got, err)
			}
			for range 2 { // the second one finds it gone, which is as good
				if _, err := s.client.DeleteScript(t.Context(), uuid); err != nil {
					t.Error(err)
				}
			}
			_, err = s.client.GetScript(t.Context(), uuid)
			wantClass(t, err, coc.NotFound, true)
		})
	}
}

func TestClient_ListScripts(t *testing.T) {
	for name, opts := range map[string]coctest.Options{"nested": {}, "flat": {Switches: coctest.Switches{Flat: true}}} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, opts)
			for _, name := range []string{"a_one", "b_two", "a_three"} {
				s.AddScript(coctest.Script{Name: name, Type: "SHELL", RiskLevel: "LOW"})
			}
			var names []string
			for script, err := range s.client.EachScript(t.Context(), coc.ScriptQuery{NameLike: "a_", Limit: 1}) {
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, script.Name)
			}
			if diff := cmp.Diff([]string{"a_one", "a_three"}, names); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			page, err := s.client.ListScripts(t.Context(), coc.ScriptQuery{Type: "BAT"})
			if diff := cmp.Diff(coc.ScriptPage{}, page); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestClient_EachScript_endsWhereCOCGoesInCircles has a COC that ignores markers.
func TestClient_EachScript_endsWhereCOCGoesInCircles(t *testing.T) {
	calls := 0
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		_, _ = io.WriteString(w, `{"data":{"total":9,"data":[{"id":"7","script_uuid":"SC1"}]}}`)
	})
	n := 0
	for _, err := range client.EachScript(t.Context(), coc.ScriptQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 2 || calls != 2 {
		t.Errorf("%d scripts in %d calls, want it to stop at the second sight of a marker", n, calls)
	}
}

func TestClient_scripts_refuseBeforeSending(t *testing.T) {
	s := simulate(t, coctest.Options{})
	for name, change := range map[string]func(*coc.NewScript){
		"a name with a space":      func(n *coc.NewScript) { n.Name = "a b" },
		"an unknown type":          func(n *coc.NewScript) { n.Type = "shell" },
		"no content":               func(n *coc.NewScript) { n.Content = "" },
		"a long content":           func(n *coc.NewScript) { n.Content = strings.Repeat("x", 4097) },
		"an unknown risk":          func(n *coc.NewScript) { n.RiskLevel = "" },
		"no version":               func(n *coc.NewScript) { n.Version = "" },
		"six reviewers":            func(n *coc.NewScript) { n.Reviewers = make([]coc.Reviewer, 6) },
		"21 parameters":            func(n *coc.NewScript) { n.Params = make([]coc.ScriptParam, 21) },
		"a parameter with a shell": func(n *coc.NewScript) { n.Params[0].Value = "$(id)" },
	} {
		script := newScript()
		change(&script)
		_, _, err := s.client.CreateScript(t.Context(), script)
		if e := asError(t, err); e == nil || e.Class != coc.Permanent || e.Sent || strings.Contains(e.Error(), "$(id)") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := s.client.GetScript(t.Context(), "../orders")
	wantClass(t, err, coc.Permanent, false)
	_, err = s.client.ListScripts(t.Context(), coc.ScriptQuery{Limit: 101})
	wantClass(t, err, coc.Permanent, false)
	if n := s.Requests().Requests; n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// farm has one host that is well, one that fails, one whose agent is down.
func farm(opts coctest.Options) coctest.Options {
	opts.Hosts = []coctest.Host{
		{ResourceID: "h1", Name: "web-1", IP: "10.0.0.1", RegionID: "cn-north-4", ProjectID: "p1", AgentID: "agent1", AgentState: "ONLINE", Takes: 10 * time.Second, Output: "restarted"},
		{ResourceID: "h2", Name: "web-2", IP: "10.0.0.2", RegionID: "cn-north-4", ProjectID: "p1", AgentID: "agent2", AgentState: "ONLINE", Takes: 20 * time.Second, Fails: true, Output: "no such unit"},
		{ResourceID: "h3", Name: "web-3", IP: "10.0.0.3", RegionID: "cn-north-4", ProjectID: "p1", AgentID: "agent3", AgentState: "OFFLINE"},
	}
	opts.Scripts = []coctest.Script{{UUID: "SC1", Name: "restart", Type: "SHELL", Content: "true", Params: []coctest.ScriptParam{{Name: "unit", Value: "nginx"}}}}
	return opts
}

func target(host string) coc.Target {
	return coc.Target{ResourceID: host, RegionID: "cn-north-4", AgentSN: "a", ProjectID: "p1", Attributes: []coc.Attribute{{Key: "brid", Value: "0123456789abcdef"}}}
}

func run(hosts ...string) coc.Run {
	var targets []coc.Target
	for _, host := range hosts {
		targets = append(targets, target(host))
	}
	return coc.Run{
		Script: "SC1", User: "root", Timeout: time.Minute, SuccessRate: 100, Params: []coc.RunParam{{Name: "unit", Value: "php-fpm"}},
		Batches: coc.InBatches(targets, 1),
	}
}

func (s *simulated) execute(t testing.TB, r coc.Run) string {
	t.Helper()
	order, requestID, err := s.client.ExecuteScript(t.Context(), r)
	if err != nil || requestID == "" {
		t.Fatalf("execute: %v, request id %q", err, requestID)
	}
	return order
}

func TestClient_ExecuteScript_sendsWhatEveryReadingTakes(t *testing.T) {
	for name, sw := range map[string]coctest.Switches{"new": {}, "old": {OldExecute: true, TextRate: true}} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, farm(coctest.Options{Switches: sw}))
			order := s.execute(t, run("h1"))
			got := s.Orders()[0]
			if got.UUID != order || got.Params["unit"] != "php-fpm" || got.Timeout != time.Minute || got.Batches[0].Hosts[0].Attributes["brid"] != "0123456789abcdef" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestClient_ExecuteScript_refusesBeforeSending(t *testing.T) {
	s := simulate(t, farm(coctest.Options{}))
	for name, change := range map[string]func(*coc.Run){
		"no user":              func(r *coc.Run) { r.User = "" },
		"five seconds":         func(r *coc.Run) { r.Timeout = 5 * time.Second },
		"half an hour":         func(r *coc.Run) { r.Timeout = 30 * time.Minute },
		"no success":           func(r *coc.Run) { r.SuccessRate = 0.5 },
		"a bad parameter":      func(r *coc.Run) { r.Params[0].Value = "a;b" },
		"two dots":             func(r *coc.Run) { r.Params[0].Value = "../etc" },
		"an empty parameter":   func(r *coc.Run) { r.Params[0].Value = "" },
		"no hosts":             func(r *coc.Run) { r.Batches = nil },
		"an empty batch":       func(r *coc.Run) { r.Batches = []coc.Batch{{}} },
		"eleven in a batch":    func(r *coc.Run) { r.Batches = []coc.Batch{{Targets: make([]coc.Target, 11)}} },
		"21 batches":           func(r *coc.Run) { r.Batches = make([]coc.Batch, 21) },
		"a host twice":         func(r *coc.Run) { r.Batches = append(r.Batches, r.Batches[0]) },
		"a host of no region":  func(r *coc.Run) { r.Batches[0].Targets[0].RegionID = "" },
		"a long attribute":     func(r *coc.Run) { r.Batches[0].Targets[0].Attributes[0].Value = strings.Repeat("x", 21) },
		"a script of no name":  func(r *coc.Run) { r.Script = "" },
		"a script that climbs": func(r *coc.Run) { r.Script = "../x" },
	} {
		r := run("h1")
		change(&r)
		_, _, err := s.client.ExecuteScript(t.Context(), r)
		if e := asError(t, err); e == nil || e.Class != coc.Permanent || e.Sent {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := s.Requests().Requests; n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestClient_ExecuteScript_asCOCRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*simulated, *coc.Run)
		class  coc.Class
	}{
		"a deleted script": {func(s *simulated, _ *coc.Run) { _ = s.RemoveScript("SC1") }, coc.NotFound},
		"a script not approved": {func(s *simulated, _ *coc.Run) {
			_ = s.EditScript("SC1", func(x *coctest.Script) { x.Status = coctest.ScriptPending })
		}, coc.Permanent},
		"an unknown host":           {func(_ *simulated, r *coc.Run) { *r = run("h9") }, coc.Permanent},
		"a host that is offline":    {func(_ *simulated, r *coc.Run) { *r = run("h1", "h3") }, coc.Permanent},
		"an undeclared parameter":   {func(_ *simulated, r *coc.Run) { r.Params[0].Name = "other" }, coc.Permanent},
		"a host in another region":  {func(_ *simulated, r *coc.Run) { r.Batches[0].Targets[0].RegionID = "x" }, coc.Permanent},
		"a 204 with its reason":     {func(s *simulated, _ *coc.Run) { _ = s.RemoveScript("SC1") }, coc.Retry},
		"an answer without an id":   {func(s *simulated, _ *coc.Run) { s.Inject(coctest.Fault{Body: `{"data":""}`, After: true}) }, coc.Retry},
		"an answer with an odd id":  {func(s *simulated, _ *coc.Run) { s.Inject(coctest.Fault{Body: `{"data":"a/../b"}`, After: true}) }, coc.Retry},
		"a web page":                {func(s *simulated, _ *coc.Run) { s.Inject(coctest.Fault{Do: coctest.HTML, After: true}) }, coc.Retry},
		"nothing, after it started": {func(s *simulated, _ *coc.Run) { s.Inject(coctest.Fault{Do: coctest.Reset, After: true}) }, coc.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, farm(coctest.Options{Switches: coctest.Switches{Error204: strings.HasPrefix(name, "a 204")}}))
			r := run("h1")
			c.change(s, &r)
			_, _, err := s.client.ExecuteScript(t.Context(), r)
			wantClass(t, err, c.class, true)
			if n := s.Requests().Requests; n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestParamAllowed(t *testing.T) {
	for _, value := range []string{"nginx", `a b_-/.*?:",=+@\[]{}`, strings.Repeat("x", 1024)} {
		if !coc.ParamAllowed(value) {
			t.Errorf("%.40q is refused", value)
		}
	}
	for _, value := range []string{
		"", "..", "a..b", "a\nb", "a\tb", "a'b", "a`b", "a$b", "a&b", "a;b", "a|b", "a<b", "a>b", "a(b", "a)b", "a%b", "a!b", "a^b", "a~b", "a#b",
		"磁", "a\x00b", "a\xffb", strings.Repeat("x", 1025),
	} {
		if coc.ParamAllowed(value) {
			t.Errorf("%.40q is taken", value)
		}
	}
}

func FuzzParamAllowed(f *testing.F) {
	f.Add("nginx")
	f.Add("..")
	f.Fuzz(func(t *testing.T, value string) {
		if !coc.ParamAllowed(value) {
			return
		}
		for i := range len(value) {
			if c := value[i]; c < ' ' || c > '~' || strings.IndexByte("'`$&;|<>()%!^~#", c) >= 0 {
				t.Errorf("%q is taken", value)
			}
		}
	})
}

// Calls that start something share one limit, which is waited for before them.
func TestTurnToExecute(t *testing.T) {
	cfg := testConfig("http://127.0.0.1:1")
	cfg.RateLimits.Execute = 1e-6
	client := newClient(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := client.TurnToExecute(ctx); err != nil {
		t.Fatal(err)
	}
	wantClass(t, client.TurnToExecute(ctx), coc.Throttled, false)
	_, _, err := client.ExecuteDocument(ctx, coc.JobRun{Document: coc.DocumentRef{ID: "DM1"}})
	wantClass(t, err, coc.Network, false) // it was not held back, there is only nobody
}
