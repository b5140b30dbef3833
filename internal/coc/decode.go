package coc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The types below take a value in every form that COC's documents, samples and
// services give it (coc-api.md 8, 9.32). None of them fails: what cannot be
// understood is the zero value, so that one odd field does not hide an answer.

// text is a string, a number or a bool; of a list, its first item.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(raw []byte) error {
	if list := listOf(raw); list != nil {
		*t = ""
		if len(list) > 0 {
			*t = text(scalar(list[0]))
		}
		return nil
	}
	*t = text(scalar(raw))
	return nil
}

// truth is a bool, or its name in a string.
type truth bool

// UnmarshalJSON implements json.Unmarshaler.
func (t *truth) UnmarshalJSON(raw []byte) error {
	b, err := strconv.ParseBool(strings.ToLower(scalar(raw)))
	*t = truth(b && err == nil)
	return nil
}

// number is an integer, also in a string or with a fraction of zeros.
type number int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(raw []byte) error {
	*n = number(integer(scalar(raw)))
	return nil
}

func integer(s string) int64 {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f > 1<<62 || f < -1<<62 {
		return 0
	}
	return int64(f)
}

// stamp is a time in milliseconds since 1970, which COC writes in milliseconds,
// in seconds, or as text; 0 = none.
type stamp int64

// leastMillis is where milliseconds begin: as seconds it is the year 5138.
const leastMillis = 1e11

// UnmarshalJSON implements json.Unmarshaler.
func (s *stamp) UnmarshalJSON(raw []byte) error {
	*s = 0
	written := scalar(raw)
	for _, form := range []string{time.RFC3339, time.DateTime} {
		if at, err := time.Parse(form, written); err == nil {
			*s = stamp(at.UnixMilli())
			return nil
		}
	}
	switch n := integer(written); {
	case n <= 0:
	case n < leastMillis:
		*s = stamp(n * 1000)
	default:
		*s = stamp(n)
	}
	return nil
}

// listOf is nil for what is not an array.
func listOf(raw []byte) []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return nil
	}
	return list
}

// data is the content of an answer: the field data, or the whole body of the
// families that have no such field. nil = there is none.
func (r reply) data() json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(r.body, &fields) != nil {
		return bytes.TrimSpace(r.body)
	}
	data, wrapped := fields["data"]
	switch {
	case !wrapped:
		return r.body
	case string(data) == "null":
		return nil
	}
	return data
}

// into decodes the content of an answer. Where it has another form the outcome
// is not known, though COC has taken the call.
func (r reply) into(op string, v any) error {
	data := r.data()
	if data == nil {
		return r.unlike(op, "it has no data")
	}
	if err := json.Unmarshal(data, v); err != nil {
		return r.unlike(op, err.Error())
	}
	return nil
}

func (r reply) unlike(op, why string) error {
	return &Error{Op: op, Class: Retry, Status: r.status, RequestID: r.requestID, Sent: true,
		Message: presentable(fmt.Sprintf("the answer is not in the documented form: %s", why), nil, maxMessage)}
}

// id decodes an answer that is nothing but an id. Without one it is not known
// what the call has made.
func (r reply) id(op string) (string, error) {
	var id text
	if err := r.into(op, &id); err != nil {
		return "", err
	}
	if !idForm.MatchString(string(id)) {
		return "", r.unlike(op, "it has no id")
	}
	return string(id), nil
}
