package render

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// maxText bounds the text of a template and of a file with defines, in bytes.
const maxText = 1 << 20

// Set holds the defines that templates may use. It is safe for concurrent use.
type Set struct {
	defines map[string]*parse.Tree
	funcs   funcs
	base    *template.Template // has all defines; cloned by Compile
}

// New reads the defines of each file once. Text outside of defines is ignored,
// as Alertmanager does. It is an error when a file cannot be read or parsed, or
// when two files define the same name; all such errors are joined. Defines are
// linted where a template uses them: a file may be shared with Alertmanager
// although some of its defines would be refused here.
func New(files ...string) (*Set, error) {
	s := &Set{defines: map[string]*parse.Tree{}, funcs: newFuncs()}
	s.base = template.New("").Funcs(s.funcs.all)
	var errs []error
	origin := map[string]string{}
	for _, file := range files {
		if err := s.read(file, origin); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Set) read(file string, origin map[string]string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading templates: %w", err)
	}
	trees, err := s.parse(file, string(text))
	if err != nil {
		return err
	}
	delete(trees, file)
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		if first, ok := origin[name]; ok {
			return fmt.Errorf("%s: %q is defined in %s too; rename one of them", file, name, first)
		}
		origin[name], s.defines[name] = file, trees[name]
		if _, err := s.base.AddParseTree(name, trees[name]); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// parse returns the tree of the text under name, and those of its defines.
func (s *Set) parse(name, text string) (map[string]*parse.Tree, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%s: the template is longer than %d bytes; shorten it", name, maxText)
	}
	trees := map[string]*parse.Tree{}
	if _, err := parse.New(name).Parse(text, "", "", trees, s.funcs.all, builtins); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "template: "))
	}
	for _, tree := range trees {
		guard(tree)
	}
	return trees, nil
}

// Compile parses and lints a template. The name is for error messages, which
// give the position in the text as name:line:column and say what to write
// instead. A template is refused when it, or a define it uses, has nested
// ranges or ranges over a number, recurses, uses an unknown define, or passes a
// format or a regular expression that is not a text in quotes.
func (s *Set) Compile(name, text string) (*Template, error) {
	trees, err := s.parse(name, text)
	if err != nil {
		return nil, err
	}
	if len(trees) > 1 {
		return nil, fmt.Errorf("%s: define and block belong into a file that is listed under templates", name)
	}
	tree := trees[name]
	if err := lint(s, tree); err != nil {
		return nil, err
	}
	if text, ok := constant(tree); ok {
		return &Template{text: text}, checkLength(name, text)
	}
	return s.link(tree)
}

// link joins the tree with the defines it may use.
func (s *Set) link(tree *parse.Tree) (*Template, error) {
	root := tree.Name
	for s.defines[root] != nil { // a define must not be replaced by the template
		root += "'"
	}
	t, err := s.base.Clone()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tree.Name, err)
	}
	t, err = t.AddParseTree(root, tree)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tree.Name, err)
	}
	return &Template{plain: plainOf(tree), tmpl: t.Option("missingkey=zero")}, nil
}

// constant returns the text of a template without actions.
func constant(tree *parse.Tree) (string, bool) {
	var b strings.Builder
	for _, n := range tree.Root.Nodes {
		text, ok := n.(*parse.TextNode)
		if !ok {
			return "", false
		}
		b.Write(text.Text)
	}
	return b.String(), true
}
