package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/config"
)

// withSecret is the minimal file with the secret key in a file of its own.
func withSecret(name string) string {
	return strings.Replace(minimal, "secret_key: SK", "secret_key_file: "+name, 1)
}

func TestLoad_secretFile(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"as it is", "SK", "SK"},
		{"trimmed", " \n\tSK \r\n\n", "SK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			write(t, folder, "sk", c.content)
			got, err := config.Load(config.Options{File: write(t, folder, "c.yaml", withSecret("sk"))})
			if err != nil {
				t.Fatal(err)
			}
			if got.COC.Auth.SecretKey.Reveal() != c.want {
				t.Errorf("got %q, want %q", got.COC.Auth.SecretKey.Reveal(), c.want)
			}
		})
	}
}

func TestLoad_secretFileOfSeveralLines(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "tokens", "new\r\n\r\n  old\r\n")
	c, err := config.Load(config.Options{File: write(t, folder, "c.yaml", minimal+"receivers: [{name: a, auth: {bearer_token_file: tokens}}]\n")})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Receivers[0].Auth.BearerToken.Reveal(); got != "new\nold" {
		t.Errorf("got %q", got)
	}
}

func TestLoad_secretFilesAreListed(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	files := []string{write(t, folder, "sk", "SK"), write(t, folder, "sub/tokens", "B"), write(t, folder, "t.tmpl", `{{ define "x" }}{{ end }}`)}
	content := strings.Replace(withSecret(files[0]), "app1}", "app1, templates: [t.tmpl]}", 1) + "receivers: [{name: a, auth: {bearer_token_file: sub/tokens}}]\n"
	c, err := config.Load(config.Options{File: write(t, folder, "c.yaml", content)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(files, c.SecretFiles()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if c.Mapping.Templates[0] != files[2] || c.Receivers[0].Auth.BearerTokenFile != files[1] {
		t.Errorf("names are not resolved: %s, %s", c.Mapping.Templates[0], c.Receivers[0].Auth.BearerTokenFile)
	}
}

// A second credential has files as the first one has.
func TestLoad_secretFilesOfBothCredentials(t *testing.T) {
	folder := t.TempDir()
	files := []string{write(t, folder, "first", "PW1\n"), write(t, folder, "second", "PW2\n")}
	c := load(t, fmt.Sprintf(`coc:
  region: cn-north-4
  auth: {method: token, user: alice, domain: acme, password_file: %s}
  auth_fallback: {user: bob, password_file: %s}
integrations: [{name: default, key: abc123}]
mapping: {application_id: app1}
`, files[0], files[1]))
	if got := c.COC.Auth.Password.Reveal() + c.COC.AuthFallback.Password.Reveal(); got != "PW1PW2" {
		t.Errorf("got %q", got)
	}
	if diff := cmp.Diff(files, c.SecretFiles()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// Kubernetes mounts a secret as a link to a link; the file behind it counts.
func TestLoad_secretFileBehindLinks(t *testing.T) {
	folder := t.TempDir()
	for _, link := range [][2]string{{"real", "data"}, {"data/sk", "sk"}} {
		if err := os.Symlink(link[0], filepath.Join(folder, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(folder, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, folder, "real/sk", "SK")
	if _, err := config.Load(config.Options{File: write(t, folder, "c.yaml", withSecret("sk"))}); err != nil {
		t.Error(err)
	}
}

func TestLoad_secretFileThatIsNone(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, folder, "big", strings.Repeat("x", 64<<10+1))
	write(t, folder, "empty", "")
	write(t, folder, "blank", " \n \n")
	for name, want := range map[string]string{
		"pipe":      "pipe is a pipe, socket or device; name a regular file",
		"/dev/zero": "/dev/zero is a pipe, socket or device; name a regular file",
		".":         "DIR is a folder; name a file in it",
		"none":      "there is no file none; create it or correct its name",
		"big":       "big is larger than 64 KiB; is it the right file?",
		"empty":     "empty is empty; write the secret into it",
		"blank":     "blank is empty; write the secret into it",
		"big/x":     "reading big/x: not a directory; look at the file and its disk",
	} {
		got := loadError(t, config.Options{File: write(t, folder, "c.yaml", withSecret(name))})
		got = strings.ReplaceAll(got, folder, "DIR")
		if diff := cmp.Diff("c.yaml:3: coc.auth.secret_key_file: "+want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestLoad_secretFileAtTheLimit(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "tokens", strings.Repeat("x", 64<<10))
	content := minimal + "receivers: [{name: a, auth: {bearer_token_file: tokens}}]\n"
	if _, err := config.Load(config.Options{File: write(t, folder, "c.yaml", content)}); err != nil {
		t.Error(err)
	}
}

func TestLoad_warnsOfOpenSecrets(t *testing.T) {
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o644: true} {
		folder := t.TempDir()
		sk := write(t, folder, "sk", "SK")
		if err := os.Chmod(sk, mode); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Options{File: write(t, folder, "c.yaml", withSecret("sk"))})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if warned {
			want = []string{fmt.Sprintf("coc.auth.secret_key_file: %s can be opened by other users (mode %04o); chmod 600 it", sk, mode)}
		}
		if diff := cmp.Diff(want, c.Warnings); diff != "" {
			t.Errorf("%o (-want +got):\n%s", mode, diff)
		}
	}
}
