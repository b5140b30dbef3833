package task_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/task"
)

// v1 is the task in testdata/v1.json. That file is never rewritten: it stands
// for the stores that users have.
func v1() task.Task {
	return task.Task{
		Kind: task.Report, Integration: "default", Reason: "new",
		Alarm: coc.Alarm{
			AlarmID: "0123456789abcdef0123456789abcdef", AlarmName: "磁盘满", AlarmLevel: coc.Critical, Time: 1795281562375,
			NameSpace: "prod", RegionID: "cn-north-4", ApplicationID: "app1", ResourceName: "web-1", ResourceID: "i-1",
			AlarmDesc: "Only 4.2% left", URL: "http://prometheus.example/graph?a=1&b=<2>", AlarmStatus: coc.StatusAlarm, AlarmSource: "prometheus",
			Additional: map[string]string{"label_team": "db", "annotation_summary": "full"},
		},
		Alert: alert.Alert{
			Receiver: "alertmanager", Source: "prometheus", Status: alert.Firing,
			Labels: map[string]string{"alertname": "DiskFull", "team": "db"}, Annotations: map[string]string{"summary": "full"},
			StartsAt: time.Date(2026, 11, 21, 17, 18, 22, 375e6, time.UTC), Fingerprint: "f90f64c0ecfd3905", ID: "e1",
			URL: "http://prometheus.example", SenderReceiver: "coc", GroupLabels: map[string]string{"alertname": "DiskFull"}, ExternalURL: "http://am.example",
		},
	}
}

func TestDecode_everyVersionEverWritten(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := task.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v1(), got); diff != "" {
		t.Error(diff)
	}
}

func TestEncode_writesTheForm(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := task.Encode(v1())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("a changed form needs a new Version and a new file in testdata: %s", diff)
	}
}

func TestDecode_refuses(t *testing.T) {
	for text, want := range map[string]error{
		`{"v":2,"kind":"report"}`:                       task.ErrVersion,
		`{"v":1}`:                                       task.ErrMalformed,
		`{"kind":"report"}`:                             task.ErrMalformed,
		`{"v":1,"kind":"report"`:                        task.ErrMalformed,
		`{"v":1,"v":1,"kind":"a"}`:                      task.ErrMalformed,
		`{"v":1,"kind":"report","same":["label_team"]}`: task.ErrMalformed,
		``:                            task.ErrMalformed,
		`null`:                        task.ErrMalformed,
		`{"v":"1","kind":"report"}`:   task.ErrMalformed,
		"{\"v\":1,\"kind\":\"\xff\"}": task.ErrMalformed,
	} {
		if _, err := task.Decode([]byte(text)); !errors.Is(err, want) {
			t.Errorf("Decode(%q) = %v, want %v", text, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, err := task.Encode(v1())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"v":1,"kind":"report","alert":{"labels":{"a":"b"}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := task.Decode(b)
		if err != nil {
			return
		}
		again, err := task.Encode(first)
		if err != nil {
			return // a time without a text form cannot come from Encode
		}
		second, err := task.Decode(again)
		if err != nil {
			t.Fatalf("what was encoded does not decode: %v", err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Error(diff)
		}
	})
}
