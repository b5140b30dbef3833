package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// memory is what a process has in RAM, in bytes. VmRSS includes the pages of the
// store's file that are mapped, which the kernel takes back when it needs room;
// RssAnon does not.
type memory struct{ rss, anon int64 }

func (p *process) memory() (memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid()))
	m := memory{rss: kibibytes(text, "VmRSS:"), anon: kibibytes(text, "RssAnon:")}
	if err == nil && (m.rss == 0 || m.anon == 0) {
		err = fmt.Errorf("/proc/%d/status does not say how much memory is in use", p.pid())
	}
	return m, err
}

func kibibytes(text []byte, name string) int64 {
	_, rest, _ := bytes.Cut(text, []byte("\n"+name))
	value, _, _ := bytes.Cut(rest, []byte("kB"))
	n, _ := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	return n << 10
}

// peak watches the memory of a process until the returned function is called,
// which returns the largest values seen.
func (p *process) peak(ctx context.Context) func() memory {
	ctx, cancel := context.WithCancel(ctx)
	result := make(chan memory)
	go func() {
		var most memory
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			m, _ := p.memory() // of a process that has ended: zero
			most = memory{rss: max(most.rss, m.rss), anon: max(most.anon, m.anon)}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		result <- most
	}()
	return func() memory {
		cancel()
		return <-result
	}
}

// ticks is the unit of times in /proc/PID/stat on Linux.
const ticks = 10 * time.Millisecond

// work is how long the process has been running on a core, in all.
func (p *process) work() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid()))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * ticks
}
