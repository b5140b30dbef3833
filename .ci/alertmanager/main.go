// Command alertmanager runs a real Alertmanager against cocbridge and the
// simulated COC, three processes over loopback sockets, and compares what was
// fired with what arrived.
//
// The story (alerts fire, join a group, are resolved, fire again, repeat, lose
// their source, open tickets, run a script) is told twice: once with the bridge left alone, where every
// change must arrive exactly once and in order; and once with the bridge killed
// in the middle again and again, where every change must arrive at least once,
// in order, with no more duplicates than the promise allows. It prints both
// sides of every step and exits with 1 if anything differs.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// limit bounds the whole run; a good one takes about half of it.
const limit = 6 * time.Minute

func main() {
	var p programs
	flag.StringVar(&p.cocbridge, "cocbridge", "", "Path of the cocbridge program.")
	flag.StringVar(&p.alertmanager, "alertmanager", "prometheus-alertmanager", "Path of the Alertmanager program.")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "Seed of the moments at which the bridge is killed.")
	flag.Parse()
	if p.cocbridge == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: go run ./.ci/alertmanager -cocbridge PATH -alertmanager PATH [-seed N]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, limit)
	code := run(ctx, p, *seed)
	cancel()
	stop()
	os.Exit(code)
}

// programs are what the run starts.
type programs struct{ cocbridge, alertmanager string }

func run(ctx context.Context, p programs, seed uint64) int {
	began := time.Now()
	fmt.Printf("seed %d\n", seed)
	kills := &killer{rand: rand.New(rand.NewPCG(seed, 0))}
	failed := tell(ctx, p, telling{title: "the bridge is left alone"})
	failed += tell(ctx, p, telling{title: "the bridge is killed in the middle", kills: kills})
	fmt.Printf("\n%d checks failed, %s\n", failed, time.Since(began).Round(time.Second))
	if failed > 0 {
		return 1
	}
	return 0
}

// telling is one run of the story.
type telling struct {
	title string
	kills *killer // nil = the bridge is left alone
}

// tell starts the programs in a folder of their own, runs the story and returns
// how many checks failed.
func tell(ctx context.Context, p programs, t telling) int {
	fmt.Printf("\n======== %s\n", t.title)
	folder, err := os.MkdirTemp("", "cocbridge-alertmanager-")
	if err != nil {
		fmt.Println("FAIL", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	s := &story{kills: t.kills, ids: map[string]string{}}
	if t.kills != nil {
		s.usual = []string{slow}
	}
	if err := s.run(ctx, p, folder); err != nil {
		s.check(false, "the story came to its end: %v", err)
	}
	s.stop()
	if s.failed > 0 {
		printTails(folder)
	}
	return s.failed
}

// printTails shows how the logs of all processes end.
func printTails(folder string) {
	logs, _ := filepath.Glob(filepath.Join(folder, "*.log"))
	for _, path := range logs {
		fmt.Printf("\n-------- the end of %s\n%s", filepath.Base(path), stage.Tail(path))
	}
}
