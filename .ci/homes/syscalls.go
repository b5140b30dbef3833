package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// checkCalls compares the system calls that strace saw with the unit's filter.
func (s *service) checkCalls(ctx context.Context) error {
	allowed, err := s.allowedCalls(ctx)
	if err != nil {
		return err
	}
	var text []byte
	err = until(ctx, "strace has written all", func() error {
		if text, err = os.ReadFile(s.m.path(traceFile)); err != nil {
			return err
		}
		if !regexp.MustCompile(fmt.Sprintf(`(?m)^%d +\+\+\+ exited with 0`, s.cmd.Process.Pid)).Match(text) {
			return fmt.Errorf("no end in %d bytes", len(text))
		}
		return nil
	})
	if err != nil {
		return err
	}
	seen, refused := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\d+ +([a-z0-9_]+)\(`).FindAllStringSubmatch(string(text), -1) {
		seen[m[1]] = true
		if !allowed[m[1]] {
			refused[m[1]] = true
		}
	}
	if len(seen) < 30 || !seen["fdatasync"] {
		return fmt.Errorf("strace has seen only %v: this looks at the wrong thing", slices.Sorted(maps.Keys(seen)))
	}
	if len(refused) > 0 {
		return fmt.Errorf("the unit's SystemCallFilter refuses %v", slices.Sorted(maps.Keys(refused)))
	}
	fmt.Printf("  %d different system calls, all inside the unit's filter of %d\n", len(seen), len(allowed))
	return os.Remove(s.m.path(traceFile))
}

// allowedCalls expands the filter's lines in their order.
func (s *service) allowedCalls(ctx context.Context) (map[string]bool, error) {
	allowed := map[string]bool{}
	for _, line := range s.unit["SystemCallFilter"] {
		names, denied := strings.CutPrefix(line, "~")
		for _, name := range strings.Fields(names) {
			calls, err := s.expand(ctx, name)
			if err != nil {
				return nil, err
			}
			for _, call := range calls {
				if denied {
					delete(allowed, call)
				} else {
					allowed[call] = true
				}
			}
		}
	}
	return allowed, nil
}

// expand lists the system calls of a set, with those of the sets in it.
func (s *service) expand(ctx context.Context, name string) ([]string, error) {
	if name[0] != '@' {
		return []string{name}, nil
	}
	text, err := s.m.run(ctx, "systemd-analyze", "syscall-filter", name)
	if err != nil {
		return nil, err
	}
	var calls []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line == name || line[0] == '#' {
			continue
		}
		more, err := s.expand(ctx, line)
		if err != nil {
			return nil, err
		}
		calls = append(calls, more...)
	}
	return calls, nil
}
