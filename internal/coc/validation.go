package coc

import (
	"fmt"
	"regexp"
	"strings"
)

// violations collects what is wrong with what a caller wants to send, each with
// the name of the field in COC's API.
type violations []string

func (v *violations) add(format string, args ...any) { *v = append(*v, fmt.Sprintf(format, args...)) }

// text wants least to most UTF-16 units (coc-api.md 1.4).
func (v *violations) text(field, value string, least, most int) {
	if n := Units(value); n < least || n > most {
		v.add("%s has %d characters, must have %d to %d", field, n, least, most)
	}
}

// filled refuses blank text too, which COC takes without a word.
func (v *violations) filled(field, value string, most int) {
	if strings.TrimSpace(value) == "" {
		v.add("%s is empty", field)
		return
	}
	v.text(field, value, 1, most)
}

func (v *violations) oneOf(field, value string, words ...string) {
	for _, word := range words {
		if value == word {
			return
		}
	}
	v.add("%s is %.64q, must be one of %s", field, value, strings.Join(words, ", "))
}

func (v *violations) between(field string, n, least, most int) {
	if n < least || n > most {
		v.add("%s is %d, must be %d to %d", field, n, least, most)
	}
}

// idForm has what COC's ids are made of. An id is part of a path, which nothing
// may leave.
var idForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (v *violations) id(field, value string, most int) {
	switch {
	case value == "":
		v.add("%s is empty", field)
	case !idForm.MatchString(value) || len(value) > most:
		v.add("%s is %.64q, must be 1 to %d letters, digits, - and _", field, value, most)
	}
}

// refuse is the error of a call that was not made, or nil.
func (v violations) refuse(op string) error {
	if len(v) == 0 {
		return nil
	}
	return &Error{Op: op, Class: Permanent, Message: presentable(strings.Join(v, "; "), nil, maxMessage)}
}
