package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

const (
	folderMode  = 0o700
	fileMode    = 0o600
	tmpSuffix   = ".tmp"
	lockTimeout = 3 * time.Second
	lockPoll    = 50 * time.Millisecond
)

// openLocked returns the file at path, created if absent, with its lock held. The
// lock is of the open file, so that no second one is between check and use.
func openLocked(path string) (*os.File, error) {
	deadline := time.Now().Add(lockTimeout)
	for {
		file, err := openRegular(path)
		if errors.Is(err, fs.ErrNotExist) {
			if err := create(path, deadline); err != nil {
				return nil, fmt.Errorf("store: create %s: %w", path, explainSpace(err))
			}
			continue
		}
		if err != nil {
			return nil, explain(err, path)
		}
		current, err := lock(file, path, deadline)
		if err != nil {
			_ = file.Close()
			return nil, explainLock(err, path)
		}
		if current {
			return file, nil
		}
		_ = file.Close()
	}
}

func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", ErrForeign)
	}
	return os.OpenFile(path, os.O_RDWR, 0)
}

// lock waits for the lock of the file until the deadline. It reports whether the
// file is still the one at path: another process may have renamed it meanwhile.
func lock(file *os.File, path string, deadline time.Time) (current bool, err error) {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return false, fmt.Errorf("lock: %w", err)
		}
		if !time.Now().Before(deadline) {
			return false, ErrLocked
		}
		time.Sleep(lockPoll)
	}
	ours, err := file.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(ours, there), err
}

func explainLock(err error, path string) error {
	if errors.Is(err, ErrLocked) {
		return fmt.Errorf("%w: %s is still locked after %v; stop the other cocbridge, or give this one its own store.path", err, path, lockTimeout)
	}
	return explain(err, path)
}

// explainSpace says what to do where there is no room for even an empty store.
func explainSpace(err error) error {
	if isNoSpace(err) {
		return fmt.Errorf("%w; free space on its disk, or choose another store.path", err)
	}
	return err
}

// create makes an empty store at path. It builds it under another name, whose lock
// keeps a second process from doing the same, and starts anew over what a crash
// has left there. It returns nil also when another process was faster.
func create(path string, deadline time.Time) error {
	tmp := path + tmpSuffix
	file, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return fmt.Errorf("%w; make the folder %s writable for the user that cocbridge runs as, or choose another store.path", err, filepath.Dir(path))
	}
	defer file.Close() //nolint:errcheck // bbolt has closed it, or an earlier error counts
	current, err := lock(file, tmp, deadline)
	if err != nil || !current {
		return err
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	return build(file, path)
}

// build writes an empty store into the locked file and moves it to path.
func build(file *os.File, path string) error {
	db, err := openBolt(file, Options{})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // everything in it is synced before
	err = db.Update(func(btx *bbolt.Tx) error {
		return writeFormat(&Tx{btx: btx, buckets: &bucketCache{}})
	})
	if err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// makeFolder creates the folder and those above it, and syncs their entries.
func makeFolder(path string) error {
	if isFolder(path) {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, folderMode); err != nil && !isFolder(path) {
		return err
	}
	return syncFolder(parent)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// syncFolder makes the entries of a folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close() //nolint:errcheck // nothing was written through it
	return folder.Sync()
}
