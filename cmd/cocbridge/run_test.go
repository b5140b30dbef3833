package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// asCocbridge lets the test binary be the program itself, for tests that need a
// process of its own.
const asCocbridge = "TEST_AS_COCBRIDGE"

func TestMain(m *testing.M) {
	if os.Getenv(asCocbridge) != "" {
		main()
	}
	os.Exit(m.Run())
}

// patience bounds every wait for something that must happen.
const patience = time.Minute

// outcome is what a command leaves behind.
type outcome struct {
	code           int
	stdout, stderr string
}

// execute runs a command that ends by itself. It sees no environment.
func execute(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, console{stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, environ: func() []string { return nil }})
	return outcome{code, stdout.String(), stderr.String()}
}

// golden compares what a command has printed with testdata/name.golden.
func golden(t *testing.T, name string, got outcome) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	text := got.stdout + "--- stderr\n" + got.stderr
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

func TestRun_golden(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		stdin string
		code  int
	}{
		"check-config-good":    {args: []string{"check-config", "testdata/good.yaml"}},
		"check-config-flag":    {args: []string{"check-config", "--config.file=testdata/good.yaml"}},
		"check-config-rules":   {args: []string{"check-config", "testdata/rules.yaml"}},
		"check-config-bad":     {args: []string{"check-config", "testdata/bad.yaml"}, code: exitUsage},
		"check-config-missing": {args: []string{"check-config", "testdata/nothing.yaml"}, code: exitUsage},
		"check-config-no-file": {args: []string{"check-config"}, code: exitUsage},
		"map":                  {args: []string{"map", "--config.file=testdata/good.yaml"}, stdin: capture(t, "payload-mixed/02-post")},
		"map-rules":            {args: []string{"map", "--config.file=testdata/rules.yaml"}, stdin: capture(t, "payload-mixed/02-post"), code: exitOther},
		"map-runs":             {args: []string{"map", "--config.file=testdata/runs.yaml"}, stdin: runsStdin, code: exitOther},
		"map-runs-table":       {args: []string{"map", "--config.file=testdata/runs.yaml", "-o", "table"}, stdin: runsStdin, code: exitOther},
		"map-runs-untrusted":   {args: []string{"map", "--config.file=testdata/runs.yaml", "--receiver=open"}, stdin: runsStdin},
		"map-problems":         {args: []string{"map", "--config.file=testdata/good.yaml"}, stdin: unroutable, code: exitOther},
		"map-not-json":         {args: []string{"map", "--config.file=testdata/good.yaml"}, stdin: `{"version":"4","alerts":[{"labels":`, code: exitUsage},
		"map-unknown-receiver": {args: []string{"map", "--config.file=testdata/good.yaml", "--receiver=nobody"}, code: exitUsage},
		"map-generic":          {args: []string{"map", "--config.file=testdata/receivers.yaml", "--receiver=uptime"}, stdin: monitors, code: exitOther},
		"map-form":             {args: []string{"map", "--config.file=testdata/receivers.yaml", "--receiver=uptime", "--content-type=application/x-www-form-urlencoded"}, stdin: "payload=%7B%22monitors%22%3A%5B%5D%7D", code: exitUsage},
		"map-nothing":          {args: []string{"map", "--config.file=testdata/receivers.yaml", "--receiver=events"}, stdin: `[]`},
		"map-expression":       {args: []string{"map", "--config.file=testdata/receivers.yaml", "--receiver=uptime"}, stdin: `{"checks":[]}`, code: exitUsage},
		"map-grafana":          {args: []string{"map", "--config.file=testdata/receivers.yaml", "--receiver=grafana"}, stdin: shippedSample(t, "grafana/two-alerts")},
		"map-cloudevents":      {args: []string{"map", "--config.file=testdata/receivers.yaml", "--receiver=events"}, stdin: shippedSample(t, "cloudevents/structured")},
		"map-sns":              {args: []string{"map", "--config.file=testdata/receivers.yaml", "--receiver=aws"}, stdin: shippedSample(t, "aws-sns-cloudwatch/alarm")},
		"map-sns-subscription": {args: []string{"map", "--config.file=testdata/receivers.yaml", "--receiver=aws"}, stdin: shippedSample(t, "aws-sns-cloudwatch/subscription")},
		"receivers":            {args: []string{"receivers", "--config.file=testdata/receivers.yaml"}},
		"receivers-expression": {args: []string{"receivers", "--expressions=grafana"}},
		"receivers-no-type":    {args: []string{"receivers", "--expressions=alertmanager"}, code: exitUsage},
		"serve-bad-config":     {args: []string{"serve", "--config.file=testdata/bad.yaml"}, code: exitUsage},
		"unknown-command":      {args: []string{"fly"}, code: exitUsage},
		"unknown-flag":         {args: []string{"serve", "--config=x"}, code: exitUsage},
		"unknown-subcommand":   {args: []string{"dead", "bury"}, code: exitUsage},
		"unknown-flag-of-dead": {args: []string{"dead", "list", "--everything"}, code: exitUsage},
		"missing-subcommand":   {args: []string{"queue"}, code: exitUsage},
		"missing-credential":   {args: []string{"check-config", "testdata/missing-credential.yaml"}, code: exitUsage},
		"unknown-log-format":   {args: []string{"serve", "--log.format=xml"}, code: exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			got := execute(t, c.stdin, c.args...)
			if got.code != c.code {
				t.Errorf("exit code %d, want %d", got.code, c.code)
			}
			golden(t, name, got)
		})
	}
}

// unroutable is what no route takes, what cannot be an alert, and what is fine.
const unroutable = `{"version":"4","alerts":[
 {"status":"firing","labels":{"alertname":"Nowhere"},"startsAt":"2026-11-21T12:00:00Z","fingerprint":"0000000000000001"},
 {"status":"dancing","labels":{"alertname":"Odd","team":"db"},"startsAt":"2026-11-21T12:00:00Z","fingerprint":"0000000000000002"},
 {"status":"firing","labels":{"alertname":"Fine <&>","team":"db"},"startsAt":"2026-11-21T12:00:00Z","fingerprint":"0000000000000003"},
 {"status":"firing","labels":{"alertname":"Watchdog"},"startsAt":"2026-11-21T12:00:00Z","fingerprint":"0000000000000004"}]}`

// runsStdin is an alert whose runs can be, and one whose labels must not reach a host.
const runsStdin = `{"version":"4","alerts":[
 {"status":"firing","labels":{"alertname":"NginxDown","instance_id":"web-1","unit":"nginx"},"startsAt":"2026-11-21T12:00:00Z","fingerprint":"0000000000000001"},
 {"status":"firing","labels":{"alertname":"NginxDown","instance_id":"web 1; reboot","unit":"nginx; reboot"},"startsAt":"2026-11-21T12:00:00Z","fingerprint":"0000000000000002"},
 {"status":"resolved","labels":{"alertname":"NginxDown","instance_id":"web-1","unit":"nginx"},"startsAt":"2026-11-21T12:00:00Z","endsAt":"2026-11-21T12:01:00Z","fingerprint":"0000000000000003"}]}`

// monitors is one alert, one that cannot be used, and one that no expression fits.
const monitors = `{"monitors":[
 {"up":false,"monitor_id":7,"name":"shop","level":"critical","down_since":1795281393,"link":"https://up.example/7"},
 {"up":true,"monitor_id":8,"name":"blog","level":"warning","down_since":"a while","up_since":1795281993},
 {"up":false,"monitor_id":9,"name":"api","tags":"x","down_since":1795281393}]}`

// shippedSample is a body of a shipped type.
func shippedSample(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../internal/receivers/testdata/shipped/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// capture is the body that a real Alertmanager has sent.
func capture(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../internal/receivers/testdata/captures/alertmanager-0.34.2/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var post struct{ Body string }
	if err := json.Unmarshal(b, &post); err != nil {
		t.Fatal(err)
	}
	return post.Body
}

// What was typed is named, not Go's function that could not read it.
func TestRun_wrongValuesInPlainWords(t *testing.T) {
	for line, want := range map[string]string{
		"dead show x":                    `"x" is not a number`,
		"queue show 1.5":                 `"1.5" is not a number`,
		"dead replay 1 y":                `"y" is not a number`,
		"dead show 99999999999999999999": `"99999999999999999999" is too large a number`,
		"send-test --timeout=x":          `invalid duration "x"; write such as 90s or 5m`,
		"coc order list --limit=x":       `"x" is not a number`,
		"dead list --older-than=x":       `not a valid duration string: "x"`,
	} {
		if got := execute(t, "", strings.Fields(line)...); got.code != exitUsage || got.stderr != "cocbridge: "+want+"; see cocbridge --help\n" {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

func TestRun_version(t *testing.T) {
	got := execute(t, "", "version")
	want := regexp.MustCompile(`^cocbridge \S+ \(revision \S+, go1\.\S+ \w+/\w+\)\n$`)
	if got.code != exitOK || !want.MatchString(got.stdout) || got.stderr != "" {
		t.Errorf("%+v", got)
	}
}

func TestRun_helpNamesEveryCommand(t *testing.T) {
	got := execute(t, "", "--help")
	if got.code != exitOK {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	if bare := execute(t, ""); bare.code != exitUsage || !strings.Contains(bare.stdout, "usage: cocbridge") {
		t.Errorf("without a command: %+v", bare)
	}
	for _, name := range []string{"serve", "demo", "simulate", "init", "check-config", "map", "receivers", "why", "send-test", "healthcheck", "version", "coc incident create", "coc order logs"} {
		if !regexp.MustCompile(`(?m)^` + name + `\b`).MatchString(got.stdout) {
			t.Errorf("--help does not name %s", name)
		}
		if help := execute(t, "", append(strings.Fields(name), "--help")...); help.code != exitOK || !strings.Contains(help.stdout, "usage: cocbridge "+name) {
			t.Errorf("%s --help: %+v", name, help)
		}
	}
}

func TestSimulate_unknownFault(t *testing.T) {
	got := execute(t, "", "simulate", "--fault=explode")
	if got.code != exitUsage || !strings.Contains(got.stderr, `fault "explode": unknown word "explode"; use `) {
		t.Errorf("%+v", got)
	}
}

func TestServe_storeThatCannotBeUsed(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	args := func(storage string) []string {
		return []string{"serve", "--config.file=testdata/good.yaml", "--storage.path=" + storage, "--web.listen-address=127.0.0.1:0", "--admin.listen-address=127.0.0.1:0"}
	}
	t.Run("a folder that cannot be made", func(t *testing.T) {
		got := execute(t, "", args(filepath.Join(file, "data"))...)
		if got.code != exitDisk || !strings.Contains(got.stderr, "choose another store.path") {
			t.Errorf("%+v, want exit code %d and what to do", got, exitDisk)
		}
	})
	t.Run("a foreign file", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(folder, "cocbridge.db"), []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := execute(t, "", args(folder)...); got.code != exitDisk || !strings.Contains(got.stderr, "not a store of cocbridge") {
			t.Errorf("%+v, want exit code %d", got, exitDisk)
		}
	})
	t.Run("another instance has it", func(t *testing.T) {
		busy := t.TempDir()
		s, err := store.Open(store.Options{Path: filepath.Join(busy, "cocbridge.db")})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got := execute(t, "", args(busy)...); got.code != exitLocked || !strings.Contains(got.stderr, "in use by another process") {
			t.Errorf("%+v, want exit code %d", got, exitLocked)
		}
	})
}

func TestServe_webConfigThatMustNotBe(t *testing.T) {
	for text, says := range map[string]string{
		"rate_limit: {interval: 1s}\n":        "web.yaml:1: rate_limit answers 429",
		"basic_auth_users: {u: hash}\n":       "web.yaml:1: basic_auth_users",
		"tls_server_config: {x: y}\n":         "web.yaml",
		"not yaml: [\n":                       "web.yaml",
		"tls_server_config: {cert_file: x}\n": "web.yaml",
	} {
		folder := t.TempDir()
		file := filepath.Join(folder, "web.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := execute(t, "", "serve", "--config.file=testdata/good.yaml", "--storage.path="+folder, "--web.config.file="+file)
		if got.code != exitUsage || !strings.Contains(got.stderr, says) {
			t.Errorf("%q: %+v, want exit code %d and %q", text, got, exitUsage, says)
		}
	}
}

// What the packages are made of: nothing but the page, nothing but the script.
// kingpin writes them to the process's own output.
func TestRun_manPageAndCompletions(t *testing.T) {
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	for flag, begins := range map[string]string{
		"--help-man":               ".TH cocbridge 1",
		"--completion-script-bash": "_cocbridge_bash_autocomplete()",
		"--completion-script-zsh":  "#compdef cocbridge",
	} {
		file := filepath.Join(t.TempDir(), "out")
		f, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout = f
		got := execute(t, "", flag)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if page := strings.TrimSpace(string(text)); got.code != exitOK || !strings.HasPrefix(page, begins) || strings.Contains(page, "usage:") || got.stdout != "" {
			t.Errorf("%s: %+v\n%s", flag, got, page)
		}
	}
}
