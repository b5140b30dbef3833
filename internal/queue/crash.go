package queue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
)

// crashFile notes which tasks are in flight, without a sync: the page cache
// outlives the process, and a crash of the process is all that a task can cause.
// What a power cut leaves of it is recognised by the checksums. Each lease in
// flight has a slot; an empty one is zero:
//
//	| id 8, big-endian | CRC32C of it 4 | zero 4 |
//
// The file is mapped into memory, since every task is noted and cleared again.
// All of it is written first: a page without room on the disk would be fatal. On a
// full disk the guard is lost, but work goes on. A nil *crashFile notes nothing.
// reserve and free need the queue's lock.
type crashFile struct {
	file   *os.File
	unused []int
	slots  int

	mu     sync.Mutex
	mapped []byte // empty = no guard, or closed: what is still settled then is not noted
}

const (
	slotSize = 16
	maxSlots = 4096 // what is in flight beyond them has no guard
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openCrashFile returns the ids of the tasks that were in flight when the last
// process ended, and empties the file: if this one crashes before it has counted
// them, that crash is not held against anyone.
func openCrashFile(path string) (*crashFile, []uint64, error) {
	if path == "" {
		return nil, nil, nil
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("queue: read the crash file: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("queue: open the crash file: %w; make its folder writable for the user that cocbridge runs as", err)
	}
	c := &crashFile{file: file}
	if _, err := file.WriteAt(make([]byte, maxSlots*slotSize), 0); err == nil {
		c.mapped, _ = syscall.Mmap(int(file.Fd()), 0, maxSlots*slotSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	}
	return c, readSlots(old), nil
}

func readSlots(b []byte) (ids []uint64) {
	for ; len(b) >= slotSize; b = b[slotSize:] {
		if crc32.Checksum(b[:8], castagnoli) == binary.BigEndian.Uint32(b[8:]) {
			ids = append(ids, binary.BigEndian.Uint64(b))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids) // a slot that could not be cleared repeats an id
}

// reserve returns a slot that nobody uses.
func (c *crashFile) reserve() int {
	if c == nil {
		return 0
	}
	if last := len(c.unused) - 1; last >= 0 {
		slot := c.unused[last]
		c.unused = c.unused[:last]
		return slot
	}
	c.slots++
	return c.slots - 1
}

// free gives back a slot that is clear.
func (c *crashFile) free(slot int) {
	if c != nil {
		c.unused = append(c.unused, slot)
	}
}

func (c *crashFile) mark(slot int, id uint64) {
	var b [slotSize]byte
	binary.BigEndian.PutUint64(b[:], id)
	binary.BigEndian.PutUint32(b[8:], crc32.Checksum(b[:8], castagnoli))
	c.write(slot, b)
}

func (c *crashFile) clear(slot int) { c.write(slot, [slotSize]byte{}) }

func (c *crashFile) write(slot int, b [slotSize]byte) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if (slot+1)*slotSize <= len(c.mapped) {
		copy(c.mapped[slot*slotSize:], b[:])
	}
}

// close says that the process did not crash.
func (c *crashFile) close() error {
	if c == nil {
		return nil
	}
	return errors.Join(c.unmap(), c.file.Truncate(0), c.file.Close())
}

func (c *crashFile) unmap() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mapped == nil {
		return nil
	}
	mapped := c.mapped
	c.mapped = nil
	return syscall.Munmap(mapped)
}
