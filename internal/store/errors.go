package store

import (
	"errors"
	"fmt"
)

var (
	// ErrLocked says that another process has the file open.
	ErrLocked = errors.New("store is in use by another process")
	// ErrForeign says that the file was not made by cocbridge. It is left as it is.
	ErrForeign = errors.New("not a store of cocbridge")
	// ErrNewer says that a newer cocbridge made the file. It is left as it is.
	ErrNewer = errors.New("store was made by a newer cocbridge")
	// ErrFull says that there is no room: on the disk, or up to the store's own limit.
	ErrFull = errors.New("store is full")
	// ErrCorrupt says that a record, or at Open the file, is not what was once written.
	ErrCorrupt = errors.New("store is damaged")
	// ErrFailed says that a commit failed in a way that leaves its outcome unknown.
	// Only a restart, which reads the file anew, helps.
	ErrFailed = errors.New("store has failed, restart needed")
	// ErrClosed says that the store was closed, or that its committer has ended.
	ErrClosed = errors.New("store is closed")
)

// CorruptError is the ErrCorrupt of one record. It keeps what was found, so that
// a damaged record can be put aside instead of being lost.
type CorruptError struct {
	Bucket  Bucket
	Key     []byte
	Raw     []byte // the whole record as found, with its version and checksum
	Problem string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("store: record %x in bucket %s: %s", e.Key, e.Bucket, e.Problem)
}

// Is makes the error an ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
