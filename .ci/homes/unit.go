package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// unit is the section Service of a unit file: every value of each key, in order.
type unit map[string][]string

func readUnit(file string) (unit, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	u, section := unit{}, ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		key, value, assigned := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = line
		case strings.HasSuffix(line, `\`) || !assigned:
			return nil, fmt.Errorf("%s: %q is more than this reader understands", file, line)
		case section == "[Service]":
			u[key] = append(u[key], value)
		}
	}
	return u, nil
}

// one is the value of a key that must be there once.
func (u unit) one(key string) (string, error) {
	if len(u[key]) != 1 {
		return "", fmt.Errorf("the unit has %s= %d times, want once", key, len(u[key]))
	}
	return u[key][0], nil
}

// credentials maps the name of each to the file it comes from.
func (u unit) credentials() map[string]string {
	all := map[string]string{}
	for _, value := range u["LoadCredential"] {
		name, file, _ := strings.Cut(value, ":")
		all[name] = file
	}
	return all
}

// proc is what the service sees of /proc, as options of its mount.
func (u unit) proc() string {
	options := []string{"nosuid"}
	for _, value := range u["ProtectProc"] {
		options = append(options, "hidepid="+value)
	}
	for _, value := range u["ProcSubset"] {
		options = append(options, "subset="+value)
	}
	return strings.Join(options, ",")
}
