package receivers

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/alert"
)

// Limits bound what is taken from one request.
type Limits struct {
	MaxAlerts int
}

// source is alert.Alert's Source for everything that comes from Alertmanager.
const source = "prometheus"

// Why an alert is in Batch.Rejected.
const (
	tooManyLabels = "too_many_labels" // or annotations
	badName       = "bad_name"
	badStatus     = "bad_status"
	badTime       = "bad_time"
	badExpression = "expression" // of the configuration, over this alert
	noIdentity    = "no_identity"
)

// invalidReasons is the closed set of Rejected.Reason.
var invalidReasons = []string{tooManyLabels, badName, badStatus, badTime, badExpression, noIdentity}

// Decode reads the body of an Alertmanager webhook (version 4) that arrived now.
//
// It is stricter than Alertmanager needs: names are case-sensitive and stand
// once, the text is valid UTF-8 without NUL, the nesting is at most 32 deep.
// Unknown fields are accepted. Times may have any offset and come out in UTC; a
// time that is absent, or not after 1970, counts as not sent. Texts over 4 KiB
// are cut at a rune border and end with "…[cut]". Labels with an empty value
// are dropped, as Alertmanager drops them. What is allocated is bounded by the
// limits and by a small multiple of the body.
//
// The error is an *Error. The batch shares no memory with body.
func Decode(body []byte, limits Limits, receiver string, now time.Time) (Batch, error) {
	s, err := scan(body)
	if err != nil {
		return Batch{}, err
	}
	if s.objects > limits.MaxAlerts && holdsMore(body, limits.MaxAlerts) {
		return Batch{}, tooManyAlerts(limits.MaxAlerts)
	}
	p := newParser(body, s)
	p.limits, p.now = limits, now.UTC()
	p.batch.Receiver = receiver
	p.batch.Alerts = make([]alert.Alert, 0, min(s.objects, limits.MaxAlerts))
	if err := p.envelope(); err != nil {
		return Batch{}, explain(err)
	}
	return p.batch, nil
}

// envelope reads the whole body. The sender's context stands after the alerts,
// so it is added to them at the end.
func (p *parser) envelope() error {
	var (
		version   string
		hasAlerts bool
		context   alert.Alert
	)
	if kind := p.in.PeekKind(); kind != '{' && kind != jsontext.KindInvalid {
		return &Error{Malformed, "body", "want the object that Alertmanager sends, got " + kindName(kind) + "; remove payload from its webhook_config"}
	}
	err := p.record(func(name []byte) (err error) {
		switch string(name) {
		case "version":
			version, err = p.text()
		case "alerts":
			hasAlerts, err = true, p.alerts()
		case "receiver":
			context.SenderReceiver, err = p.text()
		case "externalURL":
			context.ExternalURL, err = p.text()
		case "groupLabels":
			context.GroupLabels, err = p.groupLabels()
		case "truncatedAlerts":
			p.batch.Truncated, err = p.count()
		default:
			err = p.skip()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case version != "4":
		return &Error{BadVersion, "version", "is " + strconv.Quote(cut(version, 64)) + `, want "4"; remove payload from Alertmanager's webhook_config`}
	case !hasAlerts:
		return &Error{Malformed, "alerts", "is missing"}
	}
	if err := p.addContext(context); err != nil {
		return err
	}
	return p.end()
}

// maxContext bounds what the sender's context comes to when each alert of a
// request is stored with it: without a bound a small body could fill the disk.
const maxContext = 32 << 20

func (p *parser) addContext(c alert.Alert) error {
	size := len(c.SenderReceiver) + len(c.ExternalURL)
	for name, value := range c.GroupLabels {
		size += len(name) + len(value)
	}
	if n := len(p.batch.Alerts) + len(p.batch.Rejected); size*n > maxContext {
		return &Error{TooLarge, "groupLabels", fmt.Sprintf("and the other context of the group, %d bytes, are too large to be kept with each of %d alerts; group by fewer labels, or set max_alerts in Alertmanager's webhook_config", size, n)}
	}
	add := func(a *alert.Alert) {
		a.SenderReceiver, a.ExternalURL, a.GroupLabels = c.SenderReceiver, c.ExternalURL, c.GroupLabels
	}
	for i := range p.batch.Alerts {
		add(&p.batch.Alerts[i])
	}
	for i := range p.batch.Rejected {
		add(&p.batch.Rejected[i].Alert)
	}
	return nil
}

func (p *parser) alerts() error {
	if err := p.open('['); err != nil {
		return err
	}
	for n := 0; p.in.PeekKind() != ']'; n++ {
		if n == p.limits.MaxAlerts {
			return tooManyAlerts(n)
		}
		if err := p.alert(); err != nil {
			return err
		}
	}
	_, err := p.in.ReadToken()
	return err
}

func tooManyAlerts(limit int) error {
	return &Error{TooManyAlerts, "alerts", fmt.Sprintf("holds more than max_alerts (%d) alerts; set max_alerts in Alertmanager's webhook_config, or group by more labels", limit)}
}

// entry is an alert while it is read; the first problem stays.
type entry struct {
	Rejected
	labels labelSet
}

func (e *entry) reject(reason, field, problem string) {
	if e.Reason == "" && reason != "" {
		e.Reason, e.Field, e.Problem = reason, field, problem
	}
}

func (p *parser) alert() error {
	var e entry
	a := &e.Alert
	err := p.record(func(name []byte) (err error) {
		switch string(name) {
		case "status":
			var status string
			status, err = p.text()
			a.Status = alert.Status(status)
		case "labels":
			e.labels, err = p.labelSet(dropEmpty)
			e.reject(e.labels.reason, "labels", e.labels.problem)
		case "annotations":
			err = p.annotations(&e)
		case "startsAt":
			a.StartsAt, err = p.instant()
		case "endsAt":
			a.EndsAt, err = p.instant()
		case "generatorURL":
			a.URL, err = p.text()
		case "fingerprint":
			a.Fingerprint, err = p.text()
		default:
			err = p.skip()
		}
		return err
	})
	if err == nil {
		p.add(&e)
	}
	return err
}

func (p *parser) annotations(e *entry) error {
	if p.null() {
		return p.skip()
	}
	set, err := p.labelSet(keepEmpty)
	e.Alert.Annotations = set.values
	e.reject(set.reason, "annotations", set.problem)
	return err
}

// groupLabels are context for templates only: what does not fit is left out.
func (p *parser) groupLabels() (map[string]string, error) {
	if p.null() {
		return nil, p.skip()
	}
	set, err := p.labelSet(dropEmpty)
	return set.values, err
}

// add completes an alert and puts it where it belongs.
func (p *parser) add(e *entry) {
	a := &e.Alert
	a.Receiver, a.Source, a.Labels = p.batch.Receiver, source, e.labels.values
	a.Fingerprint = fingerprint(a.Fingerprint, e.labels)
	if a.StartsAt.IsZero() {
		a.StartsAt = p.now
	}
	switch {
	case a.Status != alert.Resolved:
		a.EndsAt = time.Time{}
	case a.EndsAt.IsZero():
		a.EndsAt = p.now
	}
	if a.Status != alert.Firing && a.Status != alert.Resolved {
		e.reject(badStatus, "status", "is "+strconv.Quote(cut(string(a.Status), 64))+", want firing or resolved")
	}
	if e.Reason != "" {
		p.batch.Rejected = append(p.batch.Rejected, e.Rejected)
		return
	}
	p.batch.Alerts = append(p.batch.Alerts, *a)
}

// fingerprint returns the sender's fingerprint if it is one, else Prometheus's
// for these labels, with the values as long as they were sent. Of an alert with
// too many or badly named labels it covers those that are kept.
func fingerprint(sent string, labels labelSet) string {
	if _, err := hex.DecodeString(sent); err == nil && len(sent) == 16 {
		return strings.ToLower(sent)
	}
	values := labels.values
	if labels.cut && labels.reason == "" {
		values = nil
		object := labels.raw[bytes.IndexByte(labels.raw, '{'):]
		// It was read once already, so there is no error.
		_ = json.Unmarshal(object, &values, jsontext.AllowDuplicateNames(true))
		for name, value := range values {
			if value == "" {
				delete(values, name)
			}
		}
	}
	return model.Fingerprint(model.LabelsToSignature(values)).String()
}
