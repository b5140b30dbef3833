package task

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
)

// Encode returns the task as it lies on disk. Equal tasks give equal bytes.
func Encode(t Task) ([]byte, error) {
	b, err := encode(t)
	if err != nil {
		return nil, fmt.Errorf("task: encode: %w", err)
	}
	return b, nil
}

func encode(t Task) ([]byte, error) {
	if t.Kind == Report {
		return encodeReport(t)
	}
	return json.Marshal(onDisk{V: Version, Task: t}, json.Deterministic(true))
}

// encodeReport writes what json.Marshal would, a test sees to that, in a quarter
// of the time: every alarm is encoded by the one goroutine that commits.
func encodeReport(t Task) ([]byte, error) {
	w := scratch.Get().(*writer)
	defer scratch.Put(w)
	w.b, w.err = append(w.b[:0], '{'), nil
	w.number("v", Version)
	w.text("kind", string(t.Kind))
	w.text("integration", t.Integration)
	w.text("reason", t.Reason)
	w.optional("rule", t.Rule)
	w.optional("group", t.Group)
	own, same := split(t)
	t.Alarm.Additional = own
	w.object("alarm", func() { w.alarm(t.Alarm) })
	w.object("alert", func() { w.alert(t.Alert) })
	w.list("same", same)
	w.b = append(w.b, '}')
	return bytes.Clone(w.b), w.err
}

// scratch is room to write in: a task is kept in memory until it is told, and
// should take no more than it needs.
var scratch = sync.Pool{New: func() any { return new(writer) }}

func (w *writer) alarm(a coc.Alarm) {
	w.text("alarmId", a.AlarmID)
	w.text("alarmName", a.AlarmName)
	w.text("alarmLevel", string(a.AlarmLevel))
	w.number("time", a.Time)
	w.text("nameSpace", a.NameSpace)
	w.optional("regionId", a.RegionID)
	w.text("applicationId", a.ApplicationID)
	w.optional("resourceName", a.ResourceName)
	w.optional("resourceId", a.ResourceID)
	w.text("alarmDesc", a.AlarmDesc)
	w.optional("URL", a.URL)
	w.text("alarmStatus", string(a.AlarmStatus))
	w.text("alarmSource", a.AlarmSource)
	w.texts("additional", a.Additional)
}

func (w *writer) alert(a alert.Alert) {
	w.text("receiver", a.Receiver)
	w.optional("source", a.Source)
	w.text("status", string(a.Status))
	w.texts("labels", a.Labels)
	w.texts("annotations", a.Annotations)
	w.time("startsAt", a.StartsAt)
	if !a.EndsAt.IsZero() {
		w.time("endsAt", a.EndsAt)
	}
	w.text("fingerprint", a.Fingerprint)
	w.optional("id", a.ID)
	if a.Once {
		w.name("once")
		w.b = append(w.b, "true"...)
	}
	w.optional("revision", a.Revision)
	w.optional("url", a.URL)
	w.optional("senderReceiver", a.SenderReceiver)
	w.texts("groupLabels", a.GroupLabels)
	w.optional("externalURL", a.ExternalURL)
}

// Prefixes of the entries of additional that repeat the alert.
const (
	labelPrefix      = "label_"
	annotationPrefix = "annotation_"
)

// split parts additional into what only the alarm has, and the names of what the
// alert has as well: most of an alarm repeats its alert, and the disk need not.
func split(t Task) (own map[string]string, same []string) {
	own = make(map[string]string)
	for name, value := range t.Alarm.Additional {
		if text, ok := shared(t.Alert, name); ok && text == value {
			same = append(same, name)
		} else {
			own[name] = value
		}
	}
	slices.Sort(same)
	return own, same
}

// writer appends members of JSON objects; the first error stays.
type writer struct {
	b   []byte
	err error
}

func (w *writer) name(name string) {
	if last := w.b[len(w.b)-1]; last != '{' {
		w.b = append(w.b, ',')
	}
	w.quote(name)
	w.b = append(w.b, ':')
}

func (w *writer) quote(text string) {
	b, err := jsontext.AppendQuote(w.b, text)
	w.b = b
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) text(name, text string) {
	w.name(name)
	w.quote(text)
}

func (w *writer) optional(name, text string) {
	if text != "" {
		w.text(name, text)
	}
}

func (w *writer) number(name string, n int64) {
	w.name(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

// time is RFC 3339 in full, as json.Marshal has it.
func (w *writer) time(name string, t time.Time) {
	w.name(name)
	b, err := t.AppendText(append(w.b, '"'))
	b = append(b, '"')
	w.b = b
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) object(name string, members func()) {
	w.name(name)
	w.b = append(w.b, '{')
	members()
	w.b = append(w.b, '}')
}

func (w *writer) list(name string, texts []string) {
	if len(texts) == 0 {
		return
	}
	w.name(name)
	w.b = append(w.b, '[')
	for i, text := range texts {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.quote(text)
	}
	w.b = append(w.b, ']')
}

func (w *writer) texts(name string, texts map[string]string) {
	if len(texts) == 0 {
		return
	}
	var room [64]string
	names := room[:0]
	for name := range texts {
		names = append(names, name)
	}
	slices.Sort(names)
	w.object(name, func() {
		for _, name := range names {
			w.text(name, texts[name])
		}
	})
}
