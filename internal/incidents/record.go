package incidents

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/store"
)

// Bucket holds one record per episode of a group, the newest first:
//
//	group "/" ^episode (16 hex digits) -> JSON of Record
const Bucket store.Bucket = "incidents"

// meta holds "born" -> when this store's first episode began.
const meta store.Bucket = "incidentmeta"

// State is how far an episode's ticket has come, as far as we know.
type State string

// The states. A ticket exists from Open on.
const (
	Pending  State = "pending"  // firing, held back
	Opening  State = "opening"  // the create was intended: there may be a ticket
	Open     State = "open"     // nobody has accepted the ticket
	Accepted State = "accepted" // somebody works on it
	Solved   State = "solved"   // a solution was committed
	Closed   State = "closed"   // completed, or gone
	Rejected State = "rejected" // a person has rejected it
	Over     State = "over"     // the episode has ended
)

// live says whether the ticket of a record in this state may need something.
func (s State) live() bool { return s != Over }

// historySize bounds the events kept per episode; the oldest but the first go first.
const historySize = 40

// Record is one episode of a group with its ticket. Its JSON form lies on disk:
// names may be added, never changed.
type Record struct {
	Group    string      `json:"group"`
	Episode  uint64      `json:"episode"`
	Rule     string      `json:"rule"`
	RuleHash string      `json:"ruleHash"` // of the rule as it was when the episode began
	Values   []string    `json:"values"`   // of the rule's group_by
	State    State       `json:"state"`
	Mark     string      `json:"mark"`
	First    alert.Alert `json:"first"` // the member that began it
	Began    time.Time   `json:"began"` // when that arrived

	// Before there is a number.
	LookFirst bool      `json:"lookFirst,omitzero"` // there may be a ticket that this store knows nothing of
	Intent    time.Time `json:"intent,omitzero"`    // when the create was about to leave
	Failing   time.Time `json:"failing,omitzero"`   // since when nobody can tell whether there is one
	Looks     int       `json:"looks,omitzero"`     // that found nothing since Intent
	Earlier   []string  `json:"earlier,omitempty"`  // numbers of earlier episodes, whose mark may be the same

	Number   string              `json:"number,omitzero"`
	Status   coc.IncidentStatus  `json:"status,omitzero"` // of the ticket when it was last read
	Assignee string              `json:"assignee,omitzero"`
	Level    string              `json:"level,omitzero"` // the worst that COC was told of
	Opened   time.Time           `json:"opened,omitzero"`
	Accepted time.Time           `json:"accepted,omitzero"`
	Solved   time.Time           `json:"solved,omitzero"`
	Ended    time.Time           `json:"ended,omitzero"`
	Ours     bool                `json:"ours,omitzero"`     // the newest of solving and closing was our doing
	Tried    coc.OperateKey      `json:"tried,omitzero"`    // the last step that may have left
	Acted    time.Time           `json:"acted,omitzero"`    // when that was; it may not show yet
	From     coc.IncidentStatus  `json:"from,omitzero"`     // the status before that step
	Early    time.Time           `json:"early,omitzero"`    // since when COC refuses the next step
	Read     time.Time           `json:"read,omitzero"`     // when the ticket was last read
	NotUntil time.Time           `json:"notUntil,omitzero"` // nothing is to be done before
	Quiet    time.Time           `json:"quiet,omitzero"`    // since when all members were seen recovered
	Again    *Again              `json:"again,omitzero"`    // a member fired again after Quiet
	Told     map[topic]time.Time `json:"told,omitempty"`    // what was remarked last, or needs no remark
	Remarks  int                 `json:"remarks,omitzero"`
	Flaps    int                 `json:"flaps,omitzero"`

	Task    uint64    `json:"task,omitzero"`    // the one task of the group; 0 = none
	Due     time.Time `json:"due,omitzero"`     // of that task
	Problem string    `json:"problem,omitzero"` // why the last task became a dead letter

	History []Event `json:"history,omitempty"` // oldest first
}

// Again is a member that fires after all had recovered.
type Again struct {
	At    time.Time   `json:"at"`
	Alert alert.Alert `json:"alert"`
}

// Event is one line of an episode's history.
type Event struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Detail string    `json:"detail,omitzero"`
}

func (r *Record) note(now time.Time, what, detail string) {
	if n := len(r.History); n > 0 && r.History[n-1].What == what && r.History[n-1].Detail == detail {
		r.History[n-1].At = now.UTC().Truncate(time.Millisecond)
		return
	}
	r.History = append(r.History, Event{At: now.UTC().Truncate(time.Millisecond), What: what, Detail: detail})
	if over := len(r.History) - historySize; over > 0 {
		r.History = append(r.History[:1], r.History[1+over:]...)
	}
}

func recordKey(group string, episode uint64) []byte {
	return fmt.Appendf(nil, "%s/%016x", group, ^episode)
}

// Get returns the newest episode of a group, or nil.
func Get(tx *store.Tx, group string) (r *Record, err error) {
	prefix := group + "/"
	tx.Scan(Bucket, []byte(prefix), func(key, value []byte, problem error) bool {
		if strings.HasPrefix(string(key), prefix) {
			if err = problem; err == nil {
				r, err = decodeRecord(key, value)
			}
		}
		return false
	})
	return r, err
}

func decodeRecord(key, value []byte) (*Record, error) {
	r := new(Record)
	if err := json.Unmarshal(value, r); err != nil {
		return nil, fmt.Errorf("incidents: record %s: %w: %w", key, store.ErrCorrupt, err)
	}
	return r, nil
}

func save(tx *store.Tx, r *Record) error {
	b, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("incidents: record %s: %w", r.Group, err)
	}
	return tx.Put(Bucket, recordKey(r.Group, r.Episode), b)
}
