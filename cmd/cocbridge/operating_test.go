package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/admin"
)

// What deploy/docs/operating.md shows must exist.

func operating(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../deploy/docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOperating_namesEveryVerdictAndResult(t *testing.T) {
	text := operating(t)
	for _, v := range admin.Verdicts() {
		if !strings.Contains(text, "\n| `"+string(v)+"` |") {
			t.Errorf("the verdict %q is not explained", v)
		}
	}
	for _, result := range []string{admin.Superseded, admin.Unmapped, admin.RouteDrops, admin.Unusable, admin.Gone} {
		if !strings.Contains(text, "\n| `"+result+"` |") {
			t.Errorf("the result %q is not explained", result)
		}
	}
}

func TestOperating_keysExist(t *testing.T) {
	example, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range append(all("`(?:delivery|store)\\.([a-z_]+)`", operating(t)), "silent_after", "unknown_resolved") {
		if !regexp.MustCompile(`(?m)^[\s#-]*` + key + `:`).Match(example) {
			t.Errorf("there is no key %q", key)
		}
	}
}
