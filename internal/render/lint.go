package render

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template/parse"
)

// maxNodes bounds the size of a template with all its defines written out.
const maxNodes = 10_000

// linter walks a template as it will be executed: into a define at each place
// that uses it.
type linter struct {
	set   *Set
	nodes int
	open  []string // the defines being walked
}

// place is where a node stands.
type place struct {
	tree *parse.Tree
	loop bool // in the body of a range
}

// lint returns the first thing in the tree that must not be executed.
func lint(s *Set, tree *parse.Tree) error {
	l := &linter{set: s}
	return l.walk(tree.Root, place{tree: tree})
}

func (l *linter) walk(n parse.Node, at place) error {
	if l.nodes++; l.nodes > maxNodes {
		return at.refuse(n, fmt.Sprintf("the template has over %d parts with all its defines written out; shorten it", maxNodes))
	}
	switch n := n.(type) {
	case *parse.RangeNode:
		return l.loop(n, at)
	case *parse.TemplateNode:
		if err := l.define(n, at); err != nil {
			return err
		}
	case *parse.CommandNode:
		if err := l.call(n, at); err != nil {
			return err
		}
	}
	return l.below(n, at)
}

func (l *linter) below(n parse.Node, at place) error {
	for _, child := range children(n) {
		if err := l.walk(child, at); err != nil {
			return err
		}
	}
	return nil
}

func (l *linter) loop(n *parse.RangeNode, at place) error {
	if at.loop {
		return at.refuse(n, "a range within a range takes too long on alerts with many labels; write the inner names out, such as {{ .Labels.instance }}")
	}
	if n.Pipe.Cmds[0].Args[0].Type() == parse.NodeNumber {
		return at.refuse(n, "a range over a number can take for ever; range over .Labels.SortedPairs or a list")
	}
	if err := l.walk(n.Pipe, at); err != nil {
		return err
	}
	body := at
	body.loop = true
	if err := l.walk(n.List, body); err != nil || n.ElseList == nil {
		return err
	}
	return l.walk(n.ElseList, at)
}

func (l *linter) define(n *parse.TemplateNode, at place) error {
	tree := l.set.defines[n.Name]
	switch {
	case tree == nil:
		return at.refuse(n, fmt.Sprintf("there is no define %q; %s", n.Name, l.known()))
	case slices.Contains(l.open, n.Name):
		return at.refuse(n, fmt.Sprintf("define %q uses itself (%s); write it without recursion", n.Name, strings.Join(append(l.open, n.Name), " uses ")))
	}
	l.open = append(l.open, n.Name)
	defer func() { l.open = l.open[:len(l.open)-1] }()
	return l.walk(tree.Root, place{tree: tree, loop: at.loop})
}

func (l *linter) known() string {
	names := slices.Sorted(maps.Keys(l.set.defines))
	if len(names) == 0 {
		return "list the file that has it under mapping.templates"
	}
	return "known are " + strings.Join(names[:min(len(names), 20)], ", ")
}

// wide finds a width or precision that is taken from an argument or over 999.
var wide = regexp.MustCompile(`%[^a-zA-Z%]*(\*|[0-9]{4})`)

// call checks the arguments that a function would parse: they must stand in
// the template, because what an alert sends is data.
func (l *linter) call(n *parse.CommandNode, at place) error {
	id, ok := n.Args[0].(*parse.IdentifierNode)
	if !ok {
		return nil
	}
	switch id.Ident {
	case "routeLabels":
		return at.refuse(n, "routeLabels is known to Alertmanager only; use .Labels or .GroupLabels")
	case "printf":
		format, ok := quoted(n, 1)
		if !ok {
			return at.refuse(n, `the format of printf must be a text in quotes, because alerts are data; write printf "%s" and the value`)
		}
		if wide.MatchString(format) {
			return at.refuse(n, "a width in the format of printf is over 999; take a smaller one")
		}
	case "match", "reReplaceAll":
		return l.pattern(id.Ident, n, at)
	}
	return nil
}

func (l *linter) pattern(function string, n *parse.CommandNode, at place) error {
	pattern, ok := quoted(n, 1)
	if !ok {
		return at.refuse(n, "the pattern of "+function+` must be a text in quotes, because alerts are data; write `+function+` "pattern" and so on`)
	}
	if _, ok := quoted(n, 2); !ok && function == "reReplaceAll" {
		return at.refuse(n, `the replacement of reReplaceAll must be a text in quotes, because alerts are data; write reReplaceAll "pattern" "replacement" and the text`)
	}
	if err := l.set.funcs.add(pattern); err != nil {
		return at.refuse(n, err.Error())
	}
	return nil
}

// quoted returns the i-th argument if it is a text in quotes.
func quoted(n *parse.CommandNode, i int) (string, bool) {
	if len(n.Args) <= i {
		return "", false
	}
	s, ok := n.Args[i].(*parse.StringNode)
	if !ok {
		return "", false
	}
	return s.Text, true
}

func (at place) refuse(n parse.Node, problem string) error {
	position, _ := at.tree.ErrorContext(n)
	return fmt.Errorf("%s: %s", position, problem)
}
