package admin

import (
	"encoding/json"
	"net/http"
	"time"
)

const (
	// flushEvery is how many lines may wait for being sent.
	flushEvery = 100
	// lineTimeout is how long a reader may take for them; it replaces the
	// server's limit for a whole answer, which a long list would exceed.
	lineTimeout = 30 * time.Second
)

// problem is the last line of a list that could not be finished.
type problem struct {
	Error string `json:"error"`
}

// lines answers with one line of JSON per value, as they come. An error after
// the first of them can only be told in a last line.
func lines[T any](w http.ResponseWriter, each func(visit func(T) error) error) {
	out, control, n := json.NewEncoder(w), http.NewResponseController(w), 0
	err := each(func(value T) error {
		if n++; n == 1 {
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("X-Content-Type-Options", "nosniff")
		}
		if n%flushEvery == 1 {
			_ = control.Flush()
			_ = control.SetWriteDeadline(time.Now().Add(lineTimeout))
		}
		return out.Encode(value)
	})
	switch {
	case err != nil && n == 0:
		fail(w, err)
	case err != nil:
		_ = out.Encode(problem{err.Error()})
	case n == 0:
		w.Header().Set("Content-Type", "application/x-ndjson")
	}
}
