package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/bridge"
	"github.com/cocbridge/cocbridge/internal/config"
	"github.com/cocbridge/cocbridge/internal/store"
)

// Exit codes: what a service manager or a script can tell apart.
const (
	exitOK     = 0
	exitOther  = 1
	exitUsage  = 2  // usage or configuration
	exitDisk   = 74 // EX_IOERR: the store's disk
	exitLocked = 75 // EX_TEMPFAIL: another instance has the store
)

// console is what a command may touch of the process it runs in.
type console struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        func() []string
	asks           bool // somebody at a terminal can answer questions
}

// command does its work until it is done or ctx is.
type command func(ctx context.Context, c console) error

// run chooses a command by its arguments and returns the exit code.
func run(ctx context.Context, args []string, c console) int {
	app := kingpin.New("cocbridge", "Takes alerts from Alertmanager and tells them to Huawei Cloud COC, durably and in order.")
	app.UsageWriter(c.stdout)
	app.ErrorWriter(c.stderr)
	app.HelpFlag.Short('h')
	commands := map[string]command{}
	for _, add := range []func(*kingpin.Application) (string, command){
		serveCommand, demoCommand, simulateCommand, initCommand, checkConfigCommand, mapCommand, receiversCommand,
		whyCommand, sendTestCommand, healthcheckCommand, versionCommand,
	} {
		name, cmd := add(app)
		commands[name] = cmd
	}
	for _, add := range []func(*kingpin.Application) map[string]command{deadCommands, queueCommands, alarmCommands, automationCommands, cocCommands} {
		maps.Copy(commands, add(app))
	}
	name, done, err := parse(app, args)
	switch {
	case done && len(args) > 0:
		return exitOK
	case done: // it was shown how to use it
		return exitUsage
	case err != nil:
		fmt.Fprintf(c.stderr, "cocbridge: %v; see cocbridge --help\n", plain(err))
		return exitUsage
	}
	return report(c, commands[name](ctx, c))
}

// parse says whether kingpin has done all there was to do: help, a man page or a
// script. It then calls Terminate, and would go on if that returned.
func parse(app *kingpin.Application, args []string) (name string, done bool, err error) {
	type ended struct{}
	app.Terminate(func(int) { panic(ended{}) })
	defer func() {
		p := recover()
		if _, done = p.(ended); !done && p != nil {
			panic(p)
		}
	}()
	name, err = app.Parse(args)
	return name, false, err
}

// plain says it without the names of Go's functions, which kingpin passes on.
func plain(err error) error {
	var number *strconv.NumError
	switch {
	case errors.As(err, &number) && errors.Is(err, strconv.ErrRange):
		return fmt.Errorf("%q is too large a number", number.Num)
	case errors.As(err, &number):
		return fmt.Errorf("%q is not a number", number.Num)
	case strings.HasPrefix(err.Error(), "time: "):
		return fmt.Errorf("%s; write such as 90s or 5m", strings.TrimPrefix(err.Error(), "time: "))
	default:
		return err
	}
}

// report prints an error and chooses its exit code.
func report(c console, err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(c.stderr, "cocbridge: %v\n", err)
	return exitCode(err)
}

func exitCode(err error) int {
	var cfg *config.Error
	switch {
	case errors.As(err, &cfg), errors.Is(err, bridge.ErrWebConfig), errors.Is(err, errUsage), errors.Is(err, admin.ErrInvalid):
		return exitUsage
	case errors.Is(err, store.ErrLocked):
		return exitLocked
	case errors.Is(err, bridge.ErrStore):
		return exitDisk
	default:
		return exitOther
	}
}

// errUsage marks errors in what the user typed or piped in.
var errUsage = errors.New("usage")
