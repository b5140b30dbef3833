package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandsTable_isTrue: each command of the table exists, and so does each
// test that it names; the SDK's client is compared with ours in the call.
func TestCommandsTable_isTrue(t *testing.T) {
	text, err := os.ReadFile("../../deploy/docs/coc-commands.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := allTests(t)
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "| `cocbridge coc ") {
			continue
		}
		rows++
		cells := strings.Split(line, "|")
		command := strings.Fields(all("`cocbridge ([^`]*)`", cells[1])[0])
		if got := execute(t, "", append(command, "--help")...); got.code != exitOK {
			t.Errorf("%s: %+v", command, got)
		}
		if len(all("(?m)^\\| `"+command[1]+"` \\|.*(`"+command[2]+"`)", string(readme))) == 0 {
			t.Errorf("%s is not in the README's table", command)
		}
		for _, name := range all("`([^`]*)`", cells[3]) {
			if !strings.Contains(tests, "func "+name+"(") {
				t.Errorf("%s names the test %s, which does not exist", command, name)
			}
		}
		for _, method := range all("`([^`]*)`", cells[4]) {
			if !strings.Contains(tests, "return c."+method+"(&model.") {
				t.Errorf("%s names the SDK's %s, with which no test compares", command, method)
			}
		}
	}
	if rows < 25 {
		t.Errorf("the table has %d rows", rows)
	}
}

// allTests is the text of the test files that the table speaks of.
func allTests(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, folder := range []string{".", "../../internal/coc", "../../internal/coc/sdkcheck"} {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(text)
		}
	}
	return b.String()
}
