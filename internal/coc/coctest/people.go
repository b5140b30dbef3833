package coctest

import (
	stdjson "encoding/json" // it has a form for durations
	"net/http"

	"github.com/go-json-experiment/json"
)

// What people do on COC's console, for scripts and other processes.

// control answers a change that was asked for through the control API.
func control(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// readControl decodes the body of a control request; it has answered when it
// returns false.
func readControl(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.UnmarshalRead(http.MaxBytesReader(w, r.Body, 1<<20), into, json.RejectUnknownMembers(true))
	if err == nil {
		return true
	}
	http.Error(w, "the body is not what this takes: "+err.Error(), http.StatusBadRequest)
	return false
}

func answerControl(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", jsonType)
	_ = stdjson.NewEncoder(w).Encode(v) // a client that left is its own matter
}

func (s *Server) controlIncidents(w http.ResponseWriter, _ *http.Request) {
	answerControl(w, s.Incidents())
}

// controlIncident changes what the body names: status, assignee, title.
func (s *Server) controlIncident(w http.ResponseWriter, r *http.Request) {
	var to struct {
		Status   string `json:"status"`
		Assignee string `json:"assignee"`
		Title    string `json:"title"`
	}
	if !readControl(w, r, &to) {
		return
	}
	control(w, s.EditIncident(r.PathValue("num"), func(i *Incident) {
		for field, text := range map[*string]string{&i.Status: canonical(to.Status), &i.Assignee: to.Assignee, &i.Title: to.Title} {
			if text != "" {
				*field = text
			}
		}
	}))
}
