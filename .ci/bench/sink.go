package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// answer is what COC says when it has taken an alarm.
const answer = `{"error_code":"COC.00000000","error_msg":"success","data":null}`

// sink stands for COC, and for the target of the relay. It understands nothing of
// a body but its mark. Its own work should weigh as little as possible.
type sink struct {
	mu      sync.Mutex
	status  int
	seen    []uint64 // bit per number
	delays  []time.Duration
	arrived arrivals
}

// arrivals are what the sink has taken since it was last reset.
type arrivals struct {
	Count       int   `json:"count"`
	Distinct    int   `json:"distinct"`
	Unmarked    int   `json:"unmarked"` // without a mark: not from our generator
	Refused     int   `json:"refused"`
	First, Last int64 // nanoseconds since 1970

	// From when an alert was due to be sent until it arrived.
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`
}

func serveSink(ctx context.Context, _ []string) error {
	s := &sink{status: http.StatusOK}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /control/arrivals", s.tell)
	mux.HandleFunc("POST /control/reset", s.reset)
	mux.HandleFunc("POST /control/answer/{status}", s.change)
	mux.HandleFunc("POST /", s.take)
	return serveHelper(ctx, mux)
}

func (s *sink) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	now := time.Now().UnixNano()
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if status := s.note(body, now); status != http.StatusOK {
		w.WriteHeader(status)
	}
	_, _ = io.WriteString(w, answer)
}

// note counts an arrival and returns the status to answer with.
func (s *sink) note(body []byte, now int64) int {
	number, due, marked := readMark(body)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &s.arrived
	if s.status != http.StatusOK {
		a.Refused++
		return s.status
	}
	if a.Count == 0 {
		a.First = now
	}
	a.Last = now
	a.Count++
	if !marked {
		a.Unmarked++
		return s.status
	}
	s.delays = append(s.delays, time.Duration(now-due))
	if s.isNew(number) {
		a.Distinct++
	}
	return s.status
}

func (s *sink) isNew(number int) bool {
	word, bit := number/64, uint64(1)<<(number%64)
	if word >= len(s.seen) {
		s.seen = append(s.seen, make([]uint64, word+1024-len(s.seen))...)
	}
	known := s.seen[word]&bit != 0
	s.seen[word] |= bit
	return !known
}

// readMark finds an alert's number and when it was due.
func readMark(body []byte) (number int, due int64, ok bool) {
	at := bytes.Index(body, []byte(mark))
	if at < 0 {
		return 0, 0, false
	}
	text := body[at+len(mark):]
	end := bytes.IndexByte(text, '"')
	if end <= markDigits {
		return 0, 0, false
	}
	number, err1 := strconv.Atoi(string(text[:markDigits]))
	due, err2 := strconv.ParseInt(string(text[markDigits+1:end]), 10, 64)
	return number, due, err1 == nil && err2 == nil
}

// tell answers with the arrivals; with ?delays it also sorts the delays.
func (s *sink) tell(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	a := s.arrived
	var delays []time.Duration
	if r.URL.Query().Has("delays") {
		delays = slices.Clone(s.delays)
	}
	s.mu.Unlock()
	if len(delays) > 0 {
		slices.Sort(delays)
		a.P50, a.P99, a.Max = quantile(delays, 0.5), quantile(delays, 0.99), delays[len(delays)-1]
	}
	_ = json.NewEncoder(w).Encode(a)
}

// quantile of a sorted list: the smallest value that so large a part does not exceed.
func quantile(sorted []time.Duration, part float64) time.Duration {
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}

func (s *sink) reset(http.ResponseWriter, *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.delays, s.arrived = nil, nil, arrivals{}
}

// change sets the status of the answers from now on.
func (s *sink) change(w http.ResponseWriter, r *http.Request) {
	status, err := strconv.Atoi(r.PathValue("status"))
	if err != nil || status < 200 || status > 599 {
		http.Error(w, fmt.Sprintf("%q is no status", r.PathValue("status")), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}
