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

// Each command is parsed up to where it would ask a daemon, which is not there.
func TestOperating_commandsParse(t *testing.T) {
	commands := all("(?m)^    cocbridge ([^>\n]+)", operating(t))
	if len(commands) < 15 {
		t.Errorf("only %q are found", commands)
	}
	words := regexp.MustCompile(`--?[a-z.-]+="[^"]*"|\S+`)
	for _, line := range commands {
		args := words.FindAllString(line, -1)
		at := "--admin.listen-address=127.0.0.1:1"
		if args[0] == "healthcheck" {
			at = "--web.listen-address=127.0.0.1:1"
		}
		got := execute(t, "", append(args, at)...)
		if got.code != exitOther && !strings.Contains(got.stderr, "admin.token") {
			t.Errorf("cocbridge %s: %+v", line, got)
		}
	}
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
