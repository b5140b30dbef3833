package receivers_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

// What a hostile body makes us allocate, in all, is bounded; without bounds
// while parsing the first took gigabytes and the second 200 MB.
func TestDecode_Memory(t *testing.T) {
	fill := func(size int, before, item, after string) []byte {
		return []byte(before + strings.Repeat(item, size/len(item)) + after)
	}
	many := wide(100000)
	const tooMany = "alerts: holds more than max_alerts"
	tests := []struct {
		name  string
		body  []byte
		bound uint64 // bytes
		want  string // the error, or how many alerts are good and rejected
	}{
		{"empty alerts", fill(32<<20, `{"version":"4","alerts":[`, `{},`, `{}]}`), 1 << 20, tooMany},
		{"small alerts", fill(32<<20, `{"version":"4","alerts":[`, `{"status":"firing"},`, `{}]}`), 1 << 20, tooMany},
		{"null alerts", fill(4<<20, `{"version":"4","alerts":[`, `null,`, `null]}`), 1 << 20, "alerts[0]: want an object, got null"},
		{"a million labels", []byte(message(good, firing(wide(1000000)), good)), 1 << 20, "2 and 1"},
		{"many annotations", []byte(message(good, `{"status":"firing","annotations":`+many+`}`)), 1 << 20, "1 and 1"},
		{"many group labels", []byte(`{"version":"4","alerts":[` + good + `],"groupLabels":` + many + `}`), 1 << 20, "1 and 0"},
		{"many common labels", []byte(`{"version":"4","alerts":[` + good + `],"commonLabels":` + many + `}`), 1 << 20, "1 and 0"},
		{"many fields", []byte(message(many)), 1 << 20, "alerts[0]: has more than 64 fields"},
		{"objects of 64 names", fill(4<<20, `{"version":"4","alerts":[],"x":[`, wide(64)+",", `0]}`), 4 << 20, "0 and 0"},
		{"objects of 65 names", fill(4<<20, `{"version":"4","alerts":[],"x":[`, wide(65)+",", `0]}`), 4 << 20, "0 and 0"},
		{"a long text", fill(4<<20, `{"version":"4","alerts":[{"status":"firing","annotations":{"a":"`, `x`, `"}}]}`), 1 << 20, "1 and 0"},
		{"a long text of escapes", fill(4<<20, `{"version":"4","alerts":[{"status":"firing","annotations":{"a":"`, `\u0041`, `"}}]}`), 1 << 20, "1 and 0"},
		{"a long name of escapes", fill(4<<20, `{"version":"4","alerts":[{"status":"firing","annotations":{"`, `\u0041`, `":""}}]}`), 16 << 20, "0 and 1"},
		{"a long unknown value", fill(4<<20, `{"version":"4","alerts":[],"x":[`, `[[],{}],`, `0]}`), 1 << 20, "0 and 0"},
		{"a NUL at the end", fill(4<<20, `{"version":"4","alerts":[`, `{},`, `"\u0000"]}`), 1 << 20, "holds a NUL character"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			b, err := receivers.Decode(tt.body, limits, "alertmanager", arrival)
			runtime.ReadMemStats(&after)
			got := fmt.Sprintf("%d and %d", len(b.Alerts), len(b.Rejected))
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			used := after.TotalAlloc - before.TotalAlloc
			t.Logf("%d bytes for a body of %d", used, len(tt.body))
			if used > tt.bound {
				t.Errorf("took %d bytes, want at most %d", used, tt.bound)
			}
		})
	}
}

// The decoder reads the body in place; a copy of it would cost as much again.
func TestDecode_LeavesTheBody(t *testing.T) {
	body := []byte(message(firing(`{"a\u0062":"c\u0064","e":"f"}`)))
	before := bytes.Clone(body)
	b, err := receivers.Decode(body, limits, "alertmanager", arrival)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, body) {
		t.Error("the body was changed")
	}
	clear(body)
	if labels := b.Alerts[0].Labels; labels["ab"] != "cd" || labels["e"] != "f" {
		t.Errorf("the batch shares memory with the body: %v", labels)
	}
}
