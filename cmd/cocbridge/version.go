package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kingpin/v2"
)

type versionInfo struct{ number, revision string }

func version() versionInfo {
	v := versionInfo{number: "devel", revision: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.number = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.revision = s.Value
		}
	}
	return v
}

func versionCommand(app *kingpin.Application) (string, command) {
	cmd := app.Command("version", "Print the version.")
	return cmd.FullCommand(), func(_ context.Context, c console) error {
		v := version()
		_, err := fmt.Fprintf(c.stdout, "cocbridge %s (revision %s, %s %s/%s)\n", v.number, v.revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	}
}
