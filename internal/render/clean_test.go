package render_test

import (
	"testing"

	"github.com/cocbridge/cocbridge/internal/render"
)

func TestClean(t *testing.T) {
	for name, tt := range map[string]struct{ text, keep, want string }{
		"ASCII stays":                   {" Disk full ", "", "Disk full"},
		"other scripts stay":            {"磁盘 شبكة", "", "磁盘 شبكة"},
		"control characters are spaces": {"a\nb\x1bc\u0085d", "", "a b c d"},
		"lines that are kept":           {"a\r\nb\tc\x00d", render.Lines, "a\nb\tc d"},
		"separators are spaces":         {"a\u2028b\u2029c", render.Lines, "a b c"},
		"overrides are spaces":          {"a\u202ab\u202bc\u202cd\u202de\u202ef", render.Lines, "a b c d e f"},
		"isolates are spaces":           {"a\u2066b\u2067c\u2068d\u2069e", render.Lines, "a b c d e"},
		"marks are spaces":              {"a\u200eb\u200fc\u061cd", "", "a b c d"},
		"what is not UTF-8":             {"a\xffb", "", "a\ufffdb"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := render.Clean(tt.text, tt.keep); got != tt.want {
				t.Errorf("%q gives %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}
