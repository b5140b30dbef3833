package receivers

import (
	"fmt"
	"sync"

	"github.com/itchyny/gojq"
)

// Steps and time are looked at between the steps of an expression. What may take
// long, or much memory, within one step is guarded by the size of its operands.
const (
	maxRepeat  = 64 << 10   // bytes of a text multiplied by a number
	maxPairs   = 10_000_000 // of values, where each of one side is compared with each of the other
	maxMatched = 16 << 10   // bytes of a text in which all matches of a regular expression are looked for
)

// guardOf names the guards of jq's operators, and of functions with one argument.
var guardOf = map[string]string{
	"*": "guarded_times", "-": "guarded_minus", "contains": "guarded_contains", "inside": "guarded_inside",
	"index": "guarded_index", "rindex": "guarded_rindex", "indices": "guarded_indices",
}

const guardedText = "guarded_text"

// guards are the functions that stand in place of those that they guard.
var guards = sync.OnceValue(func() []gojq.CompilerOption {
	with := func(name, source string, problem func(a, b any) error) gojq.CompilerOption {
		code := mustCompile(source)
		return gojq.WithFunction(guardOf[name], 2, 2, func(_ any, args []any) any {
			if err := problem(args[0], args[1]); err != nil {
				return err
			}
			result, _ := code.Run(nil, args...).Next()
			return result
		})
	}
	return []gojq.CompilerOption{
		with("*", "$a * $b", repeatProblem),
		with("-", "$a - $b", pairsProblem),
		with("contains", "$a | contains($b)", pairsProblem), with("inside", "$a | inside($b)", pairsProblem),
		with("index", "$a | index($b)", searchProblem), with("rindex", "$a | rindex($b)", searchProblem),
		with("indices", "$a | indices($b)", searchProblem),
		gojq.WithFunction(guardedText, 0, 0, matchedText),
	}
})

// mustCompile panics, because the source is part of the program.
func mustCompile(source string) *gojq.Code {
	query, err := gojq.Parse(source)
	if err != nil {
		panic(err)
	}
	code, err := gojq.Compile(query, gojq.WithVariables([]string{"$a", "$b"}))
	if err != nil {
		panic(err)
	}
	return code
}

func guarded(name string, args int) bool {
	return args == 1 && guardOf[name] != "" || matchesAll(name, args)
}

// matchesAll says whether a function may look for all matches in a text, which
// takes the square of its length.
func matchesAll(name string, args int) bool {
	switch name {
	case "match", "capture", "scan", "splits", "gsub":
		return args > 0
	case "split":
		return args == 2
	case "sub":
		return args == 3
	}
	return false
}

// guardFunc puts a guard in place of a function, or before the regular expression
// that is its first argument: that is evaluated over the text.
func guardFunc(f *gojq.Func) {
	switch guard := guardOf[f.Name]; {
	case guard != "" && len(f.Args) == 1:
		f.Name, f.Args = guard, []*gojq.Query{{Term: &gojq.Term{Type: gojq.TermTypeIdentity}}, f.Args[0]}
	case matchesAll(f.Name, len(f.Args)):
		f.Args[0] = &gojq.Query{Left: &gojq.Query{Term: call(guardedText)}, Op: gojq.OpPipe, Right: f.Args[0]}
	}
}

func call(name string, args ...*gojq.Query) *gojq.Term {
	return &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}}
}

// repeatProblem: the operator * repeats a text as often as a number says; either
// may be the sender's.
func repeatProblem(a, b any) error {
	for _, pair := range [][2]any{{a, b}, {b, a}} {
		text, isText := pair[0].(string)
		if n, isNumber := gojq.ToFloat64(pair[1]); isText && isNumber && float64(len(text))*n > maxRepeat {
			return fmt.Errorf("a text of %d bytes times %v is too long", len(text), n)
		}
	}
	return nil
}

func pairsProblem(a, b any) error { return tooMany(weight(a), weight(b)) }

// searchProblem: a text is searched rune by rune.
func searchProblem(a, b any) error {
	text, isText := a.(string)
	if part, ok := b.(string); ok && isText {
		return tooMany(len(text), len(part))
	}
	return pairsProblem(a, b)
}

func tooMany(a, b int) error {
	if a*b > maxPairs {
		return fmt.Errorf("values of %d and %d parts are too long to compare each with each", a, b)
	}
	return nil
}

// weight is about how many values, or pieces of texts, are compared one by one.
func weight(v any) int {
	n := 1
	switch v := v.(type) {
	case string:
		n += len(v) / 64
	case []any:
		for _, item := range v {
			n += weight(item)
		}
	case map[string]any:
		for _, item := range v {
			n += weight(item)
		}
	}
	return n
}

func matchedText(v any, _ []any) any {
	if text, ok := v.(string); ok && len(text) > maxMatched {
		return fmt.Errorf("a text of %d bytes is too long to look for all matches; take its beginning, as with .[:4000]", len(text))
	}
	return v
}
