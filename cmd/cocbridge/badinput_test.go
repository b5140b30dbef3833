package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// What cannot work ends with one line that says what to do, and with the exit
// code for it.
func TestServe_badSurroundings(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		flags   []string
		prepare func(store string)
		code    int
		says    []string
	}{
		"the port of the webhooks is in use":   {flags: []string{"--web.listen-address=" + taken.Addr().String()}, code: exitOther, says: []string{"listen for webhooks: ", "address already in use", "choose another --web.listen-address"}},
		"the port of the admin API is in use":  {flags: []string{"--admin.listen-address=" + taken.Addr().String()}, code: exitOther, says: []string{"address already in use", "choose another --admin.listen-address"}},
		"the store's folder cannot be written": {flags: []string{"--storage.path=/proc"}, code: exitDisk, says: []string{"make the folder /proc writable"}},
		"the admin token can be read by everybody": {code: exitDisk, says: []string{"admin.token can be used by everybody on this host (mode 0644): chmod 600 it"}, prepare: func(store string) {
			writeMode(t, filepath.Join(store, "admin.token"), 0o644)
		}},
		"the admin token is empty": {code: exitDisk, says: []string{"admin.token is empty: delete the file"}, prepare: func(store string) {
			if err := os.WriteFile(filepath.Join(store, "admin.token"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"the store is a folder": {code: exitDisk, says: []string{"not a regular file"}, prepare: func(store string) {
			if err := os.Mkdir(filepath.Join(store, "cocbridge.db"), 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			store := t.TempDir()
			if c.prepare != nil {
				c.prepare(store)
			}
			args := []string{"serve", "--config.file=testdata/good.yaml", "--storage.path=" + store, "--web.listen-address=127.0.0.1:0", "--admin.listen-address=127.0.0.1:0"}
			for _, flag := range c.flags { // in place of the good one
				key, _, _ := strings.Cut(flag, "=")
				for i := range args {
					if strings.HasPrefix(args[i], key+"=") {
						args[i] = flag
					}
				}
			}
			oneLine(t, execute(t, "", args...), c.code, c.says...)
		})
	}
}

func oneLine(t *testing.T, got outcome, code int, says ...string) {
	t.Helper()
	if got.code != code || strings.Count(got.stderr, "\n") != 1 || !strings.HasPrefix(got.stderr, "cocbridge: ") {
		t.Errorf("exit code %d, want %d and one line:\n%s", got.code, code, got.stderr)
	}
	for _, text := range says {
		if !strings.Contains(got.stderr, text) {
			t.Errorf("%q is not in %s", text, got.stderr)
		}
	}
}

func writeMode(t *testing.T, file string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(file, []byte("abcdefgh"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

// A full disk, as a process with a limit for its files meets it.
func TestServe_fullDisk(t *testing.T) {
	config, err := filepath.Abs("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", `ulimit -f 8; exec "$0" "$@"`, os.Args[0], "serve", "--config.file="+config, "--storage.path="+t.TempDir(),
		"--web.listen-address=127.0.0.1:0", "--admin.listen-address=127.0.0.1:0")
	var stderr strings.Builder
	cmd.Env, cmd.Stderr = []string{asCocbridge + "=1"}, &stderr
	_ = cmd.Run()
	oneLine(t, outcome{code: cmd.ProcessState.ExitCode(), stderr: stderr.String()}, exitDisk, "file too large; free space on its disk")
}

// A secret that others can read works, since some platforms mount it so, but is
// complained of.
func TestCheckConfig_secretThatOthersCanRead(t *testing.T) {
	folder := t.TempDir()
	writeMode(t, filepath.Join(folder, "secret_key"), 0o644)
	file := filepath.Join(folder, "config.yaml")
	text := "coc: {auth: {access_key: AK, secret_key_file: secret_key}}\nintegrations: [{name: default, key: abc}]\nmapping: {application_id: app}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := execute(t, "", "check-config", file)
	if got.code != exitOK || !strings.Contains(got.stdout, "secret_key can be opened by other users (mode 0644); chmod 600 it") {
		t.Errorf("%+v", got)
	}
}

func TestRegistry_passesTheLinter(t *testing.T) {
	problems, err := testutil.GatherAndLint(registry(), "cocbridge_build_info")
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
