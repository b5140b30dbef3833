package render

import (
	"time"

	"github.com/prometheus/alertmanager/template"

	"github.com/cocbridge/cocbridge/internal/alert"
)

// Alert is what templates see of an alert: its fields are the names after the
// dot. The texts are as the source sent them.
type Alert struct {
	Receiver       string // the configured receiver's name
	Status         string // firing or resolved
	Labels         template.KV
	Annotations    template.KV
	StartsAt       time.Time
	EndsAt         time.Time // zero while it fires
	ID             string
	URL            string
	SenderReceiver string
	GroupLabels    template.KV
	ExternalURL    string
}

// NewAlert returns the view of a, whose maps it shares.
func NewAlert(a *alert.Alert) *Alert {
	return &Alert{
		Receiver:       a.Receiver,
		Status:         string(a.Status),
		Labels:         a.Labels,
		Annotations:    a.Annotations,
		StartsAt:       a.StartsAt,
		EndsAt:         a.EndsAt,
		ID:             a.ID,
		URL:            a.URL,
		SenderReceiver: a.SenderReceiver,
		GroupLabels:    a.GroupLabels,
		ExternalURL:    a.ExternalURL,
	}
}

// Text implements Texts.
func (a *Alert) Text(field []string) (string, bool) {
	if len(field) == 2 {
		return a.named(field[0], field[1])
	}
	if len(field) != 1 {
		return "", false
	}
	switch field[0] {
	case "Receiver":
		return a.Receiver, true
	case "Status":
		return a.Status, true
	case "ID":
		return a.ID, true
	case "URL":
		return a.URL, true
	case "SenderReceiver":
		return a.SenderReceiver, true
	case "ExternalURL":
		return a.ExternalURL, true
	}
	return "", false
}

// named does not know names that begin with a capital: those may be methods of
// template.KV, which come first in a template.
func (a *Alert) named(set, name string) (string, bool) {
	if name[0] >= 'A' && name[0] <= 'Z' {
		return "", false
	}
	switch set {
	case "Labels":
		return a.Labels[name], true
	case "Annotations":
		return a.Annotations[name], true
	case "GroupLabels":
		return a.GroupLabels[name], true
	}
	return "", false
}
