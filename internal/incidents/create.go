package incidents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/store"
)

// create opens the ticket. The intent is synced first: from then on only an
// answer that says so, or looks that found nothing, can tell that there is none.
func (w *work) create(ctx context.Context) (string, error) {
	if w.failsForTooLong() {
		return "", w.giveUp(ctx)
	}
	ticket, err := w.rule.ticket(w.view(), w.s.Record.Mark, w.s.Crowd.Level)
	if err != nil {
		return "", err
	}
	if err := ticket.Check(); err != nil {
		return "", err
	}
	if err := w.changeIf(ctx, Step{Act: Create}, func(_ *store.Tx, r *Record) error {
		r.Intent, r.Looks, r.Level, r.Assignee = w.s.Now, 0, ticket.Level, ticket.Assignee
		w.enter(r, Opening, ticket.Title)
		return nil
	}); err != nil {
		return "", err
	}
	num, requestID, err := w.in.o.COC.CreateIncident(ctx, ticket)
	if err != nil {
		return requestID, w.notCreated(ctx, err)
	}
	return requestID, w.set(ctx, func(r *Record) { w.opened(r, num, w.s.Now) })
}

func (w *work) failsForTooLong() bool {
	since := w.s.Record.Failing
	return !since.IsZero() && w.s.Now.Sub(since) > w.in.o.GiveUpAfter
}

// giveUp stops creating, or looking for, what COC never tells about, until there is news.
func (w *work) giveUp(ctx context.Context) error {
	since := w.s.Record.Failing
	if err := w.set(ctx, func(r *Record) { r.Failing = time.Time{} }); err != nil {
		return err
	}
	return &Refused{Code: "gave_up", Text: fmt.Sprintf("rule %q: COC has not told since %s whether it has opened the incident; see in its console whether there is one with %s in its title",
		w.rule.name, since.UTC().Format(time.RFC3339), w.s.Record.Mark)}
}

// notCreated takes the intent back where it is certain that COC has not acted on
// it (coc-api.md 1.5). Else the time in which COC may show the ticket begins now,
// however long the call has waited for its turn.
func (w *work) notCreated(ctx context.Context, err error) error {
	now, doubt := w.in.o.Now(), mayHaveActed(err)
	noted := w.set(ctx, func(r *Record) {
		r.note(now, "not opened", err.Error())
		switch {
		case !doubt:
			r.State, r.Intent, r.LookFirst = Pending, time.Time{}, false
		case r.Failing.IsZero():
			r.Intent, r.Failing = now, now
		default:
			r.Intent = now
		}
	})
	if doubt {
		err = noRefusal(err)
	}
	return errors.Join(err, noted)
}

// mayHaveActed says whether COC may have done what it was asked for, although
// the call failed.
func mayHaveActed(err error) bool {
	var e *coc.Error
	return !errors.As(err, &e) || !e.NotBegun()
}

// noRefusal makes of what looks as if COC would never take it, but may be the word
// of a proxy, an error that is tried again: the next try looks first.
func noRefusal(err error) error {
	var e *coc.Error
	if !errors.As(err, &e) || !refuses(e.Class) {
		return err
	}
	again := *e
	again.Class = coc.Retry
	return &again
}

// refuses says that a repeat of the same would meet the same.
func refuses(class coc.Class) bool {
	return class == coc.Permanent || class == coc.NotFound || class == coc.Conflict
}

func (w *work) opened(r *Record, num string, at time.Time) {
	r.Number, r.Opened, r.Intent, r.Failing, r.LookFirst = num, at, time.Time{}, time.Time{}, false
	if r.Level == "" {
		r.Level = w.s.Crowd.Level
	}
	w.enter(r, Open, num)
}

// look searches for a ticket with our mark: one that we opened and lost the
// number of is adopted, whatever became of it meanwhile.
func (w *work) look(ctx context.Context) (string, error) {
	mark, found, err := w.search(ctx)
	var cut *cutShort
	switch {
	case errors.As(err, &cut):
		return "", w.undecided(ctx, cut)
	case err != nil:
		return "", err
	}
	return "", w.set(ctx, func(r *Record) {
		switch {
		case found.Num != "":
			at := w.s.Now
			if found.CreateTime > 0 {
				at = time.UnixMilli(found.CreateTime).UTC()
			}
			r.Mark = mark
			r.note(w.s.Now, "found", found.Num)
			w.opened(r, found.Num, at)
		case r.State == Pending:
			r.LookFirst = false
			r.note(w.s.Now, "looked", "there is no ticket")
		default:
			r.Looks++
			r.NotUntil = w.s.Now.Add(lookPause)
			r.note(w.s.Now, "looked", fmt.Sprintf("look %d found no ticket", r.Looks))
		}
	})
}

// undecided: the look has found nothing, and has not seen all. It says nothing about
// how COC fares, and counts for nothing.
func (w *work) undecided(ctx context.Context, why error) error {
	if w.failsForTooLong() {
		return w.giveUp(ctx)
	}
	now := w.in.o.Now()
	return w.set(ctx, func(r *Record) {
		if r.Failing.IsZero() {
			r.Failing = now
		}
		r.NotUntil = now.Add(lookPause)
		r.note(now, "looked", "the look proves nothing: "+why.Error())
	})
}

const (
	pageSize = 100
	maxPages = 100 // of one search; more tickets with one mark there cannot be
)

// cutShort is the error of a list that was not shown to its end.
type cutShort struct{ seen, total int }

func (c *cutShort) Error() string {
	return fmt.Sprintf("COC shows %d of %d tickets and no way to the rest", c.seen, c.total)
}

// search looks for each mark that the ticket may have, up to the first that is found.
func (w *work) search(ctx context.Context) (mark string, found coc.Incident, err error) {
	all, err := w.marks()
	if err != nil {
		return "", found, w.in.storeError(err)
	}
	for _, m := range all {
		found, err = w.find(ctx, m.mark)
		if err != nil || found.Num != "" && (m.fires || atWork(found.Status)) {
			return m.mark, found, err
		}
	}
	return "", coc.Incident{}, nil
}

// sought is a mark that the ticket may have.
type sought struct {
	mark  string
	fires bool // so that it is this ticket, whatever became of that
}

// marks are our own and, where this store may not know which member began the
// group, those that the others would have given it, the oldest first.
func (w *work) marks() (all []sought, err error) {
	r := w.s.Record
	all = append(all, sought{r.Mark, true})
	if !r.LookFirst {
		return all, nil
	}
	err = w.in.o.Store.View(func(tx *store.Tx) error {
		for _, m := range startsOf(tx, r.Group) {
			mark := markOf(r.Rule, r.Values, m.StartsAt)
			if !slices.ContainsFunc(all, func(s sought) bool { return s.mark == mark }) {
				all = append(all, sought{mark, m.Firing})
			}
		}
		return nil
	})
	return all, err
}

// find reads all pages, up to one that is not full, and returns the oldest ticket
// with the mark; none has no Num. What it has found is found, also where the rest
// is not shown.
func (w *work) find(ctx context.Context, mark string) (oldest coc.Incident, err error) {
	seen, total, full := 0, 0, true
	for n := 0; full && n < maxPages; n++ {
		page, err := w.in.o.COC.ListIncidents(ctx, coc.IncidentQuery{TitleLike: mark, Limit: pageSize, Offset: n * pageSize})
		if err != nil {
			return oldest, err
		}
		if n == 0 {
			total = page.Total // later pages may count what has come since
		}
		oldest = w.older(oldest, mark, page.Incidents)
		seen, full = seen+len(page.Incidents), len(page.Incidents) >= pageSize
	}
	if oldest.Num == "" && (full || seen < total) {
		return oldest, &cutShort{seen, max(total, seen)}
	}
	return oldest, nil
}

// older is the oldest of these that carries the mark.
func (w *work) older(oldest coc.Incident, mark string, all []coc.Incident) coc.Incident {
	for _, one := range all {
		ours := strings.Contains(one.Title, mark) && !slices.Contains(w.s.Record.Earlier, one.Num)
		if ours && (oldest.Num == "" || one.CreateTime < oldest.CreateTime) {
			oldest = one
		}
	}
	return oldest
}

// view is what the templates of the ticket see.
func (w *work) view() view {
	var v view
	_ = w.in.o.Store.View(func(tx *store.Tx) error { // without members it is shorter
		runs := ""
		if w.in.o.Summary != nil {
			runs = w.in.o.Summary(tx, memberIDs(tx, w.s.Record), w.s.Record.Began)
		}
		v = w.rule.view(tx, w.s.Record, w.s.Now, runs)
		return nil
	})
	return v
}
