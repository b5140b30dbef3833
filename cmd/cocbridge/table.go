package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// flushEvery bounds the rows that a table holds back to align them.
const flushEvery = 1000

// printer shows a list: as a table, or as one line of JSON per value.
type printer[T any] struct {
	json *json.Encoder
	tab  *tabwriter.Writer
	row  func(T) []string
	head string
	rows int
}

// newPrinter takes the names of the columns and what stands in them.
func newPrinter[T any](c console, output string, head string, row func(T) []string) *printer[T] {
	if output == "json" {
		out := json.NewEncoder(c.stdout)
		out.SetEscapeHTML(false)
		return &printer[T]{json: out}
	}
	return &printer[T]{tab: tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0), row: row, head: strings.ReplaceAll(head, " ", "\t")}
}

func (p *printer[T]) print(value T) error {
	if p.json != nil {
		return p.json.Encode(value)
	}
	if p.rows++; p.rows == 1 {
		fmt.Fprintln(p.tab, p.head)
	}
	cells := p.row(value)
	for i, cell := range cells {
		cells[i] = shown(cell)
	}
	fmt.Fprintln(p.tab, strings.Join(cells, "\t"))
	if p.rows%flushEvery == 0 {
		return p.tab.Flush()
	}
	return nil
}

// end shows what is held back; none says that the list was empty.
func (p *printer[T]) end(none string) error {
	if p.json != nil {
		return nil
	}
	if p.rows == 0 {
		fmt.Fprintln(p.tab, none)
	}
	return p.tab.Flush()
}

// maxCell bounds what one cell can push the others aside.
const maxCell = 100

// shown makes text of strangers fit for a terminal: no control characters, on one
// line, and not for ever.
func shown(text string) string {
	text = printable(text)
	if long := []rune(text); len(long) > maxCell {
		return string(long[:maxCell-1]) + "…"
	}
	if text == "" {
		return "-"
	}
	return text
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '�'
	}, text)
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
