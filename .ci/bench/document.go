package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"time"
)

// limits is the part of the document that a person writes: what the profile says.
//
//go:embed limits.md
var limits string

// document is deploy/docs/performance.md.
func (b *bench) document() []byte {
	var d bytes.Buffer
	fmt.Fprintf(&d, `# How fast it is

Measured on %s with

    go run ./.ci/bench -out deploy/docs/performance.md

which wrote this page. Four processes share the cores: a load generator, a sink that answers as COC
does, and between them, in turns, the daemon, a bare relay (net/http in, encoding/json, one net/http
POST out per alert, 200 after them; it keeps nothing and signs nothing) and a handler that decodes the
request and answers.

Machine: %s.

Conditions: %s.

| | median | min | max | | to reach | |
|---|--:|--:|--:|---|---|---|
`, time.Now().Format(time.DateOnly), b.machine, b.settings())
	for _, f := range b.all {
		reach := ""
		if f.Bound != nil {
			reach = f.Bound.String()
		}
		fmt.Fprintf(&d, "| %s | %s | %s | %s | %s | %s | %s |\n", f.Name, number(f.Median), number(f.Min), number(f.Max), f.Unit, reach, f.verdict())
	}
	fmt.Fprintf(&d, `
Delivered counts from the first request until the last alarm has arrived, accepted while requests come
in and alarms go out. Ratios are of the two measured in the same round. Work is time on a core. A delay
counts from when the alert was due to be sent until the sink has read it. VmRSS includes pages of the
store's file, which the kernel takes back when it needs them; RssAnon is what the process itself holds.

%s`, limits)
	return d.Bytes()
}
