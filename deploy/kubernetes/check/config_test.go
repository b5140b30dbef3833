package check_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"

	"github.com/cocbridge/cocbridge/internal/config"
)

// secretFolder has the Secret's keys as files, as a volume of it would, with values
// instead of its placeholders: one of them is refused, so that nobody forgets it.
func secretFolder(t *testing.T, secret core.Secret) string {
	t.Helper()
	folder := t.TempDir()
	for key := range secret.Data {
		if err := os.WriteFile(filepath.Join(folder, key), []byte("abcdefgh"), 0o600); err != nil {
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

func TestSidecar_itsEnvironmentLoads(t *testing.T) {
	m := build(t, "sidecar")
	c, environ := m.bridge(t), imageEnvironment(t)
	for _, from := range c.EnvFrom {
		for _, config := range m.configs {
			if config.Name != from.ConfigMapRef.Name {
				continue
			}
			for key, value := range config.Data {
				environ = append(environ, key+"="+value)
			}
		}
	}
	folder := secretFolder(t, m.secrets[0])
	for _, env := range c.Env {
		environ = append(environ, env.Name+"="+strings.ReplaceAll(env.Value, "/etc/cocbridge", folder))
	}
	if len(environ) < 8 {
		t.Fatalf("the sidecar's environment is %q", environ)
	}
	if _, err := config.Load(config.Options{Environ: environ}); err != nil {
		t.Error(err)
	}
}

func TestStandalone_itsConfigurationLoads(t *testing.T) {
	m := build(t, "standalone")
	text := strings.ReplaceAll(m.configs[0].Data["config.yaml"], "/etc/cocbridge-secret", secretFolder(t, m.secrets[0]))
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(config.Options{File: file, Environ: imageEnvironment(t)}); err != nil {
		t.Error(err)
	}
}
