package bridge

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/store"
)

// ownBucket holds what belongs to this store as a whole.
const ownBucket store.Bucket = "own"

// ownName is the key of this bridge's name in ownBucket.
var ownName = []byte("name")

// ownTold begins the keys of the trouble that COC was told of and that is not over:
// name and subject of each follow, its value is when it began. The ledger has these
// alarms too, but not what they are about, which the configuration may name no more.
const ownTold = "told "

// own is a message of ours about ourselves. It takes the way of every alert, from
// the receiver "cocbridge" on, so that routes and mapping apply.
type own struct {
	name    string // of the alert
	subject string // what it is about; several of one name may fire
	level   coc.Level
	text    string
	firing  bool
	began   time.Time
	trouble bool // it is remembered while it fires, and takes another integration while the gate of its own is closed
}

// ownIdentity returns the name by which COC tells this bridge's own alarms from
// those of others. It lies in the store, as what was told does.
func (b *Bridge) ownIdentity(ctx context.Context) (string, error) {
	var name string
	read := func(tx *store.Tx) error {
		text, err := tx.Get(ownBucket, ownName)
		name = string(text)
		return err
	}
	if err := b.store.View(read); err != nil || name != "" {
		return name, err
	}
	fresh := strings.ToLower(rand.Text()[:12])
	err := b.store.Update(ctx, func(tx *store.Tx) error {
		if err := read(tx); err != nil || name != "" {
			return err
		}
		name = fresh
		return tx.Put(ownBucket, ownName, []byte(name))
	})
	if err != nil { // nobody waits any more, but the transaction may still run
		return "", err
	}
	return name, nil
}

func (o own) alert(identity string, now time.Time) alert.Alert {
	a := alert.Alert{
		Receiver: config.OwnReceiver, Source: config.OwnReceiver, Status: alert.Firing, StartsAt: o.began,
		Labels:      map[string]string{"alertname": o.name, "severity": strings.ToLower(string(o.level)), "job": config.OwnReceiver, "instance": "cocbridge-" + identity},
		Annotations: map[string]string{"description": o.text},
		Fingerprint: identity + " " + o.name + " " + o.subject,
	}
	if o.subject != "" {
		a.Labels["subject"] = o.subject
	}
	if !o.firing {
		a.Status, a.EndsAt = alert.Resolved, now
	}
	return a
}

// said is what became of an own message.
type said struct {
	alarmID     string
	integration string
	route       int
	verdict     ledger.Verdict
}

// say maps the message and lets the ledger decide. An error of the mapping is
// returned and kept nowhere: trouble about trouble is only logged. The ledger has no
// use for an end of what was never told.
func (b *Bridge) say(ctx context.Context, o own) (said, error) {
	identity, err := b.ownIdentity(ctx)
	if err != nil {
		return said{}, err
	}
	l := b.live.Load()
	m := mapped{alert: o.alert(identity, b.o.Now())}
	if m.result, m.err = l.mapOne(m.alert); m.err != nil && o.firing { // an end takes the identity that COC knows
		return said{}, &unsaid{m.err}
	}
	if o.trouble {
		m.result.Integration = b.wayOf(l, m)
	}
	m.result.Alarm.AlarmLevel = o.level
	out := said{alarmID: m.alert.AlarmID(), integration: m.result.Integration, route: m.result.Route}
	err = b.store.Update(ctx, func(tx *store.Tx) (err error) {
		if out.verdict, err = b.accept(tx, l, m, new(tally)); err != nil {
			return err
		}
		return o.remember(tx)
	})
	if err != nil { // as in ownIdentity
		return said{}, err
	}
	return out, nil
}

// unsaid is an own message that today's configuration cannot tell.
type unsaid struct{ err error }

func (u *unsaid) Error() string { return fmt.Sprintf("own alarm: %v", u.err) }
func (u *unsaid) Unwrap() error { return u.err }

// remember notes trouble that was told, until it is over.
func (o own) remember(tx *store.Tx) error {
	key := []byte(ownTold + condition{name: o.name, subject: o.subject}.key())
	switch {
	case !o.trouble:
		return nil
	case o.firing:
		return tx.Put(ownBucket, key, []byte(o.began.UTC().Format(time.RFC3339Nano)))
	default:
		return tx.Delete(ownBucket, key)
	}
}

// toldTrouble is what COC was told of and that is not over, by its key. A record that
// cannot be read leaves open when it began.
func (b *Bridge) toldTrouble() (map[string]holding, error) {
	told := map[string]holding{}
	err := b.store.View(func(tx *store.Tx) error {
		tx.Scan(ownBucket, []byte(ownTold), func(key, value []byte, _ error) bool {
			what, ours := strings.CutPrefix(string(key), ownTold)
			if !ours {
				return false
			}
			c := condition{holds: true}
			c.name, c.subject, _ = strings.Cut(what, " ")
			began, _ := time.Parse(time.RFC3339Nano, string(value))
			told[c.key()] = holding{condition: c, began: began}
			return true
		})
		return nil
	})
	return told, err
}

// wayOf is the integration for trouble: while it lasts the one that COC was told
// through, since only there can it end.
func (b *Bridge) wayOf(l *live, m mapped) string {
	e, err := b.entry(m.alert.AlarmID())
	if err == nil && e != nil && e.Told != nil && e.Told.Firing {
		if _, known := l.keys[e.Told.Integration]; known {
			return e.Told.Integration
		}
	}
	return b.openIntegration(l, m.result.Integration)
}

// openIntegration is the wanted one, or while its gate is closed the first that
// is open: what says that the way is closed should not have to take it.
func (b *Bridge) openIntegration(l *live, wanted string) string {
	closed := func(name string) bool {
		return slices.ContainsFunc(b.forward.Gates(), func(g gateState) bool { return g.Integration == name && g.Cause != "" })
	}
	if !closed(wanted) {
		return wanted
	}
	for _, in := range l.cfg.Integrations {
		if !closed(in.Name) {
			return in.Name
		}
	}
	return wanted
}
