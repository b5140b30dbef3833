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
	r := w.s.Record
	if !r.Failing.IsZero() && w.s.Now.Sub(r.Failing) > w.in.o.GiveUpAfter {
		return "", w.giveUp(ctx)
	}
	ticket, err := w.rule.ticket(w.view(), r.Mark, w.s.Crowd.Level)
	if err != nil {
		return "", err
	}
	if err := ticket.Check(); err != nil {
		return "", err
	}
	if err := w.set(ctx, func(r *Record) {
		r.Intent, r.Looks, r.Level, r.Assignee = w.s.Now, 0, ticket.Level, ticket.Assignee
		w.enter(r, Opening, ticket.Title)
	}); err != nil {
		return "", err
	}
	num, requestID, err := w.in.o.COC.CreateIncident(ctx, ticket)
	if err != nil {
		return requestID, w.notCreated(ctx, err)
	}
	return requestID, w.set(ctx, func(r *Record) { w.opened(r, num, w.s.Now) })
}

// giveUp stops creating what COC never answers about, until there is news.
func (w *work) giveUp(ctx context.Context) error {
	since := w.s.Record.Failing
	if err := w.set(ctx, func(r *Record) { r.Failing = time.Time{} }); err != nil {
		return err
	}
	return &Refused{Code: "gave_up", Text: fmt.Sprintf("rule %q: COC has not answered the create of the incident since %s; see in its console whether there is one with %s in its title",
		w.rule.name, since.UTC().Format(time.RFC3339), w.s.Record.Mark)}
}

// notCreated takes the intent back where it is certain that COC has not acted on
// it (coc-api.md 1.5). The caller gets COC's error either way.
func (w *work) notCreated(ctx context.Context, err error) error {
	noted := w.set(ctx, func(r *Record) {
		r.note(w.s.Now, "not opened", err.Error())
		if mayHaveActed(err) {
			if r.Failing.IsZero() {
				r.Failing = w.s.Now
			}
			return
		}
		r.State, r.Intent, r.LookFirst = Pending, time.Time{}, false
	})
	return errors.Join(err, noted)
}

// mayHaveActed says whether COC may have done what it was asked for, although
// the call failed.
func mayHaveActed(err error) bool {
	var e *coc.Error
	return !errors.As(err, &e) || e.Sent && e.Class == coc.Retry
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
	found, err := w.find(ctx)
	if err != nil {
		return "", err
	}
	return "", w.set(ctx, func(r *Record) {
		switch {
		case found.Num != "":
			at := w.s.Now
			if found.CreateTime > 0 {
				at = time.UnixMilli(found.CreateTime).UTC()
			}
			r.note(w.s.Now, "found", found.Num)
			w.opened(r, found.Num, at)
		case r.State == Pending:
			r.LookFirst = false
			r.note(w.s.Now, "looked", "there is no ticket")
		default:
			r.Looks++
			r.note(w.s.Now, "looked", fmt.Sprintf("look %d found no ticket", r.Looks))
		}
	})
}

const (
	pageSize = 100
	maxPages = 100 // of one search; more tickets with one mark there cannot be
)

// find reads all pages and returns the oldest ticket with the mark; none has no Num.
func (w *work) find(ctx context.Context) (oldest coc.Incident, err error) {
	r, seen := w.s.Record, 0
	for range maxPages {
		page, err := w.in.o.COC.ListIncidents(ctx, coc.IncidentQuery{TitleLike: r.Mark, Limit: pageSize, Offset: seen})
		if err != nil {
			return oldest, err
		}
		for _, one := range page.Incidents {
			ours := strings.Contains(one.Title, r.Mark) && !slices.Contains(r.Earlier, one.Num)
			if ours && (oldest.Num == "" || one.CreateTime < oldest.CreateTime) {
				oldest = one
			}
		}
		if seen += pageSize; len(page.Incidents) == 0 || seen >= page.Total {
			break
		}
	}
	return oldest, nil
}

// view is what the templates of the ticket see.
func (w *work) view() view {
	var v view
	_ = w.in.o.Store.View(func(tx *store.Tx) error { // without members it is shorter
		v = w.rule.view(tx, w.s.Record, w.s.Now)
		if w.in.o.Summary != nil {
			v.ScriptSummary = w.in.o.Summary(tx, memberIDs(tx, w.s.Record), w.s.Record.Began)
		}
		return nil
	})
	return v
}
