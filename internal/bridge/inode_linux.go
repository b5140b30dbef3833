package bridge

import (
	"os"
	"syscall"
)

// inodeOf returns the number of a file and when anything about it changed last,
// its owner and mode included.
func inodeOf(info os.FileInfo) (inode uint64, changed int64) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	return s.Ino, s.Ctim.Nano()
}
