package stage

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

var client = &http.Client{Timeout: 20 * time.Second}

// Call makes one request, with a body of JSON or none, and returns the body of a
// 2xx answer.
func Call(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, bytes.TrimSpace(text))
	}
	return text, err
}

// Ready waits until a GET of url is answered with 2xx.
func Ready(ctx context.Context, p *Process, url string) error {
	return Until(ctx, url, func(ctx context.Context) (bool, error) {
		_, err := Call(ctx, http.MethodGet, url, nil)
		return err == nil, p.Alive()
	})
}

// Metric reads one series, named as /metrics prints it.
func Metric(ctx context.Context, base, series string) (float64, error) {
	text, err := Call(ctx, http.MethodGet, base+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("%s/metrics has no series %s", base, series)
}

// Zabbix takes ports from 1024 to 32767 only, and PHP names none that it chose.
const (
	firstPort = 10000
	ports     = 22000
)

// Addresses returns n loopback addresses that are free now. All are held until
// all are known, so that they differ.
func Addresses(ctx context.Context, n int) (all []string, err error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for range 100 * n {
		l, listenErr := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(ports)))
		if listenErr != nil {
			err = listenErr
			continue
		}
		held, all = append(held, l), append(all, l.Addr().String())
		if len(all) == n {
			return all, nil
		}
	}
	return nil, fmt.Errorf("find free ports: %w", err)
}
