package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxRequest bounds the body of a request: ten thousand ids fit.
const maxRequest = 1 << 20

// routes adds the API. Lists are answered as JSON lines, the rest as one object.
func (s *server) routes(mux *http.ServeMux) {
	o := s.Operations
	mux.HandleFunc("GET /api/v1/stats", func(w http.ResponseWriter, r *http.Request) {
		stats, err := o.Stats(r.Context())
		one(w, stats, err)
	})
	mux.HandleFunc("GET /api/v1/alarms/{id}", func(w http.ResponseWriter, r *http.Request) {
		alarm, err := o.Alarm(r.Context(), r.PathValue("id"))
		one(w, alarm, err)
	})
	mux.HandleFunc("GET /api/v1/why", func(w http.ResponseWriter, r *http.Request) {
		answers, err := o.Why(r.Context(), r.URL.Query()["q"])
		one(w, answers, err)
	})
	mux.HandleFunc("GET /api/v1/dead", query(func(w http.ResponseWriter, r *http.Request, q Select) {
		lines(w, func(visit func(DeadLetter) error) error { return o.DeadLetters(r.Context(), q, visit) })
	}))
	mux.HandleFunc("GET /api/v1/queue", query(func(w http.ResponseWriter, r *http.Request, q SelectTasks) {
		lines(w, func(visit func(Task) error) error { return o.Tasks(r.Context(), q, visit) })
	}))
	mux.HandleFunc("GET /api/v1/alarms", query(func(w http.ResponseWriter, r *http.Request, q SelectAlarms) {
		lines(w, func(visit func(Alarm) error) error { return o.Alarms(r.Context(), q, visit) })
	}))
	mux.HandleFunc("GET /api/v1/automation", func(w http.ResponseWriter, r *http.Request) {
		automation, err := o.Automation(r.Context())
		one(w, automation, err)
	})
	s.changes(mux)
}

func (s *server) changes(mux *http.ServeMux) {
	o := s.Operations
	mux.HandleFunc("POST /api/v1/dead/replay", body(func(w http.ResponseWriter, r *http.Request, q Replay) {
		q.By = s.actor(r)
		lines(w, func(visit func(Outcome) error) error { return o.Replay(r.Context(), q, visit) })
	}))
	mux.HandleFunc("POST /api/v1/dead/drop", body(func(w http.ResponseWriter, r *http.Request, q Drop) {
		q.By = s.actor(r)
		lines(w, func(visit func(Outcome) error) error { return o.Drop(r.Context(), q, visit) })
	}))
	mux.HandleFunc("POST /api/v1/alarms/{id}/close", body(func(w http.ResponseWriter, r *http.Request, q Close) {
		q.By, q.AlarmID = s.actor(r), r.PathValue("id")
		outcome, err := o.Close(r.Context(), q)
		one(w, outcome, err)
	}))
	mux.HandleFunc("POST /api/v1/automation/arm", body(func(w http.ResponseWriter, r *http.Request, q Switch) {
		q.By = s.actor(r)
		automation, err := o.Arm(r.Context(), q)
		one(w, automation, err)
	}))
	mux.HandleFunc("POST /api/v1/automation/stop", body(func(w http.ResponseWriter, r *http.Request, q Switch) {
		q.By = s.actor(r)
		automation, err := o.Stop(r.Context(), q)
		one(w, automation, err)
	}))
	mux.HandleFunc("POST /api/v1/send-test", body(func(w http.ResponseWriter, r *http.Request, q SendTest) {
		q.By = s.actor(r)
		test, err := o.SendTest(r.Context(), q)
		one(w, test, err)
	}))
}

type typed[T any] func(http.ResponseWriter, *http.Request, T)

// query reads the filter of a list: JSON in the parameter filter.
func query[T any](next typed[T]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var filter T
		if text := r.URL.Query().Get("filter"); text != "" {
			if err := json.Unmarshal([]byte(text), &filter); err != nil {
				fail(w, fmt.Errorf("%w: the parameter filter: %w", ErrInvalid, err))
				return
			}
		}
		next(w, r, filter)
	}
}

// body reads the JSON of a change. An unknown field is an error: what it was
// meant to restrict would not be restricted.
func body[T any](next typed[T]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request T
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
		d.DisallowUnknownFields()
		if err := d.Decode(&request); err != nil && !errors.Is(err, io.EOF) {
			fail(w, fmt.Errorf("%w: the body: %w", ErrInvalid, err))
			return
		}
		next(w, r, request)
	}
}

// fail is the one place where an error becomes a status.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(err, ErrNotFound):
		status = http.StatusNotFound
	}
	answer(w, status, err.Error())
}

func one(w http.ResponseWriter, value any, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(w).Encode(value)
}
