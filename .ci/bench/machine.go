package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// machine is where the figures come from.
type machine struct {
	CPU    string        `json:"cpu"`
	Cores  int           `json:"cores"`
	Memory int64         `json:"memory"` // bytes
	Kernel string        `json:"kernel"`
	Go     string        `json:"go"`
	Sync   time.Duration `json:"sync"` // median of writing 4 KiB and fdatasync, where the store lies
	Load   string        `json:"load"` // averages before the run
}

func thisMachine(folder string) (machine, error) {
	m := machine{
		CPU: valueOf("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Go: runtime.Version(),
		Kernel: firstLine("/proc/sys/kernel/osrelease"), Load: firstLine("/proc/loadavg"),
	}
	_, _ = fmt.Sscan(valueOf("/proc/meminfo", "MemTotal"), &m.Memory)
	m.Memory <<= 10
	if err := checkDisk(folder); err != nil {
		return m, err
	}
	var err error
	m.Sync, err = syncTime(filepath.Join(folder, "sync"))
	return m, err
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %d GiB, Linux %s, %s; 4 KiB are on disk in %s; load before: %s",
		m.CPU, m.Cores, m.Memory>>30, m.Kernel, m.Go, m.Sync.Round(time.Microsecond), m.Load)
}

func firstLine(file string) string {
	text, _ := os.ReadFile(file) // what is not there stays empty in the report
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return string(line)
}

// valueOf returns what stands behind "name:" in the file.
func valueOf(file, name string) string {
	text, _ := os.ReadFile(file)
	_, rest, _ := strings.Cut(string(text), name)
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Trim(line, ": \t")
}

// checkDisk refuses a folder in memory, where a sync costs nothing.
func checkDisk(folder string) error {
	const tmpfs = 0x01021994
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return fmt.Errorf("look at %s: %w", folder, err)
	}
	if fs.Type == tmpfs {
		return errors.New(folder + " is in memory (tmpfs): name one on a disk with -folder")
	}
	return nil
}

// syncTime is the median time to write a page and have it on the disk.
func syncTime(file string) (time.Duration, error) {
	f, err := os.Create(file)
	if err != nil {
		return 0, err
	}
	defer func() { _, _ = f.Close(), os.Remove(file) }()
	const tries, size = 200, 4096
	if _, err := f.Write(make([]byte, tries*size)); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	times := make([]time.Duration, tries)
	for i := range times {
		began := time.Now()
		if _, err := f.WriteAt(make([]byte, size), int64(i*size)); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return quantile(times, 0.5), nil
}
