package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/mapping"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/store"
	"github.com/cocbridge/cocbridge/internal/task"
)

// maxAnswers bounds the alarms that one question is answered for.
const maxAnswers = 20

const neverReceived = "no record: never received, or refused at the door: see cocbridge_rejected_total and the log"

// errEnough ends a search.
var errEnough = errors.New("enough")

// findByName takes the name for an alarmId, for a fingerprint of each receiver, and
// for what dead letters of rules have instead: a run, or a group of alarms.
func (b *Bridge) findByName(name string) (ids []string, err error) {
	if ids, err = b.actors(name); err != nil || len(ids) > 0 {
		return ids, err
	}
	for _, id := range append([]string{name}, b.alarmIDs(name)...) {
		k, err := b.know(id)
		if err != nil {
			return nil, err
		}
		if !k.nothing() {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// alarmIDs are those that the fingerprint would have.
func (b *Bridge) alarmIDs(fingerprint string) (ids []string) {
	names := []string{config.OwnReceiver}
	for _, rc := range b.live.Load().cfg.Receivers {
		names = append(names, rc.Name)
	}
	for _, name := range names {
		ids = append(ids, alert.Alert{Receiver: name, Fingerprint: fingerprint}.AlarmID())
	}
	return ids
}

// search collects alarmIds, each once.
type search struct {
	labels map[string]string
	ids    []string
}

func (s *search) add(alarmID string) error {
	if !slices.Contains(s.ids, alarmID) {
		s.ids = append(s.ids, alarmID)
	}
	if len(s.ids) == maxAnswers {
		return errEnough
	}
	return nil
}

// findByLabels looks through the alerts that are kept: with waiting tasks and dead
// letters. Of what is settled only name, namespace and resource are kept, so those
// alarms are found by what today's mapping makes of the labels; and if the labels
// are all that the alert had, by its fingerprint.
func (b *Bridge) findByLabels(ctx context.Context, labels map[string]string) ([]string, error) {
	s := &search{labels: labels}
	err := b.findKept(ctx, s)
	if err == nil {
		err = b.findSettled(ctx, s)
	}
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return s.ids, nil
}

func (b *Bridge) findKept(ctx context.Context, s *search) error {
	o := operations{b}
	err := o.eachDead(ctx, admin.Select{}, func(d buriedLetter) error { return s.look(d.Item) })
	if err != nil {
		return err
	}
	return o.eachTask(ctx, admin.SelectTasks{}, s.look)
}

// look adds the task's alarm if its alert has the labels.
func (s *search) look(it queue.Item) error {
	t, err := task.Decode(it.Payload)
	if err != nil || !has(t.Alert.Labels, s.labels) {
		return nil
	}
	if t.Alarm.AlarmID == "" { // of a run
		return s.add(t.Alert.AlarmID())
	}
	return s.add(t.Alarm.AlarmID)
}

func has(all, wanted map[string]string) bool {
	for name, value := range wanted {
		if got, ok := all[name]; !ok || got != value {
			return false
		}
	}
	return true
}

func (b *Bridge) findSettled(ctx context.Context, s *search) error {
	for _, id := range b.alarmIDs(fingerprintOf(s.labels)) {
		k, err := b.know(id)
		if err != nil {
			return err
		}
		if !k.nothing() {
			if err := s.add(id); err != nil {
				return err
			}
		}
	}
	looks := b.live.Load().looksOf(s.labels, b.o.Now())
	if len(looks) == 0 {
		return nil
	}
	return b.eachAlarm(ctx, func(id string, e *ledger.Entry) error {
		t := e.Told
		if e.Newest != nil {
			t = e.Newest
		}
		if t != nil && slices.ContainsFunc(looks, func(l look) bool { return l.of(t) }) {
			return s.add(id)
		}
		return nil
	})
}

// fingerprintOf is what Alertmanager gives to a label set.
func fingerprintOf(labels map[string]string) string {
	set := model.LabelSet{}
	for name, value := range labels {
		set[model.LabelName(name)] = model.LabelValue(value)
	}
	return set.Fingerprint().String()
}

// look is what the labels make of an alarm: of its name, namespace and resource,
// those that depend on them.
type look struct{ name, nameSpace, resourceName, resourceID string }

func (l look) of(t *ledger.Telling) bool {
	for _, pair := range [][2]string{{l.name, t.Name}, {l.nameSpace, t.NameSpace}, {l.resourceName, t.ResourceName}, {l.resourceID, t.ResourceID}} {
		if pair[0] != "" && pair[0] != pair[1] {
			return false
		}
	}
	return true
}

// looksOf maps an alert of each receiver with these labels, and one with nothing
// but a name, by the mapping of every route, since other labels may have decided
// which one it was. Where the two differ, the labels show in the alarm. Where they
// show in nothing, no settled alarm can be told by them.
func (l *live) looksOf(labels map[string]string, now time.Time) (looks []look) {
	for _, rc := range l.cfg.Receivers {
		bare := l.mapper.MapBy(probe(rc.Name, nil, now))
		for i, with := range l.mapper.MapBy(probe(rc.Name, labels, now)) {
			found := differing(with, bare[i])
			if with.AlarmID != "" && bare[i].AlarmID != "" && found != (look{}) && !slices.Contains(looks, found) {
				looks = append(looks, found)
			}
		}
	}
	return looks
}

func differing(with, bare coc.Alarm) look {
	unless := func(text, same string) string {
		if text == same {
			return ""
		}
		return text
	}
	return look{
		unless(with.AlarmName, bare.AlarmName), unless(with.NameSpace, bare.NameSpace),
		unless(with.ResourceName, bare.ResourceName), unless(with.ResourceID, bare.ResourceID),
	}
}

// probe is an alert with these labels, and with a name in any case.
func probe(receiver string, labels map[string]string, now time.Time) alert.Alert {
	all := map[string]string{"alertname": "cocbridge-probe"}
	for name, value := range labels {
		all[name] = value
	}
	return alert.Alert{Receiver: receiver, Status: alert.Firing, Labels: all, StartsAt: now, Fingerprint: "probe"}
}

// unheardOf answers where nothing is known: with what would become of such an
// alert today, and with what was refused at the door, of which nothing is kept.
func (b *Bridge) unheardOf(labels map[string]string) admin.Answer {
	a := admin.Answer{Verdict: admin.NeverReceived, Text: neverReceived, Evidence: b.refusals()}
	if labels == nil {
		return a
	}
	l := b.live.Load()
	a.Evidence = append(a.Evidence, "of alarms that are settled only name, namespace and resource are kept: ask by alarmId or fingerprint as well")
	for _, rc := range l.cfg.Receivers {
		r, err := l.mapOne(alert.Alert{Receiver: rc.Name, Status: alert.Firing, Labels: labels, StartsAt: b.o.Now(), Fingerprint: "probe"})
		route := mapping.Describe(l.cfg.Routes, r.Route)
		switch {
		case r.Drop:
			a.Verdict, a.Text = admin.DroppedByRoute, fmt.Sprintf("dropped by route: %s drops alerts with these labels today, and nothing else is known of them", route)
		case err != nil:
			a.Evidence = append(a.Evidence, fmt.Sprintf("through receiver %s an alert with these labels alone could not be mapped: %v", rc.Name, err))
		default:
			a.Evidence = append(a.Evidence, fmt.Sprintf("through receiver %s an alert with these labels would go to integration %s, route: %s", rc.Name, r.Integration, route))
		}
	}
	return a
}

// refusals lists the requests that were refused as a whole since the start.
func (b *Bridge) refusals() (list []string) {
	for _, c := range b.counted("cocbridge_rejected_total") {
		list = append(list, fmt.Sprintf("requests refused since the start: %.0f (%s)", c.value, strings.Join(c.labels, ", ")))
	}
	return list
}

func undamaged(err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	return err
}
