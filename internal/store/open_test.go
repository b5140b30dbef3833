package store_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/cocbridge/cocbridge/internal/store"
)

func TestOpen_creates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "var", "lib", "cocbridge.db")
	s, end := run(t, store.Options{Path: path})
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
	update(t, s, put("a", "k", "v"))
	if err := end(); err != nil {
		t.Fatal(err)
	}
	s, _ = run(t, store.Options{Path: path})
	got, _ := dump(t, s, "a")
	if diff := cmp.Diff(map[string]string{"k": "v"}, got); diff != "" {
		t.Errorf("records after the next start (-want +got):\n%s", diff)
	}
	if entries, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(entries) != 1 {
		t.Errorf("the folder has %v", entries)
	}
}

// Whatever a crash during the creation has left, the next start works.
func TestOpen_leftovers(t *testing.T) {
	whole := newPath(t)
	_, end := run(t, store.Options{Path: whole})
	_ = end()
	content := read(t, whole)
	for name, left := range map[string][]byte{
		"nothing written yet": {},
		"one page":            content[:4096],
		"a torn page":         content[:6000],
		"pages of zeros":      make([]byte, 32768),
		"not yet renamed":     content,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cocbridge.db")
			write(t, path+".tmp", left)
			s, end := run(t, store.Options{Path: path})
			update(t, s, put("a", "k", "v"))
			if _, err := os.Stat(path + ".tmp"); err == nil {
				t.Error("the leftover is still there")
			}
			_ = end()
			_, _ = run(t, store.Options{Path: path})
		})
	}
	t.Run("beside a finished store", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "cocbridge.db")
		write(t, path, content)
		write(t, path+".tmp", content[:5000])
		_, _ = run(t, store.Options{Path: path})
		if _, err := os.Stat(path + ".tmp"); err == nil {
			t.Error("the leftover is still there")
		}
	})
}

// All of these are refused and stay byte for byte as they are.
func TestOpen_refuses(t *testing.T) {
	ours := newPath(t)
	s, end := run(t, store.Options{Path: ours})
	for i := range 100 {
		update(t, s, putAt(i, 500))
	}
	_ = end()
	content := read(t, ours)
	noise := make([]byte, 8192)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for _, c := range []struct {
		name    string
		content []byte
		want    error
		says    string
	}{
		{"an empty file", nil, store.ErrForeign, "store.path"},
		{"a text", []byte("hello\n"), store.ErrForeign, "store.path"},
		{"zeros", make([]byte, 65536), store.ErrForeign, "store.path"},
		{"noise", noise, store.ErrForeign, "store.path"},
		{"a database of another program", foreignDB(t, nil), store.ErrForeign, "store.path"},
		{"a database of another program with our bucket", foreignDB(t, map[string]string{"other": "x"}), store.ErrForeign, "store.path"},
		{"a newer format", newerFormat(t, ours), store.ErrNewer, "run that version"},
		{"a file cut to one page", content[:4096], store.ErrCorrupt, "move the file away"},
		{"a file cut by one page", content[:highWater(content)-4096], store.ErrCorrupt, "move the file away"},
		{"both meta pages damaged", flip(flip(content, 4096+60), 60), store.ErrCorrupt, "move the file away"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cocbridge.db")
			write(t, path, c.content)
			before := sum(t, path)
			s, err := store.Open(store.Options{Path: path})
			if err == nil {
				_ = s.Close()
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error = %v", err)
			}
			if sum(t, path) != before {
				t.Error("the file has changed")
			}
		})
	}
	t.Run("a folder", func(t *testing.T) {
		if _, err := store.Open(store.Options{Path: t.TempDir()}); !errors.Is(err, store.ErrForeign) {
			t.Errorf("error = %v", err)
		}
	})
}

// foreignDB is the content of a bbolt file that is not ours. With records they are
// in the bucket where our format stands.
func foreignDB(t *testing.T, records map[string]string) []byte {
	t.Helper()
	return editDB(t, filepath.Join(t.TempDir(), "x.db"), func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("things"))
		if records == nil || err != nil {
			return errors.Join(err, b.Put([]byte("k"), []byte("v")))
		}
		if b, err = tx.CreateBucketIfNotExists([]byte("format")); err != nil {
			return err
		}
		for key, value := range records {
			err = errors.Join(err, b.Put([]byte(key), []byte(value)))
		}
		return err
	})
}

// newerFormat is our file with the next version, correctly written.
func newerFormat(t *testing.T, path string) []byte {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "newer.db")
	write(t, copied, read(t, path))
	s, end := run(t, store.Options{Path: copied})
	update(t, s, put("format", "version", "2"))
	_ = end()
	return read(t, copied)
}

func editDB(t *testing.T, path string, edit func(*bbolt.Tx) error) []byte {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(edit), db.Close()); err != nil {
		t.Fatal(err)
	}
	return read(t, path)
}

func TestOpen_locked(t *testing.T) {
	path := newPath(t)
	first, end := run(t, store.Options{Path: path})
	synctest.Test(t, func(t *testing.T) { // the wait is fake, the lock is real
		_, err := store.Open(store.Options{Path: path})
		if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), path) {
			t.Errorf("error = %v", err)
		}
	})
	update(t, first, put("a", "k", "v"))
	if err := end(); err != nil {
		t.Errorf("the first instance: %v", err)
	}
	_, _ = run(t, store.Options{Path: path})
}

// The file is moved away and another put in its place, while a second instance
// waits for the lock: that one must go on with the new file.
func TestOpen_replacedWhileLocked(t *testing.T) {
	path := newPath(t)
	_, end := run(t, store.Options{Path: path})
	_ = end()
	content := read(t, path)
	synctest.Test(t, func(t *testing.T) {
		first, err := store.Open(store.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		opened := make(chan *store.Store)
		go func() {
			second, err := store.Open(store.Options{Path: path})
			if err != nil {
				t.Error(err)
			}
			opened <- second
		}()
		synctest.Wait()
		if err := os.Rename(path, path+".moved"); err != nil {
			t.Error(err)
		}
		write(t, path, content)
		if err := first.Close(); err != nil {
			t.Error(err)
		}
		second := <-opened
		end := start(t, second)
		update(t, second, put("a", "k", "v"))
		_ = end()
	})
	if string(read(t, path+".moved")) != string(content) {
		t.Error("the file that was moved away has changed")
	}
}

// Of several first starts at the same time one gets the store and the others see
// its lock.
func TestOpen_race(t *testing.T) {
	path := newPath(t)
	synctest.Test(t, func(t *testing.T) {
		stores, errs := make(chan *store.Store, 5), make(chan error, 5)
		for range cap(errs) {
			go func() {
				s, err := store.Open(store.Options{Path: path})
				if err == nil {
					stores <- s
				}
				errs <- err
			}()
		}
		locked := 0
		for range cap(errs) {
			if err := <-errs; errors.Is(err, store.ErrLocked) {
				locked++
			} else if err != nil {
				t.Error(err)
			}
		}
		if len(stores) != 1 || locked != cap(errs)-1 {
			t.Fatalf("%d opened it, %d saw the lock", len(stores), locked)
		}
		_ = (<-stores).Close()
	})
}

func TestOpen_unwritableFolder(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	write(t, blocked, nil)
	folders := []string{blocked, filepath.Join(blocked, "data"), "/proc/cocbridge"}
	if os.Geteuid() != 0 { // root may write everywhere
		closed := filepath.Join(t.TempDir(), "closed")
		if err := os.Mkdir(closed, 0o500); err != nil {
			t.Fatal(err)
		}
		folders = append(folders, closed, filepath.Join(closed, "data"))
	}
	for _, folder := range folders {
		_, err := store.Open(store.Options{Path: filepath.Join(folder, "cocbridge.db")})
		if err == nil || !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), "store.path") {
			t.Errorf("%s: error = %v", folder, err)
		}
	}
}

func flip(content []byte, at int) []byte {
	flipped := append([]byte{}, content...)
	flipped[at] ^= 0x10
	return flipped
}
