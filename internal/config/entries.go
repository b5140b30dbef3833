package config

import "go.yaml.in/yaml/v3"

// entry is a key of a mapping with its value.
type entry struct {
	name       string
	key, value *yaml.Node
}

// entries lists what a mapping holds: its own entries, then those of the
// mappings it merges with << and does not set itself.
func (d *decoder) entries(n *yaml.Node, path string) []entry {
	var list []entry
	var merged []*yaml.Node
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			d.problem(key, path, "a key must be a single word")
		case key.ShortTag() == "!!merge":
			merged = append(merged, value)
		case lines[key.Value] > 0:
			d.problem(key, path, "key %q is given twice, first in line %d", key.Value, lines[key.Value])
		default:
			lines[key.Value] = key.Line
			list = append(list, entry{key.Value, key, value})
		}
	}
	for _, m := range merged {
		for _, e := range d.merged(m, path) {
			if lines[e.name] == 0 {
				lines[e.name] = e.key.Line
				list = append(list, e)
			}
		}
	}
	return list
}

// merged lists the entries of one mapping or of a list of mappings, which is
// what a << takes.
func (d *decoder) merged(n *yaml.Node, path string) []entry {
	var list []entry
	switch n.Kind {
	case yaml.MappingNode:
		list = d.entries(n, path)
	case yaml.SequenceNode:
		for _, child := range n.Content {
			list = append(list, d.merged(child, path)...)
		}
	default:
		d.problem(n, path, "<< merges a mapping, got a single value")
	}
	before := d.merges
	d.merges += len(list)
	if d.merges <= maxAliased {
		return list
	}
	if before <= maxAliased {
		d.problem(n, path, "<< merges more than %d keys; write them out", maxAliased)
	}
	return nil
}
