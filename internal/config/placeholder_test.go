package config_test

import (
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/config"
)

// A value of an example that nobody has changed makes the start fail, each alone.
func TestLoad_aPlaceholderThatWasLeft(t *testing.T) {
	folder := t.TempDir()
	left := write(t, folder, "left", "replace-me\n")
	for name, c := range map[string]struct{ before, after, variable, want string }{
		"the access key":            {"access_key: AK", "access_key: YOURACCESSKEY", "", "c.yaml:3: coc.auth.access_key: YOURACCESSKEY is the placeholder of an example; write your own value"},
		"the secret key":            {"secret_key: SK", "secret_key_file: left", "", "c.yaml:3: coc.auth.secret_key_file: replace-me is the placeholder"},
		"an integration key":        {"key: abc123", "key: replace-me", "", "c.yaml:5: integrations[0].key: replace-me is the placeholder"},
		"the application":           {"app1", "your-coc-application", "", "c.yaml:6: mapping.application_id: your-coc-application is the placeholder"},
		"a route's application":     {"mapping:", "routes: [{mapping: {application_id: your-coc-application}}]\nmapping:", "", "routes[0].mapping.application_id: your-coc"},
		"a receiver's token":        {"mapping:", "receivers: [{name: a, auth: {bearer_token: replace-me}}]\nmapping:", "", "c.yaml:6: receivers[0].auth.bearer_token: replace-me"},
		"the variable of a key":     {"", "", "COCBRIDGE_ACCESS_KEY=YOURACCESSKEY", "environment COCBRIDGE_ACCESS_KEY: coc.auth.access_key: YOURACCESSKEY"},
		"the variable of a file":    {"", "", "COCBRIDGE_SECRET_KEY_FILE=" + left, "environment COCBRIDGE_SECRET_KEY_FILE: coc.auth.secret_key_file: replace-me"},
		"the variable of a token":   {"", "", "COCBRIDGE_BEARER_TOKEN_FILE=" + left, "environment COCBRIDGE_BEARER_TOKEN_FILE: receivers[0].auth.bearer_token_file: replace-me"},
		"the application, variable": {"", "", "COCBRIDGE_APPLICATION_ID=your-coc-application", "environment COCBRIDGE_APPLICATION_ID: mapping.application_id: your-coc"},
	} {
		file := write(t, folder, "c.yaml", strings.Replace(minimal, c.before, c.after, 1))
		got := loadError(t, config.Options{File: file, Environ: []string{c.variable}})
		if !strings.Contains(got, c.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
}
