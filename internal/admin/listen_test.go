package admin_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/admin"
)

// socket is a path short enough for a socket.
func socket(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "admin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return filepath.Join(folder, "admin.sock")
}

func TestListen_onAUnixSocket(t *testing.T) {
	path := socket(t)
	l, err := admin.Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o660 {
		t.Errorf("mode %04o", mode)
	}
	reloaded := false
	srv := &http.Server{Handler: admin.New(admin.Options{Address: "unix:" + path, Reload: func(context.Context, bool) error { reloaded = true; return nil }})}
	go func() { _ = srv.Serve(l) }()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	resp, err := client.Post("http://cocbridge/-/reload", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !reloaded {
		t.Errorf("%s, reloaded: %v", resp.Status, reloaded)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left behind")
	}
}

func TestListen_replacesAStaleSocketOnly(t *testing.T) {
	path := socket(t)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := admin.Listen(t.Context(), "unix:"+path); err == nil || !strings.Contains(err.Error(), "another daemon") {
		t.Errorf("beside a daemon that answers: %v, %v", l, err)
	}
	stale.SetUnlinkOnClose(false) // as after a crash
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := admin.Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	l.Close()
}

func TestListen_leavesOtherFilesAlone(t *testing.T) {
	path := socket(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Listen(t.Context(), "unix:"+path); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("err = %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file is now %q, %v", b, err)
	}
}

func TestListen_onTCP(t *testing.T) {
	l, err := admin.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Addr().Network() != "tcp" {
		t.Errorf("network %s", l.Addr().Network())
	}
}

func TestToken_isCreatedOnceAndKept(t *testing.T) {
	folder := t.TempDir()
	first, err := admin.Token(folder)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(admin.TokenPath(folder))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("mode %04o", mode)
	}
	if len(first.Reveal()) < 26 {
		t.Errorf("only %d characters", len(first.Reveal()))
	}
	again, err := admin.Token(folder)
	if err != nil || again != first {
		t.Errorf("at the next start it is another one: %v", err)
	}
	if other, err := admin.Token(t.TempDir()); err != nil || other == first {
		t.Errorf("two folders, one token: %v", err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("%d files in the folder, %v", len(left), err)
	}
}

func TestToken_mayBeWrittenByHand(t *testing.T) {
	folder := t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(admin.TokenPath(folder), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("  mine\n")
	if token, err := admin.Token(folder); err != nil || token.Reveal() != "mine" {
		t.Errorf("%v", err)
	}
	write("\n")
	if _, err := admin.Token(folder); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty token: %v", err)
	}
	if _, err := admin.Token(filepath.Join(folder, "missing")); err == nil {
		t.Error("a folder that is not there")
	}
}
