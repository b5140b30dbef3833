package incidents

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
)

// group is a rule with the values of its group_by labels.
type group struct {
	id     string   // the lane of its tasks, the beginning of its keys
	values []string // in the order of group_by
}

// groupOf returns the alert's group. Without group_by every alert is its own.
func (r *rule) groupOf(a *alert.Alert) group {
	values := []string{a.AlarmID()}
	if by := r.cfg.GroupBy; len(by) > 0 {
		values = make([]string, len(by))
		for i, label := range by {
			values[i] = a.Labels[label]
		}
	}
	return group{id: digest(r.name, r.cfg.GroupBy, values)[:groupSize], values: values}
}

const (
	groupSize = 32 // hex digits
	markSize  = 12 // hex digits
)

// markOf is what a ticket is found by when its number was lost: the same for the
// same episode, whatever became of our store.
func markOf(rule string, values []string, startsAt time.Time) string {
	return "[cb:" + digest(rule, values, startsAt.UTC().Format(time.RFC3339Nano))[:markSize] + "]"
}

func digest(parts ...any) string {
	text, _ := json.Marshal(parts) // texts and lists of texts only
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// marked is the title with the mark at its end, within COC's limit: the room for
// the mark is reserved first (coc-api.md 3.3 and 9.3).
func marked(title, mark string) string {
	short, _ := coc.Shorten(title, coc.MaxIncidentTitle-coc.Units(mark)-1)
	return short + " " + mark
}
