package store

import (
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
)

// The bucket format says whose file this is, and which buckets it has: bbolt has
// no checksum over their names, and a bucket whose name was damaged would else
// look like one that was never written. Its records keep their place and their
// form in all versions:
//
//	magic          cocbridge
//	version        1
//	bucket/<name>  empty; one for each bucket
const formatBucket Bucket = "format"

const (
	formatMagic   = "cocbridge"
	formatVersion = "1"
	bucketPrefix  = "bucket/"
)

func bucketRecord(name Bucket) []byte { return []byte(bucketPrefix + string(name)) }

func checkFormat(tx *Tx) error {
	magic, err := tx.Get(formatBucket, []byte("magic"))
	if err != nil {
		return err
	}
	if string(magic) != formatMagic {
		return ErrForeign
	}
	version, err := tx.Get(formatBucket, []byte("version"))
	if err != nil {
		return err
	}
	if string(version) != formatVersion {
		return fmt.Errorf("%w: format %q, this one knows %s", ErrNewer, version, formatVersion)
	}
	return checkBuckets(tx)
}

// checkBuckets compares the buckets that are listed with those that are there.
func checkBuckets(tx *Tx) error {
	var listed, there []string
	var damaged error
	tx.Scan(formatBucket, []byte(bucketPrefix), func(key, _ []byte, err error) bool {
		name, ok := strings.CutPrefix(string(key), bucketPrefix)
		if ok {
			listed = append(listed, name)
		}
		damaged = err
		return ok && err == nil
	})
	if damaged != nil {
		return damaged
	}
	_ = tx.btx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
		there = append(there, string(name))
		return nil
	})
	if !slices.Equal(listed, there) { // both ascend
		return fmt.Errorf("%w: it has the buckets %q and should have %q", ErrCorrupt, there, listed)
	}
	return nil
}

func writeFormat(tx *Tx) error {
	if err := tx.Put(formatBucket, []byte("magic"), []byte(formatMagic)); err != nil {
		return err
	}
	return tx.Put(formatBucket, []byte("version"), []byte(formatVersion))
}
