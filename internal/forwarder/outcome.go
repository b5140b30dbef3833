package forwarder

import "github.com/cocbridge/cocbridge/internal/coc"

// Outcome is how one attempt went, in Alertmanager's words where it has one:
// a closed set, used as a metric label.
type Outcome string

// The outcomes that are not a reason of coc.Error.
const (
	Success   Outcome = "success"
	DryRun    Outcome = "dryRun"
	Stopped   Outcome = "stopped"
	Malformed Outcome = "malformed"
	Idle      Outcome = "idle"  // nothing was to be told yet
	Local     Outcome = "local" // our own store was at fault
)

// Outcomes lists all of them.
func Outcomes() []Outcome {
	all := []Outcome{Success, DryRun, Stopped, Malformed, Idle, Local}
	for _, reason := range coc.Reasons() {
		all = append(all, Outcome(reason))
	}
	return all
}

func outcomeOf(e *coc.Error) Outcome { return Outcome(e.Reason()) }
