package scripts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/store"
)

const (
	firstPoll = 5 * time.Second
	pollPause = 15 * time.Second
	// patience is how long after its deadline an order is asked for whose answers
	// are errors.
	patience = 10 * time.Minute

	maxOutputs    = 8 << 10 // bytes of output kept of a run
	maxOutput     = 400     // of a host
	outputLines   = 5       // of a host
	maxResultsRow = 250     // hosts or steps kept
)

// seen is what COC tells of an order or execution.
type seen struct {
	status   string
	ended    bool
	outcome  Outcome
	wrong    string // it is not ours, and why
	compared bool   // it shows what tells it from others
}

// follow polls once. COC is not asked anything that acts, but for the cancel that
// the rule wants.
func (w *work) follow(ctx context.Context) error {
	now := w.s.o.Now()
	at, err := w.look(ctx)
	switch {
	case classOf(err) == coc.NotFound: // it does not show yet
		at.status, err = "not shown", nil
	case err != nil && now.After(w.r.Deadline.Add(patience)):
		return w.lost(ctx, "not seen to end: "+err.Error())
	case err != nil:
		return shown(err)
	}
	w.answered = true
	switch {
	case at.wrong != "":
		text := fmt.Sprintf("rule %q: run %s: COC answered the call with %s, but %s; look there, nothing is called again", w.r.Rule, w.r.ID, w.r.Order, at.wrong)
		return w.change(ctx, func(tx *store.Tx, r *Run) error {
			r.Code, r.Text, r.Letter = codeOrder, text, true
			return w.s.closeRun(tx, r, Wrong, text)
		})
	case at.ended && (at.compared || now.After(w.r.Deadline)):
		return w.results(ctx, at)
	case now.After(w.r.Deadline):
		return w.lost(ctx, fmt.Sprintf("COC shows it as %s after its deadline", at.status))
	}
	stopped := w.cancel(ctx)
	return w.change(ctx, func(_ *store.Tx, r *Run) error {
		if r.Status != at.status {
			r.note(now, "status", at.status)
		}
		r.Status, r.Verified, r.Next = at.status, r.Verified || at.compared, now.Add(pollPause)
		if stopped {
			r.Stopped = now
			r.note(now, "cancelled", "the alert has recovered")
		}
		return nil
	})
}

func (w *work) look(ctx context.Context) (seen, error) {
	if w.r.Kind == JobKind {
		return w.lookAtExecution(ctx)
	}
	o, err := w.s.o.COC.GetOrder(ctx, w.r.Order)
	if err != nil {
		return seen{}, err
	}
	at := seen{status: string(o.Status), ended: o.Status.Ended(), compared: w.r.Verified}
	switch o.Status {
	case coc.OrderFinished:
		at.outcome = Succeeded
	case coc.OrderCanceled:
		at.outcome = Canceled
	default:
		at.outcome = Failed
	}
	if o.ScriptUUID != "" && o.ScriptUUID != w.r.Request.What {
		at.wrong = "that order is of script " + o.ScriptUUID
	}
	if at.wrong != "" || at.compared {
		return at, nil
	}
	f, err := w.s.facts(ctx, w.r.Order)
	at.compared = len(f.hosts) > 0
	if err == nil && f.mark != "" && f.mark != w.r.Mark() {
		at.wrong = "that order carries the mark of another run"
	}
	return at, shown(err)
}

// shown: an order that is there and of which a part cannot be read is asked for again.
func shown(err error) error {
	var e *coc.Error
	if !errors.As(err, &e) || e.Class != coc.Permanent && e.Class != coc.NotFound && e.Class != coc.Conflict {
		return err
	}
	again := *e
	again.Class = coc.Retry
	return &again
}

func (w *work) lookAtExecution(ctx context.Context) (seen, error) {
	e, err := w.s.o.COC.GetExecution(ctx, w.r.Order)
	if err != nil {
		return seen{}, err
	}
	at := seen{status: string(e.Status), ended: e.Status.Ended(), compared: true}
	switch e.Status {
	case coc.ExecutionSucceeded:
		at.outcome = Succeeded
	case coc.ExecutionCanceled:
		at.outcome = Canceled
	default:
		at.outcome = Failed
	}
	switch mark := markIn(e.Description); {
	case e.Document != "" && e.Document != w.r.Request.What:
		at.wrong = "that execution is of job " + e.Document
	case mark != "" && mark != w.r.Mark():
		at.wrong = "that execution carries the mark of another run"
	}
	return at, nil
}

// cancel tells COC to cancel, once that was asked for. A refusal only means that
// it has ended meanwhile, which the next poll sees.
func (w *work) cancel(ctx context.Context) (done bool) {
	if w.r.Stop.IsZero() || !w.r.Stopped.IsZero() || w.s.newest().o.DryRun {
		return false
	}
	var err error
	if w.r.Kind == JobKind {
		_, err = w.s.o.COC.OperateExecution(ctx, w.r.Order, coc.TerminateExecution)
	} else {
		_, err = w.s.o.COC.OperateOrder(ctx, coc.OrderOperation{Order: w.r.Order, Operation: coc.CancelOrder})
	}
	if err != nil {
		w.s.o.Log.Warn("run not cancelled", zap.String("rule", w.r.Rule), zap.String("run", w.r.ID), zap.String("order", w.r.Order), zap.Error(err))
	}
	return err == nil
}

// results keeps what became of each host. An order that has ended does not change:
// where its hosts cannot be read, that is told instead.
func (w *work) results(ctx context.Context, at seen) error {
	all, err := w.readResults(ctx)
	var e *coc.Error
	if errors.As(err, &e) && e.Class != coc.Permanent && e.Class != coc.NotFound && w.s.o.Now().Before(w.r.Deadline.Add(patience)) {
		return err
	}
	detail := at.status
	if err != nil {
		detail += "; its results could not be read: " + err.Error()
	}
	return w.change(ctx, func(tx *store.Tx, r *Run) error {
		r.Results, r.Verified = all, r.Verified || at.compared
		return w.s.closeRun(tx, r, at.outcome, detail)
	})
}

func (w *work) lost(ctx context.Context, detail string) error {
	return w.change(ctx, func(tx *store.Tx, r *Run) error { return w.s.closeRun(tx, r, Lost, detail) })
}

// closeRun ends a run that COC has begun.
func (s *Scripts) closeRun(tx *store.Tx, r *Run, o Outcome, detail string) error {
	now := s.o.Now()
	if status, _, _ := strings.Cut(detail, ";"); o != Lost && o != Wrong {
		r.Status = status
	}
	r.note(now, string(o), detail)
	r.end(o, now)
	s.o.Metrics.moved(tx, r.State, r)
	tx.OnCommit(func() {
		fields := []zap.Field{zap.String("rule", r.Rule), zap.String("run", r.ID), zap.String("key", r.AlarmID), zap.String("order", r.Order), zap.String("outcome", string(o)), zap.String("detail", detail)}
		if o == Succeeded {
			s.o.Log.Info("run ended", fields...)
			return
		}
		s.o.Log.Error("run ended", fields...)
	})
	return nil
}

func (w *work) readResults(ctx context.Context) (all []HostResult, err error) {
	if w.r.Kind == JobKind {
		all, err = w.readSteps(ctx)
	} else {
		all, err = w.readHosts(ctx)
	}
	return bounded(all), err
}

func (w *work) readHosts(ctx context.Context) (all []HostResult, err error) {
	batches, err := w.s.o.COC.OrderBatches(ctx, w.r.Order)
	if err != nil {
		return nil, err
	}
	for _, b := range batches {
		q := coc.HostRunQuery{Order: w.r.Order, Batch: b.Index}
		for len(all) < maxResultsRow {
			page, err := w.s.o.COC.ListHostRuns(ctx, q)
			if err != nil {
				return all, err
			}
			for _, h := range page.Hosts {
				all = append(all, HostResult{hostName(h), string(h.Status), lastLines(h.Output)})
			}
			if page.Next == 0 || page.Next == q.After || len(page.Hosts) == 0 {
				break
			}
			q.After = page.Next
		}
	}
	return all, nil
}

func hostName(h coc.HostRun) string {
	name := plainText(h.Name, 64)
	if name == "" {
		return h.ResourceID
	}
	return name
}

func (w *work) readSteps(ctx context.Context) (all []HostResult, err error) {
	for q := (coc.StepQuery{Execution: w.r.Order}); len(all) < maxResultsRow; {
		page, err := w.s.o.COC.ListExecutionSteps(ctx, q)
		if err != nil {
			return all, err
		}
		for _, step := range page.Steps {
			all = append(all, HostResult{plainText(step.Name, 64), string(step.Status), lastLines(step.Message)})
		}
		if page.Next == 0 || page.Next <= q.Offset {
			break
		}
		q.Offset = page.Next
	}
	return all, nil
}

// bounded keeps the outputs of what failed before those of the rest.
func bounded(all []HostResult) []HostResult {
	all = all[:min(len(all), maxResultsRow)]
	room := maxOutputs
	for _, failed := range []bool{true, false} {
		for i := range all {
			if isFailed(all[i].Status) != failed {
				continue
			}
			if room -= len(all[i].Output); room < 0 {
				all[i].Output = ""
			}
		}
	}
	return all
}

func isFailed(status string) bool {
	return status != string(coc.OrderFinished) && status != string(coc.ExecutionSucceeded)
}

// lastLines keeps the end of an output, as text that can be shown.
func lastLines(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	lines = lines[max(0, len(lines)-outputLines):]
	for i, line := range lines {
		lines[i] = plainText(line, maxOutput)
	}
	text := strings.TrimSpace(strings.Join(lines, "\n"))
	for len(text) > maxOutput {
		text = strings.TrimLeftFunc(text[len(text)-maxOutput:], func(r rune) bool { return r == unicode.ReplacementChar })
	}
	return text
}

func plainText(text string, limit int) string {
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return ' '
	}, text)), " ")
	text, _ = coc.Shorten(text, limit)
	return text
}
