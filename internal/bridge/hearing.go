package bridge

import (
	"sync"
	"time"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

// hearing knows when each receiver last got a message that it could read, and when
// the store last took nothing in: who is turned away then is not silent.
type hearing struct {
	mu   sync.Mutex
	last map[string]time.Time // by receiver; before the first message, since when it listens
	any  map[string]bool      // there was a message
	open time.Time            // since when the store takes in what comes
}

// listen begins to count the silence of receivers that are new, and forgets
// those that are gone.
func (h *hearing) listen(all []receivers.Config, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last, some := map[string]time.Time{}, map[string]bool{}
	for _, rc := range all {
		last[rc.Name], some[rc.Name] = now, h.any[rc.Name]
		if before, known := h.last[rc.Name]; known {
			last[rc.Name] = before
		}
	}
	h.last, h.any = last, some
}

func (h *hearing) note(receiver string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.last[receiver]; known {
		h.last[receiver], h.any[receiver] = now, true
	}
}

// since is when the receiver was last heard, or began to listen; heard tells which.
func (h *hearing) since(receiver string) (t time.Time, heard bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last[receiver], h.any[receiver]
}

// silentSince is since when the receiver, which could be heard, was not.
func (h *hearing) silentSince(receiver string) time.Time {
	since, _ := h.since(receiver)
	if open := h.openSince(); open.After(since) {
		return open
	}
	return since
}

// turnedAway notes that the store takes nothing in now. What is refused for a reason
// of its own, such as a full share of dead letters, says nothing about the others.
func (h *hearing) turnedAway(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = now
}

// openSince is since when the store takes in what comes.
func (h *hearing) openSince() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}
