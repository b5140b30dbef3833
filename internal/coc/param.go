package coc

import (
	"regexp"
	"strings"
)

// paramName and paramClass are COC's, in the reading that all documents share
// (coc-api.md 3.6). COC pastes values between single quotes into a command line:
// what the class lets through is all that a script may ever see.
var (
	paramName  = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	paramClass = regexp.MustCompile(`^[A-Za-z0-9 _\-/.*?:",=+@\\\[\]{}]*$`)
)

// ParamAllowed says whether COC takes value for a parameter of a script that
// runs: 1 to 1024 of A-Za-z0-9, space and _-/.*?:",=+@\[]{}, with no two dots in
// a row.
func ParamAllowed(value string) bool {
	return value != "" && len(value) <= MaxParamValue && paramClass.MatchString(value) && !strings.Contains(value, "..")
}

// param checks one parameter. It does not show the value, which may be secret.
func (v *violations) param(name, value string, least int) {
	if !paramName.MatchString(name) {
		v.add("param_name is %.64q, must be 1 to 64 letters, digits and _", name)
	}
	if (value != "" || least > 0) && !ParamAllowed(value) {
		v.add("param_value of %.64s must be %d to %d of A-Za-z0-9, space and %s, without two dots in a row", name, least, MaxParamValue, `_-/.*?:",=+@\[]{}`)
	}
}
