package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/exporter-toolkit/web"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.yaml.in/yaml/v3"

	"github.com/cocbridge/cocbridge/internal/admin"
)

// Limits of both listeners.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 5 * time.Minute // Alertmanager keeps connections over its group_interval
	maxHeaderBytes    = 16 << 10
)

// server is an HTTP server with its way of serving its listener.
type server struct {
	http  *http.Server
	serve func() error
}

// newHTTPServer logs what net/http has to say, such as panics and failed handshakes.
func (b *Bridge) newHTTPServer(h http.Handler) *http.Server {
	errorLog, _ := zap.NewStdLogAt(b.o.Log, zap.WarnLevel) // fails for unknown levels only
	return &http.Server{
		ErrorLog: errorLog,
		Handler:  h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
}

// webServer serves the webhooks, health and metrics, with TLS if the web
// configuration file says so.
func (b *Bridge) webServer() server {
	mux := http.NewServeMux()
	admin.Public{Healthy: b.healthy, Ready: b.ready, Metrics: b.o.Registry}.Register(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { b.live.Load().receivers.ServeHTTP(w, r) })
	s := b.newHTTPServer(mux)
	newConnections(b.metrics.receivers.Closed).attach(s)
	flags := &web.FlagConfig{WebConfigFile: &b.o.WebConfigFile}
	return server{http: s, serve: func() error { return web.Serve(b.web, s, flags, slog.New(zapslog.NewHandler(b.o.Log.Core()))) }}
}

func (b *Bridge) adminServer() server {
	s := b.newHTTPServer(admin.New(admin.Options{
		Address: b.live.Load().cfg.AdminListenAddress, Token: b.token, Reload: b.Reload, Log: b.o.Log, Operations: operations{b},
	}))
	s.ConnContext = admin.ConnContext
	return server{http: s, serve: func() error { return s.Serve(b.admin) }}
}

func (b *Bridge) addServer(parts *run.Group, s server) {
	parts.Add(func() error {
		if err := s.serve(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}, func(error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(b.live.Load().cfg.Delivery.Forwarder.ShutdownGrace))
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			_ = s.http.Close() // who is cut off got no answer and sends again
		}
	})
}

// checkWebConfig refuses what exporter-toolkit offers but a webhook target must not have.
func checkWebConfig(file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWebConfig, err)
	}
	var keys map[string]yaml.Node
	if err := yaml.Unmarshal(text, &keys); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrWebConfig, file, err)
	}
	if n, ok := keys["rate_limit"]; ok {
		return fmt.Errorf("%w: %s:%d: rate_limit answers 429, after which Alertmanager gives up; remove it", ErrWebConfig, file, n.Line)
	}
	if n, ok := keys["basic_auth_users"]; ok {
		return fmt.Errorf("%w: %s:%d: basic_auth_users would cover health and metrics too and takes the header that bearer tokens need; use receivers[].auth.basic",
			ErrWebConfig, file, n.Line)
	}
	if err := web.Validate(file); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrWebConfig, file, err)
	}
	return nil
}
