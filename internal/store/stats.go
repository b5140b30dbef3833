package store

import (
	"sync/atomic"
	"time"
)

// Stats are numbers about the store. Those without a unit are counts since Open.
type Stats struct {
	Size    int64 // of the file, in bytes
	Used    int64 // bytes in pages that hold something
	Limit   int64 // of Used; from here on Intake is refused
	MaxSize int64 // of the file, in bytes

	Commits   uint64        // groups that were synced
	Changes   uint64        // changes in them
	LastGroup int           // changes in the last of them
	MaxGroup  int           // changes in the largest of them
	LastSync  time.Duration // bbolt's part of the last commit: writing and two fdatasyncs
	TotalSync time.Duration
	LastWait  time.Duration // the whole last group: running its changes and the commit
	Refused   uint64        // calls of Intake that were refused at once

	OpenViews int // reads that are running
	// TornMeta says that at Open the newer of bbolt's two meta pages was unreadable:
	// the last commit before was not finished (a power cut), or its page is damaged.
	TornMeta bool
}

// stats are written by the committer and by refused calls, and read by anybody.
type stats struct {
	limit, maxSize int64
	brim           int64 // one change of Intake may begin below limit, but not lead beyond this
	tornMeta       bool

	size, used          atomic.Int64
	commits, changes    atomic.Uint64
	refused             atomic.Uint64
	lastGroup, maxGroup atomic.Int64
	lastSync, totalSync atomic.Int64
	lastWait            atomic.Int64
}

// Stats returns the current numbers. It is cheap and never waits for a commit.
func (s *Store) Stats() Stats {
	a := &s.stats
	return Stats{
		Size:      a.size.Load(),
		Used:      a.used.Load(),
		Limit:     a.limit,
		MaxSize:   a.maxSize,
		Commits:   a.commits.Load(),
		Changes:   a.changes.Load(),
		LastGroup: int(a.lastGroup.Load()),
		MaxGroup:  int(a.maxGroup.Load()),
		LastSync:  time.Duration(a.lastSync.Load()),
		TotalSync: time.Duration(a.totalSync.Load()),
		LastWait:  time.Duration(a.lastWait.Load()),
		Refused:   a.refused.Load(),
		OpenViews: s.db.Stats().OpenTxN,
		TornMeta:  a.tornMeta,
	}
}

func (a *stats) synced(took time.Duration) {
	a.lastSync.Store(int64(took))
	a.totalSync.Add(int64(took))
}

func (a *stats) committed(changes int, took time.Duration) {
	a.commits.Add(1)
	a.changes.Add(uint64(changes))
	a.lastGroup.Store(int64(changes))
	a.maxGroup.Store(max(a.maxGroup.Load(), int64(changes)))
	a.lastWait.Store(int64(took))
}

// measure notes how large the file is and how much of it is in use. Pages that
// the last commit has freed count as free: the next one may take them.
func (s *Store) measure() {
	btx, err := s.db.Begin(false)
	if err != nil {
		return
	}
	used := btx.Size()
	_ = btx.Rollback()
	pages := s.db.Stats()
	s.stats.used.Store(used - int64(pages.FreePageN+pages.PendingPageN)*s.pageSize)
	if info, err := s.file.Stat(); err == nil {
		s.stats.size.Store(info.Size())
	}
}
