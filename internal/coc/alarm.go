package coc

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
)

// MaxText is the longest text COC takes in any field of an alarm, in UTF-16
// code units as Units counts them (coc-api.md 1.4, 3.1).
const MaxText = 255

// MaxAdditional is how many bytes the names and values of Alarm.Additional may
// have in all. COC documents no limit; this one is ours.
const MaxAdditional = 16 << 10

// Alarm is the body of POST /v1/event/huawei/custom/{integration_key}
// (coc-api.md 3.1). Limits count UTF-16 code units. Its JSON form is part of
// the on-disk format of task.Task.
type Alarm struct {
	AlarmID       string            `json:"alarmId"`                // 1-255, letters and digits
	AlarmName     string            `json:"alarmName"`              // 1-255
	AlarmLevel    Level             `json:"alarmLevel"`             // Critical, Major, Minor, Info
	Time          int64             `json:"time"`                   // milliseconds since 1970, at least 1
	NameSpace     string            `json:"nameSpace"`              // 1-255
	RegionID      string            `json:"regionId,omitempty"`     // 0-255
	ApplicationID string            `json:"applicationId"`          // 1-255
	ResourceName  string            `json:"resourceName,omitempty"` // 0-255
	ResourceID    string            `json:"resourceId,omitempty"`   // 0-255
	AlarmDesc     string            `json:"alarmDesc"`              // 1-255
	URL           string            `json:"URL,omitempty"`          // 0-255; the key is upper case
	AlarmStatus   AlarmStatus       `json:"alarmStatus"`            // alarm or ok; always sent
	AlarmSource   string            `json:"alarmSource"`            // 1-255
	Additional    map[string]string `json:"additional,omitempty"`   // flat; 16 KiB by our own choice
}

// Level is an alarm's severity as COC spells it.
type Level string

// The four levels COC knows, worst first.
const (
	Critical Level = "Critical"
	Major    Level = "Major"
	Minor    Level = "Minor"
	Info     Level = "Info"
)

// AlarmStatus says whether the alarm fires or has recovered.
type AlarmStatus string

// The two states COC knows; lower case, unlike the levels.
const (
	StatusAlarm AlarmStatus = "alarm"
	StatusOK    AlarmStatus = "ok"
)

// Units is the length of s as COC counts it, in UTF-16 code units: 1 for a
// Chinese character, 2 for an emoji. Each invalid byte counts 1, since JSON
// carries it as U+FFFD.
func Units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// Check names every limit of COC that the alarm breaks, in one error, or
// returns nil.
func (a Alarm) Check() error {
	problems := append(a.checkTexts(), a.checkRest()...)
	if len(problems) == 0 {
		return nil
	}
	return errors.New(strings.Join(problems, "; "))
}

// checkTexts checks the lengths, in the order of the fields.
func (a Alarm) checkTexts() []string {
	var problems []string
	for _, text := range []struct {
		field, value string
		least        int
	}{
		{"alarmId", a.AlarmID, 1},
		{"alarmName", a.AlarmName, 1},
		{"nameSpace", a.NameSpace, 1},
		{"regionId", a.RegionID, 0},
		{"applicationId", a.ApplicationID, 1},
		{"resourceName", a.ResourceName, 0},
		{"resourceId", a.ResourceID, 0},
		{"alarmDesc", a.AlarmDesc, 1},
		{"URL", a.URL, 0},
		{"alarmSource", a.AlarmSource, 1},
	} {
		if n := Units(text.value); n < text.least || n > MaxText {
			problems = append(problems, fmt.Sprintf("%s has %d characters, must have %d to %d", text.field, n, text.least, MaxText))
		}
	}
	return problems
}

// checkRest checks what is not about a length of text.
func (a Alarm) checkRest() []string {
	var problems []string
	if !alphanumeric(a.AlarmID) {
		problems = append(problems, "alarmId must have letters and digits only")
	}
	switch a.AlarmLevel {
	case Critical, Major, Minor, Info:
	default:
		problems = append(problems, fmt.Sprintf("alarmLevel is %.32q, must be Critical, Major, Minor or Info", string(a.AlarmLevel)))
	}
	switch a.AlarmStatus {
	case StatusAlarm, StatusOK:
	default:
		problems = append(problems, fmt.Sprintf("alarmStatus is %.32q, must be alarm or ok", string(a.AlarmStatus)))
	}
	if a.Time < 1 {
		problems = append(problems, fmt.Sprintf("time is %d, must be milliseconds since 1970 and at least 1", a.Time))
	}
	if n := additionalSize(a.Additional); n > MaxAdditional {
		problems = append(problems, fmt.Sprintf("additional has %d bytes, must have at most %d", n, MaxAdditional))
	}
	return problems
}

func additionalSize(m map[string]string) int {
	n := 0
	for name, value := range m {
		n += len(name) + len(value)
	}
	return n
}

func alphanumeric(s string) bool {
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return true
}

// encode is the body that COC gets, or what Check has to say.
func (a Alarm) encode() ([]byte, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	return json.Marshal(a)
}
