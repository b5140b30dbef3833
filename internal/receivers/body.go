package receivers

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// firstRead is how much is reserved for a body at first; it doubles as the body
// arrives. What a sender says of its length reserves nothing: a few who claim
// much and send little must not use up all.
const firstRead = 16 << 10

// readBody reads at most limit bytes, which is also what a compressed body may
// inflate to. What it allocates was granted to s before.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, s *share) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	src := http.MaxBytesReader(w, r.Body, limit)
	if isGzip(r.Header) {
		content, err := inflate(src)
		if err != nil {
			return nil, readError(err)
		}
		return readAll(http.MaxBytesReader(w, io.NopCloser(content), limit), limit+1, s)
	}
	if r.ContentLength >= 0 {
		return readAll(src, r.ContentLength, s)
	}
	// One byte over the limit, so that the end is seen at the limit.
	return readAll(src, limit+1, s)
}

// readAll reads to the end, or until it has most bytes.
func readAll(src io.Reader, most int64, s *share) ([]byte, error) {
	var body []byte
	for int64(len(body)) < most {
		if len(body) == cap(body) {
			more := min(max(firstRead, int64(cap(body))), most-int64(cap(body)))
			if err := s.grow(more); err != nil {
				return nil, err
			}
			body = append(make([]byte, 0, cap(body)+int(more)), body...)
		}
		n, err := src.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return nil, readError(err)
		}
	}
	return body, nil
}

func readError(err error) error {
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return tooLarge(over.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Error{ReadTimeout, "body", "did not arrive in time"}
	case errors.Is(err, errTrailing):
		return &Error{Malformed, "body", errTrailing.Error()}
	case isInflating(err):
		return &Error{Malformed, "body", "is not gzip, as its content-encoding says"}
	default:
		return &Error{ReadError, "body", "ended before it was complete"}
	}
}

func tooLarge(limit int64) error {
	return &Error{TooLarge, "body", "is larger than max_body (" + strconv.FormatInt(limit, 10) + " bytes); send fewer alerts at once (Alertmanager: max_alerts in webhook_config, or group by more labels)"}
}

// checkEncoding refuses compressed bodies unless the receiver takes gzip: they
// inflate to a thousand times their size. Nothing is compressed twice.
func checkEncoding(h http.Header, allowGzip bool) error {
	if allowGzip && isGzip(h) {
		return nil
	}
	for _, encoding := range h["Content-Encoding"] {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return &Error{Encoded, "", "content-encoding " + strconv.Quote(cut(encoding, 64)) + " is not accepted, send the body as it is"}
		}
	}
	return nil
}

func isGzip(h http.Header) bool { return strings.EqualFold(one(h, "Content-Encoding"), "gzip") }

// errTrailing is not ErrUnexpectedEOF, which a few bytes of junk would be taken for.
var errTrailing = errors.New("has more behind its compressed data, which is not gzip")

// inflated reads the members of a gzip file one after the other.
type inflated struct {
	member *gzip.Reader
	src    *bufio.Reader
}

func inflate(r io.Reader) (*inflated, error) {
	src := bufio.NewReader(r)
	first, err := gzip.NewReader(src)
	if err != nil {
		return nil, err
	}
	first.Multistream(false)
	return &inflated{first, src}, nil
}

func (f *inflated) Read(p []byte) (n int, err error) {
	n, err = f.member.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if _, err := f.src.Peek(1); err != nil {
		return n, err // io.EOF at the end, or what has kept us from seeing it
	}
	if err := f.member.Reset(f.src); errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return n, errTrailing
	} else if err != nil {
		return n, err
	}
	f.member.Multistream(false)
	return n, nil
}

func isInflating(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt)
}
