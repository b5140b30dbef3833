package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const nobody = 65534

// hide makes the folder one that only root can look into.
func hide(t *testing.T, folder string) {
	t.Helper()
	if err := os.Chmod(folder, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(folder, 0o700) })
}

// Who is not in the group of the packages' socket must not be sent to another address.
func TestRemote_aSocketThatMayNotBeSeenIsThere(t *testing.T) {
	folder := t.TempDir()
	hide(t, folder)
	if os.Getuid() == 0 { // for this thread only
		runtime.LockOSThread()
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Setfsuid(0) }()
	}
	if !isThere(filepath.Join(folder, "admin.sock")) {
		t.Error("it is taken for none")
	}
	if isThere("/dev/no-such.sock") {
		t.Error("one that is not there is taken for one")
	}
}

func TestHands_withoutPermission(t *testing.T) {
	d := startDaemon(t, "", true)
	path := strings.TrimPrefix(d.admin, "unix:")
	hide(t, filepath.Dir(path))
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "why", "alertname=Disk", "--admin.listen-address="+d.admin)
	cmd.Env = []string{asCocbridge + "=1"}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := cmd.CombinedOutput()
	if want := "this user may not use the socket " + d.admin; err == nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), "usermod -aG cocbridge USER") {
		t.Errorf("%v: %s", err, out)
	}
	d.run.stop()
}
