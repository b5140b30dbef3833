package ledger_test

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/ledger"
)

// full is an entry with everything in it, and times that are hard to keep.
func full() *ledger.Entry {
	at := time.Date(2026, 11, 21, 17, 0, 0, 123_000_000, time.UTC)
	told := ledger.Telling{
		Firing: true, At: at, Time: at.UnixMilli(), Level: "Critical", Integration: "default", Name: "节点", NameSpace: "ns",
		RegionID: "cn-north-4", ApplicationID: "app", ResourceName: "10.0.0.1:9100", ResourceID: "i-1", Source: "prometheus",
	}
	newest, before := told, told
	newest.Firing, newest.At, before.Level = false, at.Add(time.Nanosecond), "Minor"
	return &ledger.Entry{
		Firing: true, StartsAt: at, Began: time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), Level: "Critical", Revision: "2026.11.21", Over: true,
		Heard: at, Waiting: 2, Unsaid: true, Newest: &newest, Told: &told,
		Held:    &ledger.Held{Task: 1 << 40, StartsAt: at, Began: time.Time{}, Level: "Major", Until: at.Add(time.Minute), Before: &before},
		History: []ledger.Event{{At: at, What: "new", Detail: "default"}, {At: at, What: "sent"}},
	}
}

func TestEntry_comesBackAsItWas(t *testing.T) {
	entries := map[string]*ledger.Entry{"full": full(), "empty": {}}
	for name, change := range map[string]func(*ledger.Entry){
		"not held":             func(e *ledger.Entry) { e.Held = nil },
		"held, nothing before": func(e *ledger.Entry) { e.Held.Before = nil },
		"only told":            func(e *ledger.Entry) { e.Newest, e.Held, e.History = nil, nil, nil },
		"only about to be":     func(e *ledger.Entry) { e.Told, e.Firing = nil, false },
	} {
		entries[name] = full()
		change(entries[name])
	}
	for name, want := range entries {
		t.Run(name, func(t *testing.T) {
			got, err := ledger.DecodeEntry(ledger.EncodeEntry(want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEntry_whatIsNotOneIsRefused(t *testing.T) {
	whole := ledger.EncodeEntry(full())
	for n := range whole {
		if _, err := ledger.DecodeEntry(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes were taken for an entry", n, len(whole))
		}
	}
	if _, err := ledger.DecodeEntry(append(whole, 0)); err == nil {
		t.Error("a byte too many went unnoticed")
	}
	newer := append([]byte{whole[0] + 1}, whole[1:]...)
	if _, err := ledger.DecodeEntry(newer); err == nil {
		t.Error("a newer version was read as this one")
	}
}

// Entries of this form lie on users' disks: the file must never be written anew.
func TestEntry_version1StaysReadable(t *testing.T) {
	text, err := os.ReadFile("testdata/entry.v1.hex")
	if err != nil {
		t.Fatal(err)
	}
	record, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ledger.DecodeEntry(record)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got); diff != "" {
		t.Error(diff)
	}
}
