package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Where systemd would keep them.
const (
	credentialsFolder = "/run/credentials/cocbridge.service"
	notifySocket      = "/run/notify"
	traceFile         = "/tmp/trace"
)

// service is the unit's process. systemd is stood in for by this: the user with
// no capabilities and no new privileges, folders of state and runtime, everything
// else read-only, what of /proc is hidden, umask, environment, credentials, the notify
// socket, ExecReload, SIGTERM. The other lines of the unit's sandbox are checked by systemd-analyze and
// by comparing the system calls that were seen with its filter.
type service struct {
	m      *machine
	unit   unit
	cmd    *exec.Cmd
	notify *net.UnixConn
}

func newService(ctx context.Context, m *machine) (*service, error) {
	u, err := readUnit(m.path(unitFile))
	if err != nil {
		return nil, err
	}
	s := &service{m: m, unit: u}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	s.cmd, err = s.command(ctx)
	return s, err
}

func startService(ctx context.Context, m *machine) (*service, error) {
	s, err := newService(ctx, m)
	if err != nil {
		return nil, err
	}
	s.cmd.Stdout, s.cmd.Stderr = os.Stdout, os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.hears(ctx, "READY=1"); err != nil {
		return nil, err
	}
	return s, nil
}

// prepare makes what systemd would: folders, credentials, socket.
func (s *service) prepare(ctx context.Context) error {
	user, err := s.unit.one("User")
	if err != nil {
		return err
	}
	if _, err := s.m.run(ctx, "install", "-d", "-o", user, "-g", user, "-m", s.unit["StateDirectoryMode"][0], "/var/lib/"+s.unit["StateDirectory"][0]); err != nil {
		return err
	}
	if _, err := s.m.run(ctx, "install", "-d", "-o", user, "-g", user, "-m", s.unit["RuntimeDirectoryMode"][0], "/run/"+s.unit["RuntimeDirectory"][0]); err != nil {
		return err
	}
	if _, err := s.m.run(ctx, "install", "-d", "-o", user, "-m", "500", credentialsFolder); err != nil {
		return err
	}
	for name, file := range s.unit.credentials() {
		if _, err := s.m.run(ctx, "install", "-o", user, "-m", "400", file, credentialsFolder+"/"+name); err != nil {
			return err
		}
	}
	socket := s.m.path(notifySocket)
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}); err != nil {
		return err
	}
	return os.Chmod(socket, 0o777) //nolint:gosec // as systemd's
}

// sandbox is what a shell does before it becomes the service: ProtectSystem=strict,
// ProtectProc, ProcSubset, UMask, User, no capabilities. strace stays out of the way of the process id.
const sandbox = `set -e
for folder in "$STATE_DIRECTORY" "$RUNTIME_DIRECTORY"; do mount --bind "$ROOT$folder" "$ROOT$folder"; done
mount -o remount,bind,ro "$ROOT"
mount -t proc -o "$PROC" proc "$ROOT/proc"
umask "$UMASK"
cd /
exec chroot "$ROOT" setpriv --reuid="$USER" --regid="$USER" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
  strace -D -f -q -o ` + traceFile + ` "$@"`

func (s *service) command(ctx context.Context) (*exec.Cmd, error) {
	execStart, err := s.unit.one("ExecStart")
	if err != nil {
		return nil, err
	}
	args := append([]string{"--mount", "--propagation", "slave", "sh", "-c", sandbox, "sh"}, strings.Fields(execStart)...)
	cmd := exec.CommandContext(ctx, "unshare", args...) //nolint:gosec // the unit under test
	cmd.Env = []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "ROOT=" + s.m.root, "USER=" + s.unit["User"][0], "UMASK=" + s.unit["UMask"][0],
		"PROC=" + s.unit.proc(),
		"STATE_DIRECTORY=/var/lib/" + s.unit["StateDirectory"][0], "RUNTIME_DIRECTORY=/run/" + s.unit["RuntimeDirectory"][0],
		"CREDENTIALS_DIRECTORY=" + credentialsFolder, "NOTIFY_SOCKET=" + notifySocket, "WATCHDOG_USEC=200000",
	}
	for _, value := range s.unit["Environment"] {
		cmd.Env = append(cmd.Env, strings.ReplaceAll(value, "%d", credentialsFolder))
	}
	return cmd, nil
}

// refuses checks that the service ends as long as its secrets are empty, and says so.
func refuses(ctx context.Context, m *machine) error {
	s, err := newService(ctx, m)
	if err != nil {
		return err
	}
	out, err := s.cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "secret_key is empty; write the secret into it") {
		return fmt.Errorf("started without secrets: %w, want exit code 2\n%s", err, out)
	}
	return errors.Join(s.notify.Close(), os.Remove(m.path(traceFile)))
}

// hears waits for a message of the process to its service manager.
func (s *service) hears(ctx context.Context, want string) error {
	deadline, _ := ctx.Deadline()
	if soon := time.Now().Add(30 * time.Second); soon.Before(deadline) {
		deadline = soon
	}
	if err := s.notify.SetReadDeadline(deadline); err != nil {
		return err
	}
	message := make([]byte, 4096)
	for {
		n, err := s.notify.Read(message)
		if err != nil {
			return fmt.Errorf("wait for %s: %w", want, err)
		}
		if line, _, _ := strings.Cut(string(message[:n]), "\n"); line == want {
			return nil
		}
	}
}

// reload runs the unit's ExecReload.
func (s *service) reload(ctx context.Context) error {
	execReload, err := s.unit.one("ExecReload")
	if err != nil {
		return err
	}
	line := strings.ReplaceAll(execReload, "$MAINPID", fmt.Sprint(s.cmd.Process.Pid))
	if _, err := s.m.run(ctx, strings.Fields(line)...); err != nil {
		return err
	}
	return errors.Join(s.hears(ctx, "RELOADING=1"), s.hears(ctx, "READY=1"))
}

// stop ends it as systemd does.
func (s *service) stop(ctx context.Context) error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := errors.Join(s.hears(ctx, "STOPPING=1"), s.cmd.Wait(), s.notify.Close())
	if err != nil {
		return fmt.Errorf("stop the service: %w", err)
	}
	return nil
}

// life has the running service do all it can, then stops it.
func (s *service) life(ctx context.Context, alarm string) error {
	if err := delivers(ctx, alarm, ""); err != nil {
		return err
	}
	if err := s.hears(ctx, "WATCHDOG=1"); err != nil {
		return err
	}
	if err := measured(ctx); err != nil {
		return err
	}
	if err := s.explains(ctx, alarm); err != nil {
		return err
	}
	if err := s.reload(ctx); err != nil {
		return err
	}
	if err := s.isWho(); err != nil {
		return err
	}
	if err := delivers(ctx, alarm+"AfterReload", ""); err != nil {
		return err
	}
	if err := s.stop(ctx); err != nil {
		return err
	}
	return s.checkCalls(ctx)
}

// measured checks that the sandbox hides nothing that the alert rules ask for.
func measured(ctx context.Context) error {
	page, err := get(ctx, web+"/metrics")
	if err == nil && !strings.Contains(string(page), "\nprocess_start_time_seconds ") {
		err = errors.New("the service does not say when it began")
	}
	return err
}

// explains asks by the socket, as root does on the host.
func (s *service) explains(ctx context.Context, alarm string) error {
	return until(ctx, "why is answered", func() error {
		out, err := s.m.run(ctx, "cocbridge", "why", "alertname="+alarm)
		return wasSent(out, err)
	})
}

// isWho checks that the process has become the unit's user, without any capability.
func (s *service) isWho() error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return err
	}
	for _, line := range []string{"Name:\tcocbridge", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Umask:\t0077"} {
		if !strings.Contains(string(status), line+"\n") {
			return fmt.Errorf("the service runs without %q:\n%s", line, status)
		}
	}
	if strings.Contains(string(status), "Uid:\t0") {
		return errors.New("the service runs as root")
	}
	return nil
}
