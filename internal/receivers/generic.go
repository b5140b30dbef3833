package receivers

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
)

// generic decodes JSON of any shape by expressions.
type generic struct {
	receiver  string
	maxAlerts int
	formField string

	alerts, notice                  expression
	status, id, labels, annotations expression
	startsAt, endsAt, url           expression
}

func newGeneric(c Config) (Format, error) {
	own := c.Generic.over(shipped[c.Type])
	g := &generic{receiver: c.Name, maxAlerts: c.MaxAlerts, formField: own.FormField}
	for _, e := range []struct {
		to          *expression
		key, source string
	}{
		{&g.alerts, "alerts", own.Alerts}, {&g.notice, "notice", own.Notice},
		{&g.status, "status", own.Status}, {&g.id, "id", own.ID},
		{&g.labels, "labels", own.Labels}, {&g.annotations, "annotations", own.Annotations},
		{&g.startsAt, "starts_at", own.StartsAt}, {&g.endsAt, "ends_at", own.EndsAt}, {&g.url, "url", own.URL},
	} {
		var err error
		if *e.to, err = compile(e.key, e.source); err != nil {
			return Format{}, fmt.Errorf("generic.%w", err)
		}
	}
	return Format{Decode: g.decode}, nil
}

// decode refuses the whole message where it is not JSON or the expression alerts
// fails; what is wrong with one of its values rejects that one.
func (g *generic) decode(m Message) (Batch, error) {
	body, err := formJSON(m, g.formField)
	if err != nil {
		return Batch{}, err
	}
	values, err := readDocument(body)
	if err != nil {
		return Batch{}, err
	}
	d := decoding{generic: g, work: newWork(), now: m.Arrived.UTC(), batch: Batch{Receiver: g.receiver}}
	for _, v := range values {
		if err := d.body(v); err != nil {
			return Batch{}, err
		}
	}
	if err := d.nothing(); err != nil {
		return Batch{}, err
	}
	return d.batch, nil
}

// decoding is one message while it is decoded.
type decoding struct {
	*generic
	work  *work
	now   time.Time
	known interned
	count int // elements so far
	vain  any // the first value that none came of; an empty list holds none
	batch Batch
}

// body takes one JSON value of the body.
func (d *decoding) body(v any) error {
	// It is only for the log: one that fails must not cost the alerts.
	if err := d.notice.each(d.work, maxListSteps, v, d.note); err != nil && d.batch.Notice == "" {
		d.batch.Notice = cut(plainText(d.refuse(d.notice, err).Error()), maxNotice)
	}
	// The elements are collected first, so that a failure half way stores none.
	var elements []any
	err := d.alerts.each(d.work, maxListSteps, v, func(element any) error {
		if d.count++; d.count > d.maxAlerts {
			return &Error{TooManyAlerts, "body", fmt.Sprintf("receiver %s: %s; send fewer at once",
				d.receiver, d.alerts.yields(fmt.Sprintf("more than max_alerts (%d) values", d.maxAlerts)))}
		}
		elements = append(elements, element)
		return nil
	})
	if err != nil {
		return d.refuse(d.alerts, err)
	}
	if list, ok := v.([]any); len(elements) == 0 && d.vain == nil && (!ok || len(list) > 0) {
		d.vain = v
	}
	for i, element := range elements {
		d.element(element, d.count-len(elements)+i)
	}
	return nil
}

// nothing refuses a message that no alert came of: most likely the expression is
// not for such a body. A type with a notice also gets what is no alert.
func (d *decoding) nothing() error {
	if d.count > 0 || d.vain == nil || d.notice.code != nil {
		return nil
	}
	return &Error{BadExpression, "body", oneLine(fmt.Sprintf("receiver %s: %s; the body is %s", d.receiver, d.alerts.yields("nothing"), compact(d.vain, maxShown)))}
}

// maxNotice bounds what one message writes into the log.
const maxNotice = 2048

func (d *decoding) note(v any) error {
	text, ok := v.(string)
	if !ok && v != nil {
		return fmt.Errorf("want a text, got %s", jqKind(v))
	}
	if d.batch.Notice == "" {
		d.batch.Notice = cut(plainText(text), maxNotice)
	}
	return nil
}

// refuse explains why nothing of the message can be used.
func (d *decoding) refuse(e expression, err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	return &Error{BadExpression, "body", oneLine("receiver " + d.receiver + ": " + e.failed(err))}
}

// yields words that the result is not what is wanted.
func (e expression) yields(what string) string {
	return fmt.Sprintf("the expression %s %#q yields %s", e.key, cut(e.source, 200), what)
}

// failed words an error of an expression. What gojq says of a value is short, but
// error() says what the expression wants.
func (e expression) failed(err error) string {
	return fmt.Sprintf("the expression %s %#q fails: %s", e.key, cut(e.source, 200), cut(err.Error(), 300))
}

// element turns one value into an alert and puts it where it belongs.
func (d *decoding) element(v any, index int) {
	e := element{decoding: d, value: v, index: index}
	e.read()
	e.complete()
	if e.Reason != "" {
		d.batch.Rejected = append(d.batch.Rejected, e.Rejected)
		return
	}
	d.batch.Alerts = append(d.batch.Alerts, e.Alert)
}

// element is one value while it is read; the first problem stays.
type element struct {
	Rejected
	*decoding
	value any
	index int

	identity string            // of the expression id
	whole    map[string]string // labels with their values as long as they were
}

func (e *element) reject(reason, field, problem string) {
	if e.Reason == "" {
		e.Reason, e.Field = reason, field
		e.Problem = oneLine(fmt.Sprintf("receiver %s: %s; element %d is %s", e.receiver, problem, e.index, compact(e.value, maxShown)))
	}
}

// maxShown is how much of an element a dead letter shows.
const maxShown = 500

func (e *element) read() {
	if _, ok := e.value.(map[string]any); !ok {
		e.reject(badExpression, "alerts", e.alerts.yields(jqKind(e.value))+", want an object")
		return
	}
	a := &e.Alert
	a.Status = alert.Status(e.text(e.status))
	e.identity = e.text(e.id)
	a.Labels = e.set(e.labels, dropEmpty)
	a.Annotations = e.set(e.annotations, keepEmpty)
	a.StartsAt, a.EndsAt = e.instant(e.startsAt), e.instant(e.endsAt)
	a.URL = e.cut(e.text(e.url))
	if a.Status != alert.Firing && a.Status != alert.Resolved {
		e.reject(badStatus, "status", e.status.yields(strconv.Quote(cut(string(a.Status), 64)))+", want firing or resolved")
		a.Status = alert.Status(cut(string(a.Status), maxValue))
	}
	if e.identity == "" && len(a.Labels) == 0 {
		e.reject(noIdentity, "id", "has neither an id nor labels to be known by")
	}
}

// complete fills what the value did not say.
func (e *element) complete() {
	a := &e.Alert
	a.Receiver, a.Source = e.receiver, e.receiver
	switch {
	case a.Status != alert.Resolved:
		a.EndsAt = time.Time{}
	case a.EndsAt.IsZero():
		a.EndsAt = e.now
	}
	if a.StartsAt.IsZero() {
		a.StartsAt = e.now
		if !a.EndsAt.IsZero() && a.EndsAt.Before(e.now) {
			a.StartsAt = a.EndsAt
		}
	}
	switch {
	case e.identity != "":
		a.Fingerprint = shortHash(e.identity)
	case len(e.whole) > 0:
		a.Fingerprint = labelsFingerprint(e.whole)
	default:
		a.Fingerprint = shortHash(compact(e.value, maxText))
	}
}

// evaluate returns the one result of an expression; nil if there is none.
func (e *element) evaluate(x expression) any {
	v, err := x.one(e.work, e.value)
	if err != nil {
		e.reject(badExpression, x.key, x.failed(err))
		return nil
	}
	return v
}

// text reads a text; a number, true or false becomes one.
func (e *element) text(x expression) string {
	v := e.evaluate(x)
	switch v.(type) {
	case nil:
		return ""
	case map[string]any, []any:
		e.reject(badExpression, x.key, x.yields(jqKind(v))+", want a text")
		return ""
	}
	return scalarText(v)
}

func (e *element) instant(x expression) time.Time {
	v := e.evaluate(x)
	t, err := instantOf(v)
	if err != nil {
		e.reject(badTime, x.key, x.yields(compact(v, 100))+", "+err.Error())
	}
	return t
}

// set reads an object of texts. Names that are too many or bad, and their
// values, are left out and reject the alert.
func (e *element) set(x expression, dropEmpty bool) map[string]string {
	v := e.evaluate(x)
	if v == nil {
		return nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		e.reject(badExpression, x.key, x.yields(jqKind(v))+", want an object")
		return nil
	}
	values := map[string]string{}
	for _, name := range sortedNames(object) {
		value := object[name]
		if value == nil || dropEmpty && value == "" {
			continue
		}
		switch problem := nameProblem([]byte(plainText(name))); {
		case problem != "":
			e.reject(badName, x.key, problem)
		case len(values) == maxNames:
			e.reject(tooManyLabels, x.key, "has more than "+strconv.Itoa(maxNames)+" names")
			return values
		default:
			e.keep(values, x, name, value)
		}
	}
	return values
}

func (e *element) keep(values map[string]string, x expression, name string, value any) {
	name, text := plainText(name), compactText(value)
	if x.key == "labels" {
		if e.whole == nil {
			e.whole = map[string]string{}
		}
		e.whole[name] = text
	}
	values[e.known.get([]byte(name))] = e.known.get([]byte(e.cut(text)))
}

func (d *decoding) cut(text string) string {
	if len(text) > maxValue {
		d.batch.Cut++
	}
	return cut(text, maxValue)
}

// plainText replaces what a text of an alert must not hold.
func plainText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
