// Command homes puts a release into each of its homes and has it deliver alarms
// there, as far as that goes without systemd as pid 1 and without a container
// engine:
//
//   - the deb and the rpm are installed, upgraded and removed in an overlay of
//     this machine's root, and the unit's ExecStart runs as the unit says,
//   - the image is unpacked, and its entry point runs as the image says.
//
// What stands in for systemd and for the engine is said where it is done. It runs
// as root, in mount and network namespaces of its own:
//
//	unshare --mount --net sh -c 'ip link set lo up && exec homes -release dist'
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"
)

// patience bounds the whole run.
const patience = 4 * time.Minute

func main() {
	release := flag.String("release", "dist", "folder that deploy/release has filled")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	err := run(ctx, *release)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "homes:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, release string) (err error) {
	folder, err := os.MkdirTemp("", "homes-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	st := &station{release: release, folder: folder}
	for _, scenario := range []struct {
		name string
		run  func(context.Context, *station) error
	}{{"deb", debHome}, {"rpm", rpmHome}, {"image", imageHome}} {
		began := time.Now()
		if err := scenario.run(ctx, st); err != nil {
			return fmt.Errorf("%s: %w", scenario.name, err)
		}
		fmt.Printf("%s: fine (%.1f s)\n", scenario.name, time.Since(began).Seconds())
	}
	return nil
}
