package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// ending is how long a process may take to end after SIGTERM.
const ending = 15 * time.Second

// process is a running program. It is ended by its own handle only, and at the
// latest with the context it was started under.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // how it ended; valid once ended is closed
}

// command is a program to start. Its outputs are appended to log, but for the
// standard one if stdout is set.
type command struct {
	path   string
	args   []string
	log    string
	stdout io.Writer
}

func (c command) start(ctx context.Context) (*process, error) {
	file, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()                // the child has its own
	cmd := exec.CommandContext(ctx, c.path, c.args...) //nolint:gosec // ourselves, or the program that the operator names
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = file, file
	if c.stdout != nil {
		cmd.Stdout = c.stdout
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// environment is ours without settings of cocbridge, which would win over its file.
func environment() []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "COCBRIDGE_") {
			env = append(env, pair)
		}
	}
	return env
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// alive returns an error once the process has ended.
func (p *process) alive() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s has ended: %s", p.cmd.Path, p.cmd.ProcessState)
	default:
		return nil
	}
}

// kill ends the process with SIGKILL and waits for it.
func (p *process) kill() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop asks the process to end and returns how it did.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return p.err
	case <-time.After(ending):
		p.kill()
		return fmt.Errorf("%s did not end within %s of SIGTERM", p.cmd.Path, ending)
	}
}

// startHelper starts one of the helpers that serve, and returns its address.
func (b *bench) startHelper(ctx context.Context, args ...string) (*process, string, error) {
	r, w := io.Pipe()
	p, err := command{path: b.self, args: args, log: b.log(args[0]), stdout: w}.start(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("start %s: %w", args[0], err)
	}
	go func() {
		<-p.ended
		_ = w.CloseWithError(io.EOF)
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		p.kill()
		return nil, "", fmt.Errorf("start %s: it did not say where it listens: %w", args[0], err)
	}
	return p, strings.TrimSpace(line), nil
}

// load runs a load generator to its end. Refused requests are an error.
func (b *bench) load(ctx context.Context, l loading) (loaded, error) {
	var out bytes.Buffer
	p, err := command{path: b.self, log: b.log("load"), stdout: &out, args: []string{
		"load", "-url", l.url, "-connections", fmt.Sprint(b.connections), "-alerts", fmt.Sprint(l.alerts),
		"-first", fmt.Sprint(l.first), "-count", fmt.Sprint(l.count),
		"-length", l.length.String(), "-rate", fmt.Sprint(l.rate), fmt.Sprintf("-same=%t", l.same),
	}}.start(ctx)
	if err != nil {
		return loaded{}, fmt.Errorf("start the load generator: %w", err)
	}
	<-p.ended
	if p.err != nil {
		return loaded{}, fmt.Errorf("the load generator ended with %w", p.err)
	}
	var done loaded
	if err := json.Unmarshal(out.Bytes(), &done); err != nil {
		return loaded{}, fmt.Errorf("what the load generator says: %w", err)
	}
	done.work = p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	if done.Failed > 0 {
		return done, fmt.Errorf("%d requests failed, one of them with: %s", done.Failed, done.Error)
	}
	return done, nil
}
