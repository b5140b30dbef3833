// Command zabbix runs a real Zabbix 6.0 (server, frontend, PostgreSQL) against
// cocbridge and the simulated COC, all on loopback or Unix sockets in a folder
// of its own, and checks what arrives.
//
// It imports deploy/zabbix/media_cocbridge.yaml through the JSON-RPC API, as the
// README beside it says, then lets a trigger fire, change its severity, be
// acknowledged and recover; takes the bridge away for a minute in which the same
// happens to another one and a third is disabled; and runs the script of the
// media type in Zabbix's own engine on what an operator can do wrong. It prints
// what Zabbix recorded as sent, and exits with 1 if anything differs.
//
// The programs that refuse to be root are started as the user zabbix, which
// Debian's package makes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// limit bounds the whole run; a good one takes about three minutes.
const limit = 8 * time.Minute

func main() {
	cocbridge := flag.String("cocbridge", "", "Path of the cocbridge program.")
	media := flag.String("media", "deploy/zabbix/media_cocbridge.yaml", "The media type to import.")
	down := flag.Duration("down", time.Minute, "How long the bridge is away; 0 = that part is left out.")
	flag.Parse()
	if *cocbridge == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: go run ./.ci/zabbix -cocbridge PATH [-media FILE] [-down DURATION]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, limit)
	code := run(ctx, options{cocbridge: *cocbridge, media: *media, down: *down})
	cancel()
	stop()
	os.Exit(code)
}

// options are what the run is told.
type options struct {
	cocbridge, media string
	down             time.Duration
}

// run plays the story in a folder of its own and cleans up after it.
func run(ctx context.Context, o options) int {
	began := time.Now()
	folder, err := os.MkdirTemp("", "cocbridge-zabbix-")
	if err != nil {
		fmt.Println("FAIL", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	s := &story{options: o, folder: folder}
	if err := s.run(ctx); err != nil {
		s.check(false, "the story came to its end: %v", err)
		s.printMessages(ctx)
	}
	s.stop()
	if s.failed > 0 {
		printTails(folder)
	}
	fmt.Printf("\n%d checks failed, %s\n", s.failed, time.Since(began).Round(time.Second))
	if s.failed > 0 {
		return 1
	}
	return 0
}

// printTails shows how the logs of all processes end.
func printTails(folder string) {
	logs, _ := filepath.Glob(filepath.Join(folder, "*.log"))
	for _, path := range logs {
		fmt.Printf("\n-------- the end of %s\n%s", filepath.Base(path), stage.Tail(path))
	}
}
