package main

import (
	"context"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kingpin/v2"
	systemd "github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/bridge"
	"github.com/cocbridge/cocbridge/internal/config"
)

func serveCommand(app *kingpin.Application) (string, command) {
	var s settings
	var webConfig string
	cmd := app.Command("serve", "Run the bridge.")
	s.addAll(cmd)
	cmd.Flag("web.config.file", "TLS for the webhooks, in exporter-toolkit's form.").StringVar(&webConfig)
	return cmd.FullCommand(), func(ctx context.Context, c console) error { return serve(ctx, c, s, webConfig) }
}

func serve(ctx context.Context, c console, s settings, webConfig string) error {
	cfg, err := s.load(c)
	if err != nil {
		return err
	}
	log, err := logger(c.stderr, cfg.LogLevel, s.logFormat)
	if err != nil {
		return err
	}
	for _, warning := range cfg.Warnings {
		log.Warn("configuration", zap.String("warning", warning))
	}
	// net/http prints what a server sends out of turn there, past our redaction.
	stdlog.SetOutput(io.Discard)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // before the start, which must not end by one
	defer signal.Stop(hangups)
	manager, err := serviceManager()
	if err != nil {
		return err
	}
	b, err := bridge.New(ctx, bridge.Options{
		Config: cfg, Load: func() (*config.Config, error) { return s.load(c) },
		WebConfigFile: webConfig, Version: version().number, Registry: registry(), Log: log, Manager: manager,
	})
	if err != nil {
		return err
	}
	defer reloadOn(hangups, b)()
	defer runtime.KeepAlive(headroom())
	useAllCores(c.environ())
	return b.Run(ctx)
}

// useAllCores lets one goroutine more run at once than there are cores. The one
// that commits is mostly in system calls that wait for the disk, and the runtime
// gives its place to another only after a while. A GOMAXPROCS of the environment
// stays.
func useAllCores(environ []string) {
	if slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, "GOMAXPROCS=") }) {
		return
	}
	runtime.SetDefaultGOMAXPROCS()
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
}

// headroom lets the heap grow by 32 MiB between two collections: what lives is
// so small that at full load there would be a collection every few milliseconds.
// The memory is reserved but never touched, so it is not resident.
func headroom() []byte { return make([]byte, 32<<20) }

// serviceManager is systemd, if it has started us as a notifying service.
func serviceManager() (bridge.Manager, error) {
	watchdog, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		return bridge.Manager{}, fmt.Errorf("%w: WATCHDOG_USEC: %w", errUsage, err)
	}
	notify := func(state string) error {
		_, err := systemd.SdNotify(false, state)
		return err
	}
	return bridge.Manager{Notify: notify, Watchdog: watchdog}, nil
}

// reloadOn loads the configuration again at each signal until the returned
// function is called.
func reloadOn(hangups chan os.Signal, b *bridge.Bridge) (stop func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range hangups {
			_ = b.Reload(context.Background(), false) // logged where it is decided
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-ended
	}
}
