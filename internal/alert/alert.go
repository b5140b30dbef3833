// Package alert is the one normalised form of an incoming alert.
//
// Receivers produce it, mapping reads it, a queued task keeps it. An alert is
// what a source sends; what COC takes is an alarm (coc.Alarm). The two words
// are never mixed.
package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Status says whether the condition holds or has ended.
type Status string

// The two states of an alert, in Alertmanager's words.
const (
	Firing   Status = "firing"
	Resolved Status = "resolved"
)

// Alert is one message of a source about one alert. Its JSON form is part of
// the on-disk format of task.Task: names may be added, never changed.
type Alert struct {
	// Receiver is the configured receiver's name, whatever the payload says.
	Receiver string `json:"receiver"`
	// Source is what alarmSource is by default: prometheus, zabbix, or the receiver's name.
	Source string `json:"source,omitempty"`
	Status Status `json:"status"`

	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`

	// StartsAt is when this episode began; never zero after decoding.
	StartsAt time.Time `json:"startsAt"`
	// EndsAt is when it ended; zero while it fires.
	EndsAt time.Time `json:"endsAt,omitzero"`

	// Fingerprint is the identity of the label set within the receiver.
	Fingerprint string `json:"fingerprint"`
	// ID is the source's own id of this episode. Where a source has none the
	// episode is known by StartsAt.
	ID string `json:"id,omitempty"`
	// Once says that Fingerprint names one episode and never comes back after
	// its end. What is heard of it then is late, whatever its times say.
	Once bool `json:"once,omitzero"`
	// Revision marks a message that changes something about an episode, such as
	// its severity, and is no repeat of it: a text that sorts after those of
	// earlier changes. Empty for all other messages.
	Revision string `json:"revision,omitzero"`
	// URL leads a person to the source's view of the alert.
	URL string `json:"url,omitempty"`

	// SenderReceiver, GroupLabels and ExternalURL are the sender's context, for templates.
	SenderReceiver string            `json:"senderReceiver,omitempty"`
	GroupLabels    map[string]string `json:"groupLabels,omitempty"`
	ExternalURL    string            `json:"externalURL,omitempty"`
}

// AlarmID is the alarmId under which COC knows this alert: the same for firing
// and resolved, over restarts and versions. It is hex, which fits every reading
// of the field's charset (coc-api.md 9.8).
func (a Alert) AlarmID() string {
	sum := sha256.Sum256([]byte(a.Receiver + "\x00" + a.Fingerprint))
	return hex.EncodeToString(sum[:])[:32]
}
