package coc_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
)

// validAlarm has every field, each within its limits.
func validAlarm() coc.Alarm {
	return coc.Alarm{
		AlarmID: "0123456789abcdef0123456789abcdef", AlarmName: "磁盘满", AlarmLevel: coc.Critical, Time: 1795281562375,
		NameSpace: "prod", RegionID: "cn-north-4", ApplicationID: "app1", ResourceName: "db-1", ResourceID: "i-1",
		AlarmDesc: "Only 4.2% left <now>", URL: "http://prometheus.example/graph?a=1&b=<2>", AlarmStatus: coc.StatusAlarm,
		AlarmSource: "prometheus", Additional: map[string]string{"summary": "disk \"full\""},
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]int{
		"":           0,
		"abc":        3,
		"磁盘":         2,
		"é":          1,
		"e\u0301":    2, // e and a combining accent
		"😀":          2,
		"👨‍👩‍👧":      8,
		"\xff\xfe":   2,
		"a\xf0\x9f":  3, // half an emoji: each byte becomes U+FFFD
		"\U0010FFFF": 2,
	} {
		if got := coc.Units(text); got != want {
			t.Errorf("Units(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestAlarm_Check(t *testing.T) {
	longest, emoji := strings.Repeat("磁", coc.MaxText), strings.Repeat("😀", coc.MaxText/2)
	for name, test := range map[string]struct {
		change func(*coc.Alarm)
		want   string
	}{
		"a full alarm": {func(*coc.Alarm) {}, ""},
		"the optional fields are empty": {func(a *coc.Alarm) {
			a.RegionID, a.ResourceName, a.ResourceID, a.URL, a.Additional = "", "", "", "", nil
		}, ""},
		"the longest Chinese text":       {func(a *coc.Alarm) { a.AlarmDesc = longest }, ""},
		"one Chinese character too much": {func(a *coc.Alarm) { a.AlarmDesc = longest + "满" }, "alarmDesc has 256 characters, must have 1 to 255"},
		"the longest text of emoji":      {func(a *coc.Alarm) { a.AlarmDesc = emoji + "." }, ""},
		"half an emoji too much":         {func(a *coc.Alarm) { a.AlarmDesc = emoji + "😀" }, "alarmDesc has 256 characters, must have 1 to 255"},
		"an id with other characters":    {func(a *coc.Alarm) { a.AlarmID = "a-b" }, "alarmId must have letters and digits only"},
		"a level in lower case":          {func(a *coc.Alarm) { a.AlarmLevel = "critical" }, `alarmLevel is "critical", must be Critical, Major, Minor or Info`},
		"a status in upper case":         {func(a *coc.Alarm) { a.AlarmStatus = "OK" }, `alarmStatus is "OK", must be alarm or ok`},
		"the zero time":                  {func(a *coc.Alarm) { a.Time = -62135596800000 }, "time is -62135596800000, must be milliseconds since 1970 and at least 1"},
		"additional just fits":           {func(a *coc.Alarm) { a.Additional = map[string]string{"ab": strings.Repeat("x", coc.MaxAdditional-2)} }, ""},
		"additional is too long":         {func(a *coc.Alarm) { a.Additional = map[string]string{"abc": strings.Repeat("x", coc.MaxAdditional-2)} }, "additional has 16385 bytes, must have at most 16384"},
	} {
		t.Run(name, func(t *testing.T) {
			alarm := validAlarm()
			test.change(&alarm)
			if diff := cmp.Diff(test.want, errorText(alarm.Check())); diff != "" {
				t.Errorf("Check (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAlarm_Check_namesEveryViolation(t *testing.T) {
	long := strings.Repeat("x", 256)
	worst := coc.Alarm{RegionID: long, ResourceName: long, ResourceID: long, URL: long, Additional: map[string]string{"k": strings.Repeat("x", 1<<15)}}
	got := errorText(worst.Check())
	for _, field := range []string{
		"alarmId", "alarmName", "alarmLevel", "time", "nameSpace", "regionId", "applicationId", "resourceName",
		"resourceId", "alarmDesc", "URL", "alarmStatus", "alarmSource", "additional",
	} {
		if !strings.Contains(got, field) {
			t.Errorf("%q does not name %s", got, field)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
