package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"time"
)

// message is Alertmanager's webhook, as far as relay and decode read it.
type message struct {
	Version     string            `json:"version"`
	Receiver    string            `json:"receiver"`
	Status      string            `json:"status"`
	GroupLabels map[string]string `json:"groupLabels"`
	ExternalURL string            `json:"externalURL"`
	Alerts      []messageAlert    `json:"alerts"`
}

type messageAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// relay answers 200 once every alert of the request was taken by the target.
type relay struct {
	client *http.Client
	target string
}

func serveRelay(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("relay", flag.ExitOnError)
	target := flags.String("target", "", "URL that gets a POST per alert.")
	calls := flags.Int("calls", 1, "Connections to it at most.")
	_ = flags.Parse(args)
	return serveHelper(ctx, relay{client: newClient(*calls), target: *target})
}

func (r relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if err := r.passAll(req); err != nil {
		http.Error(w, "not passed on", http.StatusInternalServerError)
		return
	}
}

func (r relay) passAll(req *http.Request) error {
	var m message
	if err := json.NewDecoder(req.Body).Decode(&m); err != nil {
		return err
	}
	for i := range m.Alerts {
		if err := r.pass(req.Context(), m.Alerts[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r relay) pass(ctx context.Context, a messageAlert) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return do(r.client, req)
}
