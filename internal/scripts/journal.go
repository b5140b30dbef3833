package scripts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Entry is one call that was about to leave.
type Entry struct {
	At      time.Time `json:"at"`
	ID      string    `json:"id"` // of the run
	Attempt int       `json:"attempt"`
	Rule    string    `json:"rule"`
	Kind    string    `json:"kind"`
	AlarmID string    `json:"alarmId"`
	Request Request   `json:"request"`
}

// Journal is the second record of calls, beside the store and apart from it: a
// commit that the store has lost must not make a call look as if it had never
// left. One line per call, each synced before the call:
//
//	crc32c (8 hex digits) " " JSON of Entry "\n"
type Journal struct {
	path string

	mu     sync.Mutex
	file   *os.File
	size   int64
	broken error // nothing can be added any more, so nothing may be called
}

// OpenJournal opens or creates the file and returns what it holds, oldest first.
// A last line that is not whole was never synced, so its call has not left. damaged
// counts other lines that cannot be read.
func OpenJournal(path string) (j *Journal, entries []Entry, damaged int, err error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, 0, fmt.Errorf("journal of runs: %w", err)
	}
	whole := bytes.LastIndexByte(b, '\n') + 1
	entries, damaged = readEntries(b[:whole])
	j = &Journal{path: path, size: int64(whole)}
	if err := j.open(); err != nil {
		return nil, nil, 0, fmt.Errorf("journal of runs: %w", err)
	}
	return j, entries, damaged, nil
}

func (j *Journal) open() (err error) {
	if j.file, err = os.OpenFile(j.path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := errors.Join(j.file.Truncate(j.size), j.file.Sync(), syncFolder(filepath.Dir(j.path))); err != nil {
		return errors.Join(err, j.file.Close())
	}
	return nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func readEntries(b []byte) (entries []Entry, damaged int) {
	for line := range bytes.Lines(b) {
		e, ok := readEntry(bytes.TrimSuffix(line, []byte("\n")))
		if !ok {
			damaged++
			continue
		}
		entries = append(entries, e)
	}
	return entries, damaged
}

func readEntry(line []byte) (e Entry, ok bool) {
	sum, text, ok := bytes.Cut(line, []byte(" "))
	if !ok || string(sum) != checksum(text) {
		return e, false
	}
	return e, json.Unmarshal(text, &e) == nil && len(e.ID) >= markSize
}

func checksum(text []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)))
}

func (e Entry) line() ([]byte, error) {
	text, err := json.Marshal(e)
	return fmt.Appendf(nil, "%s %s\n", checksum(text), text), err
}

// Append writes entries; nil means that they are synced, all at once. After an error
// that leaves the end of the file unclear every Append fails.
func (j *Journal) Append(entries ...Entry) error {
	var lines []byte
	for _, e := range entries {
		line, err := e.line()
		if err != nil {
			return fmt.Errorf("journal of runs: %w", err)
		}
		lines = append(lines, line...)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return fmt.Errorf("journal of runs: it is broken since an earlier error, restart: %w", j.broken)
	}
	if _, err := j.file.WriteAt(lines, j.size); err != nil {
		if cut := j.file.Truncate(j.size); cut != nil {
			j.broken = err
		}
		return fmt.Errorf("journal of runs: %w", err)
	}
	if err := j.file.Sync(); err != nil { // what is on disk now is anybody's guess
		j.broken = err
		return fmt.Errorf("journal of runs: %w", err)
	}
	j.size += int64(len(lines))
	return nil
}

// Forget drops the entries before a time, and lines that cannot be read.
func (j *Journal) Forget(before time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := make([]byte, j.size)
	if _, err := j.file.ReadAt(b, 0); err != nil && j.size > 0 {
		return fmt.Errorf("journal of runs: %w", err)
	}
	entries, damaged := readEntries(b)
	old := func(e Entry) bool { return e.At.Before(before) } // they need not be in order
	if damaged == 0 && !slices.ContainsFunc(entries, old) {
		return nil
	}
	var kept []byte
	for _, e := range entries {
		if old(e) {
			continue
		}
		line, err := e.line()
		if err != nil {
			return fmt.Errorf("journal of runs: %w", err)
		}
		kept = append(kept, line...)
	}
	if err := j.replace(kept); err != nil {
		return fmt.Errorf("journal of runs: %w", err)
	}
	return nil
}

// replace writes another file and renames it, so that there is a whole one always.
func (j *Journal) replace(content []byte) error {
	next := j.path + ".new"
	file, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync()); err == nil {
		err = os.Rename(next, j.path)
	}
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(next))
	}
	old := j.file
	j.file, j.size = file, int64(len(content))
	if err := syncFolder(filepath.Dir(j.path)); err != nil {
		j.broken = err
		return err
	}
	return old.Close()
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }
