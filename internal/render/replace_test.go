package render_test

import (
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// reReplaceAll is Alertmanager's, only bounded.
func TestTemplate_Execute_ReplacesAsRegexpDoes(t *testing.T) {
	set := newSet(t)
	for _, pattern := range []string{"", "a*", "b", "a|", "(?i)A", "(x)?(b)", "^", "$", `\b`, "字"} {
		for _, text := range []string{"", "baaac", "aa", "b字b", "字字"} {
			for _, repl := range []string{"", "-", "<$1$2$0>", "$$"} {
				tmpl, err := set.Compile("field", "{{ reReplaceAll "+strconv.Quote(pattern)+" "+strconv.Quote(repl)+" . }}")
				if err != nil {
					t.Fatal(err)
				}
				want := regexp.MustCompile(pattern).ReplaceAllString(text, repl)
				if got, err := tmpl.Execute(text); got != want || err != nil {
					t.Errorf("%q in %q by %q: got %q, %v, want %q", pattern, text, repl, got, err, want)
				}
			}
		}
	}
}

// The memory is bounded too, not only what comes out of it.
func TestTemplate_Execute_ReplacesInBoundedMemory(t *testing.T) {
	tmpl, err := newSet(t).Compile("field", `{{ reReplaceAll "x" "`+strings.Repeat("y", 256<<10)+`" . }}`)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 1<<10) // 256 MiB with all of it replaced
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = tmpl.Execute(text)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; err == nil || used > 32<<20 {
		t.Errorf("%d bytes, %v", used, err)
	}
}
