package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"time"
)

// Event is one alarm that COC accepted.
type Event struct {
	Seq   int       `json:"seq"`
	At    time.Time `json:"at"`
	Alarm struct {
		ID          string `json:"alarmId"`
		Name        string `json:"alarmName"`
		Level       string `json:"alarmLevel"`
		Status      string `json:"alarmStatus"`
		Resource    string `json:"resourceName"`
		Source      string `json:"alarmSource"`
		Description string `json:"alarmDesc"`
		Time        int64  `json:"time"`
	} `json:"alarm"`
}

// Report is the simulator's own view of what it was told.
type Report struct {
	Counts struct {
		Requests       int            `json:"requests"`
		Accepted       int            `json:"accepted"`
		Refused        map[string]int `json:"refused"`
		Duplicates     int            `json:"duplicates"`
		OKWithoutAlarm int            `json:"ok_without_alarm"`
		Violations     int            `json:"violations"`
	} `json:"counts"`
	Violations []string `json:"violations"`
}

// Simulator is cocbridge simulate.
type Simulator struct {
	*Process
	Base string // of its control paths
}

// StartSimulator returns when it answers. Its log lies in folder.
func StartSimulator(ctx context.Context, path, folder, address string) (*Simulator, error) {
	p, err := Program{Path: path, Log: filepath.Join(folder, "simulator.log"), Args: []string{
		"simulate", "--listen=" + address, "--key=" + IntegrationKey, "--access-key=" + AccessKey, "--secret-key=" + SecretKey,
	}}.Start(ctx)
	if err != nil {
		return nil, err
	}
	sim := &Simulator{Process: p, Base: "http://" + address + "/_coctest"}
	return sim, Ready(ctx, p, sim.Base+"/report")
}

// Events are all alarms so far, in the order of their acceptance.
func (sim *Simulator) Events(ctx context.Context) ([]Event, error) {
	text, err := Call(ctx, http.MethodGet, sim.Base+"/alarms", nil)
	if err != nil {
		return nil, err
	}
	var all []Event
	for line := range bytes.Lines(text) {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("read the simulator's alarms: %w", err)
		}
		all = append(all, e)
	}
	return all, nil
}

// Report is what it has to say.
func (sim *Simulator) Report(ctx context.Context) (Report, error) {
	var r Report
	text, err := Call(ctx, http.MethodGet, sim.Base+"/report", nil)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read the simulator's report: %w", err)
	}
	return r, nil
}

// Requests is how many calls have reached COC, answered or not.
func (sim *Simulator) Requests(ctx context.Context) (int, error) {
	r, err := sim.Report(ctx)
	return r.Counts.Requests, err
}

// Fail replaces what COC does wrong from now on.
func (sim *Simulator) Fail(ctx context.Context, faults ...string) error {
	body, err := json.Marshal(append([]string{}, faults...)) // never null
	if err != nil {
		return err
	}
	_, err = Call(ctx, http.MethodPost, sim.Base+"/faults", body)
	return err
}
