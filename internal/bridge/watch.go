package bridge

import (
	"context"
	"maps"
	"os"
	"time"

	"github.com/cocbridge/cocbridge/internal/config"
)

// watchEvery is how soon a changed file is noticed. The files are looked at by
// name, so that a swapped symlink (Kubernetes) counts as a change.
const watchEvery = 5 * time.Second

// fingerprint says whether a file is still the one that was read. Where the
// system tells of it, another owner or mode is a change too: it may be what lets
// us read the file again.
type fingerprint struct {
	size              int64
	modified, changed int64
	inode             uint64
}

func (b *Bridge) watching(ctx context.Context) error {
	look := b.watcher()
	return b.every(ctx, rounds{pause: watchEvery}, func(ctx context.Context) error {
		_ = look(ctx) // the reload has logged it
		return nil
	})
}

// watcher returns a function that loads the configuration again if a file has
// changed since it was last loaded. What cannot be loaded is tried again by each
// call: the reason may lie elsewhere and pass.
func (b *Bridge) watcher() func(context.Context) error {
	seen := b.seen
	return func(ctx context.Context) error {
		now := b.fingerprints(b.live.Load().cfg)
		if maps.Equal(seen, now) {
			return nil
		}
		if err := b.reloadUnasked(ctx); err != nil {
			return err
		}
		seen = now
		return nil
	}
}

// fingerprints are those of the files that a configuration was read from, but
// for its own, which is loaded when somebody asks for it; and that of the web
// configuration file, which is in force as soon as it is written.
func (b *Bridge) fingerprints(cfg *config.Config) map[string]fingerprint {
	all := map[string]fingerprint{}
	for _, file := range append(cfg.SecretFiles(), b.o.WebConfigFile) {
		if info, err := os.Stat(file); err == nil {
			inode, changed := inodeOf(info)
			all[file] = fingerprint{info.Size(), info.ModTime().UnixNano(), changed, inode}
		}
	}
	return all
}
