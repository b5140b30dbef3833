package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// Intake stops at this part of what the file can hold, so that acknowledgements,
// which need new pages before they free old ones, always find some.
const softLimit = 0.85

// maxAllocSize is the largest step in which the file grows: bbolt's own.
const maxAllocSize = 16 << 20

// Open opens the store, or creates it: in a file beside it that is renamed once it
// is complete and synced, so that no crash leaves half a store. An existing file
// is checked before anything is written: ErrForeign and ErrNewer leave it as it
// is, ErrCorrupt says that its structure is damaged. ErrLocked comes after 3 s.
// Nothing is committed until Run runs.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	folder := filepath.Dir(o.Path)
	if err := makeFolder(folder); err != nil {
		return nil, fmt.Errorf("store: create the folder %s: %w; create it for the user that cocbridge runs as, or choose another store.path", folder, err)
	}
	file, err := openLocked(o.Path)
	if err != nil {
		return nil, err
	}
	s, err := openFile(file, o)
	if err != nil {
		_ = file.Close() // bbolt may have closed it
		return nil, err
	}
	// What a crash in a creation has left. Whoever has the store's lock may remove it.
	_ = os.Remove(o.Path + tmpSuffix)
	// A crash may also have come between rename and sync of the folder.
	if err := syncFolder(folder); err != nil {
		_ = s.db.Close()
		return nil, fmt.Errorf("store: sync the folder %s: %w", folder, err)
	}
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.MaxSize == 0 {
		o.MaxSize = int64(DefaultConfig().MaxSize)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// openFile opens the locked file of an existing store.
func openFile(file *os.File, o Options) (*Store, error) {
	torn, err := checkFile(file)
	if err != nil {
		return nil, explain(err, o.Path)
	}
	db, err := openBolt(file, o)
	if err != nil {
		return nil, explain(err, o.Path)
	}
	s := &Store{file: file, db: db, now: o.Now, wake: make(chan struct{}, 1), pageSize: int64(db.Info().PageSize)}
	s.patience = time.NewTimer(time.Hour)
	s.patience.Stop()
	if err := s.View(checkFormat); err != nil {
		_ = db.Close()
		return nil, explain(err, o.Path)
	}
	db.AllocSize = allocSize(o.MaxSize)
	s.stats.maxSize, s.stats.tornMeta = o.MaxSize, torn
	most := o.MaxSize - int64(db.AllocSize)
	s.stats.limit = int64(float64(most) * softLimit)
	s.stats.brim = (s.stats.limit + most) / 2
	s.measure()
	return s, nil
}

// allocSize is the step in which a file of this largest size grows. bbolt refuses
// to grow when a whole step does not fit any more.
func allocSize(maxSize int64) int { return int(min(maxSize/16, maxAllocSize)) }

// openBolt opens the file, whose lock we hold, without writing to it. bbolt panics
// on damages that checkFile does not look for.
func openBolt(file *os.File, o Options) (db *bbolt.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, p)
		}
	}()
	return bbolt.Open(file.Name(), fileMode, &bbolt.Options{
		Timeout:         lockTimeout,
		FreelistType:    bbolt.FreelistMapType,
		NoFreelistSync:  true,
		InitialMmapSize: int(o.MaxSize), // address space only; growing never has to wait for readers
		MaxSize:         int(o.MaxSize),
		OpenFile:        func(string, int, os.FileMode) (*os.File, error) { return file, nil },
	})
}

// explain adds to an error of an existing file which file it is and what to do.
func explain(err error, path string) error {
	var todo string
	switch {
	case errors.Is(err, ErrForeign):
		todo = "it was left as it is; choose another store.path, or move the file away"
	case errors.Is(err, ErrNewer):
		todo = "it was left as it is; run that version, or move the file away to begin with an empty store"
	case errors.Is(err, ErrCorrupt):
		todo = "move the file away and keep it; the next start begins with an empty store"
	case errors.Is(err, fs.ErrPermission):
		todo = "make it readable and writable for the user that cocbridge runs as"
	default:
		return fmt.Errorf("store: open %s: %w", path, err)
	}
	return fmt.Errorf("store: open %s: %w; %s", path, err, todo)
}
