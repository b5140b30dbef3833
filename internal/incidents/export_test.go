package incidents

// Plan is the pure heart of the package.
var Plan = plan

// Calls says whether a step needs COC.
func (a Act) Calls() bool { return a.calls() }

// The topics of remarks.
const (
	LevelRaised = levelRaised
	Recovered   = recovered
)

// Marked and MarkOf are how a ticket is found again.
var (
	Marked = marked
	MarkOf = markOf
)

// Gone is the status of a ticket that COC does not know.
const Gone = gone
