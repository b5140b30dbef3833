package sdkcheck_test

import (
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// world is what calls are about.
type world struct {
	incident, task           string
	script, order, execution string
	host                     int64 // of the order's second batch
}

// imagined is a world that only has to look like one.
var imagined = world{incident: "IM1", task: "t1", script: "SC1", order: "SCT1", execution: "EX1", host: 2}

// inhabited is a simulated COC in which every call has something to do.
func inhabited(t *testing.T, switches coctest.Switches) (simulated, world) {
	t.Helper()
	host := func(id string) coctest.Host {
		return coctest.Host{ResourceID: id, Name: id, RegionID: "cn-north-4", ProjectID: "p1", AgentID: "a1", AgentState: "ONLINE", Takes: time.Hour}
	}
	s := simulate(t, coctest.Options{
		Hosts:     []coctest.Host{host("h1"), host("h2")},
		Scripts:   []coctest.Script{{UUID: "SC1", Name: "restart", Type: "SHELL", RiskLevel: "LOW", Version: "1", Content: "true", Params: []coctest.ScriptParam{{Name: "unit", Value: "nginx", Order: 1}}}},
		Documents: []coctest.Document{{ID: "DM1", Name: "failover", Parameters: []string{"db"}, Steps: []coctest.DocumentStep{{Name: "wait", Takes: time.Hour}}}},
		Switches:  switches,
	}, nil)
	us := ours(t, s.account)
	defer us.Close()
	w := world{script: "SC1"}
	var err error
	if w.incident, _, err = us.CreateIncident(t.Context(), incident()); err != nil {
		t.Fatal(err)
	}
	if w.order, _, err = us.ExecuteScript(t.Context(), scriptRun()); err != nil {
		t.Fatal(err)
	}
	if w.execution, _, err = us.ExecuteDocument(t.Context(), job()); err != nil {
		t.Fatal(err)
	}
	w.task, w.host = w.incident+"-"+coctest.IncidentTriggered, 2
	return s, w
}

func incident() coc.NewIncident {
	return coc.NewIncident{
		Region: "cn-north-4", EnterpriseProject: "0", Application: "app", Level: "level_20", Type: "inc_type_p_monitoring_issues", Title: "磁盘 <full>",
		Description: "only 4% left", Source: "incident_source_alarm", Assignee: "u2", Creator: "u1", ServiceInterrupt: true, StartTime: 1700000000000,
	}
}

func scriptRun() coc.Run {
	target := func(id string) coc.Target {
		return coc.Target{ResourceID: id, RegionID: "cn-north-4", AgentSN: "a1", ProjectID: "p1", Attributes: []coc.Attribute{{Key: "brid", Value: "0123456789ab"}}}
	}
	r := coc.Run{
		Script: "SC1", User: "root", Timeout: 5 * time.Minute, SuccessRate: 99.5, Params: []coc.RunParam{{Name: "unit", Value: "php-fpm"}},
		Batches: coc.InBatches([]coc.Target{target("h1"), target("h2")}, 1),
	}
	r.Batches[0].Pause = true
	return r
}

func job() coc.JobRun {
	return coc.JobRun{
		Document: coc.DocumentRef{ID: "DM1", Version: "v1", Type: "PRIVATE"}, Parameters: []coc.RunParam{{Name: "db", Value: "orders"}},
		SysTags: []coc.Attribute{{Key: "by", Value: "cocbridge"}}, Description: "[cb:0123456789ab]",
	}
}

func script() coc.NewScript {
	return coc.NewScript{
		Name: "fix_it", Type: "PYTHON", Description: "fixes", Content: "print(1 < 2)", RiskLevel: "HIGH", Version: "1.0", Protocol: "SMS", EnterpriseProject: "0",
		Reviewers: []coc.Reviewer{{Name: "ann", ID: "u1"}}, Params: []coc.ScriptParam{{Name: "mode", Value: "fast", Description: "how", Sensitive: true}},
	}
}
