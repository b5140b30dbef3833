package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The three that are measured in the same place.
const (
	bridge = "bridge"
	relays = "relay"
	decode = "decode"
)

// station is a sink with one of the three before it.
type station struct {
	name   string
	sink   *process
	target *process
	sinkAt string // http://host:port
	url    string // takes alerts
	web    string // http://host:port of the bridge
	folder string // of the bridge's configuration and store
	bench  *bench
}

const bridgeConfig = `coc:
  endpoint: %s
  region: cn-north-4
  project_id: 0123456789abcdef0123456789abcdef
  auth: {access_key: BENCHACCESSKEY, secret_key: bench-secret-key}
integrations:
  - {name: default, key: benchintegrationkey0000000000000, rate_limit: 0}
mapping: {application_id: bench}
delivery: {report_trouble: false}
store: {path: data, max_size: 4GiB}
`

// station starts one of the three with a sink of its own.
func (b *bench) station(ctx context.Context, name string) (*station, error) {
	s := &station{name: name, bench: b}
	err := s.start(ctx)
	if err != nil {
		s.end()
	}
	return s, err
}

func (s *station) start(ctx context.Context) (err error) {
	var at string
	if s.sink, at, err = s.bench.startHelper(ctx, "sink"); err != nil {
		return err
	}
	s.sinkAt = "http://" + at
	switch s.name {
	case bridge:
		return s.startBridge(ctx)
	case relays:
		s.target, at, err = s.bench.startHelper(ctx, "relay", "-target", s.sinkAt+"/", "-calls", fmt.Sprint(s.bench.connections))
	default:
		s.target, at, err = s.bench.startHelper(ctx, "decode")
	}
	s.url = "http://" + at + "/"
	return err
}

func (s *station) startBridge(ctx context.Context) (err error) {
	if s.folder, err = os.MkdirTemp(s.bench.folder, "bridge-"); err != nil {
		return err
	}
	config := strings.Replace(fmt.Sprintf(bridgeConfig, s.sinkAt), "path: data", "path: "+filepath.Join(s.folder, "data"), 1)
	if err := os.WriteFile(filepath.Join(s.folder, "config.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	ports, err := freeAddresses(ctx, 2)
	if err != nil {
		return err
	}
	s.web, s.url = "http://"+ports[0], "http://"+ports[0]+"/webhook/alertmanager"
	return s.run(ctx, ports[1])
}

// run starts the bridge's process, also again, and returns when it is ready.
func (s *station) run(ctx context.Context, admin string) (err error) {
	s.target, err = command{path: s.bench.program, log: s.bench.log("bridge"), args: []string{
		"serve", "--config.file=" + filepath.Join(s.folder, "config.yaml"),
		"--web.listen-address=" + strings.TrimPrefix(s.web, "http://"), "--admin.listen-address=" + admin,
	}}.start(ctx)
	if err != nil {
		return err
	}
	return s.until(ctx, "the bridge to be ready", func() (bool, error) {
		return s.call(ctx, http.MethodGet, s.web+"/-/ready", nil) == nil, nil
	})
}

// restart kills the bridge, starts it again, and returns how long that took until
// it was ready.
func (s *station) restart(ctx context.Context) (time.Duration, error) {
	admin, err := freeAddresses(ctx, 1)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	s.target.kill()
	err = s.run(ctx, admin[0])
	return time.Since(began), err
}

// end ends both processes and removes what they have left.
func (s *station) end() {
	s.target.kill()
	s.sink.kill()
	if s.folder != "" {
		_ = os.RemoveAll(s.folder)
	}
}

// close ends the station in good order.
func (s *station) close() error {
	defer s.end()
	if s.name != bridge {
		return nil
	}
	return s.target.stop()
}

// freeAddresses returns n loopback addresses that are free now.
func freeAddresses(ctx context.Context, n int) ([]string, error) {
	if n == 0 {
		return nil, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = l.Close() }() // it is held until all are known
	others, err := freeAddresses(ctx, n-1)
	return append(others, l.Addr().String()), err
}
