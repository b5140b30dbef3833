package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	maxFile = 1 << 20 // bytes of the configuration file
	// maxAliased bounds how many values aliases may stand for in total. Without
	// it ten short lines can stand for a billion values.
	maxAliased = 10_000
)

// parse returns the root value of the file, with every alias replaced by what
// it stands for, so that nobody further on meets one; nil for an empty file.
func parse(data []byte) (*yaml.Node, *Problem) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, syntaxProblem(data, err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, &Problem{Line: second.Line, Text: "a second YAML document begins here; keep everything in one"}
	case !errors.Is(err, io.EOF):
		return nil, syntaxProblem(data, err)
	}
	a := aliases{open: map[*yaml.Node]bool{}}
	root := document.Content[0]
	if problem := a.replace(root, false); problem != nil {
		return nil, problem
	}
	return root, nil
}

var (
	yamlLine      = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)
	unknownAnchor = regexp.MustCompile(`^yaml: unknown anchor '(.*)' referenced$`)
)

// syntaxProblem words an error of the YAML parser. It repeats no text of the
// file, because an unquoted password that begins with * looks like an alias.
func syntaxProblem(data []byte, err error) *Problem {
	text, line := err.Error(), 0
	if m := unknownAnchor.FindStringSubmatch(text); m != nil {
		before, _, _ := strings.Cut(string(data), "*"+m[1])
		line = 1 + strings.Count(before, "\n")
		return &Problem{Line: line, Text: "this alias has no anchor; a value that begins with * needs quotes"}
	}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	if strings.Contains(text, "cannot start any token") {
		return &Problem{Line: line, Text: "not valid YAML: tabs do not indent, and a value that begins with @ or ` needs quotes"}
	}
	return &Problem{Line: line, Text: fmt.Sprintf("not valid YAML: %s; look at the quotes and the indentation here and above", strings.TrimPrefix(text, "yaml: "))}
}

// aliases replaces aliases in a tree of nodes.
type aliases struct {
	open  map[*yaml.Node]bool // the nodes above the present one
	count int                 // values that aliases stand for so far
}

func (a *aliases) replace(n *yaml.Node, aliased bool) *Problem {
	if aliased {
		a.count++
	}
	if a.count > maxAliased {
		return &Problem{Line: n.Line, Text: fmt.Sprintf("aliases stand for more than %d values; write the values out", maxAliased)}
	}
	a.open[n] = true
	defer delete(a.open, n)
	for i, child := range n.Content {
		below := aliased
		if child.Kind == yaml.AliasNode {
			below = true
			if a.open[child.Alias] {
				return &Problem{Line: child.Line, Text: "this alias stands for a value that contains it; write the value out"}
			}
			child = child.Alias
			n.Content[i] = child
		}
		if problem := a.replace(child, below); problem != nil {
			return problem
		}
	}
	return nil
}
