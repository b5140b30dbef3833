package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
)

func (b *bench) printTable() {
	fmt.Printf("\n%s\n%s\n\n", b.machine, b.settings())
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\tmedian\tmin\tmax\t\tto reach\t")
	for _, f := range b.all {
		reach := ""
		if f.Bound != nil {
			reach = f.Bound.String()
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, number(f.Median), number(f.Min), number(f.Max), f.Unit, reach, f.verdict())
	}
	_ = w.Flush()
	fmt.Printf("\n%.0f s\n", b.took.Seconds())
}

// settings says under which conditions the figures hold.
func (b *bench) settings() string {
	return fmt.Sprintf("%d rounds of %s; up to %d requests in flight over kept connections; every alert new, %d bytes of JSON; "+
		"fsync on, requests signed, rate_limit 0, 16 workers, refresh 30m, max_size 4GiB",
		b.rounds, b.length, b.connections, alertSize)
}

// write writes the files that were asked for.
func (b *bench) write() error {
	var errs []error
	if b.json != "" {
		text, err := json.MarshalIndent(map[string]any{
			"machine": b.machine, "settings": b.settings(), "seconds": b.took.Seconds(), "figures": b.all,
		}, "", "  ")
		errs = append(errs, err, os.WriteFile(b.json, append(text, '\n'), 0o600))
	}
	if b.out != "" {
		errs = append(errs, os.WriteFile(b.out, b.document(), 0o644)) //nolint:gosec // a document of the project
	}
	return errors.Join(errs...)
}
