package task_test

import (
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/task"
)

// usual is a task of about the size that real alerts lead to, with all labels and
// annotations in additional, as the default mapping has it.
func usual() task.Task {
	t := v1()
	for name, value := range map[string]string{
		"cluster": "prod-eu-1", "env": "prod", "instance": "node-1.example:9100", "job": "storefront", "namespace": "shop", "severity": "warning",
	} {
		t.Alert.Labels[name] = value
	}
	t.Alert.Annotations["description"] = strings.Repeat("Requests are slow; see the dashboard. ", 8)
	t.Alarm.AlarmDesc = t.Alert.Annotations["description"][:250]
	for name, value := range t.Alert.Labels {
		t.Alarm.Additional["label_"+name] = value
	}
	for name, value := range t.Alert.Annotations {
		t.Alarm.Additional["annotation_"+name] = value
	}
	return t
}

func BenchmarkEncode(b *testing.B) {
	t := usual()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := task.Encode(t); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	text, err := task.Encode(usual())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := task.Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}
