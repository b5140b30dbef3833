package store_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/cocbridge/cocbridge/internal/store"
)

// Whatever lies where the store should be: it is refused, or it can be read and
// written. Nothing panics or reads beyond the file.
func FuzzOpen(f *testing.F) {
	path := newPath(f)
	s, end := run(f, store.Options{Path: path, MaxSize: 256 << 10})
	for i := range 20 {
		update(f, s, putAt(i, 300))
	}
	update(f, s, put("small", "k", "v"))
	_ = end()
	f.Add(read(f, path))
	f.Add(read(f, path)[:3*pageSize])
	f.Add(make([]byte, pageSize))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "cocbridge.db")
		write(t, path, content)
		s, err := store.Open(store.Options{Path: path, MaxSize: 1 << 20})
		if err != nil {
			return
		}
		for _, b := range []store.Bucket{"fill", "small", "format"} {
			dump(t, s, b)
		}
		s.Submit(putAt(7, 10), func(error) {})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Run(ended); err == nil {
			_ = s.Close()
		}
	})
}
