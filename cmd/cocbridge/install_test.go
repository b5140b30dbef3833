package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/config"
)

// The documents below deploy/docs are held to what there is, as the README is. That
// packages and images do what they say is shown by .ci/homes.

func documents(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../deploy/docs/*.md")
	if err != nil || len(files) < 2 {
		t.Fatalf("%q, %v", files, err)
	}
	texts := map[string]string{}
	for _, file := range files {
		if filepath.Base(file) == "performance.md" {
			continue // figures, written by the benchmark
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	return texts
}

func TestDocuments_commandsExist(t *testing.T) {
	for file, text := range documents(t) {
		commands := all("(?m)(?:^    |`)cocbridge ((?:(?:dead|queue|alarm|automation|coc [a-z]+) )?[a-z][a-z-]*)", text)
		if len(commands) < 2 {
			t.Errorf("%s: only %q are found", file, commands)
		}
		for _, name := range commands {
			got := execute(t, "", append(strings.Fields(name), "--help")...)
			if got.code != exitOK || !strings.Contains(got.stdout, "usage: cocbridge "+name) {
				t.Errorf("%s: there is no command %q", file, name)
			}
		}
	}
}

func TestDocuments_linksLeadSomewhere(t *testing.T) {
	for file, text := range documents(t) {
		for _, link := range all(`\]\(([^):]+)\)`, text) {
			target, anchor, _ := strings.Cut(link, "#")
			if target != "" {
				if _, err := os.Stat(filepath.Join(filepath.Dir(file), target)); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			}
			if anchor != "" && !regexp.MustCompile(`(?mi)^## `+regexp.QuoteMeta(anchor)+`$`).MatchString(text) {
				t.Errorf("%s: there is no section %s", file, anchor)
			}
		}
	}
}

func TestDocuments_metricsVariablesAndFilesExist(t *testing.T) {
	series := exposition(t)
	packaged, err := os.ReadFile("../../deploy/nfpm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadFile("../../deploy/package/postinstall.sh")
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range documents(t) {
		for _, name := range all("`(cocbridge_[a-z_]+)`", text) {
			if len(series[name]) == 0 {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
		for _, name := range all(`(COCBRIDGE_[A-Z_]+)`, text) {
			if _, err := config.Load(config.Options{Environ: []string{name + "=x"}}); err != nil && strings.Contains(err.Error(), "this variable is unknown") {
				t.Errorf("%s: there is no variable %s", file, name)
			}
		}
		for _, name := range all(`\b(deploy/[a-z/]+[a-z])\b`, text) {
			if _, err := os.Stat("../../" + name); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
		for _, name := range all("`/etc/cocbridge/([a-z_.]+)`", text) {
			if !strings.Contains(string(packaged), "/etc/cocbridge/"+name) && !strings.Contains(string(made), name) {
				t.Errorf("%s: no package makes /etc/cocbridge/%s", file, name)
			}
		}
	}
}

// One table says what IAM must allow; no other document knows an action beside it.
func TestDocuments_permissionsAreInOneTable(t *testing.T) {
	texts := documents(t)
	table := strings.Join(all(`(?m)^(\|.*)$`, texts["../../deploy/docs/coc.md"]), "\n")
	for file, text := range texts {
		for _, action := range all("`(coc:[a-z]+:[a-zA-Z]+)`", text) {
			if !strings.Contains(table, "`"+action+"`") {
				t.Errorf("%s: %s is not in the table", file, action)
			}
		}
	}
	for _, feature := range []string{"forwarding", "tickets", "scripts", "jobs", "reads"} {
		if !strings.Contains(table, "\n| "+feature) {
			t.Errorf("the table says nothing about %s", feature)
		}
	}
}

// Each credential of the unit and of the examples of further ones is used: by a
// variable, or by the configuration beside it.
func TestDocuments_everyCredentialOfTheUnitIsUsed(t *testing.T) {
	text := unit(t) + documents(t)["../../deploy/docs/install.md"]
	credentials := all(`(?m)^LoadCredential=(\w+):/etc/cocbridge/\w+$`, text)
	if len(credentials) != 5 {
		t.Errorf("credentials %q", credentials)
	}
	for _, name := range credentials {
		if !strings.Contains(text, "Environment=COCBRIDGE_"+strings.ToUpper(name)+"_FILE=%d/"+name+"\n") && !strings.Contains(text, "_file: "+credentialsFolder+name+"}") {
			t.Errorf("nobody reads the credential %s", name)
		}
	}
}

// credentialsFolder is where systemd puts those of the service.
const credentialsFolder = "/run/credentials/cocbridge.service/"

func unit(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/systemd/cocbridge.service")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unitEnvironment is what the service is given, with its credentials.
func unitEnvironment(t *testing.T, credentials map[string]string) []string {
	t.Helper()
	folder := t.TempDir()
	for name, value := range credentials {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := all(`(?m)^Environment=(.*)$`, strings.ReplaceAll(unit(t), "%d", folder))
	if len(environ) != len(credentials) {
		t.Fatalf("the unit sets %q", environ)
	}
	return environ
}

// The packaged configuration and its empty files, without a secret key of our own.
func TestUnit_startsWithoutASecretKey(t *testing.T) {
	text, err := os.ReadFile("../../deploy/package/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile(`(?s)access_key: .*secret_key_file: secret_key`)
	for method, auth := range map[string]string{"agency": "method: agency", "token": "{method: token, user: u, domain: d, password: p}"} {
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, []byte(filled(keys.ReplaceAllString(string(text), auth))), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(config.Options{File: file, Environ: unitEnvironment(t, map[string]string{"secret_key": "", "integration_key": "abcdefgh"})}); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// Its example of more credentials, below what the unit sets.
func TestInstall_itsConfigurationLoads(t *testing.T) {
	folder := t.TempDir()
	environ := unitEnvironment(t, map[string]string{"secret_key": "SK", "integration_key": "abcdefgh"})
	blocks := all("(?s)```yaml\n(coc:.*?)```", documents(t)["../../deploy/docs/install.md"])
	if len(blocks) != 1 {
		t.Fatalf("%d configurations", len(blocks))
	}
	for _, name := range all(credentialsFolder+`(\w+)`, blocks[0]) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("hgfedcba"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(folder, "config.yaml")
	if err := os.WriteFile(file, []byte(filled(strings.ReplaceAll(blocks[0], credentialsFolder, ""))), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(config.Options{File: file, Environ: environ}); err != nil {
		t.Error(err)
	}
}

// The kernel names who uses the admin socket, and /proc/stat says when the process
// began, which the alert rules ask for. .ci/homes sees the second only: it makes no user
// namespace.
func TestUnit_hidesNothingThatIsAskedFor(t *testing.T) {
	if hidden := all(`(?m)^(PrivateUsers|ProcSubset)=`, unit(t)); len(hidden) > 0 {
		t.Errorf("the unit has %q", hidden)
	}
}
