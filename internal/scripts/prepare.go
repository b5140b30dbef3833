package scripts

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/store"
)

// braked stops a change because a brake holds.
type braked struct{ judgement }

func (b *braked) Error() string { return b.text }
func (b *braked) keep()         {}

// prepare fixes what COC would be asked, checks all that can be checked before
// the call, and arms the run. more: it is armed.
func (w *work) prepare(ctx context.Context) (more bool, err error) {
	if j, err := w.judge(); err != nil || j.wait {
		return false, err
	} else if j.reason != "" {
		return false, w.held(ctx, j)
	}
	rule := w.s.newest().byName[w.r.Rule]
	if rule == nil || rule.hash != w.r.RuleHash { // changed since judge, in this moment
		return true, nil
	}
	q, err := w.ask(ctx, rule)
	var problem *refusal
	switch {
	case errors.As(err, &problem):
		return false, w.refused(ctx, problem.code, problem.text)
	case err != nil:
		return false, err
	}
	w.answered = true
	if rule.limits.DryRun {
		w.s.o.Log.Info("dry run, would run", append(q.fields(), zap.String("rule", rule.name), zap.String("run", w.r.ID), zap.String("key", w.r.AlarmID))...)
		return false, w.held(ctx, judgement{reason: reasonDryRun, text: "would run " + q.String()})
	}
	err = w.moved(ctx, arm, q.String(), func(tx *store.Tx, r *Run) error {
		r.Request = q
		at, err := w.s.situation(tx, r)
		if err != nil {
			return err
		}
		if j := judge(at); j.wait || j.reason != "" {
			return &braked{j}
		}
		return nil
	})
	w.checked = err == nil
	return w.unlessBraked(ctx, err)
}

// unlessBraked ends the run where a brake has stopped a change; one that only
// waits is left as it is.
func (w *work) unlessBraked(ctx context.Context, err error) (more bool, _ error) {
	var b *braked
	switch {
	case err == nil:
		return true, nil
	case !errors.As(err, &b):
		return false, err
	case b.wait:
		return false, nil
	default:
		return false, w.held(ctx, b.judgement)
	}
}

func (w *work) judge() (j judgement, err error) {
	err = w.s.o.Store.View(func(tx *store.Tx) error {
		at, err := w.s.situation(tx, w.r)
		j = judge(at)
		return err
	})
	if err != nil {
		return j, w.s.storeError(w.r.ID, err)
	}
	return j, nil
}

// ask makes the whole request, or says why there is none.
func (w *work) ask(ctx context.Context, rule *rule) (q Request, err error) {
	if q, err = rule.request(&w.r.Alert); err != nil {
		return q, err
	}
	if err := w.s.check(ctx, rule, q); err != nil {
		return q, err
	}
	q.Hosts, err = w.s.targets(ctx, rule, &w.r.Alert)
	return q, err
}

// check asks COC whether the script or job is the one that the rule means.
func (s *Scripts) check(ctx context.Context, rule *rule, q Request) error {
	if rule.job != nil {
		return s.checkDocument(ctx, rule, q)
	}
	script, err := s.o.COC.GetScript(ctx, q.What)
	bad := func(format string, args ...any) error {
		return &refusal{codeScript, fmt.Sprintf("rule %q: script %s ", rule.name, q.What) + fmt.Sprintf(format, args...) + "; nothing runs"}
	}
	switch {
	case classOf(err) == coc.NotFound:
		return bad("does not exist in COC")
	case err != nil:
		return err
	case script.UUID != q.What:
		return bad("was asked for, but COC answered with %.64q", script.UUID)
	case script.Status != coc.ScriptApproved:
		return bad("is %.32q in COC, not %s", script.Status, coc.ScriptApproved)
	case rule.pin != "" && !strings.EqualFold(rule.pin, script.ContentSHA256()):
		return bad("has content with the sha256 %s, not the pinned %s: somebody has edited it; look at it, then pin the new one", script.ContentSHA256(), rule.pin)
	}
	declared := map[string]bool{}
	for _, p := range script.Params {
		declared[p.Name] = true
	}
	for _, p := range q.Params {
		if !declared[p.Name] {
			return bad("declares no parameter %s", p.Name)
		}
	}
	return nil
}

func (s *Scripts) checkDocument(ctx context.Context, rule *rule, q Request) error {
	document, err := s.o.COC.GetDocument(ctx, coc.DocumentRef{ID: q.What, Version: q.Version, Type: q.Type})
	bad := func(format string, args ...any) error {
		return &refusal{codeScript, fmt.Sprintf("rule %q: job %s ", rule.name, q.What) + fmt.Sprintf(format, args...) + "; nothing runs"}
	}
	switch {
	case classOf(err) == coc.NotFound:
		return bad("does not exist in COC, or not in this version")
	case err != nil:
		return err
	case document.ID != "" && document.ID != q.What:
		return bad("was asked for, but COC answered with %.64q", document.ID)
	case rule.pin != "" && !strings.EqualFold(rule.pin, document.ContentSHA256()):
		return bad("has content with the sha256 %s, not the pinned %s: somebody has edited it; look at it, then pin the new one", document.ContentSHA256(), rule.pin)
	default:
		return nil
	}
}

// String says what would run, and where.
func (q Request) String() string {
	text := q.What
	for _, p := range q.Params {
		text += fmt.Sprintf(" %s=%q", p.Name, p.Value)
	}
	var hosts []string
	for _, h := range q.Hosts {
		hosts = append(hosts, strings.TrimSpace(h.ResourceID+" "+h.Name))
	}
	if len(hosts) > 0 {
		text += fmt.Sprintf(" as %s on %s", q.User, strings.Join(hosts, ", "))
	}
	return text
}

func (q Request) fields() []zap.Field {
	params := map[string]string{}
	for _, p := range q.Params {
		params[p.Name] = p.Value
	}
	return []zap.Field{zap.String("what", q.What), zap.Any("parameters", params), zap.Strings("hosts", q.targets()), zap.String("user", q.User)}
}
