package coctest

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// likeJava takes duplicate names, of which the last one counts, and refuses
// what is not UTF-8.
var likeJava = jsontext.AllowDuplicateNames(true)

// The strict alphabets of newer documents (coc-api.md 3.1). Chinese is the
// range that every reading of the word has: U+4E00 to U+9FA5.
var (
	idForm   = regexp.MustCompile(`^[A-Za-z0-9]*$`)
	nameForm = regexp.MustCompile(`^[\x{4e00}-\x{9fa5}A-Za-z0-9_-]*$`)
)

var (
	levels   = []string{"Critical", "Major", "Minor", "Info"}
	statuses = []string{statusAlarm, statusOK}
)

// alarmBody is the body before its fields are looked at: names are exact,
// unknown ones ignored, and a nil value is an absent one.
type alarmBody struct {
	AlarmID       jsontext.Value `json:"alarmId"`
	AlarmName     jsontext.Value `json:"alarmName"`
	AlarmLevel    jsontext.Value `json:"alarmLevel"`
	Time          jsontext.Value `json:"time"`
	NameSpace     jsontext.Value `json:"nameSpace"`
	RegionID      jsontext.Value `json:"regionId"`
	ApplicationID jsontext.Value `json:"applicationId"`
	ResourceName  jsontext.Value `json:"resourceName"`
	ResourceID    jsontext.Value `json:"resourceId"`
	AlarmDesc     jsontext.Value `json:"alarmDesc"`
	URL           jsontext.Value `json:"URL"`
	AlarmStatus   jsontext.Value `json:"alarmStatus"`
	AlarmSource   jsontext.Value `json:"alarmSource"`
	Additional    jsontext.Value `json:"additional"`
}

// validateAlarm decodes a body and checks every field. The problem is "" or all
// violations in COC's wording, joined with " | ".
func validateAlarm(body []byte, sw Switches) (alarm Alarm, problem string) {
	var b alarmBody
	if jsontext.Value(body).Kind() != jsontext.KindBeginObject {
		return Alarm{}, "the request body must be a JSON object"
	}
	if err := json.Unmarshal(body, &b, likeJava); err != nil {
		return Alarm{}, "JSON parse error: " + err.Error()
	}
	var v violations
	alarm = Alarm{
		AlarmID:       v.charset("alarmId", v.required("alarmId", b.AlarmID), idForm, sw),
		AlarmName:     v.charset("alarmName", v.required("alarmName", b.AlarmName), nameForm, sw),
		AlarmLevel:    v.enum("alarmLevel", v.required("alarmLevel", b.AlarmLevel), levels),
		Time:          v.time("time", b.Time, sw),
		NameSpace:     v.required("nameSpace", b.NameSpace),
		RegionID:      v.optional("regionId", b.RegionID, 0),
		ApplicationID: v.application(b.ApplicationID, sw),
		ResourceName:  v.optional("resourceName", b.ResourceName, 0),
		ResourceID:    v.optional("resourceId", b.ResourceID, 0),
		AlarmDesc:     v.required("alarmDesc", b.AlarmDesc),
		URL:           v.optional("URL", b.URL, 0),
		AlarmStatus:   v.status(b.AlarmStatus),
		AlarmSource:   v.required("alarmSource", b.AlarmSource),
		Additional:    v.object("additional", b.Additional),
		Raw:           body,
	}
	return alarm, strings.Join(v, " | ")
}

// violations collects what is wrong, in the wording of Bean Validation.
type violations []string

func (v *violations) add(format string, args ...any) { *v = append(*v, fmt.Sprintf(format, args...)) }

func (v *violations) required(name string, raw jsontext.Value) string {
	if absent(raw) {
		v.add("%s must not be null", name)
		return ""
	}
	return v.optional(name, raw, 1)
}

// optional returns the text, or "" when there is none or it is not acceptable.
func (v *violations) optional(name string, raw jsontext.Value, least int) string {
	if absent(raw) {
		return ""
	}
	text, ok := unquote(raw)
	if !ok {
		v.add("%s must be a string", name)
		return ""
	}
	if n := utf16Len(text); n < least || n > 255 {
		v.add("%s size must be between %d and 255", name, least)
		return ""
	}
	return text
}

func (v *violations) application(raw jsontext.Value, sw Switches) string {
	if sw.OptionalApplication {
		return v.optional("applicationId", raw, 1)
	}
	return v.required("applicationId", raw)
}

func (v *violations) charset(name, text string, form *regexp.Regexp, sw Switches) string {
	if !sw.FreeCharset && !form.MatchString(text) {
		v.add(`%s must match "%s"`, name, form)
	}
	return text
}

// enum looks only at text that has passed the checks before.
func (v *violations) enum(name, text string, words []string) string {
	if text == "" {
		return ""
	}
	for _, word := range words {
		if text == word {
			return word // the constant, so that the decoded text can be freed
		}
	}
	v.add(`%s must match "^(%s)$"`, name, strings.Join(words, "|"))
	return text
}

// status may be absent, but an empty one is not one of the two words.
func (v *violations) status(raw jsontext.Value) string {
	if text, ok := unquote(raw); ok && text == "" {
		v.add(`alarmStatus must match "^(%s)$"`, strings.Join(statuses, "|"))
	}
	return v.enum("alarmStatus", v.optional("alarmStatus", raw, 0), statuses)
}

// time takes integers only; a fraction, an exponent or a string is none.
func (v *violations) time(name string, raw jsontext.Value, sw Switches) int64 {
	if absent(raw) {
		v.add("%s must not be null", name)
		return 0
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	switch {
	case err != nil:
		v.add("%s must be an integer between 1 and %d", name, int64(math.MaxInt64))
	case n < 1:
		v.add("%s must be greater than or equal to 1", name)
	case !sw.FreeTime && (n < 1e11 || n >= 1e14):
		v.add("%s must be milliseconds since 1970, with 12 to 14 digits", name)
	}
	return n
}

func (v *violations) object(name string, raw jsontext.Value) jsontext.Value {
	if absent(raw) {
		return nil
	}
	if raw.Kind() != jsontext.KindBeginObject {
		v.add("%s must be an object", name)
	}
	return raw
}

func absent(raw jsontext.Value) bool { return raw == nil || raw.Kind() == jsontext.KindNull }

func unquote(raw jsontext.Value) (string, bool) {
	if raw.Kind() != jsontext.KindString {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	return string(text), err == nil
}

// utf16Len is how COC counts characters (coc-api.md 1.4).
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}
