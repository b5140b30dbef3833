package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/config"
)

// initialized runs init with answers typed at a terminal; nil = there is none.
func initialized(t *testing.T, answers []string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := console{stdin: strings.NewReader(strings.Join(answers, "\n") + "\n"), stdout: &stdout, stderr: &stderr, environ: func() []string { return nil }, asks: answers != nil}
	code := run(context.Background(), append([]string{"init"}, args...), c)
	return outcome{code, stdout.String(), stderr.String()}
}

func TestInit_writesWhatCheckConfigTakes(t *testing.T) {
	for name, c := range map[string]struct {
		answers []string
		flags   []string
		check   func(*config.Config) bool
	}{
		"by flags": {nil, []string{"--access-key=AK", "--application-id=app1", "--region=eu-west-101", "--site=eu", "--project-id=p1", "--bearer-token-file=token"},
			func(c *config.Config) bool {
				return c.COC.Auth.AccessKey == "AK" && c.COC.Site == "eu" && c.COC.ProjectID == "p1" && c.Receivers[0].Auth.BearerToken != ""
			}},
		"by answers": {[]string{"intl", "ap-southeast-3", "", "AK", "", "", "my-app"}, nil,
			func(c *config.Config) bool {
				return c.COC.Site == "intl" && c.COC.Region == "ap-southeast-3" && c.COC.Auth.Method == "aksk" && *c.Mapping.ApplicationID.Value == "my-app"
			}},
		"with a token": {[]string{"", "", "token", "joe", "", "acme", "", "", "app"}, nil,
			func(c *config.Config) bool { return c.COC.Auth.User == "joe" && c.COC.Auth.Domain == "acme" }},
		"as an agency": {nil, []string{"--auth.method=agency", "--application-id=app"},
			func(c *config.Config) bool { return c.COC.Auth.Method == "agency" }},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "cocbridge.yaml")
			got := initialized(t, c.answers, append(c.flags, file)...)
			if got.code != exitOK || !strings.Contains(got.stdout, "cocbridge check-config "+file) {
				t.Fatalf("%+v", got)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			for _, secret := range all(`put the secret into (\S+),`, got.stdout) {
				if err := os.WriteFile(secret, []byte("abcdefgh"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := execute(t, "", "check-config", file); got.code != exitOK || strings.Contains(got.stdout, "warning") {
				t.Errorf("%+v", got)
			}
			cfg, err := config.Load(config.Options{File: file})
			if err != nil || !c.check(cfg) {
				t.Errorf("%v: %+v", err, cfg)
			}
		})
	}
}

func TestInit_refuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cocbridge.yaml")
	if got := initialized(t, nil, file); got.code != exitUsage || !strings.Contains(got.stderr, "--access-key, --application-id must be given, or run this on a terminal") {
		t.Errorf("without a terminal: %+v", got)
	}
	if got := initialized(t, []string{"cn", "", "aksk"}, file); got.code != exitUsage || !strings.Contains(got.stderr, "the answers end before everything is known") {
		t.Errorf("with too few answers: %+v", got)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a file is written nevertheless")
	}
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := initialized(t, nil, "--access-key=a", "--application-id=b", file); got.code != exitUsage || !strings.Contains(got.stderr, "exists and is left alone") {
		t.Errorf("over a file: %+v", got)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file is now %q, %v", b, err)
	}
}
