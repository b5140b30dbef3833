// Package task is the durable contract between mapping and forwarding: one
// thing COC is to be told, as it lies on disk.
//
// A task carries everything its handler needs, so that queued content does not
// change under a reload, and the alert it came from, so that a dead letter can
// be mapped again. The integration is kept by name; its key is looked up when
// the task is sent. Every form that was ever written stays readable:
// testdata holds one file per version.
package task

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
)

// Kind says which handler a task is for.
type Kind string

// The kinds. Report tells COC the state of one alarm, Incident takes the next
// step for one group of a rule, Script and Job the next one of a run.
const (
	Report   Kind = "report"
	Incident Kind = "incident"
	Script   Kind = "script"
	Job      Kind = "job"
)

// Version is the newest form on disk.
const Version = 1

// ErrVersion means that a newer cocbridge wrote the task.
var ErrVersion = errors.New("written by a newer version of cocbridge: run that version, or later")

// ErrMalformed means that the bytes are not a task.
var ErrMalformed = errors.New("not a task")

// Task is one thing COC is to be told.
//
// On disk it is one JSON object:
//
//	{"v":1, "kind":"report", "integration":"default", "reason":"new", "alarm":{…}, "alert":{…}, "same":["label_team"]}
//
// where same names the entries of the alarm's additional that repeat the alert.
type Task struct {
	Kind        Kind        `json:"kind"`
	Integration string      `json:"integration"`    // its name
	Reason      string      `json:"reason"`         // why it was made, a verdict of the ledger
	Rule        string      `json:"rule,omitzero"`  // whose work it is; empty for Report
	Group       string      `json:"group,omitzero"` // for Incident, Script and Job; its lane
	Alarm       coc.Alarm   `json:"alarm"`          // for Report
	Alert       alert.Alert `json:"alert"`          // where it came from
}

type onDisk struct {
	V    int `json:"v"`
	Task `json:",inline"`
	Same []string `json:"same,omitempty"` // names in additional whose texts are the alert's
}

// join puts into additional what the alert has.
func (d *onDisk) join() error {
	if len(d.Same) > 0 && d.Alarm.Additional == nil {
		d.Alarm.Additional = make(map[string]string, len(d.Same))
	}
	for _, name := range d.Same {
		text, ok := shared(d.Alert, name)
		if !ok {
			return fmt.Errorf("%w: its alert has nothing for %.64q", ErrMalformed, name)
		}
		d.Alarm.Additional[name] = text
	}
	return nil
}

// shared returns the text of the alert that an entry of additional repeats.
func shared(a alert.Alert, name string) (text string, ok bool) {
	if label, is := strings.CutPrefix(name, labelPrefix); is {
		text, ok = a.Labels[label]
	} else if annotation, is := strings.CutPrefix(name, annotationPrefix); is {
		text, ok = a.Annotations[annotation]
	}
	return text, ok
}

// Decode reads a task of any version up to Version. The error wraps ErrVersion
// or ErrMalformed.
func Decode(b []byte) (Task, error) {
	var d onDisk
	if err := json.Unmarshal(b, &d); err != nil {
		return Task{}, fmt.Errorf("task: decode: %w: %w", ErrMalformed, err)
	}
	switch {
	case d.V > Version:
		return Task{}, fmt.Errorf("task: decode: version %d: %w", d.V, ErrVersion)
	case d.V < 1 || d.Kind == "":
		return Task{}, fmt.Errorf("task: decode: no version or kind: %w", ErrMalformed)
	}
	if err := d.join(); err != nil {
		return Task{}, fmt.Errorf("task: decode: %w", err)
	}
	return d.Task, nil
}
