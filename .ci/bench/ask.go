package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	patience = 60 * time.Second // how long a wait may take
	interval = 20 * time.Millisecond
)

// until asks again and again until the answer is yes or patience ends.
func (s *station) until(ctx context.Context, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		ok, err := holds()
		if err == nil && s.target != nil {
			err = s.target.alive()
		}
		switch {
		case ok:
			return nil
		case err != nil:
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: not within %s", what, patience)
		}
	}
}

var client = &http.Client{Timeout: 30 * time.Second}

// call makes a request and decodes its answer into v, which may be nil.
func (s *station) call(ctx context.Context, method, url string, v any) error {
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %s: %s: %.200s", method, url, resp.Status, text)
	case v == nil:
		return nil
	}
	if b, ok := v.(*[]byte); ok {
		*b = text
		return nil
	}
	return json.Unmarshal(text, v)
}

// arrivals are what the sink has taken.
func (s *station) arrivals(ctx context.Context, query string) (a arrivals, err error) {
	err = s.call(ctx, http.MethodGet, s.sinkAt+"/control/arrivals"+query, &a)
	return a, err
}

func (s *station) resetSink(ctx context.Context) error {
	return s.call(ctx, http.MethodPost, s.sinkAt+"/control/reset", nil)
}

// answerWith has the sink answer with the status from now on.
func (s *station) answerWith(ctx context.Context, status int) error {
	return s.call(ctx, http.MethodPost, s.sinkAt+"/control/answer/"+strconv.Itoa(status), nil)
}

// arrived waits until n alarms have arrived and checks that they are all there,
// once each.
func (s *station) arrived(ctx context.Context, n int) (arrivals, error) {
	var a arrivals
	err := s.until(ctx, fmt.Sprintf("%d alarms to arrive", n), func() (ok bool, err error) {
		a, err = s.arrivals(ctx, "")
		return a.Distinct+a.Unmarked >= n, err
	})
	if err == nil && s.name == bridge {
		err = s.until(ctx, "the queue to be empty", func() (bool, error) {
			queued, err := s.queued(ctx)
			return queued == 0, err
		})
	}
	if err != nil {
		return a, fmt.Errorf("%w; %d of %d have arrived", err, a.Distinct, n)
	}
	if a, err = s.arrivals(ctx, "?delays"); err == nil && (a.Count != n || a.Distinct != n) {
		err = fmt.Errorf("%d alarms arrived in %d calls, want %d in as many", a.Distinct, a.Count, n)
	}
	return a, err
}

// queued is how many alarms the bridge has to tell.
func (s *station) queued(ctx context.Context) (int, error) {
	var text []byte
	if err := s.call(ctx, http.MethodGet, s.web+"/metrics", &text); err != nil {
		return 0, err
	}
	n, found := 0, false
	for line := range bytes.Lines(text) {
		value, ok := bytes.CutPrefix(line, []byte(`cocbridge_tasks{kind="report",state="`))
		_, value, _ = bytes.Cut(value, []byte(`"} `))
		if count, err := strconv.ParseFloat(string(bytes.TrimSpace(value)), 64); ok && err == nil {
			n, found = n+int(count), true
		}
	}
	if !found {
		return 0, errors.New("the metrics of the bridge do not say what is queued")
	}
	return n, nil
}
