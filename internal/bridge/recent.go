package bridge

import (
	"sync"
	"time"

	"github.com/cocbridge/cocbridge/internal/ledger"
)

// maxRecent bounds the alarms that recent remembers, twice.
const maxRecent = 5000

// quiet is a message that led to nothing, which costs no write and so leaves no
// trace on disk.
type quiet struct {
	alarmID string
	verdict ledger.Verdict
	route   int // index of the route that was taken
	at      time.Time
}

// recent remembers the last such message of each alarm, as long as there is room:
// when new is full it becomes old, and what was old is forgotten.
type recent struct {
	mu       sync.Mutex
	new, old map[string]quiet
}

func (r *recent) note(all []quiet, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range all {
		if r.new == nil || len(r.new) >= maxRecent {
			r.new, r.old = make(map[string]quiet), r.new
		}
		q.at = now
		r.new[q.alarmID] = q
	}
}

// of returns the last quiet message of the alarm, if it is remembered.
func (r *recent) of(alarmID string) (quiet, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q, ok := r.new[alarmID]; ok {
		return q, true
	}
	q, ok := r.old[alarmID]
	return q, ok
}
