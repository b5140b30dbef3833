package store_test

import (
	"strings"
	"testing"

	"github.com/alecthomas/units"
	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/store"
)

func TestConfig_Validate(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*store.Config)
		want   []string
	}{
		{"the defaults are valid", func(*store.Config) {}, nil},
		{"no folder", func(c *store.Config) { c.Path = "" }, []string{"path"}},
		{"too small", func(c *store.Config) { c.MaxSize = units.MiB }, []string{"max_size"}},
		{"larger than memory can address", func(c *store.Config) { c.MaxSize = 5 * units.EiB }, []string{"max_size"}},
		{"no history", func(c *store.Config) { c.History = 0 }, []string{"history"}},
		{"all at once", func(c *store.Config) { *c = store.Config{} }, []string{"path", "max_size", "history"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := store.DefaultConfig()
			c.change(&config)
			var got []string
			config.Validate(func(path, problem string) {
				got = append(got, path)
				if !strings.ContainsAny(problem, ";,") {
					t.Errorf("%q does not say what to do", problem)
				}
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}
