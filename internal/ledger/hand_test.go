package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/store"
)

// Whether a dead letter may be told depends on what has been heard since.
func TestLedger_Replay(t *testing.T) {
	late := noon.Add(time.Hour)
	for name, c := range map[string]struct {
		story   func(*book)
		dead    ledger.Heard
		created time.Time
		force   bool
		want    string // why not
	}{
		"an alarm that is not known":             {func(*book) {}, firing(noon), noon, false, ""},
		"the episode still fires":                {func(b *book) { b.hear(firing(noon)); b.lose() }, firing(noon), noon, false, ""},
		"its recovery was lost as well":          {func(b *book) { b.hear(firing(noon)); b.confirm(1); b.hear(resolved(noon, late)); b.lose() }, resolved(noon, late), noon, false, ""},
		"it has ended since":                     {func(b *book) { b.hear(firing(noon)); b.lose(); b.hear(resolved(noon, late)); b.confirm(2) }, firing(noon), noon, false, "the episode has ended since"},
		"it has ended since, but force":          {func(b *book) { b.hear(firing(noon)); b.lose(); b.hear(resolved(noon, late)); b.confirm(2) }, firing(noon), noon, true, ""},
		"a later episode fires":                  {func(b *book) { b.now = late; b.hear(firing(late)); b.confirm(1) }, firing(noon), noon, false, "a later episode has begun at 2026-11-21T13:00:00Z"},
		"a later episode fires, it is a resolve": {func(b *book) { b.now = late; b.hear(firing(late)); b.confirm(1) }, resolved(noon, late), noon, false, "a later episode has begun at 2026-11-21T13:00:00Z"},
		"an earlier episode has ended":           {func(b *book) { b.end(noon, late) }, firing(late.Add(time.Minute)), noon, false, ""},
		"both episodes have ended": {func(b *book) {
			b.end(noon, late)
			b.hear(resolved(late.Add(time.Minute), late.Add(time.Hour)))
		}, firing(late.Add(time.Minute)), noon, false, "the episode has ended since"},
		"its only episode has ended, whatever the clock says": {func(b *book) {
			end := resolved(noon, late)
			end.Once = true
			b.hear(end)
		}, firing(late.Add(time.Minute)), late, false, "the episode has ended since"},
		"newer news waits": {func(b *book) { b.now = late; b.hear(firing(noon)) }, firing(noon), noon, false, "newer news of the alarm waits since 2026-11-21T13:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t, ledger.DefaultConfig())
			c.story(b)
			c.dead.AlarmID = alarm
			b.update(func(tx *store.Tx) error {
				d, why, err := b.l.Replay(tx, ledger.Replayed{Heard: c.dead, Created: c.created, Force: c.force, By: "alice"})
				if diff := cmp.Diff(c.want, why); err != nil || diff != "" {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
				if news := d.Verdict.IsNews(); news != (c.want == "") {
					t.Errorf("verdict %s", d.Verdict)
				}
				return err
			})
		})
	}
}

// end tells COC of an episode and its end.
func (b *book) end(from, to time.Time) {
	b.hear(firing(from))
	b.confirm(b.tasks)
	b.hear(resolved(from, to))
	b.confirm(b.tasks)
}

// A replayed task is one like every other: it counts as waiting, and keeps the
// order of times within its alarm.
func TestLedger_Replay_isQueued(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	b.hear(firing(noon))
	b.confirm(1)
	b.hear(resolved(noon, noon.Add(time.Minute)))
	b.lose()
	b.update(func(tx *store.Tx) error {
		h := resolved(noon, noon.Add(time.Minute))
		h.AlarmID = alarm
		d, _, err := b.l.Replay(tx, ledger.Replayed{Heard: h, Created: noon, By: "alice"})
		if err != nil {
			return err
		}
		if d.Told == nil || d.Told.Name != "n" || d.Time(1) != noon.UnixMilli() {
			t.Errorf("identity %+v, time %d", d.Told, d.Time(1))
		}
		return d.Queued(tx, 3, ledger.Telling{Name: "n"})
	})
	e := b.entry()
	if e.Waiting != 1 || e.Unsaid || e.Firing {
		t.Errorf("%+v", e)
	}
	if got := e.History[len(e.History)-2]; got.What != ledger.EventReplayed || got.Detail != "by alice" {
		t.Errorf("%+v", got)
	}
}

func (b *book) entry() (e *ledger.Entry) {
	b.t.Helper()
	err := b.store.View(func(tx *store.Tx) (err error) {
		e, err = b.book.Get(tx, alarm)
		return err
	})
	if err != nil || e == nil {
		b.t.Fatalf("%+v, %v", e, err)
	}
	return e
}

func TestLedger_CloseByHand(t *testing.T) {
	for name, c := range map[string]struct {
		story func(*book)
		want  ledger.Verdict
	}{
		"an alarm that fires":         {func(b *book) { b.hear(firing(noon)); b.confirm(1) }, ledger.Recovery},
		"one that waits to be told":   {func(b *book) { b.hear(firing(noon)) }, ledger.Recovery},
		"one whose recovery was lost": {func(b *book) { b.hear(firing(noon)); b.confirm(1); b.hear(resolved(noon, noon)); b.lose() }, ledger.Recovery},
		"one that has ended":          {func(b *book) { b.hear(firing(noon)); b.confirm(1); b.hear(resolved(noon, noon)); b.confirm(2) }, ledger.Repeat},
		"one that was never told":     {func(b *book) { b.hear(firing(noon)); b.lose() }, ledger.Repeat},
		"one that is held by the fence": {func(b *book) {
			b.hear(firing(noon))
			b.confirm(1)
			b.hear(resolved(noon, noon))
			b.confirm(2)
			b.hear(firing(noon))
		}, ledger.Repeat},
		"one that nobody has ever spoken": {func(*book) {}, ledger.Repeat},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t, ledger.DefaultConfig())
			c.story(b)
			b.update(func(tx *store.Tx) error {
				d, err := b.l.CloseByHand(tx, alarm, "alice", "known")
				if err != nil {
					return err
				}
				if d.Verdict != c.want {
					t.Errorf("%s, want %s", d.Verdict, c.want)
				}
				if d.Verdict.IsNews() {
					return d.Queued(tx, 9, ledger.Telling{})
				}
				return d.Keep(tx)
			})
		})
	}
}

func TestLedger_NoteOfAnUnknownAlarmIsNoEpisode(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	b.update(func(tx *store.Tx) error { return b.l.Note(tx, alarm, ledger.EventDiscarded, "by alice") })
	if v, _, _ := b.hear(firing(noon)); v != ledger.NewEpisode {
		t.Errorf("its next message is %s", v)
	}
	var ids []string
	err := b.store.View(func(tx *store.Tx) error {
		b.book.Scan(tx, nil, func(id string, e *ledger.Entry) bool { ids = append(ids, id); return e != nil })
		return nil
	})
	if diff := cmp.Diff([]string{alarm}, ids); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}
