package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/config"
)

func healthcheckCommand(app *kingpin.Application) (string, command) {
	var address string
	var secure bool
	cmd := app.Command("healthcheck", "Ask the daemon on this host whether it is healthy. Exits with 1 if it is not.")
	cmd.Flag("web.listen-address", "Where its webhooks listen (default 127.0.0.1:9876).").StringVar(&address)
	cmd.Flag("tls", "It listens with TLS. The certificate is not checked: it is for another name.").BoolVar(&secure)
	return cmd.FullCommand(), func(ctx context.Context, c console) error {
		address := firstOf(address, variable(c, "COCBRIDGE_WEB_LISTEN_ADDRESS"), config.Default().WebListenAddress)
		return healthcheck(ctx, address, secure)
	}
}

func healthcheck(ctx context.Context, listen string, secure bool) error {
	address, err := reachable(listen)
	if err != nil {
		return fmt.Errorf("%w: --web.listen-address: %w", errUsage, err)
	}
	scheme, transport := "http://", &http.Transport{DisableKeepAlives: true}
	if secure {
		scheme = "https://"
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // this host asks itself, by an address that is in no certificate
	}
	if err := admin.Healthy(ctx, &http.Client{Transport: transport}, scheme+address); err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	return nil
}

// reachable is where to connect to for an address to listen on: one that stands
// for all of the host's is asked on loopback.
func reachable(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port), nil
}
