package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// What the bridge and Alertmanager must agree on.
const (
	receiverName = "alertmanager"

	// fence is longer than Alertmanager needs to send the resolve that follows a
	// stale firing.
	fence = 5 * time.Second

	// From a crash at most the calls in flight and the acknowledgements whose
	// sync was outstanding are told again.
	workers      = 16
	unsyncedAcks = 200
	repeatsAKill = workers + unsyncedAcks
)

// Series of the bridge's metrics.
const (
	reportsInFly  = `cocbridge_tasks{kind="report",state="in_flight"}`
	reportsQueued = `cocbridge_tasks{kind="report",state="waiting"}`
	deadReports   = `cocbridge_dead_letters{kind="report"}`
	alertsHeard   = `cocbridge_alerts_received_total{receiver="` + receiverName + `"}`
)

const bridgeConfig = `coc:
  endpoint: http://%s
  region: cn-north-4
  project_id: 0123456789abcdef0123456789abcdef
  auth: {access_key: %s, secret_key: %s}
  rate_limits: {tickets: 50, execute: 50, reads: 50}
receivers:
  - name: %s
    type: alertmanager
    auth: {bearer_token: %s}
integrations:
  - {name: default, key: %s, rate_limit: 0}
mapping: {application_id: ci}
delivery:
  workers: %d
  fence: %s
  backoff: {initial: 100ms, max: 1s}
  report_trouble: false
store: {path: %s}
%s`

// bridge is what the story asks a cocbridge.
type bridge struct{ *stage.Bridge }

// startBridge starts it before the COC at an address. The configuration is the story's.
func startBridge(ctx context.Context, coc string, o stage.BridgeOptions) (*bridge, error) {
	o.Config = fmt.Sprintf(bridgeConfig, coc, stage.AccessKey, stage.SecretKey, receiverName, stage.BearerToken, stage.IntegrationKey,
		workers, fence, filepath.Join(o.Folder, "data"), ticketRules()+scriptRule())
	b, err := stage.StartBridge(ctx, o)
	return &bridge{b}, err
}

func (b *bridge) webhook() string { return b.Base + "/webhook/" + receiverName }

func (b *bridge) metric(ctx context.Context, series string) (int, error) {
	v, err := stage.Metric(ctx, b.Base, series)
	return int(v), err
}

// queued is how many alarms the bridge still has to tell, in flight or waiting.
func (b *bridge) queued(ctx context.Context) (int, error) {
	waiting, err := b.metric(ctx, reportsQueued)
	if err != nil {
		return 0, err
	}
	flying, err := b.metric(ctx, reportsInFly)
	return waiting + flying, err
}

// decided is how often this process of the bridge came to a verdict about an alert.
func (b *bridge) decided(ctx context.Context, verdict string) (int, error) {
	return b.metric(ctx, `cocbridge_ledger_decisions_total{verdict="`+verdict+`"}`)
}

// leaks returns the secrets that are in the bridge's log.
func (b *bridge) leaks() ([]string, error) {
	text, err := os.ReadFile(b.Program.Log)
	var found []string
	for _, secret := range []string{stage.BearerToken, stage.IntegrationKey, stage.SecretKey} {
		if bytes.Contains(text, []byte(secret)) {
			found = append(found, secret)
		}
	}
	return found, err
}
