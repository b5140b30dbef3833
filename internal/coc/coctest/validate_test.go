package coctest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

func TestServer_Validate(t *testing.T) {
	long := func(unit string, n int) string { return `"` + strings.Repeat(unit, n) + `"` }
	for name, c := range map[string]struct {
		body    string
		problem string // "" = accepted
	}{
		"mandatory fields alone":    {alarmJSON("resourceName", "", "alarmStatus", ""), ""},
		"null is absent":            {alarmJSON("resourceName", "null", "additional", "null", "URL", "null"), ""},
		"all absent, all told":      {"{}", "alarmId must not be null | alarmName must not be null | alarmLevel must not be null | time must not be null | nameSpace must not be null | applicationId must not be null | alarmDesc must not be null | alarmSource must not be null"},
		"null is not enough":        {alarmJSON("alarmName", "null"), "alarmName must not be null"},
		"empty is too short":        {alarmJSON("alarmDesc", `""`), "alarmDesc size must be between 1 and 255"},
		"255 characters":            {alarmJSON("alarmDesc", long("x", 255)), ""},
		"256 characters":            {alarmJSON("alarmDesc", long("x", 256)), "alarmDesc size must be between 1 and 255"},
		"255 Chinese characters":    {alarmJSON("alarmDesc", long("你", 255)), ""},
		"127 emojis":                {alarmJSON("alarmDesc", long("🔥", 127)), ""},
		"128 emojis are 256 units":  {alarmJSON("alarmDesc", long("🔥", 128)), "alarmDesc size must be between 1 and 255"},
		"an optional empty text":    {alarmJSON("URL", `""`, "regionId", `""`, "resourceId", `""`), ""},
		"an optional long text":     {alarmJSON("URL", long("x", 256)), "URL size must be between 0 and 255"},
		"every long text told":      {alarmJSON("nameSpace", long("x", 256), "regionId", long("x", 256), "resourceName", long("x", 256), "resourceId", long("x", 256), "alarmSource", long("x", 256)), "nameSpace size must be between 1 and 255 | regionId size must be between 0 and 255 | resourceName size must be between 0 and 255 | resourceId size must be between 0 and 255 | alarmSource size must be between 1 and 255"},
		"a number for a text":       {alarmJSON("alarmSource", "7"), "alarmSource must be a string"},
		"an escaped text":           {alarmJSON("alarmId", `"\u0061b"`), ""},
		"half a surrogate pair":     {alarmJSON("alarmDesc", `"\ud83d"`), "JSON parse error"},
		"not UTF-8":                 {alarmJSON("alarmDesc", "\"\xff\""), "JSON parse error"},
		"an id with a hyphen":       {alarmJSON("alarmId", `"a-1"`), `alarmId must match "^[A-Za-z0-9]*$"`},
		"a Chinese name":            {alarmJSON("alarmName", `"磁盘_full-1"`), ""},
		"a name with a space":       {alarmJSON("alarmName", `"a b"`), `alarmName must match "^[\x{4e00}-\x{9fa5}A-Za-z0-9_-]*$"`},
		"a name in Kana":            {alarmJSON("alarmName", `"ディスク"`), `alarmName must match "^[\x{4e00}-\x{9fa5}A-Za-z0-9_-]*$"`},
		"levels are Title case":     {alarmJSON("alarmLevel", `"critical"`), `alarmLevel must match "^(Critical|Major|Minor|Info)$"`},
		"an empty level":            {alarmJSON("alarmLevel", `""`), "alarmLevel size must be between 1 and 255"},
		"Critical":                  {alarmJSON("alarmLevel", `"Critical"`), ""},
		"Minor":                     {alarmJSON("alarmLevel", `"Minor"`), ""},
		"Info":                      {alarmJSON("alarmLevel", `"Info"`), ""},
		"ok":                        {alarmJSON("alarmStatus", `"ok"`), ""},
		"statuses are lower case":   {alarmJSON("alarmStatus", `"OK"`), `alarmStatus must match "^(alarm|ok)$"`},
		"an empty status":           {alarmJSON("alarmStatus", `""`), `alarmStatus must match "^(alarm|ok)$"`},
		"no application":            {alarmJSON("applicationId", ""), "applicationId must not be null"},
		"a time of 12 digits":       {alarmJSON("time", "100000000000"), ""},
		"a time of 14 digits":       {alarmJSON("time", "99999999999999"), ""},
		"a time of 11 digits":       {alarmJSON("time", "99999999999"), "time must be milliseconds since 1970, with 12 to 14 digits"},
		"a time of 15 digits":       {alarmJSON("time", "100000000000000"), "time must be milliseconds since 1970, with 12 to 14 digits"},
		"a time in seconds":         {alarmJSON("time", "1700000000"), "time must be milliseconds since 1970, with 12 to 14 digits"},
		"a time in microseconds":    {alarmJSON("time", "1700000000000000"), "time must be milliseconds since 1970, with 12 to 14 digits"},
		"a time of zero":            {alarmJSON("time", "0"), "time must be greater than or equal to 1"},
		"the zero time of Go":       {alarmJSON("time", "-62135596800000"), "time must be greater than or equal to 1"},
		"a time with a fraction":    {alarmJSON("time", "1700000000000.0"), "time must be an integer between 1 and 9223372036854775807"},
		"a time with an exponent":   {alarmJSON("time", "17e11"), "time must be an integer between 1 and 9223372036854775807"},
		"a time as text":            {alarmJSON("time", `"1700000000000"`), "time must be an integer between 1 and 9223372036854775807"},
		"a time beyond 64 bits":     {alarmJSON("time", "9223372036854775808"), "time must be an integer between 1 and 9223372036854775807"},
		"additional as text":        {alarmJSON("additional", `"{}"`), "additional must be an object"},
		"additional as list":        {alarmJSON("additional", `[]`), "additional must be an object"},
		"additional of any depth":   {alarmJSON("additional", `{"a":{"b":[1,null]},"a":2}`), ""},
		"field names are exact":     {alarmJSON("alarmId", "", "alarmID", `"a1"`), "alarmId must not be null"},
		"the last duplicate counts": {alarmJSON("x", `1,"alarmId":null`), "alarmId must not be null"},
		"and may be the better one": {`{"alarmId":"a-1",` + alarmJSON()[1:], ""},
		"no body":                   {"", "the request body must be a JSON object"},
		"a list":                    {"[]", "the request body must be a JSON object"},
		"null":                      {"null", "the request body must be a JSON object"},
		"half an object":            {`{"alarmId":"a"`, "JSON parse error"},
		"an object and more":        {alarmJSON() + "x", "JSON parse error"},
		"an object in white space":  {" \r\n\t" + alarmJSON() + "\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, coctest.Options{})
			wantAnswer(t, r, c.body, c.problem)
		})
	}
}

func TestServer_Switches(t *testing.T) {
	key := strings.Repeat("k", 32)
	for name, c := range map[string]struct {
		switches coctest.Switches
		body     string
		problem  string
	}{
		"free charset":                        {coctest.Switches{FreeCharset: true}, alarmJSON("alarmId", `"a-1 {}"`, "alarmName", `"CPU > 95 %"`), ""},
		"free charset keeps the limits":       {coctest.Switches{FreeCharset: true}, alarmJSON("alarmId", `""`), "alarmId size must be between 1 and 255"},
		"free time in seconds":                {coctest.Switches{FreeTime: true}, alarmJSON("time", "1"), ""},
		"free time up to 63 bits":             {coctest.Switches{FreeTime: true}, alarmJSON("time", "9223372036854775807"), ""},
		"free time begins at 1":               {coctest.Switches{FreeTime: true}, alarmJSON("time", "0"), "time must be greater than or equal to 1"},
		"optional application":                {coctest.Switches{OptionalApplication: true}, alarmJSON("applicationId", ""), ""},
		"optional application is not empty":   {coctest.Switches{OptionalApplication: true}, alarmJSON("applicationId", `""`), "applicationId size must be between 1 and 255"},
		"keys of 32 characters, known or not": {coctest.Switches{Key32: true}, alarmJSON(), `integrationKey must match "^[A-Za-z0-9]{32}$"`},
	} {
		t.Run(name, func(t *testing.T) {
			wantAnswer(t, start(t, coctest.Options{Switches: c.switches}), c.body, c.problem)
		})
	}
	t.Run("a key of 32 characters", func(t *testing.T) {
		r := start(t, coctest.Options{Keys: []string{key}, Switches: coctest.Switches{Key32: true}})
		if got := postTo(r, key); got.body != accepted {
			t.Errorf("answer: %d %s", got.status, got.body)
		}
	})
	t.Run("zero code", func(t *testing.T) {
		got := start(t, coctest.Options{Switches: coctest.Switches{ZeroCode: true}}).post(alarmJSON())
		if got.status != http.StatusOK || !strings.HasPrefix(got.body, `{"error_code":"0","error_msg":"success",`) {
			t.Errorf("answer: %d %s", got.status, got.body)
		}
	})
}

func TestServer_Key(t *testing.T) {
	long := strings.Repeat("k", 256)
	r := start(t, coctest.Options{Keys: []string{"k1", "k2", long}})
	for name, c := range map[string]struct{ key, want string }{
		"every known key": {"k2", accepted},
		"an unknown key":  {"k3", refused("COC.00000001", "integrationKey is invalid")},
		"a key in pieces": {"k1%2Fk2", refused("COC.00000001", "integrationKey is invalid")},
		"a key of 256":    {long, refused("COC.00000001", "integrationKey size must be between 1 and 255")},
	} {
		t.Run(name, func(t *testing.T) {
			if got := postTo(r, c.key); got.body != c.want {
				t.Errorf("answer: %d %s", got.status, got.body)
			}
		})
	}
	t.Run("is looked at after the credentials", func(t *testing.T) {
		if got := r.do(newRequest(t, http.MethodPost, r.url+eventPath+"k3", "{}")); got.body != tokenRefused {
			t.Errorf("answer: %d %s", got.status, got.body)
		}
	})
}

func postTo(r *rig, key string) answer {
	r.t.Helper()
	req := newRequest(r.t, http.MethodPost, r.url+eventPath+key, alarmJSON())
	req.Header.Set("Content-Type", "application/json")
	signPath(req, req.URL.EscapedPath()+"/", alarmJSON(), r.now())
	return r.do(req)
}

func wantAnswer(t *testing.T, r *rig, body, problem string) {
	t.Helper()
	got := r.post(body)
	if problem == "" {
		if got.status != http.StatusOK || got.body != accepted || len(r.Alarms()) != 1 {
			t.Errorf("answer: %d %s", got.status, got.body)
		}
		return
	}
	var fields struct {
		Code    string `json:"error_code"`
		Message string `json:"error_msg"`
	}
	if err := json.Unmarshal([]byte(got.body), &fields); err != nil {
		t.Fatal(err)
	}
	fields.Message, _, _ = strings.Cut(fields.Message, ": ") // what the decoder says of bad JSON
	if got.status != http.StatusBadRequest || fields.Code != "COC.00000001" || fields.Message != problem {
		t.Errorf("answer: %d %s", got.status, got.body)
	}
	wantCounts(t, r, coctest.Counts{Requests: 1, Refused: map[string]int{"400 COC.00000001": 1}})
}

// FuzzValidateAlarm: no body makes the validator panic, and what it accepts
// keeps the limits when they are measured in another way.
func FuzzValidateAlarm(f *testing.F) {
	for _, body := range []string{
		alarmJSON(), "{}", "", "null", `{"alarmId":1}`, alarmJSON("additional", `{"a":[{}]}`),
		alarmJSON("alarmDesc", `"\ud83d\ude00"`), alarmJSON("time", "1e3"), `{"alarmId":"a",` + alarmJSON()[1:],
	} {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, free bool) {
		alarm, problem := coctest.ValidateAlarm(body, coctest.Switches{FreeCharset: free, FreeTime: free, OptionalApplication: free})
		if problem != "" {
			return
		}
		if !json.Valid(body) {
			t.Fatal("accepted what is not JSON")
		}
		for _, text := range []string{alarm.AlarmID, alarm.AlarmName, alarm.NameSpace, alarm.AlarmDesc, alarm.AlarmSource} {
			if text == "" || len([]rune(text)) > 255 {
				t.Fatalf("accepted %q", text)
			}
		}
		if alarm.Time < 1 || !free && (alarm.Time < 1e11 || alarm.Time >= 1e14) {
			t.Fatalf("accepted time %d", alarm.Time)
		}
	})
}
