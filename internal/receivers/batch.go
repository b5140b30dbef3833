package receivers

import (
	"context"
	"errors"

	"github.com/cocbridge/cocbridge/internal/alert"
)

// Batch is one request, decoded.
type Batch struct {
	Receiver string // the configured name
	// Alerts can be used: status firing or resolved, times set, at most 64
	// labels and 64 annotations with good names, texts of at most 4 KiB in
	// valid UTF-8 without NUL, a fingerprint. They may share GroupLabels, which
	// nobody may change.
	Alerts []alert.Alert
	// Rejected cannot be used; each becomes a dead letter.
	Rejected []Rejected
	// Truncated is how many alerts the sender left out of the request. Nothing
	// is known of them.
	Truncated int
	// Cut is how many texts were longer than 4 KiB and are cut.
	Cut int `json:",omitzero"`
	// Notice is what the sender asks of the operator, for the log; usually empty.
	Notice string `json:",omitzero"`
}

// Rejected is an alert that cannot be used, with as much of it as fits the
// limits of Batch.Alerts. Its status is as the sender wrote it.
type Rejected struct {
	Alert   alert.Alert
	Reason  string // one of a closed set, for metrics
	Field   string // within the alert, such as labels
	Problem string // what is wrong with the field
}

// Accept stores a batch. Nil means that every alert of it is safe on disk; any
// error means that nothing of it was stored, and the sender is asked to send it
// again. It is called by many requests at once.
type Accept func(ctx context.Context, b Batch) error

// ErrBusy is what Accept returns when it cannot take anything now: the store is
// full, the bridge starts or stops.
var ErrBusy = errors.New("cannot take alerts now")
