package coctest

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// Counts say what has become of the requests to the API. A request that was
// processed and then met a fault counts in both places.
type Counts struct {
	Requests int            `json:"requests"` // all that arrived for COC
	Accepted int            `json:"accepted"` // events that were stored
	Refused  map[string]int `json:"refused"`  // by status and code, as "400 COC.00000001"
	Faults   map[string]int `json:"faults"`   // requests that met a fault, by its text form

	Alarms         int `json:"alarms"`           // different alarmIds
	Duplicates     int `json:"duplicates"`       // see Server.Duplicates
	Refreshes      int `json:"refreshes"`        // repeats that came Options.Refresh or more after the event they repeat
	Returned       int `json:"returned"`         // an earlier level again at the same time: a level that went back and a redelivered older event look alike
	Refires        int `json:"refires"`          // alarms older than the last ok, allowed by Options.Refire
	OKWithoutAlarm int `json:"ok_without_alarm"` // recoveries of an alarmId that never fired here
	Violations     int `json:"violations"`       // see Server.Violations

	// Calls are those that succeeded, by method and path; alarms are Accepted.
	Calls map[string]int `json:"calls,omitzero"`

	// Requests to the services that COC relies on, faults and refusals included.
	LogIns         int `json:"log_ins,omitzero"`         // POST /v3/auth/tokens
	Tokens         int `json:"tokens,omitzero"`          // those of them that got a token
	ProjectLists   int `json:"project_lists,omitzero"`   // GET /v3/projects
	MetadataTokens int `json:"metadata_tokens,omitzero"` // PUT /meta-data/latest/api/token
	SecurityKeys   int `json:"security_keys,omitzero"`   // GET /openstack/latest/securitykey
}

func (n Counts) clone() Counts {
	n.Refused, n.Faults, n.Calls = maps.Clone(n.Refused), maps.Clone(n.Faults), maps.Clone(n.Calls)
	return n
}

func (n *Counts) called(pattern string) {
	if n.Calls == nil {
		n.Calls = map[string]int{}
	}
	n.Calls[pattern]++
}

// Refusal is a request that the checks refused.
type Refusal struct {
	At        time.Time `json:"at"`
	RequestID string    `json:"request_id"`
	Status    int       `json:"status"`
	Code      string    `json:"code"`
	Reason    string    `json:"reason"` // more than the answer says, where that is poor
}

const (
	maxViolations = 1000
	maxRefusals   = 100
)

// book is all that Reset forgets. The server's mutex guards it.
type book struct {
	counts     Counts
	events     tail[Event]
	duplicates tail[Event]
	refusals   tail[Refusal]
	violations []string
	tracks     map[string]*track // by alarmId
	incidents  incidents
	scripts    []*Script
	orders     []*Order     // oldest first
	executions []*Execution // oldest first

	lastScript, lastHostRun int64
}

func newBook(keep int) *book {
	return &book{
		counts:     Counts{Refused: map[string]int{}, Faults: map[string]int{}},
		events:     tail[Event]{limit: keep},
		duplicates: tail[Event]{limit: keep},
		refusals:   tail[Refusal]{limit: maxRefusals},
		tracks:     map[string]*track{},
		incidents:  newIncidents(),
	}
}

// arrived wakes nobody: what waits, waits for outcomes.
func (s *Server) arrived(count func(n *Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count(&s.book.counts)
}

func (b *book) refuse(r Refusal) {
	b.counts.Refused[strconv.Itoa(r.Status)+" "+r.Code]++
	b.refusals.add(r)
}

// file stores an accepted event and holds it against what came before.
func (b *book) file(e Event, refresh, refire time.Duration) {
	b.counts.Accepted++
	b.events.add(e)
	t := b.tracks[e.Alarm.AlarmID]
	if t == nil {
		t = &track{}
		b.tracks[e.Alarm.AlarmID] = t
		b.counts.Alarms++
	}
	p := pointOf(e)
	before := *t
	switch t.place(p, refresh, refire) {
	case duplicate:
		b.counts.Duplicates++
		b.duplicates.add(e)
	case refreshed:
		b.counts.Refreshes++
	case returned:
		b.counts.Returned++
	case refired:
		b.counts.Refires++
	case reopened:
		b.violation("reopened: alarm %s: event %s is older than the accepted ok of %d; late news must not open a closed alarm again",
			e.Alarm.AlarmID, p, before.recovered)
	case disordered:
		b.violation("order: alarm %s: event %s was accepted after the newer event %s", e.Alarm.AlarmID, p, before.last)
	}
	b.compare(t, e)
}

// compare holds an ok against the last alarm: COC can match the two only when
// they are alike (coc-api.md 3.1).
func (b *book) compare(t *track, e Event) {
	if e.Alarm.AlarmStatus != statusOK {
		t.fired, t.identity = true, identityOf(e)
		return
	}
	if !t.fired {
		b.counts.OKWithoutAlarm++
		return
	}
	if names := t.identity.differences(identityOf(e)); len(names) > 0 {
		b.violation("identity: alarm %s: event %s differs from the alarm it ends in %s",
			e.Alarm.AlarmID, pointOf(e), strings.Join(names, ", "))
	}
}

func (b *book) violation(format string, args ...any) {
	b.counts.Violations++
	if len(b.violations) < maxViolations {
		b.violations = append(b.violations, fmt.Sprintf(format, args...))
	}
}

// tail keeps the newest limit items; all when limit is 0.
type tail[T any] struct {
	limit int
	items []T
	start int // the oldest, once the limit is reached
}

func (t *tail[T]) add(item T) {
	if t.limit <= 0 || len(t.items) < t.limit {
		t.items = append(t.items, item)
		return
	}
	t.items[t.start] = item
	t.start = (t.start + 1) % t.limit
}

// list returns a copy, oldest first.
func (t *tail[T]) list() []T {
	all := make([]T, 0, len(t.items))
	return append(append(all, t.items[t.start:]...), t.items[:t.start]...)
}
