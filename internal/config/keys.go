package config

import (
	"reflect"
	"slices"
	"strings"
)

// field is one key that a struct takes.
type field struct {
	key   string
	index []int
}

// keysOf lists the keys of a struct, those of inline structs included.
func keysOf(t reflect.Type) []field {
	var fields []field
	for f := range t.Fields() {
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			for _, below := range keysOf(f.Type) {
				fields = append(fields, field{below.key, append(slices.Clone(f.Index), below.index...)})
			}
		case key != "" && key != "-":
			fields = append(fields, field{key, f.Index})
		}
	}
	return fields
}

func names(fields []field) []string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.key
	}
	return list
}
