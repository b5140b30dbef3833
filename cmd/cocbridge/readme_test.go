package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/cocbridge/cocbridge/internal/config"
)

// The README is executed as far as that goes: what it names must exist.

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// all returns the first group of every match, each once.
func all(pattern, text string) (found []string) {
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			found = append(found, m[1])
		}
	}
	return found
}

func TestReadme_firstScreenHasTheTwoCommands(t *testing.T) {
	lines := strings.Split(readme(t), "\n")
	var commands []string
	for _, line := range lines[:min(25, len(lines))] {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			commands = append(commands, command)
		}
	}
	if diff := cmp.Diff([]string{"go run ./cmd/cocbridge demo", "go test ./..."}, commands); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadme_itsConfigurationsLoad(t *testing.T) {
	blocks := all("(?s)```yaml\n(.*?)```", readme(t))
	ours := 0
	for _, block := range blocks {
		var any map[string]any
		if err := yaml.Unmarshal([]byte(block), &any); err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
		if any["coc"] == nil {
			continue // Alertmanager's
		}
		ours++
		folder := t.TempDir()
		for _, file := range all(`(/etc/cocbridge/\w+)`, block) {
			if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), []byte("abcdefgh"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(folder, "config.yaml")
		if err := os.WriteFile(file, []byte(filled(strings.ReplaceAll(block, "/etc/cocbridge/", ""))), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(config.Options{File: file}); err != nil {
			t.Errorf("%v\n%s", err, block)
		}
	}
	if ours == 0 || ours == len(blocks) {
		t.Errorf("%d blocks, %d of them ours: this looks at the wrong thing", len(blocks), ours)
	}
}

// filled has values where our examples have placeholders, which are refused.
func filled(text string) string {
	return strings.NewReplacer("YOURACCESSKEY", "AK", "your-coc-application", "app-1").Replace(text)
}

func TestReadme_commandsAndFlagsExist(t *testing.T) {
	text, help := readme(t), ""
	commands := all("(?m)(?:^    |`|/)cocbridge ([a-z][a-z-]*)", text)
	if len(commands) < 4 {
		t.Errorf("only %q are found", commands)
	}
	for _, name := range commands {
		got := execute(t, "", name, "--help")
		if got.code != exitOK || !strings.Contains(got.stdout, "usage: cocbridge "+name) {
			t.Errorf("there is no command %q", name)
		}
		help += got.stdout
	}
	for _, flag := range all(`(--[a-z][a-z.-]*[a-z])`, text) {
		switchable := `--(?:\[no-\])?` + regexp.QuoteMeta(strings.TrimPrefix(flag, "--"))
		if !regexp.MustCompile(switchable + `[=\s]`).MatchString(help) {
			t.Errorf("there is no flag %q", flag)
		}
	}
}

func TestReadme_metricsAndPathsExist(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b, err := demoBridge(ctx, console{stderr: newScreen()}, t.TempDir(), "http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	page := send(t, http.MethodGet, "http://"+b.Addr()+"/metrics", "")
	metrics := all(`(cocbridge_[a-z_]+)`, strings.ReplaceAll(readme(t), "cocbridge_token", ""))
	if len(metrics) < 3 {
		t.Errorf("only %q are found", metrics)
	}
	for _, name := range metrics {
		if !strings.Contains(page, "\n"+name+"{") && !strings.Contains(page, "\n"+name+" ") {
			t.Errorf("there is no metric %q", name)
		}
	}
	for _, path := range all("`(/-/(?:healthy|ready)|/metrics)`", readme(t)) {
		send(t, http.MethodGet, "http://"+b.Addr()+path, "")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestReadme_variablesExist(t *testing.T) {
	_, paragraph, found := strings.Cut(readme(t), "Without a file,")
	paragraph, _, _ = strings.Cut(paragraph, "\n\n")
	names := all("`((?:COCBRIDGE_)?[A-Z]+(?:_[A-Z]+)*)`", paragraph)
	if !found || len(names) < 10 {
		t.Fatalf("only %q are found", names)
	}
	for _, name := range names {
		name = "COCBRIDGE_" + strings.TrimPrefix(name, "COCBRIDGE_")
		_, err := config.Load(config.Options{Environ: []string{name + "=x"}})
		if strings.Contains(fmt.Sprint(err), "this variable is unknown") {
			t.Errorf("there is no variable %s", name)
		}
	}
}

// Keys are named as section.key; each must be a line of the example, which
// names every key there is.
func TestReadme_keysExist(t *testing.T) {
	example, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	keys := all("`(?:coc|auth|mapping|delivery|store|receivers|integrations)\\.([a-z_]+)`", readme(t))
	if len(keys) < 3 {
		t.Errorf("only %q are found", keys)
	}
	for _, key := range keys {
		if !regexp.MustCompile(`(?m)^[\s#-]*` + key + `:`).Match(example) {
			t.Errorf("there is no key %q", key)
		}
	}
}

func TestReadme_exitCodesAndLinks(t *testing.T) {
	text := readme(t)
	want := fmt.Sprintf("%d usage or configuration, %d the store's disk, %d the store is in use, %d anything else", exitUsage, exitDisk, exitLocked, exitOther)
	if !strings.Contains(text, want) {
		t.Errorf("the README does not say %q", want)
	}
	for _, file := range all(`\]\(([^):]+)\)`, text) {
		if _, err := os.Stat("../../" + file); err != nil {
			t.Error(err)
		}
	}
}

// The Chinese README has the blocks, tables, links and names of the English one.
func TestReadme_chinese(t *testing.T) {
	english, chinese := readme(t), string(mustRead(t, "../../README.zh-CN.md"))
	for what, pattern := range map[string]string{"commands": `(?m)^    ( *\S.*)$`, "configurations": "(?s)```yaml\n(.*?)```"} {
		want := all(pattern, english)
		if diff := cmp.Diff(want, all(pattern, chinese)); len(want) == 0 || diff != "" {
			t.Errorf("%s (-english +chinese):\n%s", what, diff)
		}
	}
	blocks := regexp.MustCompile("(?s)```.*?```")
	english, chinese = blocks.ReplaceAllString(english, ""), blocks.ReplaceAllString(chinese, "")
	for what, pattern := range map[string]string{"links": `\]\(([^):]+)\)`, "names": "`([^`\n]+)`"} {
		for _, name := range all(pattern, english) {
			if !slices.Contains(all(pattern, chinese), name) && name != "README.zh-CN.md" {
				t.Errorf("%s: the Chinese README does not have %s", what, name)
			}
		}
	}
	for _, line := range []string{"## ", "- ", "| ", "|---"} {
		if want, got := strings.Count(english, "\n"+line), strings.Count(chinese, "\n"+line); want != got {
			t.Errorf("%d lines begin with %q, in English %d", got, line, want)
		}
	}
	for _, file := range all(`\]\(([^):]+)\)`, chinese) {
		if _, err := os.Stat("../../" + file); err != nil {
			t.Error(err)
		}
	}
}
