package ledger_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/store"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const alarm = "0123456789abcdef0123456789abcdef"

// book is a ledger over a real store, with a clock to move and a queue that
// remembers what it was asked to cancel.
type book struct {
	t       *testing.T
	book    *ledger.Book
	l       *ledger.Ledger
	store   *store.Store
	now     time.Time
	tasks   uint64
	gone    bool // cancelling comes too late
	telling map[uint64]ledger.Telling
}

func newBook(t *testing.T, cfg ledger.Config) *book {
	t.Helper()
	s, err := store.Open(store.Options{Path: filepath.Join(t.TempDir(), "ledger.db"), MaxSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	})
	entries, err := ledger.OpenBook(s)
	if err != nil {
		t.Fatal(err)
	}
	b := &book{t: t, book: entries, store: s, now: noon, telling: map[uint64]ledger.Telling{}}
	b.l = ledger.New(ledger.Options{Config: cfg, Book: b.book, History: 168 * time.Hour, Now: func() time.Time { return b.now },
		Cancel: func(*store.Tx, uint64) (bool, error) { return !b.gone, nil }})
	return b
}

func (b *book) update(change func(*store.Tx) error) {
	b.t.Helper()
	if err := b.store.Update(b.t.Context(), change); err != nil {
		b.t.Fatal(err)
	}
}

// hear passes a message through the ledger as the bridge does, and returns
// verdict, the task that came of it, and the time it would carry.
func (b *book) hear(h ledger.Heard) (ledger.Verdict, uint64, int64) {
	b.t.Helper()
	h.AlarmID = alarm
	var d *ledger.Decision
	var at int64
	b.update(func(tx *store.Tx) (err error) {
		if d, err = b.l.Decide(tx, h); err != nil {
			return err
		}
		mapped := h.StartsAt.UnixMilli()
		if !h.Firing {
			mapped = h.EndsAt.UnixMilli()
		}
		if at = d.Time(mapped); !d.Verdict.IsNews() {
			return d.Keep(tx)
		}
		b.tasks++
		t := ledger.Telling{Firing: h.Firing, Time: at, Level: h.Level, Integration: "default", Name: "n"}
		if d.Level != "" {
			t.Level = d.Level
		}
		b.telling[b.tasks] = t
		return d.Queued(tx, b.tasks, t)
	})
	return d.Verdict, b.tasks, at
}

func (b *book) confirm(task uint64) {
	b.t.Helper()
	b.update(func(tx *store.Tx) error { return b.l.Confirmed(tx, alarm, b.telling[task], "req") })
}

func (b *book) lose() {
	b.t.Helper()
	b.update(func(tx *store.Tx) error { return b.l.Lost(tx, alarm, "buried") })
}

func (b *book) look() (due ledger.Due) {
	b.t.Helper()
	if err := b.store.View(func(tx *store.Tx) error { due = b.l.Look(tx, nil); return nil }); err != nil {
		b.t.Fatal(err)
	}
	return due
}

func firing(start time.Time) ledger.Heard {
	return ledger.Heard{Firing: true, StartsAt: start, Level: "Major", SendUnknown: true}
}

func resolved(start, end time.Time) ledger.Heard {
	return ledger.Heard{StartsAt: start, EndsAt: end, Level: "Major", SendUnknown: true}
}

// step is one event of a story and what must come of it.
type step struct {
	after   time.Duration
	hear    *ledger.Heard
	confirm bool // the newest task reaches COC
	lose    bool // it does not
	want    ledger.Verdict
}

func hear(h ledger.Heard) *ledger.Heard { return &h }

func TestLedger_Decide(t *testing.T) {
	old, later := noon.Add(-time.Hour), noon.Add(-time.Minute)
	severe := firing(old)
	severe.Level = "Critical"
	dropUnknown := resolved(old, noon)
	dropUnknown.SendUnknown = false
	droppedFiring, droppedResolve := firing(old), resolved(old, noon)
	droppedFiring.Dropped, droppedResolve.Dropped = true, true
	told := []step{{hear: hear(firing(old)), want: ledger.NewEpisode}, {confirm: true}}
	over := slices.Concat(told, []step{{hear: hear(resolved(old, noon)), want: ledger.Recovery}, {confirm: true}})

	for name, story := range map[string][]step{
		"the first firing is news, its repeat is not": append(told[:2:2], step{after: time.Minute, hear: hear(firing(old)), want: ledger.Repeat}),
		"a repeat while the task waits is not news":   {{hear: hear(firing(old)), want: ledger.NewEpisode}, {after: time.Hour, hear: hear(firing(old)), want: ledger.Repeat}},
		"a repeat is told again after refresh, counted from the confirmation": {
			{hear: hear(firing(old)), want: ledger.NewEpisode}, {after: 20 * time.Minute, confirm: true},
			{after: 29 * time.Minute, hear: hear(firing(old)), want: ledger.Repeat}, {after: time.Minute, hear: hear(firing(old)), want: ledger.Refresh},
			{hear: hear(firing(old)), want: ledger.Repeat},
		},
		"another level is news":                            append(told[:2:2], step{hear: hear(severe), want: ledger.Changed}, step{hear: hear(severe), want: ledger.Repeat}),
		"a resolve is news once":                           append(over[:4:4], step{hear: hear(resolved(old, noon)), want: ledger.Repeat}),
		"a later start without a resolve is a new episode": append(told[:2:2], step{hear: hear(firing(later)), want: ledger.NewEpisode}),
		"a lowered start is the same episode":              append(told[:2:2], step{hear: hear(firing(old.Add(-time.Minute))), want: ledger.Repeat}),
		"a resolve of an episode that ended before this one began is stale": {
			{hear: hear(firing(later)), want: ledger.NewEpisode}, {confirm: true}, {hear: hear(resolved(old, later.Add(-time.Second))), want: ledger.Stale},
		},
		"a resolve with a lowered start closes the episode": append(told[:2:2], step{hear: hear(resolved(old.Add(-time.Minute), noon)), want: ledger.Recovery}),
		"a fired again after its resolve, later start":      append(over[:4:4], step{hear: hear(firing(later)), want: ledger.NewEpisode}),
		"an old firing after the resolve is held, its repeat is no news, and a resolve drops it": append(over[:4:4],
			step{hear: hear(firing(old)), want: ledger.Hold}, step{after: time.Second, hear: hear(firing(old)), want: ledger.Repeat},
			step{after: 3 * time.Second, hear: hear(resolved(old, noon)), want: ledger.Repeat}, step{hear: hear(firing(old)), want: ledger.Hold}),
		"a held firing that nothing contradicts becomes the state": append(over[:4:4],
			step{hear: hear(firing(old)), want: ledger.Hold}, step{after: time.Minute, confirm: true},
			step{hear: hear(firing(old)), want: ledger.Repeat}, step{hear: hear(resolved(old, noon.Add(time.Hour))), want: ledger.Recovery}),
		"a resolve after the fence but before the sending follows the firing": append(over[:4:4],
			step{hear: hear(firing(old)), want: ledger.Hold}, step{after: time.Minute, hear: hear(resolved(old, noon.Add(time.Hour))), want: ledger.Recovery}),
		"a later episode takes the place of a held one": append(over[:4:4],
			step{hear: hear(firing(old)), want: ledger.Hold}, step{hear: hear(firing(later)), want: ledger.NewEpisode}),
		"a resolve of what was never told is sent":           {{hear: hear(resolved(old, noon)), want: ledger.Recovery}, {hear: hear(resolved(old, noon)), want: ledger.Repeat}},
		"or dropped, as the receiver wants":                  {{hear: hear(dropUnknown), want: ledger.Unknown}},
		"a dead letter does not count as told":               {{hear: hear(firing(old)), want: ledger.NewEpisode}, {lose: true}, {hear: hear(firing(old)), want: ledger.Again}, {confirm: true}, {hear: hear(firing(old)), want: ledger.Repeat}},
		"a resolve after a firing that became a dead letter": {{hear: hear(firing(old)), want: ledger.NewEpisode}, {lose: true}, {hear: hear(dropUnknown), want: ledger.Unknown}, {hear: hear(dropUnknown), want: ledger.Unknown}},
		"a resolve that became a dead letter is told again":  append(told[:2:2], step{hear: hear(resolved(old, noon)), want: ledger.Recovery}, step{lose: true}, step{hear: hear(resolved(old, noon)), want: ledger.Again}),
		"a dropped route drops firings and unknown resolves": {{hear: hear(droppedFiring), want: ledger.Dropped}, {hear: hear(droppedResolve), want: ledger.Dropped}},
		"but not the resolve of what was told":               append(told[:2:2], step{hear: hear(droppedFiring), want: ledger.Dropped}, step{hear: hear(droppedResolve), want: ledger.Recovery}),
		"firing and resolve both wait, both are told":        {{hear: hear(firing(old)), want: ledger.NewEpisode}, {hear: hear(resolved(old, noon)), want: ledger.Recovery}, {hear: hear(resolved(old, noon)), want: ledger.Repeat}},
		"a start in the far future is one episode over its repeats": {
			{hear: hear(firing(noon.Add(time.Hour))), want: ledger.NewEpisode}, {confirm: true},
			{after: 6 * time.Minute, hear: hear(firing(noon.Add(time.Hour))), want: ledger.Repeat},
			{after: time.Minute, hear: hear(resolved(noon.Add(time.Hour), noon)), want: ledger.Recovery}, {confirm: true},
			{after: time.Minute, hear: hear(firing(noon.Add(8 * time.Minute))), want: ledger.NewEpisode},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t, ledger.DefaultConfig())
			for i, s := range story {
				b.now = b.now.Add(s.after)
				switch {
				case s.confirm:
					b.confirm(b.tasks)
				case s.lose:
					b.lose()
				default:
					if got, _, _ := b.hear(*s.hear); got != s.want {
						t.Fatalf("step %d: %s, want %s", i, got, s.want)
					}
				}
			}
		})
	}
}

func TestLedger_Decide_heldTaskAlreadyLeft(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	start := noon.Add(-time.Hour)
	b.hear(firing(start))
	b.confirm(b.tasks)
	b.hear(resolved(start, noon))
	b.confirm(b.tasks)
	b.hear(firing(start))
	b.gone = true
	if got, _, _ := b.hear(resolved(start, noon)); got != ledger.Recovery {
		t.Errorf("the firing is on its way, so its resolve must follow it: got %s", got)
	}
}

// COC must never see an alarm that is older than what it was told before.
func TestLedger_timeNeverRunsBackwards(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	start := noon.Add(-time.Hour)
	_, task, first := b.hear(firing(start))
	b.confirm(task)
	b.now = noon.Add(31 * time.Minute)
	if v, _, at := b.hear(firing(start.Add(-time.Second))); v != ledger.Refresh || at != first {
		t.Errorf("a refresh carries %d, want the same time %d (%s)", at, first, v)
	}
	b.confirm(b.tasks)
	_, task, ended := b.hear(resolved(start, start.Add(-time.Minute)))
	if ended < first {
		t.Errorf("a recovery carries %d, before its alarm %d", ended, first)
	}
	b.confirm(task)
	if v, _, again := b.hear(firing(start)); v != ledger.Hold || again <= ended {
		t.Errorf("%s: a re-fire carries %d, not after its recovery %d", v, again, ended)
	}
}

func TestLedger_repeatsCostNoWrite(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	b.hear(firing(noon))
	b.confirm(b.tasks)
	before := b.store.Stats().Commits
	for range 10 {
		b.now = b.now.Add(time.Second)
		b.hear(firing(noon))
	}
	if got := b.store.Stats().Commits; got != before {
		t.Errorf("10 repeats cost %d commits", got-before)
	}
}

func TestLedger_historyIsBoundedAndTells(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	for i := range 30 {
		start := noon.Add(time.Duration(i) * time.Second)
		b.hear(firing(start))
		b.confirm(b.tasks)
	}
	var e *ledger.Entry
	if err := b.store.View(func(tx *store.Tx) (err error) { e, err = b.book.Get(tx, alarm); return err }); err != nil {
		t.Fatal(err)
	}
	if len(e.History) != 16 || e.History[15].What != "sent" || e.History[15].Detail != "req" || e.History[14].What != "new" {
		t.Errorf("history: %+v", e.History)
	}
	if e.Waiting != 0 || e.Newest != nil || e.Told == nil {
		t.Errorf("everything was confirmed, yet %+v", e)
	}
}

func TestLedger_Look(t *testing.T) {
	cfg := ledger.DefaultConfig()
	cfg.StaleAfter = model.Duration(24 * time.Hour)
	b := newBook(t, cfg)
	b.hear(firing(noon))
	b.confirm(b.tasks)
	for _, s := range []struct {
		after time.Duration
		want  ledger.Due
	}{
		{25 * time.Hour, ledger.Due{}}, // it may have been heard of an hour after what is noted
		{time.Second, ledger.Due{Close: []string{alarm}}},
	} {
		b.now = b.now.Add(s.after)
		if diff := cmp.Diff(s.want, b.look()); diff != "" {
			t.Error(diff)
		}
	}
	b.update(func(tx *store.Tx) error {
		d, err := b.l.Close(tx, alarm)
		if err != nil || d.Verdict != ledger.Recovery || d.Told == nil {
			t.Fatalf("closing decides %+v, %v", d, err)
		}
		b.tasks++
		return d.Queued(tx, b.tasks, ledger.Telling{Time: noon.UnixMilli()})
	})
	b.confirm(b.tasks)
	b.now = b.now.Add(168*time.Hour + time.Second)
	if diff := cmp.Diff(ledger.Due{Forget: []string{alarm}}, b.look()); diff != "" {
		t.Error(diff)
	}
	b.update(func(tx *store.Tx) error {
		forgotten, err := b.l.Forget(tx, []string{alarm, "another"})
		if diff := cmp.Diff([]string{alarm}, forgotten); diff != "" {
			t.Errorf("forgotten (-want +got):\n%s", diff)
		}
		return err
	})
	if diff := cmp.Diff(ledger.Due{}, b.look()); diff != "" {
		t.Error(diff)
	}
}

func TestLedger_anAlarmThatCOCShowsIsRememberedLonger(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	b.hear(firing(noon))
	b.confirm(b.tasks)
	for after, want := range map[time.Duration]int{167 * time.Hour: 0, 4*168*time.Hour - time.Hour: 0, 4*168*time.Hour + time.Hour: 1} {
		b.now = noon.Add(after)
		due := b.look()
		if len(due.Forget) != want {
			t.Errorf("after %s: %v is to be forgotten", after, due.Forget)
		}
	}
}

// The group is sent again since a sibling changed: a repeat that costs no write.
func TestLedger_silenceCountsFromTheLastRepeatToo(t *testing.T) {
	cfg := ledger.DefaultConfig()
	cfg.StaleAfter = model.Duration(4*time.Hour + 15*time.Minute)
	b := newBook(t, cfg)
	b.hear(firing(noon))
	b.confirm(b.tasks)
	b.now = noon.Add(25 * time.Minute)
	b.hear(firing(noon))
	for after, want := range map[time.Duration]int{4*time.Hour + 16*time.Minute: 0, 4*time.Hour + 40*time.Minute: 0, 4*time.Hour + 41*time.Minute: 1} {
		b.now = noon.Add(after)
		if due := b.look(); len(due.Close) != want {
			t.Errorf("%s after the first message: %v is to be closed", after, due.Close)
		}
	}
}

// A daemon that did not run, or turned senders away, could not hear everybody.
func TestLedger_silenceCountsFromWhenEverybodyWasHeard(t *testing.T) {
	cfg := ledger.DefaultConfig()
	cfg.StaleAfter = model.Duration(6 * time.Hour)
	b := newBook(t, cfg)
	b.hear(firing(noon))
	b.confirm(b.tasks)
	open := noon.Add(7 * time.Hour)
	b.l = ledger.New(ledger.Options{Config: cfg, Book: b.book, History: 168 * time.Hour, Open: func() time.Time { return open }, Now: func() time.Time { return b.now }})
	for after, want := range map[time.Duration]int{0: 0, 6 * time.Hour: 0, 6*time.Hour + time.Minute: 1} {
		b.now = open.Add(after)
		due := b.look()
		if len(due.Close) != want {
			t.Errorf("%s after that: %v is to be closed", after, due.Close)
		}
	}
}

func TestLedger_aRecoveryLostWhileAnOldFiringIsHeldIsToldAgain(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	old := noon.Add(-time.Hour)
	b.hear(firing(old))
	b.confirm(b.tasks)
	b.hear(resolved(old, noon)) // waits
	b.hear(firing(old))         // held
	b.lose()                    // the recovery becomes a dead letter
	if v, _, _ := b.hear(resolved(old, noon)); v != ledger.Again {
		t.Errorf("the recovery that COC never heard is %s, want it told again", v)
	}
}

func TestLedger_wrongClocks(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	start := noon.Add(-time.Hour)
	_, _, at := b.hear(firing(noon.Add(73 * 365 * 24 * time.Hour)))
	if limit := noon.Add(5 * time.Minute).UnixMilli(); at != limit {
		t.Errorf("a start in 2099 is told as %d, want arrival + 5 min, %d", at, limit)
	}
	b = newBook(t, ledger.DefaultConfig())
	b.now = noon.Add(365 * 24 * time.Hour) // our own clock is a year ahead
	b.hear(firing(start))
	b.confirm(b.tasks)
	b.hear(resolved(start, noon))
	b.confirm(b.tasks)
	b.hear(firing(start)) // held until next year
	b.now = noon
	if v, _, _ := b.hear(resolved(start, noon)); v != ledger.Recovery {
		t.Errorf("the clock is right again and the held firing counts as told; its resolve is %s", v)
	}
	b.confirm(b.tasks)
}

// Alertmanager does not repeat a recovery that was acknowledged in a dry run.
func TestLedger_aRecoveryThatNeverGotThereIsClosedAsStale(t *testing.T) {
	cfg := ledger.DefaultConfig()
	cfg.StaleAfter = model.Duration(24 * time.Hour)
	b := newBook(t, cfg)
	b.hear(firing(noon))
	b.confirm(b.tasks)
	b.hear(resolved(noon, noon))
	b.lose()
	b.now = noon.Add(26 * time.Hour)
	due := b.look()
	if len(due.Close) != 1 {
		t.Errorf("to be closed: %v", due.Close)
	}
}

// once is what is heard of an alarm with one episode in its life: when it was
// heard of is all that its times say.
func once(firing bool, level, revision string) ledger.Heard {
	return ledger.Heard{Firing: firing, Level: level, Once: true, Revision: revision}
}

func TestLedger_Decide_oneEpisodeForEver(t *testing.T) {
	problem, recovery := once(true, "Major", ""), once(false, "Major", "")
	ack, severe, mild := once(true, "Major", "1"), once(true, "Critical", "2"), once(true, "Minor", "3")
	comment := once(false, "Major", "9")
	told := []step{{hear: hear(problem), want: ledger.NewEpisode}, {confirm: true}}
	over := slices.Concat(told, []step{{after: time.Second, hear: hear(recovery), want: ledger.Recovery}, {confirm: true}})

	for name, story := range map[string][]step{
		"a repeat is no news, however late": append(told[:2:2], step{after: time.Minute, hear: hear(problem), want: ledger.Repeat}),
		"nor when the clock was set back":   append(told[:2:2], step{after: -time.Minute, hear: hear(problem), want: ledger.Repeat}),
		"a repeat is told again after refresh, a change without another level is not": append(told[:2:2],
			step{after: time.Hour, hear: hear(ack), want: ledger.Repeat}, step{hear: hear(problem), want: ledger.Refresh}),
		"a recovery is news once, whatever the clock says": append(told[:2:2],
			step{after: -time.Hour, hear: hear(recovery), want: ledger.Recovery}, step{after: 2 * time.Hour, hear: hear(recovery), want: ledger.Repeat}),
		"what comes after the recovery is stale for ever": append(over[:4:4],
			step{after: time.Second, hear: hear(problem), want: ledger.Stale}, step{after: 24 * time.Hour, hear: hear(severe), want: ledger.Stale},
			step{after: time.Hour, hear: hear(problem), want: ledger.Stale}),
		"a comment after it is no refresh": append(over[:4:4],
			step{after: time.Hour, hear: hear(comment), want: ledger.Repeat}, step{hear: hear(recovery), want: ledger.Refresh}),
		"a recovery that comes first closes for ever": {
			{hear: hear(recovery), want: ledger.Unknown}, {after: time.Second, hear: hear(problem), want: ledger.Stale}, {hear: hear(ack), want: ledger.Stale}},
		"a change that comes first opens, the late problem is a repeat": {
			{hear: hear(severe), want: ledger.NewEpisode}, {confirm: true}, {after: time.Second, hear: hear(problem), want: ledger.Repeat},
			{after: time.Hour, hear: hear(problem), want: ledger.Refresh}, {hear: hear(severe), want: ledger.Repeat}},
		"another level is news, but not from a change that was overtaken": append(told[:2:2],
			step{hear: hear(mild), want: ledger.Changed}, step{hear: hear(severe), want: ledger.Repeat}, step{hear: hear(mild), want: ledger.Repeat}),
		"without changes, a problem sent again with another level is news": append(told[:2:2],
			step{hear: hear(once(true, "Critical", "")), want: ledger.Changed}),
		"a dead letter does not count as told": append(told[:1:1], step{lose: true}, step{after: time.Second, hear: hear(ack), want: ledger.Again}),
		"a recovery that became a dead letter is told again, a problem is not": append(told[:2:2],
			step{hear: hear(recovery), want: ledger.Recovery}, step{lose: true}, step{hear: hear(problem), want: ledger.Stale}, step{hear: hear(recovery), want: ledger.Again}),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t, ledger.DefaultConfig())
			for i, s := range story {
				b.now = b.now.Add(s.after)
				switch {
				case s.confirm:
					b.confirm(b.tasks)
				case s.lose:
					b.lose()
				default:
					s.hear.StartsAt = b.now
					if !s.hear.Firing {
						s.hear.EndsAt = b.now
					}
					if got, _, _ := b.hear(*s.hear); got != s.want {
						t.Fatalf("step %d: %s, want %s", i, got, s.want)
					}
				}
			}
		})
	}
}

// A source that repeats the problem as it began keeps the alarm fresh in COC, at the
// level that it has by now.
func TestLedger_aRefreshTellsTheLevelInForce(t *testing.T) {
	b := newBook(t, ledger.DefaultConfig())
	said := func(h ledger.Heard, want ledger.Verdict, level string) {
		t.Helper()
		h.StartsAt = b.now
		got, task, _ := b.hear(h)
		if got != want || b.telling[task].Level != level {
			t.Errorf("%s at level %s, want %s at %s", got, b.telling[task].Level, want, level)
		}
	}
	problem, severe := once(true, "Major", ""), once(true, "Critical", "2")
	said(problem, ledger.NewEpisode, "Major")
	b.confirm(b.tasks)
	said(severe, ledger.Changed, "Critical")
	b.confirm(b.tasks)
	b.now = b.now.Add(31 * time.Minute)
	said(problem, ledger.Refresh, "Critical")
	b.confirm(b.tasks)
	b.now = b.now.Add(31 * time.Minute)
	said(once(true, "Minor", "1"), ledger.Repeat, "Critical") // a late change is no repeat
	said(problem, ledger.Refresh, "Critical")
	b.lose()
	said(problem, ledger.Again, "Critical")
	b.confirm(b.tasks)
	said(severe, ledger.Repeat, "Critical")
	said(once(true, "Minor", "3"), ledger.Changed, "Minor")
}

// What we closed ourselves, because nobody spoke of it, was not the source's word.
func TestLedger_Close_isNotTheEndOfTheOnlyEpisode(t *testing.T) {
	cfg := ledger.DefaultConfig()
	cfg.StaleAfter = model.Duration(24 * time.Hour)
	b := newBook(t, cfg)
	said := func(want ledger.Verdict) {
		t.Helper()
		h := once(true, "Major", "")
		h.StartsAt = b.now
		if got, _, _ := b.hear(h); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		b.confirm(b.tasks)
	}
	said(ledger.NewEpisode)
	b.now = b.now.Add(26 * time.Hour)
	b.update(func(tx *store.Tx) error {
		d, err := b.l.Close(tx, alarm)
		if err != nil || d.Verdict != ledger.Recovery {
			t.Errorf("%v, %v", d, err)
		}
		b.tasks++
		b.telling[b.tasks] = ledger.Telling{Level: "Major"}
		return d.Queued(tx, b.tasks, b.telling[b.tasks])
	})
	b.confirm(b.tasks)
	b.now = b.now.Add(time.Minute)
	said(ledger.NewEpisode)
}
