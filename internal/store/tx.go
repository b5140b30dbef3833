package store

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"
)

// Bucket names a set of records. It is created by the first write to it; reading
// a bucket that does not exist finds nothing.
type Bucket string

// fill is how full bbolt leaves a page that it splits. Nearly all our keys grow,
// and half-empty pages that are never written again would double the file.
const fill = 0.9

// Tx is what a change or a read sees: all changes before it, committed or waiting
// in the same group. It and what it returns by reference are valid only until the
// function it was given to returns, and for one goroutine.
type Tx struct {
	btx     *bbolt.Tx
	buckets *bucketCache
	written int // bytes
	commit  []func()
	abort   []func()
}

// Get returns a copy of the value, or nil, nil when there is none. A damaged
// record is a *CorruptError.
func (t *Tx) Get(b Bucket, key []byte) ([]byte, error) {
	open := t.buckets.get(t.btx, b)
	if open == nil {
		return nil, nil
	}
	raw := open.Get(key)
	if raw == nil {
		return nil, nil
	}
	value, err := open.decode(key, raw)
	if err != nil {
		return nil, err
	}
	return append([]byte{}, value...), nil
}

// Put writes the value under the key. Neither slice is kept.
func (t *Tx) Put(b Bucket, key, value []byte) error {
	open, err := t.writable(b)
	if err != nil {
		return err
	}
	raw := encodeRecord(open.sum, key, value)
	if err := open.Put(key, raw); err != nil {
		return fmt.Errorf("store: put into bucket %s: %w", b, err)
	}
	t.written += len(key) + len(raw)
	return nil
}

// Delete removes the record, damaged or not. A missing one is no error.
func (t *Tx) Delete(b Bucket, key []byte) error {
	open := t.buckets.get(t.btx, b)
	if open == nil || open.Get(key) == nil {
		return nil
	}
	if err := open.Delete(key); err != nil {
		return fmt.Errorf("store: delete from bucket %s: %w", b, err)
	}
	t.written += len(key)
	return nil
}

// Scan visits the records from the given key on in ascending order until visit
// returns false. For a damaged record value is nil and err a *CorruptError. Key
// and value are valid only during the visit, which must not change the bucket:
// collect first, then delete.
func (t *Tx) Scan(b Bucket, from []byte, visit func(key, value []byte, err error) (more bool)) {
	open := t.buckets.get(t.btx, b)
	if open == nil {
		return
	}
	c := open.Cursor()
	for key, raw := c.Seek(from); key != nil; key, raw = c.Next() {
		value, err := open.decode(key, raw)
		if !visit(key, value, err) {
			return
		}
	}
}

// Next returns the next number of the bucket's sequence, which begins at 1.
func (t *Tx) Next(b Bucket) (uint64, error) {
	open, err := t.writable(b)
	if err != nil {
		return 0, err
	}
	n, err := open.NextSequence()
	if err != nil {
		return 0, fmt.Errorf("store: next number of bucket %s: %w", b, err)
	}
	t.written += 8
	return n, nil
}

// Advance makes Next return more than n. The sequence has no checksum, so whoever
// knows a number that was used repairs it with this.
func (t *Tx) Advance(b Bucket, n uint64) error {
	open, err := t.writable(b)
	if err != nil || open.Sequence() >= n {
		return err
	}
	if err := open.SetSequence(n); err != nil {
		return fmt.Errorf("store: advance the sequence of bucket %s: %w", b, err)
	}
	t.written += 8
	return nil
}

// OnCommit has f run by the committer after the sync and before Update returns.
// All functions of a transaction run in the order in which they were given.
func (t *Tx) OnCommit(f func()) { t.commit = append(t.commit, f) }

// OnAbort has f run if this run of the change is not committed, for whatever
// reason; the last one given runs first. The change may be run again after it.
func (t *Tx) OnAbort(f func()) { t.abort = append(t.abort, f) }

func (t *Tx) writable(b Bucket) (*bucket, error) {
	if open := t.buckets.get(t.btx, b); open != nil {
		return open, nil
	}
	if _, err := t.btx.CreateBucketIfNotExists([]byte(b)); err != nil {
		return nil, fmt.Errorf("store: create bucket %s: %w", b, err)
	}
	t.written += len(b)
	if err := t.Put(formatBucket, bucketRecord(b), nil); err != nil {
		return nil, err
	}
	return t.buckets.get(t.btx, b), nil
}

// bucket is an open bucket of one bbolt transaction.
type bucket struct {
	*bbolt.Bucket
	name Bucket
	sum  uint32
}

func (b *bucket) decode(key, raw []byte) ([]byte, error) {
	value, problem := decodeRecord(b.sum, key, raw)
	if problem != "" {
		return nil, &CorruptError{Bucket: b.name, Key: bytes.Clone(key), Raw: bytes.Clone(raw), Problem: problem}
	}
	return value, nil
}

// bucketCache holds the few buckets that one bbolt transaction has opened. The
// changes of a group share it.
type bucketCache []*bucket

func (c *bucketCache) get(btx *bbolt.Tx, name Bucket) *bucket {
	for _, b := range *c {
		if b.name == name {
			return b
		}
	}
	open := btx.Bucket([]byte(name))
	if open == nil {
		return nil
	}
	open.FillPercent = fill
	b := &bucket{Bucket: open, name: name, sum: bucketSum(name)}
	*c = append(*c, b)
	return b
}
