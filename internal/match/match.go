// Package match says which alerts a route or a rule is for: matchers in
// Alertmanager's syntax over an alert's labels.
//
// The label receiver is virtual: it is always the configured receiver's name,
// whatever the payload says. A label that is missing is empty.
package match

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/render"
)

const receiverLabel = "receiver"

// Matchers match an alert when each of them does; none match every alert.
type Matchers labels.Matchers

// Parse reads one text, which may hold several matchers, as Alertmanager does:
// in the UTF-8 syntax, and in the classic one where that is what the text is
// written for.
func Parse(text string) (Matchers, error) {
	ms, err := parse.Matchers(text)
	classic, classicErr := labels.ParseMatchers(text)
	if classicErr == nil && (err != nil || !equal(ms, classic)) {
		ms, err = classic, nil
	}
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "failed to create matcher: "))
	}
	if len(ms) == 0 {
		return nil, errors.New("it is empty")
	}
	for _, m := range ms {
		if m.Type != labels.MatchRegexp && m.Type != labels.MatchNotRegexp {
			continue
		}
		if err := render.CheckPattern(m.Value); err != nil {
			return nil, fmt.Errorf("label %s: %w", m.Name, err)
		}
	}
	return Matchers(ms), nil
}

// ParseAll joins the matchers of all texts.
func ParseAll(texts []string) (Matchers, error) {
	var all Matchers
	for _, text := range texts {
		ms, err := Parse(text)
		if err != nil {
			return nil, err
		}
		all = append(all, ms...)
	}
	return all, nil
}

// Validate reports each text that is no matcher, by its index.
func Validate(texts []string, report func(path, problem string)) {
	for i, text := range texts {
		if _, err := Parse(text); err != nil {
			report(fmt.Sprintf("[%d]", i), fmt.Sprintf("%q is not a matcher: %s; write it like severity=\"critical\" or severity=~\"warning|critical\"", text, err))
		}
	}
}

func equal(a, b []*labels.Matcher) bool {
	return slices.EqualFunc(a, b, func(a, b *labels.Matcher) bool {
		return a.Name == b.Name && a.Type == b.Type && a.Value == b.Value
	})
}

// Match says whether all matchers match the alert.
func (ms Matchers) Match(a *alert.Alert) bool {
	for _, m := range ms {
		value := a.Labels[m.Name]
		if m.Name == receiverLabel {
			value = a.Receiver
		}
		if !m.Matches(value) {
			return false
		}
	}
	return true
}
