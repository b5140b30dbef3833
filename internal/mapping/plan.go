package mapping

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cocbridge/cocbridge/internal/render"
)

// plan is a Config ready for use.
type plan struct {
	fields     map[string]*render.Text
	strict     bool
	additional []additional // sorted by key
	include    Include
}

// additional is a field for a key of coc.Alarm.Additional.
type additional struct {
	key string
	*render.Text
}

// compiler compiles each text once, however many routes use it.
type compiler struct {
	set   *render.Set
	known map[string]*render.Template
}

func newCompiler(c Config) (*compiler, error) {
	set, err := render.New(c.Templates...)
	if err != nil {
		return nil, err
	}
	return &compiler{set: set, known: map[string]*render.Template{}}, nil
}

// template compiles a text; errors in it are given as template:line:column.
func (c *compiler) template(text string) (*render.Template, error) {
	if t := c.known[text]; t != nil {
		return t, nil
	}
	t, err := c.set.Compile("template", text)
	if err != nil {
		return nil, err
	}
	c.known[text] = t
	return t, nil
}

// plan compiles a Config that was merged over the defaults.
func (c *compiler) plan(cfg Config) (*plan, error) {
	p := &plan{fields: map[string]*render.Text{}, strict: *cfg.StrictNames, include: *cfg.Include}
	for _, f := range cfg.fields() {
		var err error
		if p.fields[f.name], err = c.field(*f.field); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(cfg.Additional)) {
		if cfg.Additional[key] == nil {
			continue
		}
		f, err := c.field(cfg.Additional[key])
		if err != nil {
			return nil, fmt.Errorf("additional.%s: %w", key, err)
		}
		p.additional = append(p.additional, additional{key, f})
	}
	return p, nil
}

func (c *compiler) field(f *Field) (*render.Text, error) {
	t, err := c.template(*f.Value)
	if err != nil {
		return nil, err
	}
	return render.NewText(t, f), nil
}
