package scripts

import (
	"context"
	"fmt"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/render"
)

// Verify checks, before anything has to run, that the script or job of each rule
// is in COC as the rule means it, and so are its fixed hosts or its fence. It only
// reads. visit gets the name of each rule that runs something, with nil or what is
// wrong. The rules must be valid. What depends on the alert, such as the host that
// a label names, is checked at each run.
func Verify(ctx context.Context, o Options, visit func(rule string, problem error)) error {
	set, err := render.New(o.Templates...)
	if err != nil {
		return err
	}
	s := &Scripts{o: o, hosts: newInventory(o.COC, time.Now)}
	for _, from := range o.Rules {
		r, err := compile(set, from)
		if err != nil {
			return fmt.Errorf("rule %q: %w", from.Name, err)
		}
		if r != nil {
			visit(from.Name, s.verify(ctx, r))
		}
	}
	return nil
}

func (s *Scripts) verify(ctx context.Context, r *rule) error {
	if err := s.canLook(ctx, r); err != nil {
		return err
	}
	q := r.bare()
	for _, p := range r.params {
		q.Params = append(q.Params, Value{Name: p.name})
	}
	if err := s.check(ctx, r, q); err != nil || r.script == nil {
		return err
	}
	if l := r.script.Targets.Lookup; l != nil {
		return s.hosts.checkFence(ctx, l.Within)
	}
	_, err := s.targets(ctx, r, &alert.Alert{})
	return err
}

// canLook: credentials that may run but not list would leave a run whose answer was
// lost in doubt for ever.
func (s *Scripts) canLook(ctx context.Context, r *rule) (err error) {
	if r.job != nil {
		_, err = s.o.COC.ListExecutions(ctx, coc.ExecutionQuery{Limit: 1})
	} else {
		_, err = s.o.COC.ListOrders(ctx, coc.OrderQuery{Limit: 1})
	}
	if err != nil {
		return fmt.Errorf("what became of a call whose answer is lost could not be looked up: %w", err)
	}
	return nil
}
