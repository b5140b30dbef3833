package scripts

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

const (
	// firstLook is when COC's lists are searched first; they may lag behind.
	firstLook = 5 * time.Second
	lookPause = 30 * time.Second
	// A run is absent after so many clean looks, the last one so long after it
	// came into doubt (reliability.md 3.3).
	minLooks  = 3
	lookFor   = 2 * time.Minute
	clockSkew = 5 * time.Minute // between COC's clock and ours
	// maxRows bounds one look; a longer list is not a clean look.
	maxRows = 2000
)

// candidate is something in COC's lists that may be the run.
type candidate struct {
	order string
	mark  string // "" = it carries none that is shown
	alike bool   // same script and hosts, or same job
	bare  bool   // an order that shows no hosts, and so no mark: perhaps not yet
}

// evidence decides over one clean look. Only the mark proves that an order is ours,
// only another mark that it is not.
func evidence(mark string, all []candidate) (by arrow, order string) {
	var ours, alike []string
	for _, c := range all {
		switch {
		case slices.Contains(ours, c.order) || slices.Contains(alike, c.order): // a list that has moved on while it was read
		case c.mark == mark:
			ours = append(ours, c.order)
		case c.mark == "" && c.alike:
			alike = append(alike, c.order)
		}
	}
	switch {
	case len(ours) == 1:
		return found, ours[0]
	case len(ours) > 1:
		return ambiguous, strings.Join(ours, ", ")
	case len(alike) > 0:
		return ambiguous, strings.Join(alike, ", ")
	default:
		return nowhere, ""
	}
}

// settle looks into COC's lists. It never calls.
func (w *work) settle(ctx context.Context) error {
	all, asOf, err := w.candidates(ctx)
	if why := unclean(err); why != "" {
		return w.looked(ctx, 0, "the look proves nothing: "+why)
	}
	if err != nil {
		return err
	}
	w.answered = true
	by, order := evidence(w.r.Mark(), all)
	late := asOf.Sub(w.r.Since) >= lookFor
	if by == ambiguous && !late && slices.ContainsFunc(all, func(c candidate) bool { return c.bare }) {
		return w.looked(ctx, 0, "COC shows no hosts yet of an order that may be it")
	}
	switch by {
	case found:
		return w.change(ctx, func(tx *store.Tx, r *Run) error { return w.s.began(tx, r, found, order) })
	case ambiguous:
		text := fmt.Sprintf("rule %q: run %s: nobody knows whether it has run: COC has %s, called about %s; look there, nothing is called again", w.r.Rule, w.r.ID, order, clockTime(w.r.Called))
		return w.close(ctx, ambiguous, text)
	}
	if w.r.Looks+1 >= minLooks && late {
		text := fmt.Sprintf("rule %q: run %s: COC's list does not show it although it was called at %s; it is not called again: run it by hand if it is still needed", w.r.Rule, w.r.ID, clockTime(w.r.Called))
		return w.close(ctx, nowhere, text)
	}
	return w.looked(ctx, 1, fmt.Sprintf("look %d found nothing", w.r.Looks+1))
}

// looked notes a look that has decided nothing; clean ones count.
func (w *work) looked(ctx context.Context, clean int, detail string) error {
	w.answered = true
	now := w.s.o.Now()
	return w.change(ctx, func(_ *store.Tx, r *Run) error {
		r.Looks += clean
		r.Next = now.Add(lookPause)
		if last := len(r.History) - 1; last < 0 || r.History[last].Detail != detail {
			r.note(now, "looked", detail)
		}
		return nil
	})
}

// close ends a run in doubt with a dead letter.
func (w *work) close(ctx context.Context, by arrow, text string) error {
	o, code := NoTrace, codeAbsent
	if by == ambiguous {
		o, code = Unclear, codeConflict
	}
	return w.moved(ctx, by, text, func(_ *store.Tx, r *Run) error {
		r.Code, r.Text, r.Letter = code, text, true
		r.end(o, w.s.o.Now())
		return nil
	})
}

// candidates are in COC's lists, as they were at a time or after it.
func (w *work) candidates(ctx context.Context) (all []candidate, asOf time.Time, err error) {
	if w.r.Kind == JobKind {
		asOf = w.s.o.Now()
		all, err = w.executions(ctx)
		return all, asOf, err
	}
	return w.scriptOrders(ctx)
}

// unproven is the error of a look that was not clean: what cannot be read to the
// end proves nothing. COC does not suffer, so no gate may close for it.
type unproven struct{ why string }

func (u *unproven) Error() string { return u.why }

func tooMany(op string) error {
	return &unproven{fmt.Sprintf("%s: more than %d rows about the time of the call", op, maxRows)}
}

func cutShort(op string, seen, total int) error {
	return &unproven{fmt.Sprintf("%s: COC shows %d of %d rows and no way to the rest", op, seen, total)}
}

// unclean says why a look was not clean: also an order that its list shows and
// that cannot be read makes it so.
func unclean(err error) string {
	var u *unproven
	if c := classOf(err); errors.As(err, &u) || c == coc.Permanent || c == coc.NotFound || c == coc.Conflict {
		return err.Error()
	}
	return ""
}

// executions reads the executions of the job since shortly before the call.
func (w *work) executions(ctx context.Context) (all []candidate, err error) {
	q := coc.ExecutionQuery{Document: w.r.Request.What, From: w.r.Called.Add(-clockSkew)}
	for seen, total := 0, 0; ; {
		page, err := w.s.o.COC.ListExecutions(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Executions {
			c := candidate{order: e.ID, mark: markIn(e.Description), alike: e.Document == "" || e.Document == w.r.Request.What}
			if e.Description != "" && c.mark == "" {
				continue // a person's, or another program's
			}
			all = append(all, c)
		}
		if q.Offset > maxRows {
			return nil, tooMany("list executions")
		}
		if q.Offset == 0 {
			total = page.Total
		}
		seen += len(page.Executions)
		switch more := page.Next > q.Offset; {
		case !more && seen < total:
			return nil, cutShort("list executions", seen, total)
		case !more:
			return all, nil
		}
		q.Offset = page.Next
	}
}

// markIn finds the mark in a description: it is the last one, for the rule's own
// text may look like one.
func markIn(description string) string {
	at := strings.LastIndex(description, "[cb:")
	if at < 0 {
		return ""
	}
	mark, _, _ := strings.Cut(description[at+len("[cb:"):], "]")
	return mark
}
