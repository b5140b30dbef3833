package coc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	maxAnswerHeader = 64 << 10
	// idlePerHost is for 16 workers that report alarms and 4 for the rest, with
	// room for more workers by configuration.
	idlePerHost = 64
	// idleTimeout is below the 60 s after which gateways commonly drop an idle
	// connection; losing that race would look like an unknown outcome.
	idleTimeout = 30 * time.Second
)

// newTransport is HTTP/1.1 only: a connection that timed out is closed and not
// used again, and the transport repeats a POST by itself only when not one byte
// of it was written.
func newTransport(cfg Config) (*http.Transport, error) {
	roots, err := rootCAs(cfg.HTTP.TLSConfig.CAFile)
	if err != nil {
		return nil, fmt.Errorf("tls_config.ca_file: %w", err)
	}
	connect := time.Duration(cfg.Timeouts.Connect)
	t := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: connect}).DialContext,
		TLSHandshakeTimeout:    connect,
		ResponseHeaderTimeout:  time.Duration(cfg.Timeouts.longest()),
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		Protocols:              new(http.Protocols),
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswerHeader,
		DisableCompression:     true,
	}
	t.Protocols.SetHTTP1(true)
	if cfg.HTTP.ProxyURL == "" {
		return t, nil
	}
	proxy, err := parseProxy(cfg.HTTP.ProxyURL)
	if err != nil {
		return nil, fmt.Errorf("proxy_url: %w", err)
	}
	t.Proxy = http.ProxyURL(proxy)
	return t, nil
}

// newActing is a transport for what must not happen twice. Each call has a
// connection of its own: the transport never repeats a request on a connection
// that is not reused, and none is lost to a server that closes an idle one.
func newActing(t *http.Transport) *http.Transport {
	acting := t.Clone()
	acting.DisableKeepAlives = true
	return acting
}

// rootCAs are the system's authorities and those in file. nil, for no file,
// means the system's.
func rootCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificate authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("it holds no certificate in PEM form")
	}
	return pool, nil
}
