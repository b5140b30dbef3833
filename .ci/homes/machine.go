package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// machine is this machine's root with a layer above it that is thrown away.
type machine struct {
	root       string
	configured string // the operator's configuration file
}

func newMachine(ctx context.Context, folder string) (*machine, error) {
	base := filepath.Join(folder, "machine")
	m := &machine{root: filepath.Join(base, "root")}
	if err := os.MkdirAll(base, 0o755); err != nil { //nolint:gosec // the service's user must get through
		return nil, err
	}
	if err := syscall.Mount("tmpfs", base, "tmpfs", 0, "mode=755"); err != nil {
		return nil, fmt.Errorf("mount a tmpfs: %w", err)
	}
	for _, name := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(base, name), 0o755); err != nil { //nolint:gosec // as above
			return nil, err
		}
	}
	layers := fmt.Sprintf("lowerdir=/,upperdir=%s/upper,workdir=%s/work", base, base)
	if err := syscall.Mount("overlay", m.root, "overlay", 0, layers); err != nil {
		return nil, fmt.Errorf("mount an overlay of the root: %w", err)
	}
	for _, mount := range [][]string{
		{"-t", "proc", "proc", m.path("/proc")}, {"--bind", "/dev", m.path("/dev")}, {"-t", "tmpfs", "tmpfs", m.path("/run")},
		{"-t", "tmpfs", "-o", "mode=1777", "tmpfs", m.path("/tmp")},
	} {
		if _, err := command(ctx, "mount", mount...); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// discard takes the machine away, with all that was done to it.
func (m *machine) discard() {
	_ = exec.Command("umount", "--recursive", "--lazy", filepath.Dir(m.root)).Run() //nolint:gosec // our own mount
}

func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

// run executes a command of the machine as root and returns what it printed.
func (m *machine) run(ctx context.Context, args ...string) (string, error) {
	return command(ctx, "chroot", append([]string{m.root}, args...)...)
}

func (m *machine) write(name, text string) error {
	return os.WriteFile(m.path(name), []byte(text), 0o600)
}

// exists returns an error for each file whose presence is not as wanted.
func (m *machine) exists(want bool, names ...string) error {
	var errs []error
	for _, name := range names {
		if _, err := os.Lstat(m.path(name)); (err == nil) != want {
			errs = append(errs, fmt.Errorf("%s: exists is %v, want %v", name, err == nil, want))
		}
	}
	return errors.Join(errs...)
}
