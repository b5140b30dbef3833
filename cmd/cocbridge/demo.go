package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kingpin/v2"
	rungroup "github.com/oklog/run"

	"github.com/cocbridge/cocbridge/internal/bridge"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/config"
)

// arrivals bounds the wait for the sample alarms.
const arrivals = 10 * time.Second

func demoCommand(app *kingpin.Application) (string, command) {
	var once bool
	cmd := app.Command("demo", "Run the bridge against a simulated COC in a temporary folder, send it sample alerts and show what arrives. Needs nothing.")
	cmd.Flag("once", "End after the samples instead of waiting for more alerts.").BoolVar(&once)
	return cmd.FullCommand(), func(ctx context.Context, c console) error { return demo(ctx, c, once) }
}

func demo(ctx context.Context, c console, once bool) error {
	folder, err := os.MkdirTemp("", "cocbridge-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	sim := coctest.New(coctest.Options{Keys: []string{demoKey}, AccessKey: demoAccessKey, SecretKey: demoSecretKey, Refresh: 30 * time.Minute})
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b, err := demoBridge(ctx, c, folder, "http://"+l.Addr().String())
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return runDemo(ctx, demoParts{console: c, bridge: b, sim: sim, simListener: l, once: once})
}

// demoBridge is what serve would make of a configuration file like this.
func demoBridge(ctx context.Context, c console, folder, endpoint string) (*bridge.Bridge, error) {
	file := filepath.Join(folder, "config.yaml")
	text := fmt.Sprintf(`coc:
  endpoint: %s
  auth: {access_key: %s, secret_key: %s}
integrations:
  - {name: default, key: %s}
mapping: {application_id: demo-application}
store: {path: %s}
`, endpoint, demoAccessKey, demoSecretKey, demoKey, filepath.Join(folder, "data"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	load := func() (*config.Config, error) {
		return config.Load(config.Options{File: file,
			Overrides: config.Overrides{WebListenAddress: "127.0.0.1:0", AdminListenAddress: "127.0.0.1:0", LogLevel: "warn"}})
	}
	cfg, err := load()
	if err != nil {
		return nil, err
	}
	log, err := logger(c.stderr, cfg.LogLevel, "console")
	if err != nil {
		return nil, err
	}
	return bridge.New(ctx, bridge.Options{Config: cfg, Load: load, Registry: registry(), Log: log})
}

type demoParts struct {
	console     console
	bridge      *bridge.Bridge
	sim         *coctest.Server
	simListener net.Listener
	once        bool
}

// runDemo runs simulator, bridge and show together; the end of one ends all.
func runDemo(ctx context.Context, d demoParts) error {
	var parts rungroup.Group
	for _, part := range []func(context.Context) error{
		func(ctx context.Context) error { return serveSimulation(ctx, d.sim, d.simListener) },
		d.bridge.Run,
		d.show,
	} {
		ctx, cancel := context.WithCancel(ctx)
		parts.Add(func() error { return part(ctx) }, func(error) { cancel() })
	}
	err := parts.Run()
	if ctx.Err() != nil && errors.Is(err, coctest.ErrClosed) { // the simulation has heard of the end before who waits for it
		return nil
	}
	return err
}

// show sends the samples, prints what arrives, and waits for the user's own.
func (d demoParts) show(ctx context.Context) error {
	url := "http://" + d.bridge.Addr() + "/webhook/alertmanager"
	fmt.Fprintf(d.console.stdout, "cocbridge takes alerts at %s\nand tells them to a simulated COC. Sending samples:\n\n", url)
	for _, s := range samples(time.Now()) {
		fmt.Fprintf(d.console.stdout, "  -> %s\n", s.title)
		if err := post(ctx, url, s.body); err != nil {
			return err
		}
	}
	fmt.Fprintf(d.console.stdout, "\nWhat arrived in COC:\n")
	shown, err := d.arrived(ctx, 0, sampleAlarms)
	if err != nil {
		return err
	}
	d.instruct(url)
	for !d.once && err == nil {
		shown, err = d.arrived(ctx, shown, shown+1)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// arrived waits until there are n alarms and prints those after the first shown.
func (d demoParts) arrived(ctx context.Context, shown, n int) (int, error) {
	if shown == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, arrivals)
		defer cancel()
	}
	err := d.sim.Wait(ctx, func(s *coctest.Server) bool { return len(s.Alarms()) >= n })
	all := d.sim.Alarms()
	for _, e := range all[shown:] {
		fmt.Fprintf(d.console.stdout, "  %s  %-5s  %-8s  %s  %s  (%s)\n",
			time.UnixMilli(e.Alarm.Time).Format(time.TimeOnly), e.Alarm.AlarmStatus, e.Alarm.AlarmLevel, e.Alarm.AlarmName, e.Alarm.AlarmDesc, e.Alarm.ResourceName)
	}
	return len(all), err
}

func (d demoParts) instruct(url string) {
	fmt.Fprintf(d.console.stdout, `
Send one yourself:

  curl -sS %s -d '{"version":"4","alerts":[{"status":"firing",
    "labels":{"alertname":"MyAlert","severity":"critical","instance":"host-1"},
    "annotations":{"description":"sent with curl"},"startsAt":"%s"}]}'

Metrics: http://%s/metrics
`, url, time.Now().UTC().Format(time.RFC3339), d.bridge.Addr())
	if !d.once {
		fmt.Fprintln(d.console.stdout, "Ctrl-C ends the demo.")
	}
}

func post(ctx context.Context, url, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewBufferString(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the bridge answered %s: %s", resp.Status, text)
	}
	return err
}

// sample is one message that Alertmanager could have sent.
type sample struct{ title, body string }

// sampleAlarms is how many alarms the samples lead to: the repeat leads to none.
const sampleAlarms = 4

func samples(now time.Time) []sample {
	start := now.Add(-time.Minute).UTC()
	disk := sampleAlert{name: "DiskAlmostFull", severity: "critical", instance: "web-1", text: "磁盘 /var 只剩 4.2%", start: start}
	latency := sampleAlert{name: "HighLatency", severity: "warning", instance: "web-2", text: "p99 is 2.3 s", start: start.Add(10 * time.Second)}
	group := envelope(disk.firing(), latency.firing())
	return []sample{
		{"DiskAlmostFull fires on web-1, HighLatency on web-2", group},
		{"the group is repeated: nothing new, so COC hears nothing", group},
		{"both are resolved", envelope(disk.resolved(now), latency.resolved(now))},
	}
}

func envelope(first, second string) string {
	return fmt.Sprintf(`{"version":"4","receiver":"demo","status":"firing","alerts":[%s,%s]}`, first, second)
}

// sampleAlert is an alert as Alertmanager would send it.
type sampleAlert struct {
	name, severity, instance, text string
	start                          time.Time
}

func (a sampleAlert) firing() string                { return a.json("firing", time.Time{}) }
func (a sampleAlert) resolved(end time.Time) string { return a.json("resolved", end) }

func (a sampleAlert) json(status string, end time.Time) string {
	return fmt.Sprintf(`{"status":%q,"labels":{"alertname":%q,"severity":%q,"instance":%q,"job":"node"},"annotations":{"description":%q},"startsAt":%q,"endsAt":%q}`,
		status, a.name, a.severity, a.instance, a.text, a.start.Format(time.RFC3339Nano), end.UTC().Format(time.RFC3339Nano))
}
