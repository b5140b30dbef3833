package bridge

import (
	"context"
	"maps"
	"os"
	"time"
)

// watchEvery is how soon a changed secret file is noticed. The files are looked
// at by name, so that a swapped symlink (Kubernetes) counts as a change.
const watchEvery = 5 * time.Second

// fingerprint says whether a file is still the one that was read.
type fingerprint struct {
	size    int64
	changed time.Time
}

func (b *Bridge) watching(ctx context.Context) error {
	return b.every(ctx, rounds{pause: watchEvery, problem: "changed file not loaded"}, b.watcher())
}

// watcher returns a function that loads the configuration again if a file has
// changed since its last call.
func (b *Bridge) watcher() func(context.Context) error {
	seen := b.fingerprints()
	return func(ctx context.Context) error {
		now := b.fingerprints()
		if maps.Equal(seen, now) {
			return nil
		}
		seen = now
		return b.Reload(ctx, false)
	}
}

func (b *Bridge) fingerprints() map[string]fingerprint {
	all := map[string]fingerprint{}
	for _, file := range b.live.Load().cfg.SecretFiles() {
		if info, err := os.Stat(file); err == nil {
			all[file] = fingerprint{size: info.Size(), changed: info.ModTime()}
		}
	}
	return all
}
