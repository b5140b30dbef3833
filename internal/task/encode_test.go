package task_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/task"
)

// dice fills every field there is, so that one which is added is seen too.
type dice struct{ *rand.Rand }

func (d dice) fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		if d.IntN(4) > 0 {
			v.Set(reflect.ValueOf(time.Unix(d.Int64N(250e9), d.Int64N(1e9)).UTC()))
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			d.fill(v.Field(i))
		}
	case v.Kind() == reflect.String:
		v.SetString(d.text())
	case v.Kind() == reflect.Bool:
		v.SetBool(d.IntN(2) == 0)
	case v.Kind() == reflect.Int64:
		v.SetInt(d.Int64() >> d.IntN(64))
	case v.Kind() == reflect.Map:
		texts := map[string]string{}
		for range d.IntN(70) {
			texts[d.text()] = d.text()
		}
		v.Set(reflect.ValueOf(texts))
	default:
		panic(fmt.Sprintf("the dice do not know %s", v.Type()))
	}
}

func (d dice) text() string {
	runes := []rune("ab\"\\<>&/\n\t\x01\x7fé磁\u2028😀")
	text := ""
	for range d.IntN(6) {
		text += string(runes[d.IntN(len(runes))])
	}
	return text
}

// The form is what the JSON library makes of the types.
func TestEncode_isTheLibrarysJSON(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	for range 2000 {
		var one task.Task
		d.fill(reflect.ValueOf(&one).Elem())
		one.Kind = task.Report
		want, wantErr := json.Marshal(struct {
			V         int `json:"v"`
			task.Task `json:",inline"`
		}{task.Version, one}, json.Deterministic(true))
		got, err := task.Encode(one)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("Encode: %v; the library: %v", err, wantErr)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" && err == nil {
			t.Fatal(diff)
		}
	}
}

func TestEncode_refusesWhatJSONCannotHold(t *testing.T) {
	one := v1()
	one.Alert.Labels["bad"] = "\xff"
	if _, err := task.Encode(one); err == nil {
		t.Error("a text that is not UTF-8 was encoded")
	}
}

// What the alarm repeats of its alert lies on disk once.
func TestEncode_keepsWhatIsSharedOnce(t *testing.T) {
	want := usual()
	want.Alarm.Additional["label_env"] = "not the alert's"
	want.Alarm.Additional["label_nobody"] = "has this"
	b, err := task.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), want.Alert.Annotations["description"]); n != 1 {
		t.Errorf("the description is on disk %d times", n)
	}
	got, err := task.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
