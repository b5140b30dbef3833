package main

import (
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// shownRows bounds the rows of a kind in a table.
const shownRows = 6

func clock(t time.Time) string { return t.Local().Format("15:04:05.000") }

// row is a change with the event that told it; one of them may be missing.
type row struct {
	change *change
	event  *stage.Event
}

// pair finds the first event of every change. What is left has no change.
func pair(changes []change, events []stage.Event) []row {
	rows := make([]row, 0, len(changes))
	used := map[int]bool{}
	for _, c := range changes {
		r := row{change: &c}
		at := slices.IndexFunc(events, func(e stage.Event) bool { return !used[e.Seq] && c.toldBy(e) })
		if at >= 0 {
			used[events[at].Seq] = true
			r.event = &events[at]
		}
		rows = append(rows, r)
	}
	for _, e := range events {
		if !used[e.Seq] {
			rows = append(rows, row{event: &e})
		}
	}
	return rows
}

// printTable shows what was fired beside what arrived. What is missing is shown
// in full, of the rest the beginning.
func printTable(rows []row) {
	if len(rows) == 0 {
		fmt.Println("  nothing arrived")
		return
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "  FIRED\tstatus\tlevel\tname\tresource\ttime\t| ARRIVED\tstatus\tlevel\tname\talarmId\ttime")
	arrived := map[bool]int{} // whether as a change or besides
	for _, r := range rows {
		if r.event != nil {
			if arrived[r.change != nil]++; arrived[r.change != nil] > shownRows {
				continue
			}
		}
		_, _ = fmt.Fprintf(w, "  %s\t| %s\n", r.fired(), r.arrived())
	}
	_ = w.Flush()
	printRest(arrived[true], "changes that arrived as fired")
	printRest(arrived[false], "besides")
}

func printRest(n int, what string) {
	if n > shownRows {
		fmt.Printf("  … and %d more %s\n", n-shownRows, what)
	}
}

func (r row) fired() string {
	if r.change == nil {
		return "-\t\t\t\t\t"
	}
	c := r.change
	sign := ""
	if c.later {
		sign = ">"
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s%d", clock(c.fired), c.status, c.level, c.name, c.resource, sign, c.time)
}

func (r row) arrived() string {
	if r.event == nil {
		return "MISSING"
	}
	a := r.event.Alarm
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%d", clock(r.event.At), a.Status, a.Level, a.Name, a.ID, a.Time)
}
