package mapping

import (
	"go.yaml.in/yaml/v3"

	"github.com/cocbridge/cocbridge/internal/render"
)

func or[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// UnmarshalYAML takes a list of names, or the word all.
func (l *Names) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.Value == "all" {
		*l = Names{All: true}
		return nil
	}
	list := []string{}
	if n.Kind != yaml.SequenceNode || n.Decode(&list) != nil {
		return render.Mismatch(n, "want the word all, or a list of names; [] is none")
	}
	*l = Names{List: list}
	return nil
}
