package render

import (
	"strings"
	"text/template/parse"
)

// Texts is data that can name its texts itself. Most templates only pick one of
// them, and text/template takes thirty times as long to find it by reflection.
type Texts interface {
	// Text returns what text/template would print for the field, such as
	// Labels, severity; false when it is not known to be a text.
	Text(field []string) (string, bool)
}

// plain is a template that only strings texts together. Each part is the first
// of its choices that is not empty.
type plain [][]choice

// choice is a field, or a text when it has no name.
type choice struct {
	field []string
	text  string
}

// plainOf returns nil for a template that does more.
func plainOf(tree *parse.Tree) plain {
	var p plain
	for _, n := range tree.Root.Nodes {
		part := partOf(n)
		if part == nil {
			return nil
		}
		p = append(p, part)
	}
	return p
}

func partOf(n parse.Node) []choice {
	switch n := n.(type) {
	case *parse.TextNode:
		return []choice{{text: string(n.Text)}}
	case *parse.ActionNode:
		return choicesOf(n.Pipe)
	}
	return nil
}

// choicesOf knows {{ .Field }} and {{ or .Field .Field "text" }}; the latter ends
// in what guard has appended, which changes no text that is short enough.
func choicesOf(p *parse.PipeNode) []choice {
	if len(p.Decl) > 0 {
		return nil
	}
	args := p.Cmds[0].Args
	if len(p.Cmds) == 1 && len(args) == 1 {
		return fieldsOf(args)
	}
	if name, ok := args[0].(*parse.IdentifierNode); ok && name.Ident == "or" && len(p.Cmds) == 2 && isBound(p.Cmds[1]) {
		return fieldsOf(args[1:])
	}
	return nil
}

func isBound(c *parse.CommandNode) bool {
	name, ok := c.Args[0].(*parse.IdentifierNode)
	return ok && name.Ident == boundFunc
}

func fieldsOf(args []parse.Node) []choice {
	var all []choice
	for _, arg := range args {
		switch arg := arg.(type) {
		case *parse.FieldNode:
			all = append(all, choice{field: arg.Ident})
		case *parse.StringNode:
			all = append(all, choice{text: arg.Text})
		default:
			return nil
		}
	}
	return all
}

// execute returns false when text/template has to do it.
func (p plain) execute(data Texts) (string, bool) {
	if len(p) == 1 {
		text, ok := choose(p[0], data)
		return text, ok && len(text) <= MaxOutput
	}
	var b strings.Builder
	for _, part := range p {
		text, ok := choose(part, data)
		if !ok || b.Len()+len(text) > MaxOutput {
			return "", false
		}
		b.WriteString(text)
	}
	return b.String(), true
}

func choose(choices []choice, data Texts) (string, bool) {
	for _, c := range choices {
		text, ok := c.text, true
		if c.field != nil {
			text, ok = data.Text(c.field)
		}
		if !ok || text != "" {
			return text, ok
		}
	}
	return "", true
}
