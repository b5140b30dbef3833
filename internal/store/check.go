package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// bbolt trusts its pages: a damaged one makes it panic, partly in goroutines of
// its own, or read beyond the file, which kills the process. So the structure is
// checked before bbolt sees the file, by reading it, without a mapping. What is
// inside the values is the records' own checksum's business. What can not be seen
// is a page number that was damaged so that it leads to an older version of the
// same page: bbolt keeps nothing by which the two differ.
//
// A file of bbolt v1.5.0, numbers in the machine's byte order:
//
//	page      | id 8 | flags 2 | count 2 | overflow 4 | body |   overflow = further pages
//	meta      | magic 4 | version 4 | page size 4 | flags 4 | root page 8 | root sequence 8 | freelist 8 | pages 8 | txid 8 | checksum 8 |
//	branch    count x | pos 4 | key size 4 | page 8 |, then the keys
//	leaf      count x | flags 4 | pos 4 | key size 4 | value size 4 |, then key, value, key, value...
//	bucket    a leaf's value with flag 1: | root page 8 | sequence 8 |, and a leaf page if root page is 0
//
// pos counts from its own element. Keys and values follow the elements without a
// gap, so a changed count or size shows.
const (
	pageHeader    = 16
	elementSize   = 16
	metaSize      = 64
	bucketHeader  = 16
	boltMagic     = 0xED0CDAED
	boltVersion   = 2
	branchFlag    = 0x01
	leafFlag      = 0x02
	bucketElement = 0x01
	maxDepth      = 32
	maxNodeBytes  = 256 << 20 // no node of ours comes near
)

var order = binary.NativeEndian

type meta struct {
	pageSize, root, pages, txid uint64
}

// checkFile reads the whole structure. It reports whether one of the two meta
// pages is invalid.
func checkFile(file *os.File) (torn bool, err error) {
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	m, torn, err := readMetas(file, info.Size())
	if err != nil {
		return false, err
	}
	if int64(m.pages*m.pageSize) > info.Size() {
		return false, fmt.Errorf("%w: it has %d bytes and should have %d", ErrCorrupt, info.Size(), m.pages*m.pageSize)
	}
	c := &checker{file: file, meta: m, seen: make([]uint64, m.pages/64+1)}
	if err := c.tree(m.root, place{root: true, mayBeEmpty: true}); err != nil {
		return false, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return torn, nil
}

// readMetas returns the meta page that counts: the valid one with the higher
// transaction. The second page's place depends on the page size.
func readMetas(file io.ReaderAt, size int64) (m meta, torn bool, err error) {
	first, firstErr := readMeta(file, 0)
	var second meta
	secondErr := ErrForeign
	for at := int64(1024); at < size && at <= 1024<<14; at *= 2 {
		if firstErr == nil && at != int64(first.pageSize) {
			continue
		}
		if second, secondErr = readMeta(file, at); secondErr == nil {
			break
		}
	}
	switch {
	case firstErr != nil && secondErr != nil:
		return m, false, firstErr
	case firstErr != nil:
		return second, true, nil
	case secondErr != nil || second.txid < first.txid:
		return first, secondErr != nil, nil
	}
	return second, false, nil
}

func readMeta(file io.ReaderAt, at int64) (m meta, err error) {
	page := make([]byte, pageHeader+metaSize)
	if _, err := file.ReadAt(page, at); err != nil && !errors.Is(err, io.EOF) {
		return m, err
	}
	body := page[pageHeader:]
	if order.Uint32(body) != boltMagic {
		return m, ErrForeign
	}
	sum := fnv.New64a()
	_, _ = sum.Write(body[:metaSize-8])
	if sum.Sum64() != order.Uint64(body[metaSize-8:]) {
		return m, fmt.Errorf("%w: both meta pages are invalid", ErrCorrupt)
	}
	if v := order.Uint32(body[4:]); v != boltVersion {
		return m, fmt.Errorf("%w: bbolt format %d", ErrNewer, v)
	}
	m = meta{
		pageSize: uint64(order.Uint32(body[8:])), root: order.Uint64(body[16:]),
		pages: order.Uint64(body[40:]), txid: order.Uint64(body[48:]),
	}
	if m.pageSize < 1024 || m.pageSize > 1024<<14 || m.pages < 3 || m.pages > 1<<40 {
		return m, fmt.Errorf("%w: impossible sizes in a meta page", ErrCorrupt)
	}
	return m, nil
}

type checker struct {
	file    io.ReaderAt
	meta    meta
	seen    []uint64             // a bit per page
	buffers [maxDepth + 1][]byte // one per depth; keys above are still in use below
}

// place says where in the file a page is expected.
type place struct {
	depth        int
	root         bool // in the tree that holds the buckets, and nothing but buckets
	mayBeEmpty   bool
	from, before []byte // where its keys must lie; nil = no bound
}

// tree checks the page and all below it.
func (c *checker) tree(id uint64, p place) error {
	page, err := c.read(id, p.depth)
	if err != nil {
		return err
	}
	n := node{page: page, leaf: order.Uint16(page[8:]) == leafFlag}
	if err := n.check(p); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	if pageSize := int(c.meta.pageSize); (n.end()+pageSize-1)/pageSize*pageSize != len(page) {
		return fmt.Errorf("page %d: claims more room than it needs", id)
	}
	for i := range n.count() {
		if err := c.below(n, i, p); err != nil {
			return err
		}
	}
	return nil
}

// below checks what the element points to.
func (c *checker) below(n node, i int, p place) error {
	key, value := n.element(i)
	if !n.leaf {
		child := place{depth: p.depth + 1, root: p.root, from: key, before: p.before}
		if i+1 < n.count() {
			child.before, _ = n.element(i + 1)
		}
		return c.tree(n.child(i), child)
	}
	if n.isBucket(i) {
		return c.bucket(key, value, p.depth)
	}
	if p.root {
		return fmt.Errorf("%q is not a bucket", key)
	}
	return nil
}

func (c *checker) bucket(name, value []byte, depth int) error {
	if len(value) < bucketHeader {
		return fmt.Errorf("bucket %q: too short", name)
	}
	if root := order.Uint64(value); root != 0 {
		return c.tree(root, place{depth: depth + 1})
	}
	inline := node{page: value[bucketHeader:], leaf: true}
	if len(inline.page) < pageHeader || order.Uint16(inline.page[8:]) != leafFlag {
		return fmt.Errorf("bucket %q: not a leaf", name)
	}
	if err := inline.check(place{mayBeEmpty: true}); err != nil {
		return fmt.Errorf("bucket %q: %w", name, err)
	}
	if inline.end() != len(inline.page) {
		return fmt.Errorf("bucket %q: claims more room than it needs", name)
	}
	return nil
}

// read returns the page with its overflow after checks of its header. The bytes
// are good until the next page of this depth is read.
func (c *checker) read(id uint64, depth int) ([]byte, error) {
	if id < 2 || id >= c.meta.pages || depth > maxDepth {
		return nil, fmt.Errorf("page %d: out of bounds", id)
	}
	page, err := c.fill(id, depth, 1)
	if err != nil {
		return nil, err
	}
	flags, length := order.Uint16(page[8:]), uint64(order.Uint32(page[12:]))+1
	if order.Uint64(page) != id || flags != branchFlag && flags != leafFlag {
		return nil, fmt.Errorf("page %d: is not the page that belongs there", id)
	}
	if id+length > c.meta.pages || length*c.meta.pageSize > maxNodeBytes {
		return nil, fmt.Errorf("page %d: too long", id)
	}
	if err := c.mark(id, length); err != nil || length == 1 {
		return page, err
	}
	return c.fill(id, depth, length)
}

func (c *checker) mark(id, length uint64) error {
	for p := id; p < id+length; p++ {
		if c.seen[p/64]&(1<<(p%64)) != 0 {
			return fmt.Errorf("page %d: used twice", p)
		}
		c.seen[p/64] |= 1 << (p % 64)
	}
	return nil
}

func (c *checker) fill(id uint64, depth int, length uint64) ([]byte, error) {
	size := int(length * c.meta.pageSize)
	if cap(c.buffers[depth]) < size {
		c.buffers[depth] = make([]byte, size)
	}
	page := c.buffers[depth][:size]
	if _, err := c.file.ReadAt(page, int64(id*c.meta.pageSize)); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return page, nil
}

// node is the content of a branch or leaf page.
type node struct {
	page []byte
	leaf bool
}

func (n node) count() int          { return int(order.Uint16(n.page[10:])) }
func (n node) at(i int) []byte     { return n.page[pageHeader+i*elementSize:] }
func (n node) isBucket(i int) bool { return n.leaf && order.Uint32(n.at(i))&bucketElement != 0 }
func (n node) child(i int) uint64  { return order.Uint64(n.at(i)[8:]) }

// layout returns where the element's data lies and how long key and value are.
func (n node) layout(i int) (pos, key, value int) {
	e := n.at(i)
	if n.leaf {
		return pageHeader + i*elementSize + int(order.Uint32(e[4:])), int(order.Uint32(e[8:])), int(order.Uint32(e[12:]))
	}
	return pageHeader + i*elementSize + int(order.Uint32(e)), int(order.Uint32(e[4:])), 0
}

// element must be called only after check.
func (n node) element(i int) (key, value []byte) {
	pos, k, v := n.layout(i)
	return n.page[pos : pos+k], n.page[pos+k : pos+k+v]
}

// end is where the data of the last element ends.
func (n node) end() int {
	if n.count() == 0 {
		return pageHeader
	}
	pos, k, v := n.layout(n.count() - 1)
	return pos + k + v
}

// check looks at the elements: packed, inside the page, keys ascending and where
// they belong.
func (n node) check(p place) error {
	next := pageHeader + n.count()*elementSize
	// Only a file without any bucket has an empty page, its root: empty buckets lie
	// in their parent's page.
	if next > len(n.page) || n.count() == 0 && !p.mayBeEmpty {
		return errors.New("impossible number of elements")
	}
	last := p.from
	for i := range n.count() {
		pos, k, v := n.layout(i)
		if pos != next || k == 0 || pos+k+v > len(n.page) {
			return fmt.Errorf("element %d: out of place", i)
		}
		next = pos + k + v
		key := n.page[pos : pos+k]
		if cmp := bytes.Compare(last, key); cmp > 0 || cmp == 0 && i > 0 {
			return fmt.Errorf("element %d: key out of order", i)
		}
		last = key
	}
	if p.before != nil && n.count() > 0 && bytes.Compare(last, p.before) >= 0 {
		return errors.New("last key out of order")
	}
	return nil
}
