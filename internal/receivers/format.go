package receivers

import (
	"maps"
	"slices"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
)

// Message is the part of a request that a format decodes.
type Message struct {
	Body        []byte
	ContentType string    // as the sender wrote it; most formats do not care
	Arrived     time.Time // stands for times that the sender left out
}

// Format is how one kind of sender speaks. Both functions are pure and may be
// called by many requests at once.
type Format struct {
	// Decode returns everything of the message, or an *Error and nothing.
	Decode func(Message) (Batch, error)
	// Answer is the JSON that tells the sender of its stored batch and of what COC
	// has of it; nil = how many alerts it held.
	Answer func(Batch, Look) any
}

// Seen is what COC has of an alert, as far as we know.
type Seen struct {
	Link     string // where it shows the alarm
	Incident string // the number of its ticket
}

// Look returns what COC has of an alert. It is called after the batch is stored.
type Look func(alert.Alert) Seen

// makers is the closed set of Config.Type, each with what makes its format of a
// valid configuration.
var makers = map[string]func(Config) (Format, error){
	"alertmanager":       newAlertmanager,
	"generic":            newGeneric,
	"grafana":            newGeneric,
	"cloudevents":        newGeneric,
	"aws-sns-cloudwatch": newGeneric,
	"zabbix":             newZabbix,
}

// Types lists the values of Config.Type.
func Types() []string { return slices.Sorted(maps.Keys(makers)) }

// NewFormat compiles the format of a receiver whose configuration is valid.
func NewFormat(c Config) (Format, error) { return makers[c.Type](c) }

func newAlertmanager(c Config) (Format, error) {
	return Format{Decode: func(m Message) (Batch, error) {
		return Decode(m.Body, Limits{MaxAlerts: c.MaxAlerts}, c.Name, m.Arrived)
	}}, nil
}
