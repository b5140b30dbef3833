package receivers

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// What one request may cost. The expressions are the operator's, so the bounds
// are for mistakes, and for bodies that make much of a reasonable expression.
const (
	maxSteps        = 5_000_000 // instructions of all expressions over one request
	maxListSteps    = 500_000   // of alerts, or notice, over one value of the body
	maxElementSteps = 100_000   // of another expression, over one element
	maxWork         = 5 * time.Second
)

var (
	errSteps = errors.New("it takes too many steps; does it end at all?")
	errWork  = errors.New("the expressions of one request take too long")
)

// expression is one jq program. It may run in many requests at once.
type expression struct {
	key, source string
	code        *gojq.Code // nil: it is empty and yields nothing
}

// compile returns the program, or an error that wraps what is wrong with it.
func compile(key, source string) (expression, error) {
	e := expression{key: key, source: source}
	if strings.TrimSpace(source) == "" {
		return e, nil
	}
	query, err := gojq.Parse(source)
	if err == nil {
		err = restrict(query)
	}
	if err == nil {
		e.code, err = gojq.Compile(query, guards()...)
	}
	if err != nil {
		return e, fmt.Errorf("%s: %w", key, explainQuery(source, err))
	}
	return e, nil
}

func explainQuery(source string, err error) error {
	var syntax *gojq.ParseError
	if errors.As(err, &syntax) {
		return fmt.Errorf("not a jq expression: %w at character %d of %#q", err, syntax.Offset, cut(source, 200))
	}
	return fmt.Errorf("%w; the expression is %#q", err, cut(source, 200))
}

// forbidden are functions that reach outside the value at hand, or stop the
// program. The input functions are unknown to gojq as we compile it.
var forbidden = map[string]string{
	"env": "the environment is not for expressions", "$ENV": "the environment is not for expressions",
	"halt": "use empty or error instead", "halt_error": "use empty or error instead",
	"modulemeta": "there are no modules", "input": "the body is the only input", "inputs": "the body is the only input",
	"now": "leave the time out and it is the arrival", "localtime": "it depends on this machine", "strflocaltime": "it depends on this machine",
	"setpath": "a path of the sender's could make a list of any length", "pick": "a path of the sender's could make a list of any length",
	"fromstream": "a path of the sender's could make a list of any length",
	"transpose":  "two long lists of the sender's, crosswise, could take all memory",
}

// restrict refuses what an expression must not do, and puts guards into it where
// one step could otherwise take very long or build a text or a list of any length.
func restrict(query *gojq.Query) error {
	if query.Meta != nil || len(query.Imports) > 0 {
		return errors.New("modules cannot be loaded")
	}
	return walk(reflect.ValueOf(query), func(node any) error {
		switch n := node.(type) {
		case *gojq.FuncDef:
			if guarded(n.Name, len(n.Args)) {
				return fmt.Errorf("the function %s is jq's own; give yours another name", n.Name)
			}
		case *gojq.Func:
			if why := forbidden[n.Name]; why != "" {
				return fmt.Errorf("the function %s cannot be used: %s", n.Name, why)
			}
			guardFunc(n)
		case *gojq.Query:
			return restrictOperator(n)
		}
		return nil
	})
}

func restrictOperator(q *gojq.Query) error {
	switch q.Op {
	case gojq.OpMul, gojq.OpSub:
		*q = gojq.Query{Term: call(guardOf[q.Op.String()], q.Left, q.Right), FuncDefs: q.FuncDefs}
	case gojq.OpUpdateMul, gojq.OpUpdateSub:
		return fmt.Errorf("the operator %s cannot be used: write |= with %s on its right", q.Op, q.Op.String()[:1])
	case gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateDiv, gojq.OpUpdateMod, gojq.OpUpdateAlt:
		return walk(reflect.ValueOf(q.Left), func(node any) error {
			if index, ok := node.(*gojq.Index); ok && (index.Start != nil || index.End != nil) {
				return fmt.Errorf("left of %s there are only names: a number of the sender's could make a list of any length", q.Op)
			}
			return nil
		})
	}
	return nil
}

// walk visits every node of a syntax tree, parents first.
func walk(v reflect.Value, visit func(node any) error) error {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		if err := visit(v.Interface()); err != nil {
			return err
		}
		return walk(v.Elem(), visit)
	case reflect.Struct:
		for i := range v.NumField() {
			if err := walk(v.Field(i), visit); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := walk(v.Index(i), visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// work is what the expressions of one request have left.
type work struct {
	steps int
	until time.Time
}

func newWork() *work { return &work{steps: maxSteps, until: time.Now().Add(maxWork)} }

// stepping is a context that ends after so many steps: gojq asks Done before
// each. (A test fails if it ever does not.)
type stepping struct {
	context.Context
	work *work
	left int
	err  error
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (s *stepping) Done() <-chan struct{} {
	s.left--
	s.work.steps--
	switch {
	case s.left < 0 || s.work.steps < 0:
		s.err = errSteps
	case s.work.steps%64 == 0 && time.Now().After(s.work.until):
		s.work.steps, s.err = 0, errWork
	default:
		return nil
	}
	return closed
}

func (s *stepping) Err() error { return s.err }

// each calls yield with every result, until it returns an error. A panic of
// gojq's is an error of the expression.
func (e expression) each(w *work, steps int, v any, yield func(any) error) (err error) {
	if e.code == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panics: %v", p)
		}
	}()
	results := e.code.RunWithContext(&stepping{Context: context.Background(), work: w, left: steps}, v)
	for {
		result, ok := results.Next()
		if !ok {
			return nil
		}
		if failed, ok := result.(error); ok {
			return failed
		}
		if err := yield(result); err != nil {
			return err
		}
	}
}

// one returns the only result; nil is none.
func (e expression) one(w *work, v any) (result any, err error) {
	n := 0
	err = e.each(w, maxElementSteps, v, func(r any) error {
		if n++; n > 1 {
			return errors.New("it yields more than one value")
		}
		result = r
		return nil
	})
	return result, err
}
