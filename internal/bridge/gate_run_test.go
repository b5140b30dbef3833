package bridge_test

import (
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// A gate that has closed opens again by what COC answers to runs: there may be
// nothing else that asks COC anything by this way.
func TestScript_opensTheGateAgain(t *testing.T) {
	r := makeScriptRig(t, scriptRules(quick)+manyRuns, coctest.Options{})
	r.start()
	r.sim.Inject(coctest.Fault{On: "/v1/job/scripts/" + nginxScript, Method: "GET", Status: 500})
	r.page(storm(r, 3)...)
	closed := func() bool {
		return r.metric("cocbridge_gate_closed", "integration", "coc/tickets", "cause", "down") == 1
	}
	r.until("the gate is closed", func() bool { r.tick(time.Second); return closed() })
	r.sim.ClearFaults()
	r.until("the gate is open", func() bool { r.tick(time.Second); return !closed() })
	r.runsEnded("succeeded", 3)
}
