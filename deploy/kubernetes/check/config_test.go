package check_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"

	"github.com/cocbridge/cocbridge/internal/config"
)

// filled has values where the manifests have placeholders, but not for the one that
// is left (empty = none).
func filled(text, left string) string {
	for before, after := range map[string]string{"YOURACCESSKEY": "AK", "your-coc-application": "app-1"} {
		if before != left {
			text = strings.ReplaceAll(text, before, after)
		}
	}
	return text
}

// secretFolder has the Secret's keys as files, as a volume of it would, with values
// instead of its placeholders, but not for the key that is left.
func secretFolder(t *testing.T, secret core.Secret, left string) string {
	t.Helper()
	folder := t.TempDir()
	for key, value := range secret.Data {
		if key != left {
			value = []byte("abcdefgh")
		}
		if err := os.WriteFile(filepath.Join(folder, key), value, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// imageEnvironment is what the Dockerfile sets.
func imageEnvironment(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../container/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var environ []string
	for _, word := range strings.Fields(string(text)) {
		if strings.HasPrefix(word, "COCBRIDGE_") {
			environ = append(environ, word)
		}
	}
	if len(environ) != 2 {
		t.Fatalf("the Dockerfile sets %q", environ)
	}
	return environ
}

// loadSidecar loads what the sidecar's container is given.
func loadSidecar(t *testing.T, left string) error {
	t.Helper()
	m := build(t, "sidecar")
	c, environ := m.bridge(t), imageEnvironment(t)
	for _, from := range c.EnvFrom {
		for _, config := range m.configs {
			if config.Name != from.ConfigMapRef.Name {
				continue
			}
			for key, value := range config.Data {
				environ = append(environ, key+"="+filled(value, left))
			}
		}
	}
	folder := secretFolder(t, m.secrets[0], left)
	for _, env := range c.Env {
		environ = append(environ, env.Name+"="+strings.ReplaceAll(env.Value, "/etc/cocbridge", folder))
	}
	if len(environ) < 8 {
		t.Fatalf("the sidecar's environment is %q", environ)
	}
	_, err := config.Load(config.Options{Environ: environ})
	return err
}

// loadStandalone loads the configuration file of the standalone bridge.
func loadStandalone(t *testing.T, left string) error {
	t.Helper()
	m := build(t, "standalone")
	text := strings.ReplaceAll(m.configs[0].Data["config.yaml"], "/etc/cocbridge-secret", secretFolder(t, m.secrets[0], left))
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(filled(text, left)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(config.Options{File: file, Environ: imageEnvironment(t)})
	return err
}

// Each placeholder alone makes the start fail, so that nobody forgets one.
func TestManifests_loadWhenNoPlaceholderIsLeft(t *testing.T) {
	for name, load := range map[string]func(*testing.T, string) error{"sidecar": loadSidecar, "standalone": loadStandalone} {
		if err := load(t, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, left := range []string{"YOURACCESSKEY", "your-coc-application", "secret_key", "integration_key", "bearer_token"} {
			if err := load(t, left); err == nil || !strings.Contains(err.Error(), " is the placeholder of an example") {
				t.Errorf("%s with %s as it is: %v", name, left, err)
			}
		}
	}
}
