package main

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// What the documents tell people to type is typed, beside a running daemon and a
// simulated COC. What it is about need not be there, but nothing may be missing.

// typed finds the lines of commands, and spans in the text that are more than the name
// of one. In the runbook, where people copy in a hurry, each span is a whole command.
func typed(file, text string) (lines []string) {
	const line = `(?:(?:docker|kubectl) exec .*/bin/)?cocbridge (.+)$`
	lines = append(all(`(?m)^    `+line, text), all(`(?m)^`+line, strings.Join(all("(?s)```sh\n(.*?)```", text), ""))...)
	name := regexp.MustCompile(`^[a-z][a-z-]*( [a-z][a-z-]*)*$`)
	for _, span := range append(all("`cocbridge ([^`\n]+)`", text), all("`((?:dead|queue|alarm|automation) [^`\n]+)`", text)...) {
		if filepath.Base(file) == "runbook.md" || !name.MatchString(span) {
			lines = append(lines, span)
		}
	}
	return lines
}

// words splits as a shell would, and has values where the documents have names for
// them.
func (d *server) words(line string) (args []string) {
	line = regexp.MustCompile(` (?:[<>]|# ).*| --config\.file[= ]\S+`).ReplaceAllString(line, "")
	for _, word := range regexp.MustCompile(`(?:[^\s'"]|'[^']*'|"[^"]*")+`).FindAllString(line, -1) {
		args = append(args, strings.NewReplacer("'", "", `"`, "").Replace(word))
	}
	given := map[string]string{"config.yaml": d.file(), "/etc/cocbridge/config.yaml": d.file(), "ID": "1", "N": "1", "NAME": "alertmanager"}
	for i, arg := range args {
		flag, value, _ := strings.Cut(arg, "=")
		switch {
		case given[arg] != "":
			args[i] = given[arg]
		case given[value] != "":
			args[i] = flag + "=" + given[value]
		}
	}
	return args
}

// reach adds where to find the daemon, and that nobody can be asked.
func (d *server) reach(args []string) []string {
	switch args[0] {
	case "dead", "queue", "alarm", "automation", "why", "send-test":
		return append(args, "--config.file="+d.file(), "--admin.listen-address="+d.admin)
	case "map", "receivers":
		return append(args, "--config.file="+d.file())
	case "healthcheck":
		return append(args, "--web.listen-address="+d.web)
	case "coc":
		if help := execute(d.t, "", append(slices.Clone(args[:3]), "--help")...); strings.Contains(help.stdout, "--[no-]yes") {
			args = append(args, "--yes")
		}
		return append(args, "--config.file="+d.file())
	}
	return args
}

func TestDocuments_commandsCanBeTyped(t *testing.T) {
	d := startDaemon(t, "", false)
	d.sim.SetHosts(coctest.Host{ResourceID: "HOST", RegionID: "cn-north-4", ProjectID: "p1", AgentID: "sn", AgentState: "ONLINE"})
	texts := documents(t)
	texts["README.md"], texts["README.zh-CN.md"] = readme(t), string(mustRead(t, "../../README.zh-CN.md"))
	count := 0
	for _, file := range slices.Sorted(maps.Keys(texts)) {
		for _, line := range typed(file, texts[file]) {
			args := d.words(line)
			if slices.Contains([]string{"serve", "simulate", "init", "demo"}, args[0]) {
				continue // it stays, or asks
			}
			count++
			if got := execute(t, `{"version":"4","alerts":[]}`, d.reach(args)...); got.code == exitUsage {
				t.Errorf("%s: cocbridge %s: %s", filepath.Base(file), line, got.stderr)
			}
		}
	}
	if count < 40 {
		t.Errorf("only %d commands are found", count)
	}
	d.run.stop()
}
