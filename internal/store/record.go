package store

import (
	"encoding/binary"
	"hash/crc32"
)

// A record on disk, under its plain key:
//
//	| version 1 byte | value | CRC32C 4 bytes, little-endian |
//
// The checksum covers the bucket's name, the length of the key, the key, the
// version and the value: a record that was moved, cut or flipped is noticed.
const (
	recordVersion  = 1
	recordOverhead = 1 + crc32.Size
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// bucketSum is the part of the checksum that all records of a bucket share.
func bucketSum(name Bucket) uint32 { return crc32.Checksum([]byte(name), castagnoli) }

func recordSum(bucket uint32, key, body []byte) uint32 {
	var length [4]byte
	binary.LittleEndian.PutUint32(length[:], uint32(len(key)))
	sum := crc32.Update(bucket, castagnoli, length[:])
	sum = crc32.Update(sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, body)
}

func encodeRecord(bucket uint32, key, value []byte) []byte {
	raw := make([]byte, 0, len(value)+recordOverhead)
	raw = append(raw, recordVersion)
	raw = append(raw, value...)
	return binary.LittleEndian.AppendUint32(raw, recordSum(bucket, key, raw))
}

// decodeRecord returns the value, which is a part of raw, or what is wrong.
func decodeRecord(bucket uint32, key, raw []byte) (value []byte, problem string) {
	if len(raw) < recordOverhead {
		return nil, "too short"
	}
	body := raw[:len(raw)-crc32.Size]
	if recordSum(bucket, key, body) != binary.LittleEndian.Uint32(raw[len(body):]) {
		return nil, "checksum is wrong"
	}
	if body[0] != recordVersion {
		return nil, "unknown version"
	}
	return body[1:], ""
}
