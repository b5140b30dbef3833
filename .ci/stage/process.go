package stage

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	stopping  = 15 * time.Second // how long a process may take to end after it was asked to
	tailLines = 40
)

// Program is how a process is started. Its log is appended to, so that a
// program that is started again goes on in the same file.
type Program struct {
	Path string
	Args []string
	Log  string
	User *syscall.Credential // nil = ours
	End  syscall.Signal      // that asks it to end; 0 = SIGTERM
}

// Process is a running program. It is ended by its own handle only, and at the
// latest with the context it was started under.
type Process struct {
	cmd   *exec.Cmd
	end   syscall.Signal
	ended chan struct{}
	err   error // how it ended; valid once ended is closed
}

// Start starts it in the folder of its log, with a group of its own: some
// programs have children, which a kill must reach.
func (p Program) Start(ctx context.Context) (*Process, error) {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()                 // the child has its own
	cmd := exec.CommandContext(ctx, p.Path, p.Args...) //nolint:gosec // the operator names the programs
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.User, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Dir = filepath.Dir(p.Log)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	proc := &Process{cmd: cmd, end: cmp.Or(p.End, syscall.SIGTERM), ended: make(chan struct{})}
	go func() {
		defer close(proc.ended)
		proc.err = cmd.Wait()
	}()
	return proc, nil
}

// Alive returns an error once the process has ended.
func (p *Process) Alive() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s has ended: %w", p.cmd.Path, p.err)
	default:
		return nil
	}
}

// Kill ends the process with SIGKILL and waits for it. nil is none.
func (p *Process) Kill() {
	if p == nil {
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// Stop asks the process to end and returns how it did.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(p.end)
	select {
	case <-p.ended:
		return p.err
	case <-time.After(stopping):
		p.Kill()
		return fmt.Errorf("did not end within %s of %s", stopping, p.end)
	}
}

// End stops the process, however it takes it, and kills what is left of its
// group. nil is none.
func (p *Process) End() {
	if p != nil {
		_ = p.Stop()
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// Tail is the end of a log.
func Tail(path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error() + "\n")
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-tailLines):], nil)
}
