package coctest

import (
	"bufio"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The control API, for scripts and for other processes. It has no credentials:
// serve it where only its users reach it.
//
//	GET  /_coctest/alarms   the accepted events, one JSON object per line
//	GET  /_coctest/report   counts, violations, duplicates, refusals, and per alarmId what was accepted
//	POST /_coctest/faults   a JSON array of text forms (see ParseFault) that replaces all faults; [] clears them
//	POST /_coctest/reset    as Server.Reset
//
// and, as people do on the console:
//
//	GET  /_coctest/incidents        all incidents
//	POST /_coctest/incidents/{num}  changes the status, assignee or title that its JSON object names
//	GET  /_coctest/scripts          all scripts
//	POST /_coctest/scripts/{uuid}   changes status or content, or deletes it: {"deleted":true}
//	GET  /_coctest/hosts            all hosts
//	POST /_coctest/hosts/{id}       changes agent_state, and output and fails of scripts on it
//	GET  /_coctest/orders           all orders of scripts
//	GET  /_coctest/executions       all executions of documents

const controlPrefix = "/_coctest/"

func (s *Server) controls() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+controlPrefix+"alarms", s.controlAlarms)
	mux.HandleFunc("GET "+controlPrefix+"report", s.controlReport)
	mux.HandleFunc("POST "+controlPrefix+"faults", s.controlFaults)
	mux.HandleFunc("POST "+controlPrefix+"reset", s.controlReset)
	mux.HandleFunc("GET "+controlPrefix+"incidents", s.controlIncidents)
	mux.HandleFunc("POST "+controlPrefix+"incidents/{num}", s.controlIncident)
	mux.HandleFunc("GET "+controlPrefix+"scripts", s.controlScripts)
	mux.HandleFunc("POST "+controlPrefix+"scripts/{uuid}", s.controlScript)
	mux.HandleFunc("GET "+controlPrefix+"hosts", s.controlHosts)
	mux.HandleFunc("POST "+controlPrefix+"hosts/{id}", s.controlHost)
	mux.HandleFunc("GET "+controlPrefix+"orders", s.controlOrders)
	mux.HandleFunc("GET "+controlPrefix+"executions", s.controlExecutions)
	return mux
}

// eventLine is an event as the control API prints it.
type eventLine struct {
	Seq       int            `json:"seq"`
	At        time.Time      `json:"at"`
	Key       string         `json:"key"`
	RequestID string         `json:"request_id"`
	Alarm     jsontext.Value `json:"alarm"`
}

func (s *Server) controlAlarms(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriter(w)
	for _, e := range s.Alarms() {
		_, _ = out.Write(encode(eventLine{e.Seq, e.At, e.Key, e.RequestID, e.Alarm.Raw}))
		_ = out.WriteByte('\n')
	}
	_ = out.Flush()
}

// step is an event within its alarm's sequence.
type step struct {
	Seq    int       `json:"seq"`
	At     time.Time `json:"at"`
	Status string    `json:"status"`
	Level  string    `json:"level"`
	Time   int64     `json:"time"`
}

type report struct {
	Counts     Counts            `json:"counts"`
	Violations []string          `json:"violations"`
	Duplicates []int             `json:"duplicates"` // numbers of events
	Refusals   []Refusal         `json:"refusals"`
	Alarms     map[string][]step `json:"alarms"` // by alarmId, in order
}

func (s *Server) controlReport(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", jsonType)
	_, _ = w.Write(append(encode(s.report()), '\n'))
}

func (s *Server) report() report {
	s.mu.Lock()
	events, duplicates := s.book.events.list(), s.book.duplicates.list()
	r := report{
		Counts: s.book.counts.clone(), Violations: append([]string{}, s.book.violations...),
		Refusals: s.book.refusals.list(), Alarms: map[string][]step{}, Duplicates: []int{},
	}
	s.mu.Unlock()
	for _, e := range duplicates {
		r.Duplicates = append(r.Duplicates, e.Seq)
	}
	for _, e := range events {
		a := e.Alarm
		r.Alarms[a.AlarmID] = append(r.Alarms[a.AlarmID], step{e.Seq, e.At, a.AlarmStatus, a.AlarmLevel, a.Time})
	}
	return r
}

func (s *Server) controlFaults(w http.ResponseWriter, r *http.Request) {
	var texts []string
	if err := json.UnmarshalRead(http.MaxBytesReader(w, r.Body, 1<<20), &texts); err != nil {
		http.Error(w, "the body is not a JSON array of faults: "+err.Error(), http.StatusBadRequest)
		return
	}
	faults := make([]Fault, len(texts))
	for i, text := range texts {
		var err error
		if faults[i], err = ParseFault(text); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	s.setFaults(faults)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) controlReset(w http.ResponseWriter, _ *http.Request) {
	s.Reset()
	w.WriteHeader(http.StatusNoContent)
}
