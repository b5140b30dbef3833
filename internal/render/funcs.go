package render

import (
	"fmt"
	"reflect"
	"regexp"
	"regexp/syntax"
	"sync"
	"text/template"

	am "github.com/prometheus/alertmanager/template"
)

// builtins are text/template's own functions, for the parser. call is left out:
// no value here is a function.
var builtins = map[string]any{
	"and": true, "html": true, "index": true, "slice": true, "js": true, "len": true, "not": true, "or": true,
	"print": true, "printf": true, "println": true, "urlquery": true,
	"eq": true, "ge": true, "gt": true, "le": true, "lt": true, "ne": true,
}

// funcs are Alertmanager's functions, with the regular expressions compiled
// when a template is, and the functions that guard puts in.
type funcs struct {
	all      template.FuncMap
	patterns *sync.Map // string -> *regexp.Regexp: every pattern that passed the lint
}

func newFuncs() funcs {
	f := funcs{all: template.FuncMap{}, patterns: new(sync.Map)}
	for name, fn := range am.DefaultFuncs {
		f.all[name] = fn
	}
	f.all["match"] = f.match
	f.all["reReplaceAll"] = f.reReplaceAll
	f.all[boundFunc] = bounded
	f.all[iterateFunc] = iterable
	return f
}

// add compiles a pattern for match and reReplaceAll.
func (f funcs) add(pattern string) error {
	if err := CheckPattern(pattern); err != nil {
		return err
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	f.patterns.Store(pattern, re)
	return nil
}

func (f funcs) pattern(text string) (*regexp.Regexp, error) {
	re, ok := f.patterns.Load(text)
	if !ok {
		return nil, fmt.Errorf("the pattern is not a text in quotes")
	}
	return re.(*regexp.Regexp), nil
}

func (f funcs) match(pattern, text string) (bool, error) {
	re, err := f.pattern(pattern)
	return err == nil && re.MatchString(text), err
}

// reReplaceAll is regexp.ReplaceAllString with bounded output.
func (f funcs) reReplaceAll(pattern, repl, text string) (string, error) {
	re, err := f.pattern(pattern)
	if err != nil {
		return "", err
	}
	var out []byte
	end := 0
	for _, m := range re.FindAllStringSubmatchIndex(text, -1) {
		out = append(out, text[end:m[0]]...)
		out = re.ExpandString(out, repl, text, m)
		end = m[1]
		if len(out) > MaxOutput {
			return "", errTooLong
		}
	}
	return string(append(out, text[end:]...)), nil
}

// maxProgram bounds the instructions of a regular expression. Matching takes
// time in proportion to them and to the text, which strangers send.
const maxProgram = 2000

// CheckPattern says whether a regular expression is valid and small enough to
// be matched against texts that strangers send.
func CheckPattern(pattern string) error {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return err
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return err
	}
	if len(prog.Inst) > maxProgram {
		return fmt.Errorf("the regular expression is too large (%d instructions, at most %d); shorten it or split it up", len(prog.Inst), maxProgram)
	}
	return nil
}

const (
	boundFunc   = "bounded"  // ends every pipeline that calls a function
	iterateFunc = "iterable" // ends every pipeline of a range

	maxValue = 1 << 20 // bytes of texts within one list or map that a template builds
	maxItems = 1000    // of a range
)

// bounded passes a value on unless it is a text over MaxOutput or holds texts
// over maxValue. Without it a variable could double with every label.
func bounded(v any) (any, error) {
	rv, budget := reflect.ValueOf(v), maxValue
	if rv.Kind() == reflect.String {
		budget = MaxOutput + 8
	}
	if weigh(rv, budget) < 0 {
		return nil, errTooLong
	}
	return v, nil
}

// weigh takes the size of v from the budget and returns what is left, negative
// as soon as it does not suffice. Pointers are not followed: they lead to the alert.
func weigh(v reflect.Value, budget int) int {
	budget -= 8
	switch v.Kind() {
	case reflect.String:
		budget -= v.Len()
	case reflect.Interface:
		return weigh(v.Elem(), budget)
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && budget >= 0; i++ {
			budget = weigh(v.Index(i), budget)
		}
	case reflect.Map:
		for it := v.MapRange(); budget >= 0 && it.Next(); {
			budget = weigh(it.Value(), weigh(it.Key(), budget))
		}
	case reflect.Struct:
		for i := 0; i < v.NumField() && budget >= 0; i++ {
			budget = weigh(v.Field(i), budget)
		}
	}
	return budget
}

// iterable passes on what a range may go over: lists and maps of moderate length.
func iterable(v any) (any, error) {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Invalid:
		return v, nil
	case reflect.Slice, reflect.Array, reflect.Map:
		if rv.Len() <= maxItems {
			return v, nil
		}
		return nil, fmt.Errorf("range over %d items, at most %d", rv.Len(), maxItems)
	default:
		return nil, fmt.Errorf("range over a %s; only lists and maps can be ranged over", rv.Kind())
	}
}
