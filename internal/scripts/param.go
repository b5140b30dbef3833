package scripts

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/render"
)

// maxDescription leaves room for the mark in an execution's description.
const maxDescription = 200

// param is one parameter ready for use.
type param struct {
	name  string
	value *render.Template
	allow *regexp.Regexp
}

func compileParams(set *render.Set, from map[string]Param) (all []param, err error) {
	for _, name := range slices.Sorted(maps.Keys(from)) {
		p := param{name: name}
		if p.value, err = set.Compile("template", from[name].Value); err != nil {
			return nil, fmt.Errorf("parameters.%s.value: %w", name, err)
		}
		if p.allow, err = compileAllow(from[name].Allow); err != nil {
			return nil, fmt.Errorf("parameters.%s.allow: %w", name, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// render returns the final value, or why there is none. What the template yields
// is data: it is neither parsed again nor mended.
func (p param) render(a *alert.Alert) (string, error) {
	view := render.NewAlert(a)
	view.Annotations = nil // free text has no way to a host
	text, err := p.value.Execute(view)
	switch {
	case err != nil:
		return "", fmt.Errorf("parameter %s: %w", p.name, err)
	case !coc.ParamAllowed(text):
		return "", fmt.Errorf("parameter %s: %.80q is not what COC takes: 1 to 1024 of letters, digits, blanks and _-/.*?:\",=+@\\[]{}, without two dots in a row", p.name, text)
	case !p.allow.MatchString(text):
		return "", fmt.Errorf("parameter %s: %.80q does not match allow", p.name, text)
	default:
		return text, nil
	}
}

// values renders all parameters; one that fails fails all.
func (r *rule) values(a *alert.Alert) ([]Value, error) {
	var all []Value
	for _, p := range r.params {
		text, err := p.render(a)
		if err != nil {
			return nil, &refusal{codeParameter, fmt.Sprintf("rule %q: %v; nothing runs", r.name, err)}
		}
		all = append(all, Value{p.name, text})
	}
	return all, nil
}
