package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	File string // the file's name, or "environment NAME", or "flag --name"; empty when nothing was given
	Line int    // counted from 1; 0 = no line
	Path string // such as integrations[0].key; empty = the whole
	Text string // what is wrong and what to do
}

// String returns "file:line: path: text" without the parts that are empty.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	return b.String() + p.Text
}

// Error holds every problem of a configuration, at least one, sorted by line.
type Error struct{ Problems []Problem }

// Error returns the number of problems, then each on a line of its own.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the configuration has %d problems:", len(e.Problems))
	if len(e.Problems) == 1 {
		b.Reset()
		b.WriteString("the configuration has 1 problem:")
	}
	for _, p := range e.Problems {
		b.WriteString("\n" + p.String())
	}
	return b.String()
}

// newError sorts the problems and drops repetitions; nil when there is none.
func newError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path))
	})
	return &Error{Problems: slices.Compact(problems)}
}

// join appends a relative path: "a" and "b" give a.b, "a" and "[0]" give a[0].
func join(path, rest string) string {
	if path == "" || rest == "" || strings.HasPrefix(rest, "[") {
		return path + rest
	}
	return path + "." + rest
}

// parent cuts the last step off a path.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}
