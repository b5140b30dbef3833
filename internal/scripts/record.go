package scripts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/store"
)

// What lies on disk:
//
//	runs       id -> JSON of Run
//	runsopen   id -> rule NUL state     those that have not ended
//	runsof     alarmId "/" id -> nothing
//	runorders  order -> id
//	runcalls   time (16 hex digits) "/" id -> JSON of callNote
//	runstate   "fuse" -> JSON of Fuse; "since" -> time of memory
const (
	Bucket     store.Bucket = "runs"
	openRuns   store.Bucket = "runsopen"
	alarmRuns  store.Bucket = "runsof"
	orderRuns  store.Bucket = "runorders"
	callNotes  store.Bucket = "runcalls"
	fuseBucket store.Bucket = "runstate"
)

// The kinds of runs.
const (
	ScriptKind = "script"
	JobKind    = "job"
)

// Run is one rule's answer to one episode of an alarm. Its JSON form lies on
// disk: names may be added, never changed.
type Run struct {
	ID       string      `json:"id"`
	Rule     string      `json:"rule"`
	RuleHash string      `json:"ruleHash"` // of the rule as it was when the alert arrived
	Kind     string      `json:"kind"`
	AlarmID  string      `json:"alarmId"`
	Alert    alert.Alert `json:"alert"`
	State    State       `json:"state"`
	Planned  time.Time   `json:"planned"`
	NotAfter time.Time   `json:"notAfter"` // never called later
	// Untrusted: its receiver asked for no credentials when the alert arrived.
	Untrusted bool `json:"untrusted,omitzero"`

	Request Request   `json:"request,omitzero"` // from Armed on
	Attempt int       `json:"attempt,omitzero"` // calls so far
	Called  time.Time `json:"called,omitzero"`  // the last one
	Since   time.Time `json:"since"`            // in this state
	Looks   int       `json:"looks,omitzero"`   // clean ones that found nothing, while Unknown

	Order    string       `json:"order,omitzero"` // of COC: execute_uuid or execution id
	Deadline time.Time    `json:"deadline,omitzero"`
	Status   string       `json:"status,omitzero"` // in COC when last read
	Verified bool         `json:"verified,omitzero"`
	Stop     time.Time    `json:"stop,omitzero"`    // the alarm has recovered and on_resolve says cancel
	Stopped  time.Time    `json:"stopped,omitzero"` // COC was told so
	Results  []HostResult `json:"results,omitempty"`

	Outcome Outcome   `json:"outcome,omitzero"` // once Ended
	Ended   time.Time `json:"ended,omitzero"`
	Code    string    `json:"code,omitzero"` // why it ended without a call, or of its dead letter
	Text    string    `json:"text,omitzero"`
	Letter  bool      `json:"letter,omitzero"` // a dead letter tells of Code
	Buried  bool      `json:"buried,omitzero"` // that is written

	Task uint64    `json:"task,omitzero"` // its one task; 0 = none
	Next time.Time `json:"next,omitzero"` // there is nothing to do before

	History []Event `json:"history,omitempty"` // oldest first
}

// Request is what COC is asked to do, fixed when the run is armed.
type Request struct {
	What        string   `json:"what"` // uuid of the script, id of the document
	Version     string   `json:"version,omitzero"`
	Type        string   `json:"type,omitzero"`
	User        string   `json:"user,omitzero"`
	Seconds     int64    `json:"seconds"` // a batch may take
	SuccessRate float64  `json:"successRate,omitzero"`
	Params      []Value  `json:"params,omitempty"`
	Hosts       []Target `json:"hosts,omitempty"`
	BatchSize   int      `json:"batchSize,omitzero"`
	Description string   `json:"description,omitzero"`
	Cancel      bool     `json:"cancel,omitzero"` // when the alarm recovers
}

// Value is a parameter with its final value.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Target is a host, filled in from COC.
type Target struct {
	ResourceID string `json:"resourceId"`
	RegionID   string `json:"regionId"`
	ProjectID  string `json:"projectId,omitzero"`
	AgentSN    string `json:"agentSn,omitzero"`
	Name       string `json:"name,omitzero"`
}

// HostResult is what became of a run on one host, or of one step of a job.
type HostResult struct {
	Host   string `json:"host"`
	Status string `json:"status"`
	Output string `json:"output,omitzero"` // its last lines; may hold secrets, so it is never logged
}

// Event is one line of a run's history.
type Event struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Detail string    `json:"detail,omitzero"`
}

const historySize = 30

func (r *Run) note(now time.Time, what, detail string) {
	detail, _ = coc.Shorten(detail, 500)
	r.History = append(r.History, Event{now.UTC().Truncate(time.Millisecond), what, detail})
	if over := len(r.History) - historySize; over > 0 {
		r.History = append(r.History[:1], r.History[1+over:]...)
	}
}

// move takes the run along an arrow.
func (r *Run) move(by arrow, now time.Time, detail string) error {
	to, err := move(r.State, by)
	if err != nil {
		return err
	}
	r.State, r.Since, r.Next = to, now, time.Time{}
	r.note(now, string(to), detail)
	return nil
}

// end closes the run.
func (r *Run) end(o Outcome, now time.Time) {
	r.Outcome, r.Ended, r.Next = o, now, time.Time{}
}

// markSize is all that a target's attribute has room for (coc-api.md 3.7).
const markSize = coc.MaxAttribute

// Mark is what the run is found by in COC.
func (r *Run) Mark() string { return r.ID[:markSize] }

// targets are what cooldown counts by: the hosts, or the rule as a whole.
func (q *Request) targets() []string {
	if len(q.Hosts) == 0 {
		return []string{""}
	}
	ids := make([]string, len(q.Hosts))
	for i, h := range q.Hosts {
		ids[i] = h.ResourceID
	}
	return ids
}

// idOf is the same whoever sends the episode again, and whenever.
func idOf(rule string, a *alert.Alert) string {
	episode := "id " + a.ID
	if a.ID == "" {
		episode = a.StartsAt.UTC().Format(time.RFC3339Nano)
	}
	return digest(rule, a.AlarmID(), episode)[:32]
}

func digest(parts ...any) string {
	text, _ := stdjson.Marshal(parts) // texts only
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Get returns a run, or nil.
func Get(tx *store.Tx, id string) (*Run, error) {
	b, err := tx.Get(Bucket, []byte(id))
	if err != nil || b == nil {
		return nil, err
	}
	return decode(id, b)
}

func decode(id string, b []byte) (*Run, error) {
	r := new(Run)
	if err := json.Unmarshal(b, r); err != nil || r.ID != id || len(r.ID) < markSize {
		return nil, fmt.Errorf("scripts: run %s: %w: %w", id, store.ErrCorrupt, errors.Join(err, errors.New("not a run")))
	}
	return r, nil
}

// save writes the run and what finds it.
func save(tx *store.Tx, r *Run) error {
	b, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("scripts: run %s: %w", r.ID, err)
	}
	if r.Ended.IsZero() {
		err = tx.Put(openRuns, []byte(r.ID), []byte(r.Rule+"\x00"+string(r.State)))
	} else {
		err = tx.Delete(openRuns, []byte(r.ID))
	}
	if err == nil && r.Order != "" {
		err = tx.Put(orderRuns, []byte(r.Order), []byte(r.ID))
	}
	return errors.Join(err, tx.Put(Bucket, []byte(r.ID), b), tx.Put(alarmRuns, []byte(r.AlarmID+"/"+r.ID), nil))
}

// forget removes all traces of an ended run.
func forget(tx *store.Tx, r *Run) error {
	err := errors.Join(tx.Delete(Bucket, []byte(r.ID)), tx.Delete(openRuns, []byte(r.ID)), tx.Delete(alarmRuns, []byte(r.AlarmID+"/"+r.ID)))
	if r.Order != "" {
		err = errors.Join(err, tx.Delete(orderRuns, []byte(r.Order)))
	}
	return err
}

// eachRun visits the readable runs from a key on.
func eachRun(tx *store.Tx, from []byte, visit func(*Run) (more bool)) {
	tx.Scan(Bucket, from, func(key, value []byte, err error) bool {
		if err != nil {
			return true
		}
		r, err := decode(string(key), value)
		return err != nil || visit(r)
	})
}

// eachOpen visits what has not ended, without reading it.
func eachOpen(tx *store.Tx, visit func(id, rule string, s State)) {
	tx.Scan(openRuns, nil, func(key, value []byte, err error) bool {
		rule, state, _ := strings.Cut(string(value), "\x00")
		if err == nil {
			visit(string(key), rule, State(state))
		}
		return true
	})
}

// runsOf lists the runs of an alarm.
func runsOf(tx *store.Tx, alarmID string) (ids []string) {
	prefix := []byte(alarmID + "/")
	tx.Scan(alarmRuns, prefix, func(key, _ []byte, _ error) bool {
		id, ok := bytes.CutPrefix(key, prefix)
		if ok {
			ids = append(ids, string(id))
		}
		return ok
	})
	return ids
}

// Unfinished names the runs that have not ended, by rule.
func Unfinished(tx *store.Tx) map[string][]string {
	all := map[string][]string{}
	eachOpen(tx, func(id, rule string, _ State) { all[rule] = append(all[rule], "run "+id) })
	return all
}

func undamaged(err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	return err
}
