package bridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// search collects alarmIds, each once. A settled alarm may be found by some of the
// labels only; the others show in nothing that is kept of it.
type search struct {
	labels map[string]string
	ids    []string
	unseen map[string][]string // by alarmId: the names of those labels
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
// letters. Of what is settled only what COC was told is kept, so those alarms are
// found by what today's mapping makes of the labels; and if the labels are all that
// the alert had, by its fingerprint.
func (b *Bridge) findByLabels(ctx context.Context, labels map[string]string) (*search, error) {
	s := &search{labels: labels, unseen: map[string][]string{}}
	err := b.findKept(ctx, s)
	if err == nil {
		err = b.findSettled(ctx, s)
	}
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return s, nil
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
	return b.eachAlarm(ctx, func(id string, e *ledger.Entry) error { return s.compare(id, e, looks) })
}

// compare adds the alarm if what is kept of it looks like one with the labels. looks
// begin with those that most labels show in.
func (s *search) compare(id string, e *ledger.Entry, looks []look) error {
	t := e.Told
	if e.Newest != nil {
		t = e.Newest
	}
	i := slices.IndexFunc(looks, func(l look) bool { return t != nil && l.of(t) })
	if i < 0 {
		return nil
	}
	if !slices.Contains(s.ids, id) {
		s.unseen[id] = looks[i].unseen
	}
	return s.add(id)
}

// fingerprintOf is what Alertmanager gives to a label set.
func fingerprintOf(labels map[string]string) string {
	set := model.LabelSet{}
	for name, value := range labels {
		set[model.LabelName(name)] = model.LabelValue(value)
	}
	return set.Fingerprint().String()
}

// identity is what is kept of an alarm and may come of labels.
type identity [8]string

// aLevel is the place of the level: too many alarms share one to be found by it alone.
const aLevel = 7

func identityOf(a coc.Alarm) identity {
	return identity{a.AlarmName, a.NameSpace, a.RegionID, a.ApplicationID, a.ResourceName, a.ResourceID, a.AlarmSource, aLevel: string(a.AlarmLevel)}
}

// tells says whether an alarm can be told by it.
func (i identity) tells() bool {
	i[aLevel] = ""
	return i != identity{}
}

// without leaves what differs from another alarm's.
func (i identity) without(other identity) identity {
	for n := range i {
		if i[n] == other[n] {
			i[n] = ""
		}
	}
	return i
}

// look is what the labels make of an alarm: those parts of it that depend on them.
type look struct {
	identity
	unseen []string // labels that nothing of it depends on
}

func (l look) of(t *ledger.Telling) bool {
	kept := identity{t.Name, t.NameSpace, t.RegionID, t.ApplicationID, t.ResourceName, t.ResourceID, t.Source, aLevel: t.Level}
	for n, part := range l.identity {
		if part != "" && part != kept[n] {
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
		mapped := func(labels map[string]string) []coc.Alarm { return l.mapper.MapBy(probe(rc.Name, labels, now)) }
		looks = append(looks, looksBy(mapped, labels)...)
	}
	slices.SortStableFunc(looks, func(a, b look) int { return len(a.unseen) - len(b.unseen) })
	return looks
}

func looksBy(mapped func(map[string]string) []coc.Alarm, labels map[string]string) (looks []look) {
	bare := mapped(nil)
	for i, with := range mapped(labels) {
		found := look{identity: identityOf(with).without(identityOf(bare[i]))}
		if with.AlarmID != "" && bare[i].AlarmID != "" && found.tells() {
			for name := range labels {
				if rest := mapped(omit(labels, name))[i]; identityOf(rest) == identityOf(with) {
					found.unseen = append(found.unseen, name)
				}
			}
			looks = append(looks, found)
		}
	}
	return looks
}

func omit(labels map[string]string, name string) map[string]string {
	rest := maps.Clone(labels)
	delete(rest, name)
	return rest
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
	a.Evidence = append(a.Evidence, "of alarms that are settled only what COC was told is kept, not their labels: ask by alarmId or fingerprint as well")
	var by []string // what drops it, one per receiver
	for _, rc := range l.cfg.Receivers {
		r, err := l.mapOne(alert.Alert{Receiver: rc.Name, Status: alert.Firing, Labels: labels, StartsAt: b.o.Now(), Fingerprint: "probe"})
		route := mapping.Describe(l.cfg.Routes, r.Route)
		through := fmt.Sprintf("through receiver %s an alert with these labels alone ", rc.Name)
		switch {
		case r.Drop:
			by = append(by, route)
			a.Evidence = append(a.Evidence, through+"would be dropped by "+route)
		case err != nil:
			a.Evidence = append(a.Evidence, fmt.Sprintf("%scould not be mapped: %v", through, err))
		default:
			a.Evidence = append(a.Evidence, fmt.Sprintf("%swould go to integration %s, route: %s", through, r.Integration, route))
		}
	}
	if len(by) == len(l.cfg.Receivers) {
		a.Verdict, a.Text = admin.DroppedByRoute, fmt.Sprintf("dropped by route: alerts with these labels are dropped today by %s, and nothing else is known of them", strings.Join(slices.Compact(by), ", "))
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
