package incidents

import (
	"fmt"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
)

// Act is what a step does.
type Act string

// The acts. Those from Look on call COC.
const (
	Wait   Act = "wait"   // until Step.At; zero = until there is news
	Note   Act = "note"   // the ticket is in Step.State, write that down
	Forget Act = "forget" // a member fired again, and that changes nothing
	Begin  Act = "begin"  // a new episode, with the member that fired again
	End    Act = "end"    // the episode is over

	Look    Act = "look" // for the ticket, by its mark
	Create  Act = "create"
	Read    Act = "read" // the ticket
	Accept  Act = "accept"
	Solve   Act = "solve"
	Confirm Act = "confirm"
	Unsolve Act = "unsolve" // a verdict that the solution does not hold
	Remark  Act = "remark"
)

// calls says whether the act needs COC.
func (a Act) calls() bool {
	switch a {
	case Wait, Note, Forget, Begin, End:
		return false
	default:
		return true
	}
}

// topic is what a remark is about. Each is remarked once per occasion.
type topic string

const (
	levelRaised topic = "level"
	firesAgain  topic = "refire"
	stillFiring topic = "closed"
	recovered   topic = "recovered"
)

// Step is the next thing to do about an episode.
type Step struct {
	Act   Act
	At    time.Time // of Wait
	State State     // of Note
	Topic topic     // of Remark
	Why   string
}

const (
	// A create whose outcome is unknown is looked for at these times after it
	// left; COC shows tickets late (coc-api.md 3.3 and 6).
	firstLook  = 30 * time.Second
	secondLook = 120 * time.Second
	// lookPause is between two looks whatever the first was counted from: a
	// process that died during the call cannot tell when that left.
	lookPause = secondLook - firstLook

	// settling is how long a step of ours may take to show, pace how often we
	// look whether it does, and patience how long COC may refuse a step as too
	// early (coc-api.md 3.4) or know nothing of a new ticket.
	settling = time.Minute
	pace     = 10 * time.Second
	patience = 5 * time.Minute

	// An open ticket is read again after a quarter of its age, within these.
	fastestPoll = time.Minute
	slowestPoll = 30 * time.Minute

	maxRemarks = 20 // per ticket
)

// gone is the status of a ticket that COC does not know.
const gone coc.IncidentStatus = "gone"

// Ticket is what COC says of the ticket; an empty status: it was not asked.
type Ticket struct {
	Status     coc.IncidentStatus
	Reassigned bool // to somebody who is neither who got it first nor us
}

// Situation is all that plan looks at.
type Situation struct {
	Record  *Record
	Rule    *Config       // as configured today
	Hold    time.Duration // of the rule
	Changed bool          // the rule is not what it was when the episode began
	Crowd   Crowd
	Ticket  Ticket
	Now     time.Time
}

// plan is pure: it says what to do next, given what is known. It asks for Read
// before each step that acts on a ticket, and once after each answer it is asked
// again.
func plan(s Situation) Step {
	switch s.Record.State {
	case Pending:
		return s.pending()
	case Opening:
		return s.opening()
	case Open, Accepted:
		return s.atWork()
	case Solved:
		return s.solved()
	case Closed, Rejected:
		return s.closed()
	default:
		return Step{Act: Wait}
	}
}

func (s Situation) quiet() bool { return s.Crowd.Firing == 0 && s.Crowd.Next.IsZero() }

func wait(at time.Time, why string) Step { return Step{Act: Wait, At: at, Why: why} }

func (s Situation) pending() Step {
	due := s.Crowd.FiringSince.Add(s.Hold)
	switch {
	case s.quiet():
		return Step{Act: End, Why: "recovered before the ticket was due"}
	case s.Crowd.Firing == 0:
		return wait(s.Crowd.Next, "behind the fence")
	case s.Changed:
		return Step{Act: End, Why: "the rule has changed meanwhile"}
	case s.Now.Before(due):
		return wait(due, "on hold")
	case s.Record.LookFirst:
		return s.look(s.Now, "the alert is older than the store: there may be a ticket")
	default:
		return Step{Act: Create, Why: "fires"}
	}
}

// opening: there is an intent, and nobody knows what became of it.
func (s Situation) opening() Step {
	r := s.Record
	at := r.Intent.Add(firstLook)
	if r.Looks > 0 {
		at = r.Intent.Add(secondLook)
	}
	switch {
	case r.Looks < 2:
		return s.look(at, "the outcome of the create is unknown")
	case s.quiet():
		return Step{Act: End, Why: "no ticket was found, and all members have recovered"}
	case s.Changed:
		return Step{Act: End, Why: "no ticket was found, and the rule has changed meanwhile"}
	case s.Crowd.Firing > 0:
		return Step{Act: Create, Why: "two looks found no ticket"}
	default:
		return wait(s.Crowd.Next, "behind the fence")
	}
}

// look turns a time into Look or Wait, but not before the record allows it.
func (s Situation) look(at time.Time, why string) Step {
	if at = later(at, s.Record.NotUntil); at.After(s.Now) {
		return wait(at, why)
	}
	return Step{Act: Look, Why: why}
}

// atWork: there is a ticket that is neither solved nor closed as far as we know.
func (s Situation) atWork() Step {
	if s.Ticket.Status == "" {
		return s.before(s.needs())
	}
	if s.unsettled() {
		return wait(s.Now.Add(pace), "the last step does not show yet")
	}
	if step, over := s.taken(); over {
		return step
	}
	switch {
	case s.raised():
		return Step{Act: Remark, Topic: levelRaised, Why: "the level rose to " + s.Crowd.Level}
	case s.Ticket.Status == coc.StatusAcknowledged && s.Record.State == Open:
		return Step{Act: Note, State: Accepted, Why: "a person has accepted it"}
	case s.Ticket.Status == coc.StatusAcknowledged:
		return s.acknowledged()
	case s.Ticket.Status == coc.StatusTriggered && s.acceptable():
		return Step{Act: Accept, Why: "opened"}
	default:
		return wait(s.nextPoll(), "nothing to do")
	}
}

// needs is the first thing that would be done if the ticket allows it.
func (s Situation) needs() (at time.Time, why string) {
	solve := s.solveAt()
	switch {
	case s.raised():
		return s.Now, "the level rose"
	case s.Record.State == Open && s.Rule.Accept.When == opened && !s.Record.told(recovered):
		return s.Now, "to be accepted"
	case !solve.IsZero() && !s.Record.told(recovered):
		return earliest(solve, s.pollAt()), "to be solved"
	default:
		return earliest(s.pollAt(), s.Crowd.Next), "poll"
	}
}

// before turns a time into Read or Wait, but not before the record allows it.
func (s Situation) before(at time.Time, why string) Step {
	if at.Before(s.Record.NotUntil) {
		at = s.Record.NotUntil
	}
	if at.After(s.Now) {
		return wait(at, why)
	}
	return Step{Act: Read, Why: why}
}

// taken: the ticket is past the work, by whomever.
func (s Situation) taken() (step Step, over bool) {
	switch s.Ticket.Status {
	case coc.StatusResolved:
		return Step{Act: Note, State: Solved, Why: "it is solved"}, true
	case coc.StatusCompleted:
		return s.completed(), true
	case coc.StatusRejected:
		return Step{Act: Note, State: Rejected, Why: "a person has rejected it"}, true
	case gone:
		if s.Now.Before(s.Record.Opened.Add(patience)) {
			return wait(s.Now.Add(pace), "COC does not show the new ticket yet"), true
		}
		return Step{Act: Note, State: Closed, Why: "COC does not know it any more"}, true
	default:
		return Step{}, false
	}
}

// completed: somebody has closed the ticket. We say so once that it still fires,
// if asked to.
func (s Situation) completed() Step {
	if s.Crowd.Firing > 0 && s.Rule.OnClosedByPerson == remarkIt && !s.Record.told(stillFiring) {
		return Step{Act: Remark, Topic: stillFiring, Why: "a person has closed it, and it still fires"}
	}
	return Step{Act: Note, State: Closed, Why: "it is completed"}
}

// unsettled: our last step was taken, but the ticket looks as it did before.
func (s Situation) unsettled() bool {
	r := s.Record
	return !r.Acted.IsZero() && s.Ticket.Status == r.From && s.Now.Before(r.Acted.Add(settling))
}

func (s Situation) acceptable() bool {
	return s.Rule.Accept.When == opened && !s.Ticket.Reassigned && s.Record.State == Open
}

// acknowledged: somebody works on the ticket. Where that is another person than
// it was given to, the end of the alerts is for them to judge.
func (s Situation) acknowledged() Step {
	at := s.solveAt()
	switch {
	case at.IsZero() || s.Now.Before(at) || s.Record.told(recovered):
		return wait(earliest(s.nextPoll(), at), "nothing to do")
	case s.Ticket.Reassigned:
		return Step{Act: Remark, Topic: recovered, Why: "all members have recovered; it was reassigned, so it is not ours to solve"}
	default:
		return Step{Act: Solve, Why: "all members have recovered"}
	}
}

// solveAt is when the ticket is to be solved; zero = not as things are.
func (s Situation) solveAt() time.Time {
	if s.Rule.Solve.When != resolved || !s.quiet() {
		return time.Time{}
	}
	return s.Crowd.QuietSince.Add(time.Duration(s.Rule.Solve.After))
}

func (s Situation) raised() bool {
	return s.Crowd.Level != "" && s.Record.Level != "" && s.Crowd.Level < s.Record.Level
}

// pollAt is when the ticket is read again although nothing has happened here.
func (s Situation) pollAt() time.Time { return s.Record.Read.Add(s.pollPause()) }

func (s Situation) nextPoll() time.Time { return s.Now.Add(s.pollPause()) }

func (s Situation) pollPause() time.Duration {
	return min(max(s.Record.Read.Sub(s.Record.Opened)/4, fastestPoll), slowestPoll)
}

// solved: a solution stands in the ticket.
func (s Situation) solved() Step {
	r := s.Record
	over := later(r.Solved, s.Crowd.QuietSince).Add(time.Duration(s.Rule.Refire.Within))
	switch {
	case r.Again != nil && s.quiet():
		return Step{Act: Forget, Why: "fired again and recovered at once"}
	case r.Again != nil && s.Crowd.Firing > 0:
		return s.again()
	case s.confirmable():
		return s.confirm()
	case s.Crowd.Firing > 0:
		return Step{Act: Wait, Why: "fires, in a solved ticket"}
	case s.Crowd.Next.After(s.Now):
		return wait(s.Crowd.Next, "behind the fence")
	case s.Now.Before(over):
		return wait(over, "remembered in case it fires again")
	default:
		return s.ending()
	}
}

// ending: the ticket is forgotten, unless a person has taken the solution back: then
// it is the one for what fires next.
func (s Situation) ending() Step {
	switch {
	case s.Ticket.Status == "":
		return s.before(s.Now, "the solution may have been taken back")
	case s.takenBack():
		return Step{Act: Note, State: Accepted, Why: "a person has taken the solution back"}
	default:
		return Step{Act: End, Why: "solved"}
	}
}

// takenBack: the ticket was solved, and is at work again.
func (s Situation) takenBack() bool { return atWork(s.Ticket.Status) }

func atWork(s coc.IncidentStatus) bool {
	switch s {
	case coc.StatusResolved, coc.StatusCompleted, coc.StatusRejected, gone:
		return false
	default:
		return true
	}
}

// again: a member fires after all had recovered and the ticket was solved.
func (s Situation) again() Step {
	r, do := s.Record, s.Rule.Refire.Do
	switch {
	case s.Ticket.Status == "":
		return s.before(s.Now, "fires again")
	case s.unsettled():
		return wait(s.Now.Add(pace), "the last step does not show yet")
	case s.takenBack():
		return Step{Act: Note, State: Accepted, Why: "it is being worked on again"}
	case r.Again.At.After(r.Solved.Add(time.Duration(s.Rule.Refire.Within))):
		return Step{Act: Begin, Why: "fires again, later than refire.within"}
	case do == newOne:
		return Step{Act: Begin, Why: "fires again"}
	case s.Ticket.Status == coc.StatusRejected:
		return Step{Act: Note, State: Rejected, Why: "a person has rejected it"}
	case s.Ticket.Status != coc.StatusResolved:
		return Step{Act: Begin, Why: "fires again, and the old ticket is closed for good"}
	case do == unsolve && r.Ours && !s.Ticket.Reassigned:
		return Step{Act: Unsolve, Why: "fires again"}
	default:
		return Step{Act: Remark, Topic: firesAgain, Why: "fires again"}
	}
}

func (s Situation) confirmable() bool {
	return s.Rule.Confirm.When == solvedIt && s.Record.Ours && s.quiet()
}

func (s Situation) confirm() Step {
	switch {
	case s.Ticket.Status == "":
		return s.before(s.Now, "to be confirmed")
	case s.unsettled():
		return wait(s.Now.Add(pace), "the last step does not show yet")
	case s.Ticket.Status == coc.StatusResolved && !s.Ticket.Reassigned:
		return Step{Act: Confirm, Why: "solved"}
	case s.Ticket.Status == coc.StatusCompleted:
		return Step{Act: Note, State: Closed, Why: "it is completed"}
	case s.takenBack():
		return Step{Act: Note, State: Accepted, Why: "a person has taken the solution back"}
	default: // a person has taken the ticket over, or ended it otherwise
		return Step{Act: Note, State: Solved, Why: "a person works on it"}
	}
}

// closed: the ticket is completed, gone or rejected. Nothing new is opened while
// the group fires, nor for a member that only flaps.
func (s Situation) closed() Step {
	r := s.Record
	calm := max(time.Duration(s.Rule.Refire.Within), time.Duration(s.Rule.Solve.After))
	over := s.Crowd.QuietSince.Add(calm)
	switch {
	case r.Again != nil && s.quiet():
		return Step{Act: Forget, Why: "fired again and recovered at once"}
	case r.Again != nil && s.Crowd.Firing == 0:
		return wait(s.Crowd.Next, "behind the fence")
	case r.Again != nil && (r.Ours || r.Again.At.After(r.Quiet.Add(calm))):
		return Step{Act: Begin, Why: "fires again"}
	case r.Again != nil:
		return Step{Act: Forget, Why: fmt.Sprintf("fires again, but a person has ended the ticket %s ago", r.Again.At.Sub(r.Ended).Round(time.Second))}
	case s.Crowd.Firing > 0:
		return Step{Act: Wait, Why: "still fires; a person has ended the ticket"}
	case s.Crowd.Next.After(s.Now):
		return wait(s.Crowd.Next, "behind the fence")
	case s.Now.Before(over):
		return wait(over, "remembered in case it fires again")
	case r.State == Closed || s.Ticket.Status == coc.StatusRejected || s.Ticket.Status == gone:
		return Step{Act: End, Why: string(r.State)}
	case s.Ticket.Status == "":
		return s.before(s.Now, "it may have been opened again")
	case s.Ticket.Status == coc.StatusResolved:
		return Step{Act: Note, State: Solved, Why: "a person has opened it again, and solved it"}
	case s.Ticket.Status == coc.StatusCompleted:
		return Step{Act: Note, State: Closed, Why: "it is completed"}
	default:
		return Step{Act: Note, State: Open, Why: "a person has opened it again"}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earliest ignores a zero time.
func earliest(a, b time.Time) time.Time {
	if b.IsZero() || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}

func (r *Record) told(t topic) bool { return !r.Told[t].IsZero() }
