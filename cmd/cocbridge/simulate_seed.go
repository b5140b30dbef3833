package main

import (
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// demoStaff are the users that may create, own and handle incidents in a
// simulation.
var demoStaff = []string{"oncall", "duty-manager"}

// furnished adds what a simulation has for the commands below coc. It is slow
// enough to be watched.
func furnished(o coctest.Options) coctest.Options {
	o.Staff, o.IncidentDelay, o.IncidentPause = demoStaff, time.Second, 2*time.Second
	o.OrderStart = time.Second
	o.Scripts = []coctest.Script{
		{UUID: "SC1", Name: "restart_service", Type: "SHELL", Description: "Restarts a service.", RiskLevel: "MEDIUM", Version: "1.0",
			Content: "systemctl restart \"$1\"\n", Params: []coctest.ScriptParam{{Name: "service", Value: "nginx", Description: "which", Order: 1}}},
		{UUID: "SC2", Name: "collect_logs", Type: "SHELL", Description: "Packs the logs of the last hour.", RiskLevel: "LOW", Version: "1.0",
			Content: "journalctl --since -1h | gzip > /tmp/logs.gz\n"},
	}
	host := func(name, ip, state string) coctest.Host {
		return coctest.Host{ResourceID: name, Name: name, IP: ip, RegionID: "cn-north-4", ProjectID: "demo-project", AgentID: "agent-" + name,
			AgentState: state, Application: "demo", Takes: 3 * time.Second, Output: "Restarted on " + name + "."}
	}
	o.Hosts = []coctest.Host{host("web-1", "192.168.0.11", "ONLINE"), host("web-2", "192.168.0.12", "ONLINE"), host("web-3", "192.168.0.13", "OFFLINE")}
	o.Hosts[1].Fails, o.Hosts[1].Output = true, "Unit not found."
	o.Documents = []coctest.Document{{
		ID: "DM1", Name: "failover", Content: "meta:\n  name: failover\n", Parameters: []string{"database"},
		Steps: []coctest.DocumentStep{{Name: "drain", Takes: 2 * time.Second}, {Name: "switch", Takes: 2 * time.Second, Output: "done"}},
	}}
	return o
}
