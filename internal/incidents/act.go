package incidents

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/store"
)

// act takes a step of COC's workflow on a ticket that was just read.
func (w *work) act(ctx context.Context, step Step) (string, error) {
	action, to, err := w.action(step)
	if err != nil {
		return "", err
	}
	if err := w.changeIf(ctx, step, func(_ *store.Tx, r *Record) error {
		r.Tried, r.Acted, r.From = action.Key, w.s.Now, w.s.Ticket.Status
		return nil
	}); err != nil {
		return "", err
	}
	requestID, err := w.in.o.COC.HandleIncident(ctx, action)
	switch {
	case refuses(classOf(err)):
		return "", w.tooEarly(ctx, step, err)
	case err != nil && mayHaveActed(err):
		return "", err
	case err != nil:
		return "", errors.Join(err, w.set(ctx, (*Record).notActed))
	}
	return requestID, w.set(ctx, func(r *Record) { w.enter(r, to, step.Why) })
}

// notActed takes back that a step was about to be taken. What fired meanwhile did
// so in a ticket that is not solved.
func (r *Record) notActed() {
	r.Tried, r.Acted = "", time.Time{}
	if !r.ended() {
		r.Again = nil
	}
}

// lapsed: the last step may have left, but the ticket goes on looking as before.
func (r *Record) lapsed(now time.Time) bool {
	return !r.Acted.IsZero() && r.Status == r.From && !now.Before(r.Acted.Add(settling))
}

// action is the call for a step, and the state it leads to.
func (w *work) action(step Step) (a coc.IncidentAction, to State, err error) {
	a = coc.IncidentAction{Num: w.s.Record.Number, Operator: w.rule.operator()}
	switch step.Act {
	case Accept:
		a.Key, to = coc.AcceptIncident, Accepted
	case Solve:
		a.Key, to = coc.CommitSolution, Solved
		a.Solution, err = w.rule.solution(w.view())
	case Unsolve:
		a.Key, to = coc.ConfirmIncident, Accepted
		a.Verdict = &coc.Verdict{OK: false, Comment: w.remarkText(firesAgain)}
	default:
		a.Key, to = coc.ConfirmIncident, Closed
		a.Verdict = &coc.Verdict{OK: true}
		a.Verdict.Comment, err = w.rule.within("confirm.comment", w.view(), coc.MaxVerdictComment, "Confirmed by cocbridge: all alerts have recovered and stayed so")
	}
	return a, to, err
}

func (r *rule) solution(v view) (*coc.Solution, error) {
	const cause, solution = "solve.cause", "solve.solution"
	s := &coc.Solution{Type: r.cfg.Type, ServiceInterrupt: r.cfg.ServiceInterrupt}
	var causeErr, solutionErr error
	s.Cause, causeErr = r.within(cause, v, coc.MaxSolution, "All alerts have recovered")
	s.Solution, solutionErr = r.within(solution, v, coc.MaxSolution, v.Timeline)
	return s, errors.Join(causeErr, solutionErr)
}

// tooEarly: COC refuses a step that the ticket's status allows. It may need
// time, because its workflow lags behind what it answers (coc-api.md 3.4); after
// our patience it is for a person.
func (w *work) tooEarly(ctx context.Context, step Step, refusal error) error {
	since, now := w.s.Record.Early, w.s.Now
	if since.IsZero() || now.Sub(since) < patience {
		return idle(w.set(ctx, func(r *Record) {
			if r.Early.IsZero() {
				r.Early = now
			}
			if !mayHaveActed(refusal) {
				r.notActed()
			}
			r.NotUntil = now.Add(pace)
			r.note(now, "refused", refusal.Error())
		}))
	}
	if err := w.set(ctx, func(r *Record) { r.Early = time.Time{}; r.notActed() }); err != nil {
		return err
	}
	return &Refused{Code: "refused_" + string(step.Act), Text: fmt.Sprintf(
		"rule %q: COC has refused for %s to %s incident %s for user %s: %v; do it in the console of COC, or correct incident.accept.operator and incident.creator",
		w.rule.name, patience, step.Act, w.s.Record.Number, w.rule.operator(), refusal)}
}

// remark adds a note to the ticket. One that COC does not take is not worth a
// dead letter: nobody is paged by a remark. One that may stand there is not written
// again.
func (w *work) remark(ctx context.Context, step Step) (requestID string, err error) {
	outcome := "remark"
	if w.s.Record.Remarks < maxRemarks {
		requestID, err = w.in.o.COC.RemarkIncident(ctx, w.s.Record.Number, w.remarkText(step.Topic))
	} else {
		err, outcome = ErrIdle, "remark left out: there are enough"
	}
	switch {
	case refuses(classOf(err)):
		w.in.o.Log.Warn("remark refused", zap.String("rule", w.rule.name), zap.String("number", w.s.Record.Number), zap.Error(err))
		outcome, err = "remark refused: "+err.Error(), ErrIdle
	case err != nil && !errors.Is(err, ErrIdle) && mayHaveActed(err):
		outcome = "remark, perhaps: " + err.Error()
	case err != nil && !errors.Is(err, ErrIdle):
		return requestID, err
	}
	noted := w.set(ctx, func(r *Record) {
		r.note(w.s.Now, outcome, step.Why)
		w.remarked(r, step.Topic)
	})
	return requestID, errors.Join(noted, err)
}

// remarked keeps a topic from being remarked twice.
func (w *work) remarked(r *Record, about topic) {
	r.tell(about, w.s.Now)
	r.Remarks++
	switch about {
	case levelRaised:
		r.Level = w.s.Crowd.Level
	case firesAgain:
		r.Again = nil
	}
}

// tell notes that a topic needs no remark any more.
func (r *Record) tell(about topic, now time.Time) {
	if r.Told == nil {
		r.Told = map[topic]time.Time{}
	}
	r.Told[about] = now
}

// remarkText is for people who look at the ticket at night.
func (w *work) remarkText(about topic) string {
	c := w.s.Crowd
	texts := map[topic]string{
		levelRaised: fmt.Sprintf("cocbridge: the alerts now ask for %s (%d firing)", c.Level, c.Firing),
		firesAgain:  fmt.Sprintf("cocbridge: fires again since %s (%d firing)", clockTime(c.FiringSince), c.Firing),
		stillFiring: fmt.Sprintf("cocbridge: this ticket was closed, but %d of its alerts still fire", c.Firing),
		recovered:   fmt.Sprintf("cocbridge: all %d alerts have recovered, the last at %s", c.Members, clockTime(c.Ended)),
	}
	text, _ := coc.Shorten(texts[about], coc.MaxRemark)
	return text
}
