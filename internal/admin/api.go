package admin

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/prometheus/common/model"
)

var (
	// ErrNotFound says that what was named is not there.
	ErrNotFound = errors.New("not found")
	// ErrInvalid says that a request cannot be meant so.
	ErrInvalid = errors.New("invalid")
)

// Operations are what a person can ask of the daemon, and do to it. The bridge
// does them, the Client asks for them over the network. Lists are handed over one
// by one, oldest first; an error of visit ends them and is returned. The other
// errors wrap ErrNotFound, ErrInvalid, or are the daemon's own.
type Operations interface {
	DeadLetters(ctx context.Context, s Select, visit func(DeadLetter) error) error
	Replay(ctx context.Context, r Replay, visit func(Outcome) error) error
	Drop(ctx context.Context, d Drop, visit func(Outcome) error) error
	Tasks(ctx context.Context, s SelectTasks, visit func(Task) error) error
	Stats(ctx context.Context) (Stats, error)
	Alarms(ctx context.Context, s SelectAlarms, visit func(Alarm) error) error
	Alarm(ctx context.Context, id string) (Alarm, error)
	Close(ctx context.Context, c Close) (Outcome, error)
	Why(ctx context.Context, question []string) ([]Answer, error)
	SendTest(ctx context.Context, t SendTest) (Test, error)
	Automation(ctx context.Context) (Automation, error)
	Arm(ctx context.Context, s Switch) (Automation, error)
	Stop(ctx context.Context, s Switch) (Automation, error)
}

// Select chooses dead letters: those for which everything that is set is true.
type Select struct {
	IDs         []uint64       `json:"ids,omitempty"`
	Integration string         `json:"integration,omitempty"`
	Rule        string         `json:"rule,omitempty"`
	Reason      string         `json:"reason,omitempty"`    // the code of its cause
	OlderThan   model.Duration `json:"olderThan,omitempty"` // it was last buried so long ago, or longer
	NewerThan   model.Duration `json:"newerThan,omitempty"` // or less long
	All         bool           `json:"all,omitempty"`       // a change needs this where nothing else is set
	Full        bool           `json:"full,omitempty"`      // a list: with what was to be told, and the alert
}

// Everything says whether nothing is set that would leave out any.
func (s Select) Everything() bool {
	return len(s.IDs) == 0 && s.Integration == "" && s.Rule == "" && s.Reason == "" && s.OlderThan == 0 && s.NewerThan == 0
}

// Replay asks to queue dead letters again.
type Replay struct {
	Select
	Force bool   `json:"force,omitempty"` // also if newer news has overtaken it; with one id only
	Remap bool   `json:"remap,omitempty"` // map the alert that was kept again, by today's configuration
	By    string `json:"-"`               // who asks
}

// Drop asks to forget dead letters.
type Drop struct {
	Select
	Why string `json:"why"` // kept in the history of each alarm
	By  string `json:"-"`
}

// Close asks to tell COC that an alarm is over.
type Close struct {
	AlarmID string `json:"alarmId"`
	Why     string `json:"why"`
	By      string `json:"-"`
}

// SelectTasks chooses tasks of the queue.
type SelectTasks struct {
	ID          uint64 `json:"id,omitempty"` // 0 = all
	Integration string `json:"integration,omitempty"`
	Full        bool   `json:"full,omitempty"`
}

// SelectAlarms chooses alarms of the ledger.
type SelectAlarms struct {
	Firing bool `json:"firing,omitempty"` // only those that COC shows as firing
}

// SendTest asks for one message about an own alarm that means nothing.
type SendTest struct {
	Resolve bool   `json:"resolve,omitempty"` // its end; else its beginning
	By      string `json:"-"`
}

// Test says under which name the message was queued.
type Test struct {
	AlarmID     string `json:"alarmId"`
	Integration string `json:"integration"`
	Verdict     string `json:"verdict"` // the ledger's word on it
}

// Switch asks to let runs of scripts and jobs begin, or to let none.
type Switch struct {
	Why string `json:"why"` // kept
	By  string `json:"-"`
}

// Automation is how scripts and jobs stand.
type Automation struct {
	Armed      bool      `json:"armed"`           // runs may begin
	Cause      string    `json:"cause,omitempty"` // storm, stopped or kill switch
	Since      time.Time `json:"since,omitzero"`  // of the cause
	By         string    `json:"by,omitempty"`    // who stopped or armed last
	Why        string    `json:"why,omitempty"`   // and the reason given
	Calls      int       `json:"calls"`           // within the last hour
	MaxPerHour int       `json:"maxPerHour"`      // of them
	Unknown    int       `json:"unknown"`         // runs of which nobody knows whether COC has begun them
	Runs       []Run     `json:"runs,omitempty"`  // those that have not ended, then the newest
}

// Run is one run of a script or job.
type Run struct {
	ID      string    `json:"id"`
	Rule    string    `json:"rule"`
	Kind    string    `json:"kind"`
	AlarmID string    `json:"alarmId"`
	State   string    `json:"state"`
	What    string    `json:"what,omitempty"` // what is run, and where
	Order   string    `json:"order,omitempty"`
	Status  string    `json:"status,omitempty"` // in COC
	Outcome string    `json:"outcome,omitempty"`
	Reason  string    `json:"reason,omitempty"` // why it was not called, or of its dead letter, in one word
	Detail  string    `json:"detail,omitempty"` // and in a sentence; of one in doubt, why it is
	Since   time.Time `json:"since,omitzero"`   // in this state
	Planned time.Time `json:"planned"`
	Called  time.Time `json:"called,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
}

// Outcome is what became of one thing that was to be changed.
type Outcome struct {
	ID      uint64 `json:"id,omitempty"`
	AlarmID string `json:"alarmId,omitempty"`
	Result  string `json:"result"`           // one of the Result constants
	Detail  string `json:"detail,omitempty"` // why, where that is no success
}

// The results of a change.
const (
	Replayed   = "replayed"
	Superseded = "superseded"  // newer news of the alarm has overtaken it; the dead letter stays
	Unmapped   = "unmapped"    // it was never mapped, or cannot be today; the dead letter stays
	RouteDrops = "route drops" // today's route drops it; the dead letter stays
	Unusable   = "unusable"    // it can never be told; the dead letter stays
	Dropped    = "dropped"
	Closed     = "closed"
	NotFiring  = "not firing" // COC does not show the alarm as firing
	Gone       = "gone"       // somebody or something was faster
)

// Task is one thing that COC is to be told.
type Task struct {
	ID          uint64          `json:"id"`
	AlarmID     string          `json:"alarmId"`
	Name        string          `json:"name,omitempty"` // of the alarm, else of the alert
	Kind        string          `json:"kind"`
	Integration string          `json:"integration,omitempty"`
	Receiver    string          `json:"receiver,omitempty"`
	Rule        string          `json:"rule,omitempty"`
	Reason      string          `json:"reason,omitempty"` // why it was made
	State       string          `json:"state,omitempty"`  // waiting or in flight; empty for dead letters
	Created     time.Time       `json:"created"`
	Due         time.Time       `json:"due"`
	Attempts    int             `json:"attempts"`
	LastError   string          `json:"lastError,omitempty"`
	Alarm       json.RawMessage `json:"alarm,omitempty"` // with Full
	Alert       json.RawMessage `json:"alert,omitempty"` // with Full
}

// DeadLetter is a task that was given up.
type DeadLetter struct {
	ID      uint64    `json:"id"`
	Cause   string    `json:"cause"`
	Detail  string    `json:"detail"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Count   int       `json:"count"`
	Task    Task      `json:"task"`
	Problem string    `json:"problem,omitempty"` // it cannot be read
}

// Alarm is what the ledger knows of one.
type Alarm struct {
	AlarmID     string    `json:"alarmId"`
	State       string    `json:"state"` // firing or resolved, as last accepted
	StartsAt    time.Time `json:"startsAt"`
	Heard       time.Time `json:"heard"` // last message, coarse
	Name        string    `json:"name,omitempty"`
	NameSpace   string    `json:"nameSpace,omitempty"`
	Resource    string    `json:"resource,omitempty"`
	Level       string    `json:"level,omitempty"`
	Integration string    `json:"integration,omitempty"`
	Waiting     int       `json:"waiting"`
	InCOC       string    `json:"inCoc"` // what COC confirmed last: firing, ok, or nothing
	Confirmed   time.Time `json:"confirmed,omitzero"`
	Tickets     []Ticket  `json:"tickets,omitempty"` // that rules opened for it
	Runs        []Run     `json:"runs,omitempty"`    // of scripts and jobs, the newest first
	History     []Event   `json:"history,omitempty"`
	// DeadLetters are the alarm's, and those of its tickets and runs.
	DeadLetters []DeadLetter `json:"deadLetters,omitempty"`
}

// Ticket is an incident of COC.
type Ticket struct {
	Rule     string `json:"rule"`
	Number   string `json:"number,omitempty"` // none before COC has it
	State    string `json:"state"`            // how far we have come with it
	Status   string `json:"status,omitempty"` // COC's own word, when the ticket was last read
	Assignee string `json:"assignee,omitempty"`
	Last     Event  `json:"last"`              // the last step
	Problem  string `json:"problem,omitempty"` // why it goes no further
}

// Event is one line of an alarm's history.
type Event struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Detail string    `json:"detail,omitempty"`
}

// Stats are numbers about the queue, the gates and the store.
type Stats struct {
	Kinds   []KindStats `json:"kinds"`
	Gates   []Gate      `json:"gates"`
	Store   StoreStats  `json:"store"`
	Damaged int         `json:"damaged"` // records that were put aside
}

// KindStats are numbers about one kind of task.
type KindStats struct {
	Kind     string    `json:"kind"`
	Waiting  int       `json:"waiting"`
	InFlight int       `json:"inFlight"`
	Dead     int       `json:"dead"`
	Oldest   time.Time `json:"oldest,omitzero"`
}

// Gate is how the way to an integration stands.
type Gate struct {
	Integration string    `json:"integration"`
	Waiting     int       `json:"waiting"`          // tasks, those in flight included
	Closed      string    `json:"closed,omitempty"` // auth, config or down; empty = open
	Since       time.Time `json:"since,omitzero"`
	Problem     string    `json:"problem,omitempty"`
	PerSecond   float64   `json:"perSecond,omitempty"` // alarms at most; 0 = no limit
}

// StoreStats are numbers about the store, in bytes.
type StoreStats struct {
	Size    int64 `json:"size"`
	Used    int64 `json:"used"`
	Limit   int64 `json:"limit"` // of Used; from here on senders get 503
	MaxSize int64 `json:"maxSize"`
}

// Answer is the reply to why, about one alarm.
type Answer struct {
	AlarmID  string   `json:"alarmId,omitempty"` // empty where none is known
	Verdict  Verdict  `json:"verdict"`
	Text     string   `json:"text"` // one sentence, with times
	Evidence []string `json:"evidence,omitempty"`
	Alarm    *Alarm   `json:"alarm,omitempty"` // nil if the ledger has no entry
}

// Verdict is the answer to why in one word.
type Verdict string

// The verdicts.
const (
	NeverReceived  Verdict = "never received"
	Rejected       Verdict = "rejected"         // a dead letter at its arrival
	DroppedByRoute Verdict = "dropped by route" // a route drops it
	UnknownResolve Verdict = "unknown resolve"  // a resolve of what was never told
	RepeatOf       Verdict = "repeat"           // told recently enough
	StaleNews      Verdict = "stale"            // about an episode that is over
	HeldByFence    Verdict = "held"
	Waiting        Verdict = "waiting"
	GateClosed     Verdict = "gate closed"
	Sent           Verdict = "sent"
	DeadLettered   Verdict = "dead letter"
	Discarded      Verdict = "discarded" // its dead letter was dropped by hand
	NotTold        Verdict = "not told"  // a dry run, or given up without a dead letter
)

// Verdicts lists all of them.
func Verdicts() []Verdict {
	return []Verdict{
		NeverReceived, Rejected, DroppedByRoute, UnknownResolve, RepeatOf, StaleNews, HeldByFence,
		Waiting, GateClosed, Sent, DeadLettered, Discarded, NotTold,
	}
}
