package store

import (
	"encoding/binary"
	"errors"
	"time"
)

// ErrForm means that a record is not in the form its reader expects.
var ErrForm = errors.New("not a record of this version")

// Records that are written with every alarm are made of varints and texts with
// their length; what is rare may as well be JSON.

// AppendText appends a text with its length.
func AppendText[T string | []byte](b []byte, text T) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// AppendTime appends a time of any year to the nanosecond, without its zone.
func AppendTime(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

// Form takes a record apart, from its beginning. After an error everything is
// empty, and End tells.
type Form struct {
	rest []byte
	err  error
}

// ReadForm begins with the first byte of the record, which is not copied.
func ReadForm(record []byte) Form { return Form{rest: record} }

func (f *Form) fail() { f.rest, f.err = nil, ErrForm }

// Byte reads one byte.
func (f *Form) Byte() byte {
	if len(f.rest) == 0 {
		f.fail()
		return 0
	}
	first := f.rest[0]
	f.rest = f.rest[1:]
	return first
}

// Uvarint reads a number that binary.AppendUvarint wrote.
func (f *Form) Uvarint() uint64 {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		f.fail()
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

// Varint reads a number that binary.AppendVarint wrote.
func (f *Form) Varint() int64 {
	v, n := binary.Varint(f.rest)
	if n <= 0 {
		f.fail()
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

// Bytes reads a text as a part of the record.
func (f *Form) Bytes() []byte {
	n := f.Uvarint()
	if n > uint64(len(f.rest)) {
		f.fail()
		return nil
	}
	part := f.rest[:n:n]
	f.rest = f.rest[n:]
	return part
}

// Text reads a text.
func (f *Form) Text() string { return string(f.Bytes()) }

// Time reads what AppendTime wrote, in UTC.
func (f *Form) Time() time.Time {
	seconds, nanos := f.Varint(), f.Uvarint()
	if nanos >= uint64(time.Second) {
		f.fail()
	}
	if f.err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanos)).UTC()
}

// Rest is what has not been read yet.
func (f *Form) Rest() []byte { return f.rest }

// Err is ErrForm once something could not be read.
func (f *Form) Err() error { return f.err }

// End is Err, or ErrForm if something is left.
func (f *Form) End() error {
	if f.err == nil && len(f.rest) > 0 {
		return ErrForm
	}
	return f.err
}
