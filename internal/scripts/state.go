package scripts

import "fmt"

// State is how far a run has come, as far as we know.
type State string

// The states (see the package comment). Refused ends a run that was never called.
const (
	Planned  State = "planned"
	Armed    State = "armed"
	Calling  State = "calling"
	Done     State = "done" // COC has begun it; it is followed until Run.Ended
	Unknown  State = "unknown"
	Absent   State = "absent"   // COC has not begun it, as far as its lists tell
	Conflict State = "conflict" // COC has something that may be it, but not for certain
	Refused  State = "refused"
)

// States lists all of them, for metrics.
func States() []State {
	return []State{Planned, Armed, Calling, Done, Unknown, Absent, Conflict, Refused}
}

// arrow is what leads from one state to the next.
type arrow string

const (
	arm       arrow = "arm"
	refuse    arrow = "refuse"
	call      arrow = "call"
	begun     arrow = "begun"     // COC has said so
	withdrawn arrow = "withdrawn" // it is certain that COC has not begun it
	doubt     arrow = "doubt"     // nobody knows
	found     arrow = "found"     // in COC's lists
	nowhere   arrow = "nowhere"   // enough looks have found nothing
	ambiguous arrow = "ambiguous" // there is more than one, or one that cannot be told from ours
)

func arrowsOf() []arrow {
	return []arrow{arm, refuse, call, begun, withdrawn, doubt, found, nowhere, ambiguous}
}

// leads is the whole of reliability.md 3.3. Nothing leads from CALLING or UNKNOWN
// back to a call but the proof that COC has not begun.
var leads = map[State]map[arrow]State{
	Planned: {arm: Armed, refuse: Refused},
	Armed:   {call: Calling, refuse: Refused},
	Calling: {begun: Done, withdrawn: Armed, doubt: Unknown},
	Unknown: {found: Done, nowhere: Absent, ambiguous: Conflict},
}

// move returns the next state, or an error where no arrow leads.
func move(from State, by arrow) (State, error) {
	to, ok := leads[from][by]
	if !ok {
		return from, fmt.Errorf("scripts: no %s leads from %s", by, from)
	}
	return to, nil
}

// before says that a run in this state was not called, as far as the store knows.
func (s State) before() bool { return s == Planned || s == Armed }
