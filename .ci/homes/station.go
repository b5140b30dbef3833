package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// The simulator's own credentials, which cannot be mistaken for real ones.
const (
	integrationKey = "demointegrationkey00000000000000"
	accessKey      = "DEMOACCESSKEY"
	secretKey      = "demo-secret-key"
	simulator      = "http://127.0.0.1:9880"
	web            = "http://127.0.0.1:9876"
)

// station is where the scenarios work.
type station struct {
	release, folder string
}

// artifact is the one file of the release that the pattern names.
func (st *station) artifact(pattern string) (string, error) {
	found, err := filepath.Glob(filepath.Join(st.release, pattern))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%s in %s: %d files, want one", pattern, st.release, len(found))
	}
	if err != nil {
		return "", err
	}
	return filepath.Abs(found[0])
}

func (st *station) binary() string {
	return filepath.Join(st.release, "cocbridge-linux-"+runtime.GOARCH)
}

// simulate starts a strict simulated COC; it ends with the returned function.
func (st *station) simulate(ctx context.Context) (stop func(), err error) {
	cmd := exec.CommandContext(ctx, st.binary(), "simulate") //nolint:gosec // what was just built
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	return stop, until(ctx, "the simulator answers", func() error { _, err := get(ctx, simulator+"/_coctest/report"); return err })
}

// delivers sends an alert and waits for its alarm.
func delivers(ctx context.Context, name, token string) error {
	body := fmt.Sprintf(`{"version":"4","alerts":[{"status":"firing","labels":{"alertname":%q,"severity":"critical"},"startsAt":%q}]}`,
		name, time.Now().UTC().Format(time.RFC3339Nano))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, web+"/webhook/alertmanager", strings.NewReader(body))
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if _, err := do(req); err != nil {
		return err
	}
	return until(ctx, "COC has the alarm "+name, func() error {
		alarms, err := get(ctx, simulator+"/_coctest/alarms")
		if err == nil && !bytes.Contains(alarms, []byte(fmt.Sprintf("%q", name))) {
			err = errors.New("not yet")
		}
		return err
	})
}

// wasSent is what why must say of an alarm that COC has.
func wasSent(answer string, err error) error {
	if err == nil && !strings.HasPrefix(answer, "sent: ") {
		err = fmt.Errorf("why says: %s", answer)
	}
	return err
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return do(req)
}

func do(req *http.Request) ([]byte, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", req.URL, resp.Status, text)
	}
	return text, err
}

// until asks again and again until there is no error; the last one is returned.
func until(ctx context.Context, what string, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// command runs a program to its end and returns what it printed.
func command(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput() //nolint:gosec // a harness
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out), err
}
