package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// bench is one run.
type bench struct {
	options
	figures
	self    string // this program, for the helpers
	machine machine
	took    time.Duration
}

// measures are made in this order.
var measures = []struct {
	name string
	make func(*bench, context.Context) error
}{
	{"idle", (*bench).measureIdle},
	{"throughput", (*bench).measureThroughput},
	{"latency", (*bench).measureLatency},
	{"repeats", (*bench).measureRepeats},
	{"group", (*bench).measureGroup},
	{"queue", (*bench).measureQueue},
}

func measureNames() []string {
	var names []string
	for _, m := range measures {
		names = append(names, m.name)
	}
	return names
}

func known(name string) bool { return slices.Contains(measureNames(), name) }

// measureAll makes the measures that are wanted, also after one that failed.
func measureAll(ctx context.Context, o options) error {
	began := time.Now()
	b := &bench{options: o}
	if err := b.setUp(ctx); err != nil {
		return errors.Join(err, b.tearDown())
	}
	fmt.Println(b.machine)
	var errs []error
	for _, m := range measures {
		if len(o.only) > 0 && !slices.Contains(o.only, m.name) {
			continue
		}
		fmt.Printf("%6.0f s  %s\n", time.Since(began).Seconds(), m.name)
		if err := m.make(b, ctx); err != nil {
			fmt.Printf("FAILED    %s: %v\n", m.name, err)
			errs = append(errs, fmt.Errorf("%s: %w", m.name, err))
		}
	}
	b.took = time.Since(began)
	b.printTable()
	if len(errs) == 0 {
		errs = append(errs, b.tearDown()) // after a failure the logs stay
	}
	return errors.Join(append(errs, b.write())...)
}

// setUp makes a folder of this run's own, looks at the machine and builds cocbridge.
func (b *bench) setUp(ctx context.Context) (err error) {
	if err := os.MkdirAll(b.options.folder, 0o700); err != nil {
		return err
	}
	if b.folder, err = os.MkdirTemp(b.options.folder, "run-"); err != nil {
		return err
	}
	if b.folder, err = filepath.Abs(b.folder); err != nil {
		return err
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.machine, err = thisMachine(b.folder); err != nil {
		return err
	}
	if b.program != "" {
		return nil
	}
	b.program = filepath.Join(b.folder, "cocbridge")
	build := exec.CommandContext(ctx, "go", "build", "-o", b.program, "./cmd/cocbridge") //nolint:gosec // a name of our own
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build cocbridge: %w\n%s", err, out)
	}
	return nil
}

func (b *bench) tearDown() error { return os.RemoveAll(b.folder) }

// log is the file for what a program says.
func (b *bench) log(program string) string { return filepath.Join(b.folder, program+".log") }

// note prints what was just measured, so that a long run shows its progress.
func (b *bench) note(format string, args ...any) { fmt.Printf("          "+format+"\n", args...) }

// with runs f with a station and ends it, in good order if f did.
func (b *bench) with(ctx context.Context, name string, f func(*station) error) error {
	s, err := b.station(ctx, name)
	if err != nil {
		return fmt.Errorf("start the %s: %w", name, err)
	}
	if err := f(s); err != nil {
		s.end()
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := s.close(); err != nil {
		return fmt.Errorf("stop the %s: %w", name, err)
	}
	return nil
}
