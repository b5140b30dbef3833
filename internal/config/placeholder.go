package config

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/cocbridge/cocbridge/internal/mapping"
)

// placeholders are what the examples we ship say where only the user knows the value.
// COC would refuse them one by one, as wrong credentials or an unknown application.
var placeholders = []string{"YOURACCESSKEY", "replace-me", "your-coc-application"}

// refusePlaceholders walks v and reports each that was left.
func (l *loader) refusePlaceholders(v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		if f, ok := v.Interface().(*mapping.Field); ok && f != nil { // mostly written as its value alone
			l.refusePlaceholders(reflect.ValueOf(f.Value), path)
		} else if !v.IsNil() {
			l.refusePlaceholders(v.Elem(), path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			l.refusePlaceholders(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Struct:
		for _, f := range keysOf(v.Type()) {
			l.refusePlaceholders(v.FieldByIndex(f.index), join(path, f.keyGiven(v)))
		}
	case reflect.String:
		if slices.Contains(placeholders, v.String()) {
			l.report(path, v.String()+" is the placeholder of an example; write your own value")
			l.failed[path] = true // whatever else is wrong with it
		}
	}
}

// keyGiven is that of the twin where the value came from a file.
func (f field) keyGiven(v reflect.Value) string {
	owner, name := v.FieldByIndex(f.index[:len(f.index)-1]), v.Type().FieldByIndex(f.index).Name
	if file := owner.FieldByName(name + "File"); file.IsValid() && file.String() != "" {
		return f.key + "_file"
	}
	return f.key
}
