// Command bench measures the whole daemon: cocbridge serve as a process of its
// own, between a load generator and a sink that answers as COC does, all over
// loopback sockets on the same cores. In the same run it measures two others in
// its place: a bare relay, which does as little as a program can that turns
// Alertmanager's messages into one POST per alert (net/http in, encoding/json,
// net/http out, nothing kept), and a handler that decodes and answers.
//
// It prints every figure beside what it has to reach and exits with 0 also when
// one misses: speed is for a person to judge. It exits with 1 if an alarm was
// lost or told twice, or if something else failed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// limit bounds the whole run.
const limit = 25 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, limit)
	code := run(ctx, os.Args[1:])
	cancel()
	stop()
	os.Exit(code)
}

// run is one of the helpers, which the run starts from this same program, or the
// run itself. It returns the exit code.
func run(ctx context.Context, args []string) int {
	if len(args) > 0 && helpers[args[0]] != nil {
		return report(helpers[args[0]](ctx, args[1:]))
	}
	o, err := parseOptions(args)
	if err != nil {
		return 2
	}
	return report(measureAll(ctx, o))
}

func report(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

var helpers = map[string]func(context.Context, []string) error{
	"relay":  serveRelay,
	"decode": serveDecode,
	"sink":   serveSink,
	"load":   runLoad,
}

type options struct {
	rounds      int
	length      time.Duration // of one measurement
	only        []string      // names of measures; none = all
	connections int           // requests in flight
	queued      int           // alarms in the deep queue
	program     string        // cocbridge; empty = build it
	folder      string        // where the store is
	json, out   string
}

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 5, "How often each measurement is made; the median counts.")
	seconds := flags.Float64("seconds", 5, "How long each measurement takes.")
	only := flags.String("only", "", "Measures to make, separated by commas: "+strings.Join(measureNames(), ", ")+"; default all.")
	flags.IntVar(&o.connections, "connections", 64, "Requests in flight at most.")
	flags.IntVar(&o.queued, "queued", 1_000_000, "Alarms in the deep queue.")
	flags.StringVar(&o.program, "program", "", "A cocbridge that is built already.")
	flags.StringVar(&o.folder, "folder", ".bench", "Where the store lies while it is measured; a disk, not tmpfs.")
	flags.StringVar(&o.json, "json", "", "Write the figures to this file as well.")
	flags.StringVar(&o.out, "out", "", "Write the document to this file, such as deploy/docs/performance.md.")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.length = time.Duration(*seconds * float64(time.Second))
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	return o, o.check(flags)
}

func (o options) check(flags *flag.FlagSet) error {
	problem := ""
	switch {
	case flags.NArg() > 0:
		problem = "unexpected argument " + flags.Arg(0)
	case o.rounds < 1 || o.length <= 0 || o.connections < 1 || o.queued < 1:
		problem = "rounds, seconds, connections and queued must be positive"
	}
	for _, name := range o.only {
		if !known(name) {
			problem = "there is no measure " + name
		}
	}
	if problem == "" {
		return nil
	}
	fmt.Fprintln(os.Stderr, "bench:", problem)
	flags.Usage()
	return fmt.Errorf("%s", problem)
}
