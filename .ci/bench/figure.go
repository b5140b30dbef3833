package main

import (
	"fmt"
	"slices"
)

// figure is what was measured of one thing, in every round.
type figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Rounds []float64 `json:"rounds"`
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Bound  *bound    `json:"bound,omitempty"`
}

// bound is what a figure has to reach, and what would be even better.
type bound struct {
	Value float64 `json:"value"`
	Goal  float64 `json:"goal,omitempty"` // 0 = none besides
	Most  bool    `json:"most"`           // it may be so much at most; else at least
}

func (b *bound) met(value, limit float64) bool {
	if b.Most {
		return value <= limit
	}
	return value >= limit
}

func (b *bound) String() string {
	sign := ">="
	if b.Most {
		sign = "<="
	}
	text := fmt.Sprintf("%s %s", sign, number(b.Value))
	if b.Goal != 0 {
		text += fmt.Sprintf(" (goal %s)", number(b.Goal))
	}
	return text
}

// verdict says whether the median reaches its bound.
func (f figure) verdict() string {
	switch b := f.Bound; {
	case b == nil:
		return ""
	case !b.met(f.Median, b.Value):
		return "NOT MET"
	case b.Goal != 0 && b.met(f.Median, b.Goal):
		return "goal met"
	default:
		return "met"
	}
}

// number prints a figure with as many digits as one can trust.
func number(v float64) string {
	switch {
	case v >= 100 || v == float64(int(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// figures are all that was measured, in the order of the first values.
type figures struct {
	all []*figure
}

// add adds a value to a figure. What it has to reach is in bounds.
func (f *figures) add(name, unit string, value float64) {
	at := slices.IndexFunc(f.all, func(x *figure) bool { return x.Name == name })
	if at < 0 {
		at = len(f.all)
		f.all = append(f.all, &figure{Name: name, Unit: unit, Bound: bounds[name]})
	}
	x := f.all[at]
	x.Rounds = append(x.Rounds, value)
	sorted := slices.Sorted(slices.Values(x.Rounds))
	x.Min, x.Median, x.Max = sorted[0], median(sorted), sorted[len(sorted)-1]
}

func median(sorted []float64) float64 {
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// bounds are what the project set out to reach.
var bounds = map[string]*bound{
	"delivered, bridge / relay, 1 alert a request":   {Value: 0.6, Goal: 1},
	"delivered, bridge / relay, 10 alerts a request": {Value: 0.6, Goal: 1},
	"accepted, bridge / decode, 1 alert a request":   {Value: 0.5, Goal: 0.7},
	"accepted, bridge / decode, 10 alerts a request": {Value: 0.5, Goal: 0.7},
	"accept to COC at 1,000/s, bridge, p99":          {Value: 20, Most: true},
	"memory, idle (VmRSS)":                           {Value: 30, Most: true},
	"memory, at full load (VmRSS)":                   {Value: 150, Most: true},
	"POSTs for one change in a group of 500":         {Value: 1, Most: true},
	"deep queue: from kill -9 to ready":              {Value: 5, Most: true},
	"deep queue: memory after the restart (RssAnon)": {Value: 300, Most: true},
	"deep queue: drained, deep / shallow":            {Value: 0.9},
}

// median is that of a figure that was measured.
func (f *figures) median(name string) float64 {
	for _, x := range f.all {
		if x.Name == name {
			return x.Median
		}
	}
	return 0
}
