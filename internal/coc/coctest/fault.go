package coctest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is a failure on command. By default the request is not processed at
// all: no check looks at it and nothing is stored. A fault without Do, Status,
// Code and Body only delays.
type Fault struct {
	Do         Action
	Status     int    // of the answer; 0 = 200
	Code       string // error_code; those beginning with APIGW. come in the gateway's envelope
	Message    string // error_msg
	Body       string // instead of an envelope; wins over Code and Message
	RetryAfter string // header Retry-After
	Location   string // header Location; a 3xx without it names a path of this server

	After   bool          // process the request first; only its answer is lost
	Latency time.Duration // wait before anything else

	Times   int    // how many requests to fail; 0 = until cleared
	On      string // only requests whose path begins so; "" = all to COC itself, not those to IAM and the metadata service
	Method  string // only requests with this method: a GET and a POST may share a path
	Key     string // only requests with this integration key
	AlarmID string // only requests with this alarmId

	// With both set the fault acts only on requests beyond Limit within any
	// Per, and requests it has failed count too: who keeps calling stays refused.
	Limit int
	Per   time.Duration
}

// Action is what a fault does instead of answering in an envelope.
type Action string

// The actions, each also a word of ParseFault.
const (
	HTML    Action = "html"    // a web page, as a proxy on the way sends it
	Empty   Action = "empty"   // no body
	Reset   Action = "reset"   // the connection is reset
	Hang    Action = "hang"    // no answer until the client leaves or the server is closed
	Endless Action = "endless" // a body that does not end until the client leaves or the server is closed
	Clock   Action = "clock"   // the gateway's 401 for a wrong clock, naming x-sdk-date and the server's time
)

// answers reports whether the fault does more than delay.
func (f Fault) answers() bool { return f.Do != "" || f.Status != 0 || f.Code != "" || f.Body != "" }

// presets are words for whole answers.
var presets = map[string]Fault{
	"no-content":    {Status: http.StatusNoContent},
	"redirect":      {Status: http.StatusFound},
	"unauthorized":  {Status: http.StatusUnauthorized},
	"bad-signature": {Status: http.StatusUnauthorized, Code: "APIGW.0301", Message: badSignature},
	"html":          {Do: HTML},
	"empty":         {Do: Empty},
	"endless":       {Do: Endless},
	"clock":         {Do: Clock},
	"hang":          {Do: Hang},
	"hang-before":   {Do: Hang},
	"hang-after":    {Do: Hang, After: true},
	"reset":         {Do: Reset},
	"reset-before":  {Do: Reset},
	"reset-after":   {Do: Reset, After: true},
}

// settings are words with a value.
var settings = map[string]func(f *Fault, value string) error{
	"status":      func(f *Fault, v string) (err error) { f.Status, err = strconv.Atoi(v); return err },
	"code":        func(f *Fault, v string) error { f.Code = v; return nil },
	"message":     func(f *Fault, v string) error { f.Message = v; return nil },
	"body":        func(f *Fault, v string) error { f.Body = v; return nil },
	"retry-after": func(f *Fault, v string) error { f.RetryAfter = v; return nil },
	"location":    func(f *Fault, v string) error { f.Location = v; return nil },
	"latency":     func(f *Fault, v string) (err error) { f.Latency, err = time.ParseDuration(v); return err },
	"times":       func(f *Fault, v string) (err error) { f.Times, err = strconv.Atoi(v); return err },
	"on":          func(f *Fault, v string) error { f.On = v; return nil },
	"method":      func(f *Fault, v string) error { f.Method = strings.ToUpper(v); return nil },
	"key":         func(f *Fault, v string) error { f.Key = v; return nil },
	"alarm":       func(f *Fault, v string) error { f.AlarmID = v; return nil },
	"limit":       func(f *Fault, v string) (err error) { f.Limit, err = strconv.Atoi(v); return err },
	"per":         func(f *Fault, v string) (err error) { f.Per, err = time.ParseDuration(v); return err },
}

// ParseFault reads the text form: words separated by commas.
//
//	503                           a status, three times: status=503,times=3
//	429,retry-after=7             with a header
//	429,limit=10,per=1s           only what exceeds ten requests in a second
//	code=COC.00040701,message=…   HTTP 200 with an error code
//	status=502,body=…             any body
//	no-content redirect unauthorized bad-signature clock html empty endless
//	reset-before reset-after hang-before hang-after
//	latency=50ms                  delays, then goes on as usual
//
// Each takes times=N, on=/path, method=POST, key=… and alarm=… to pick requests,
// latency=…, and after to process the request first. Without on= only requests to COC itself
// are failed: on=/v3/ is IAM, on=/openstack/ and on=/meta-data/ are the metadata
// service. The texts of message and body run to the end.
func ParseFault(text string) (Fault, error) {
	var f Fault
	for rest, more := text, true; more; {
		var word string
		word, rest, more = cutWord(rest)
		if err := f.apply(word); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %w", text, err)
		}
	}
	if err := f.check(); err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", text, err)
	}
	return f, nil
}

func cutWord(text string) (word, rest string, more bool) {
	if strings.HasPrefix(text, "message=") || strings.HasPrefix(text, "body=") {
		return text, "", false
	}
	return strings.Cut(text, ",")
}

func (f *Fault) apply(word string) error {
	if status, err := strconv.Atoi(word); err == nil {
		f.Status = status
		return nil
	}
	if word == "after" {
		f.After = true
		return nil
	}
	if preset, ok := presets[word]; ok {
		return f.overlay(word, preset)
	}
	name, value, _ := strings.Cut(word, "=")
	set, ok := settings[name]
	if !ok {
		return fmt.Errorf("unknown word %q; use a status, after, %s, or one of %s with a value", word,
			strings.Join(slices.Sorted(maps.Keys(presets)), ", "), strings.Join(slices.Sorted(maps.Keys(settings)), ", "))
	}
	if value == "" {
		return fmt.Errorf("%s needs a value, as in %s=…", name, name)
	}
	if err := set(f, value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// overlay sets what the preset sets.
func (f *Fault) overlay(word string, preset Fault) error {
	if f.Do != "" && preset.Do != "" {
		return fmt.Errorf("%s and %s exclude each other", f.Do, word)
	}
	if preset.Do != "" {
		f.Do = preset.Do
	}
	if preset.Status != 0 {
		f.Status, f.Code, f.Message = preset.Status, preset.Code, preset.Message
	}
	f.After = f.After || preset.After
	return nil
}

func (f Fault) check() error {
	switch {
	case !f.answers() && f.Latency <= 0:
		return errors.New("it does nothing; name a status, a word such as reset-after, or a latency")
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status %d is not between 200 and 599", f.Status)
	case f.After && !f.answers():
		return errors.New("after needs an answer to lose, as in 503,after")
	case f.Times < 0, f.Latency < 0, f.Limit < 0, f.Per < 0:
		return errors.New("numbers and durations must not be negative")
	case (f.Limit > 0) != (f.Per > 0):
		return errors.New("limit and per belong together, as in 429,limit=10,per=1s")
	}
	return nil
}

// String is the text form, which ParseFault reads back.
func (f Fault) String() string {
	var words []string
	add := func(set bool, word string) {
		if set {
			words = append(words, word)
		}
	}
	switch f.Do {
	case "":
	case Reset, Hang:
		words = append(words, string(f.Do)+map[bool]string{false: "-before", true: "-after"}[f.After])
	default:
		words = append(words, string(f.Do))
	}
	add(f.Status != 0, strconv.Itoa(f.Status))
	add(f.Code != "", "code="+f.Code)
	add(f.RetryAfter != "", "retry-after="+f.RetryAfter)
	add(f.Location != "", "location="+f.Location)
	add(f.Limit != 0, "limit="+strconv.Itoa(f.Limit))
	add(f.Per != 0, "per="+f.Per.String())
	add(f.Latency != 0, "latency="+f.Latency.String())
	add(f.Times != 0, "times="+strconv.Itoa(f.Times))
	add(f.On != "", "on="+f.On)
	add(f.Method != "", "method="+f.Method)
	add(f.Key != "", "key="+f.Key)
	add(f.AlarmID != "", "alarm="+f.AlarmID)
	add(f.After && f.Do != Reset && f.Do != Hang, "after")
	add(f.Message != "" && f.Body == "", "message="+f.Message)
	add(f.Body != "", "body="+f.Body)
	return strings.Join(words, ",")
}
