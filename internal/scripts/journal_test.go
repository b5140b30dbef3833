package scripts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/scripts"
)

func entry(n int) scripts.Entry {
	return scripts.Entry{
		At: time.Date(2026, 11, 21, 12, n, 0, 0, time.UTC), ID: strings.Repeat("0123456789abcdef", 2), Attempt: n, Rule: "r", Kind: "script",
		Request: scripts.Request{What: "SC1", Params: []scripts.Value{{Name: "a", Value: "b"}}, Hosts: []scripts.Target{{ResourceID: "h"}}},
	}
}

// open opens the journal and expects these entries in it.
func open(t *testing.T, path string, damaged int, want ...scripts.Entry) *scripts.Journal {
	t.Helper()
	j, got, bad, err := scripts.OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	if diff := cmp.Diff(want, got); diff != "" || bad != damaged {
		t.Errorf("%d damaged, want %d; entries (-want +got):\n%s", bad, damaged, diff)
	}
	return j
}

func add(t *testing.T, j *scripts.Journal, entries ...scripts.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := j.Append(e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJournal_keepsWhatWasAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs")
	add(t, open(t, path, 0), entry(1), entry(2))
	add(t, open(t, path, 0, entry(1), entry(2)), entry(3))
	open(t, path, 0, entry(1), entry(2), entry(3))
}

// A line that is not whole was never synced; what follows must not be glued to it.
func TestJournal_cutsATornEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs")
	add(t, open(t, path, 0), entry(1), entry(2))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	second := strings.Index(string(whole), "\n") + 1
	for n := second; n < len(whole); n += 7 {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		add(t, open(t, path, 0, entry(1)), entry(3))
		open(t, path, 0, entry(1), entry(3))
	}
}

func TestJournal_countsDamagedLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs")
	add(t, open(t, path, 0), entry(1), entry(2), entry(3))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, path, 1, entry(1), entry(3))
}

func TestJournal_forgetsTheOldOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs")
	j := open(t, path, 0)
	add(t, j, entry(1), entry(2), entry(3))
	if err := j.Forget(entry(2).At); err != nil {
		t.Fatal(err)
	}
	add(t, j, entry(4))
	open(t, path, 0, entry(2), entry(3), entry(4))
}

func TestJournal_refusesAfterClose(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "runs"), 0)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(entry(1)); err == nil {
		t.Error("an entry went nowhere, and nobody says so")
	}
}

// removeStore is what a person does with a store that cannot be opened.
func removeStore(folder string) error { return os.Remove(filepath.Join(folder, "x.db")) }

// What a start has added again is older than what was there before.
func TestJournal_forgetsWhatWasAddedLate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs")
	j := open(t, path, 0)
	if err := j.Append(entry(9), entry(1), entry(2)); err != nil {
		t.Fatal(err)
	}
	if err := j.Forget(entry(2).At); err != nil {
		t.Fatal(err)
	}
	open(t, path, 0, entry(9), entry(2))
}
