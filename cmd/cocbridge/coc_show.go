package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// show prints value as JSON, or what table writes: cells separated by tabs.
func (s session) show(value any, table func(w io.Writer)) error {
	if s.output == "json" {
		out := json.NewEncoder(s.stdout)
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		return out.Encode(value)
	}
	w := tabwriter.NewWriter(s.stdout, 0, 0, 2, ' ', 0)
	table(w)
	return w.Flush()
}

func (s session) showDone(done, requestID string) error {
	return s.show(map[string]string{"done": done, "request_id": requestID}, func(w io.Writer) {
		fmt.Fprintf(w, "%s (request id %s)\n", cell(done), cell(requestID))
	})
}

func (s session) showDryRun(a act) error {
	if s.output == "json" {
		return s.show(map[string]any{"dry_run": a.request}, nil)
	}
	text, err := json.MarshalIndent(a.request, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "dry run, nothing was asked of COC: %s\n%s\n", a.question, text)
	return err
}

// row prints cells of one line.
func row(w io.Writer, cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = cell(fmt.Sprint(c))
	}
	fmt.Fprintln(w, strings.Join(texts, "\t"))
}

// cell is a text on one line, fit for a terminal; JSON has the whole text.
func cell(text string) string { return shown(strings.Join(strings.Fields(text), " ")) }

// block is a text of several lines, fit for a terminal.
func block(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\t", "    "), "\n")
	for i, line := range lines {
		lines[i] = printable(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n")
}

// at is a time in milliseconds, in UTC.
func at(millis int64) string {
	if millis == 0 {
		return ""
	}
	return time.UnixMilli(millis).UTC().Format("2006-01-02 15:04:05")
}

// length is how long something took; "" = not known.
func length(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.Round(time.Millisecond).String()
}

// pairs parses name=value, each name once.
func pairs(texts []string) ([][2]string, error) {
	var all [][2]string
	seen := map[string]bool{}
	for _, text := range texts {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" || seen[name] {
			return nil, fmt.Errorf("%w: %q is not name=value, or its name is there twice", errUsage, text)
		}
		seen[name] = true
		all = append(all, [2]string{name, value})
	}
	return all, nil
}
