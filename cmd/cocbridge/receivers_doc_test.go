package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The page about receivers is executed as far as that goes.

func receiversPage(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../deploy/docs/receivers.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each configuration of the page is valid beside a minimal one.
func TestReceiversPage_configurationsLoad(t *testing.T) {
	const rest = "coc: {region: cn-north-4, auth: {access_key: AK, secret_key: SK}}\nintegrations: [{name: default, key: abc}]\nmapping: {application_id: app}\n"
	ours := 0
	for _, block := range all("(?s)```yaml\n(.*?)```", receiversPage(t)) {
		var keys map[string]any
		if err := yaml.Unmarshal([]byte(block), &keys); err != nil {
			t.Fatal(err)
		}
		if keys["receivers"] == nil {
			continue
		}
		ours++
		file := filepath.Join(t.TempDir(), "cocbridge.yaml")
		if err := os.WriteFile(file, []byte(rest+block), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := execute(t, "", "check-config", file); got.code != exitOK {
			t.Errorf("%s\n%s", block, got.stderr)
		}
	}
	if ours < 6 {
		t.Errorf("only %d configurations are found", ours)
	}
}

// Its sample, and what its line of curl sends, are alerts.
func TestReceiversPage_samplesAreAlerts(t *testing.T) {
	samples := append(all("(?s)```json\n(.*?)```", receiversPage(t)), all(`(?s)-d '(\{.*?\})'`, receiversPage(t))...)
	if len(samples) < 2 {
		t.Fatalf("found only %q", samples)
	}
	config := strings.Replace(string(mustRead(t, "testdata/receivers.yaml")), "name: uptime\n    type: generic", "name: scripts\n    type: generic\n  - name: uptime\n    type: generic", 1)
	file := filepath.Join(t.TempDir(), "cocbridge.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, sample := range samples {
		got := execute(t, sample, "map", "--config.file="+file, "--receiver=scripts")
		if got.code != exitOK || !strings.Contains(got.stdout, `"alarmStatus": "alarm"`) {
			t.Errorf("%s\n%+v", sample, got)
		}
	}
}

// Every line of curl shows who it is, and outlives a restart of the daemon.
func TestReceiversPage_curlIsKnownAndTriesAgain(t *testing.T) {
	found := 0
	for _, block := range all("(?s)```sh\n(.*?)```", receiversPage(t)) {
		_, call, ok := strings.Cut(block, "curl ")
		if !ok {
			continue
		}
		found++
		if !strings.Contains(block, "Authorization: Bearer ") && !strings.Contains(call, "X-Signature-256: ") {
			t.Errorf("no credentials:\n%s", block)
		}
		for _, flag := range []string{"--retry ", "--retry-connrefused "} {
			if !strings.Contains(call, flag) {
				t.Errorf("no %s:\n%s", flag, block)
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d are found", found)
	}
}

// The table of sources names every type.
func TestReceiversPage_namesEveryType(t *testing.T) {
	got := execute(t, "", "receivers", "--config.file=testdata/receivers.yaml")
	_, types, _ := strings.Cut(got.stdout, "types: ")
	types, _, _ = strings.Cut(types, "\n")
	for _, kind := range strings.Split(types, ", ") {
		for name, text := range map[string]string{"the page": receiversPage(t), "the README": readme(t)} {
			if !strings.Contains(text, "`"+kind+"`") {
				t.Errorf("%s does not name %s", name, kind)
			}
		}
	}
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
