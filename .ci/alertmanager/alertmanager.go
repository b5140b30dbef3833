package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// The pace of the Alertmanager under test. Only the alert of the scenario about
// repeats is repeated; anywhere else a repeat would make up for what was lost.
const (
	groupWait      = time.Second
	groupInterval  = 2 * time.Second
	repeatInterval = 2 * time.Second
	repeatedAlert  = "Repeated"
)

const alertmanagerConfig = `global:
  resolve_timeout: 1h
route:
  receiver: cocbridge
  group_by: [alertname]
  group_wait: %s
  group_interval: %s
  repeat_interval: 4h
  routes:
    - matchers: [alertname="%s"]
      repeat_interval: %s
receivers:
  - name: cocbridge
    webhook_configs:
      - url: %s
        send_resolved: true
        http_config:
          authorization: {type: Bearer, credentials: %s}
`

// alert is one alert as Alertmanager's API takes it.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt,omitzero"`
}

// key names the label set in the run's own tables.
func (a alert) key() string { return a.Labels["alertname"] + "/" + a.Labels["instance"] }

// newAlerts returns n alerts of one group that fire now, half of them critical.
func newAlerts(name string, n int) []alert {
	all := make([]alert, n)
	for i := range all {
		severity := []string{"critical", "warning"}[i%2]
		all[i] = alert{
			Labels: map[string]string{
				"alertname": name, "instance": fmt.Sprintf("host-%02d", i+1), "severity": severity, "job": "ci",
			},
			Annotations: map[string]string{"description": fmt.Sprintf("%s 在 host-%02d", name, i+1)},
			StartsAt:    time.Now(),
		}
	}
	return all
}

// resolved returns the same alerts, over now.
func resolved(alerts []alert) []alert {
	over := make([]alert, len(alerts))
	for i, a := range alerts {
		a.EndsAt = time.Now()
		over[i] = a
	}
	return over
}

// again returns the same alerts in a new episode that begins now.
func again(alerts []alert) []alert {
	next := make([]alert, len(alerts))
	for i, a := range alerts {
		a.StartsAt, a.EndsAt = time.Now(), time.Time{}
		next[i] = a
	}
	return next
}

// alertmanager is a real one.
type alertmanager struct {
	*stage.Process
	base string
}

// alertmanagerAddresses are where Alertmanager listens, and where it sends alerts.
type alertmanagerAddresses struct{ web, webhook string }

func startAlertmanager(ctx context.Context, path, folder string, at alertmanagerAddresses) (*alertmanager, error) {
	config := filepath.Join(folder, "alertmanager.yml")
	text := fmt.Sprintf(alertmanagerConfig, groupWait, groupInterval, repeatedAlert, repeatInterval, at.webhook, stage.BearerToken)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	p, err := stage.Program{Path: path, Log: filepath.Join(folder, "alertmanager.log"), Args: []string{
		"--config.file=" + config, "--storage.path=" + filepath.Join(folder, "alertmanager"),
		"--web.listen-address=" + at.web, "--cluster.listen-address=",
	}}.Start(ctx)
	if err != nil {
		return nil, err
	}
	am := &alertmanager{Process: p, base: "http://" + at.web}
	return am, stage.Ready(ctx, p, am.base+"/-/ready")
}

// post hands alerts to Alertmanager as Prometheus would.
func (am *alertmanager) post(ctx context.Context, alerts []alert) error {
	body, err := json.Marshal(alerts)
	if err != nil {
		return err
	}
	_, err = stage.Call(ctx, http.MethodPost, am.base+"/api/v2/alerts", body)
	return err
}

// fingerprints are Alertmanager's own, of the alerts that fire, by key.
func (am *alertmanager) fingerprints(ctx context.Context) (map[string]string, error) {
	text, err := stage.Call(ctx, http.MethodGet, am.base+"/api/v2/alerts", nil)
	if err != nil {
		return nil, err
	}
	var known []struct {
		alert
		Fingerprint string `json:"fingerprint"`
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, fmt.Errorf("read Alertmanager's alerts: %w", err)
	}
	all := map[string]string{}
	for _, k := range known {
		all[k.key()] = k.Fingerprint
	}
	return all, nil
}

// messages are how many requests Alertmanager made of the bridge, and how many
// of them failed.
func (am *alertmanager) messages(ctx context.Context) (made, failed int, err error) {
	m, err := stage.Metric(ctx, am.base, `alertmanager_notification_requests_total{integration="webhook"}`)
	if err != nil {
		return 0, 0, err
	}
	f, err := stage.Metric(ctx, am.base, `alertmanager_notification_requests_failed_total{integration="webhook"}`)
	return int(m), int(f), err
}
