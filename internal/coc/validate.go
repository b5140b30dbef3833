package coc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// Validate reports each thing that is wrong, under its path below coc. It reads
// the CA file, and takes the secrets as loaded. No problem's text shows a
// secret.
func (c Config) Validate(report func(path, problem string)) {
	if endpoints[c.Site] == "" && (c.Site != "" || c.Endpoint == "") {
		report("site", fmt.Sprintf("%.64q is not a site of COC; write cn, intl or eu", c.Site))
	} else if _, err := c.endpoint(); err != nil {
		report("endpoint", err.Error())
	}
	if !isToken(c.ProjectID) {
		report("project_id", "it has blanks or other characters that cannot be in a header; copy the project id from the console")
	}
	c.validateAuth(report)
	c.Timeouts.validate(report)
	c.RateLimits.validate(report)
	c.HTTP.validate(report)
}

func (t Timeouts) validate(report func(path, problem string)) {
	defaults := DefaultConfig().Timeouts
	for _, of := range []struct {
		name         string
		set, usually model.Duration
	}{
		{"connect", t.Connect, defaults.Connect},
		{"report", t.Report, defaults.Report},
		{"ticket", t.Ticket, defaults.Ticket},
		{"execute", t.Execute, defaults.Execute},
		{"read", t.Read, defaults.Read},
	} {
		if of.set <= 0 {
			report("timeouts."+of.name, fmt.Sprintf("it must be longer than 0; remove it for the default of %v", of.usually))
		}
	}
}

func (h HTTPConfig) validate(report func(path, problem string)) {
	if h.ProxyURL != "" {
		if _, err := parseProxy(h.ProxyURL); err != nil {
			report("http.proxy_url", err.Error())
		}
	}
	if _, err := rootCAs(h.TLSConfig.CAFile); err != nil {
		report("http.tls_config.ca_file", fmt.Sprintf("%s; name a readable PEM file, or remove the key for the system's authorities alone", err))
	}
}

// firstProblem is for New: Validate shows an operator all problems before that.
func (c Config) firstProblem() error {
	var first error
	c.Validate(func(path, problem string) {
		if first == nil {
			first = fmt.Errorf("%s: %s", path, problem)
		}
	})
	return first
}

// secrets are the texts of the configuration that no error may show.
func (c Config) secrets() []secret.String {
	secrets := slices.Concat(c.Auth.secrets(), c.AuthFallback.secrets())
	if proxy, err := url.Parse(c.HTTP.ProxyURL); err == nil {
		password, _ := proxy.User.Password()
		basic := base64.StdEncoding.EncodeToString([]byte(proxy.User.Username() + ":" + password))
		secrets = append(secrets, secret.String(password), secret.String(basic))
	}
	return secrets
}

// parseProxy hides the URL in its errors: it may hold a password.
func parseProxy(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		return nil, errors.New("it is not a proxy's URL; write it like http://proxy.example.com:3128 (http, https, socks5 or socks5h)")
	}
	return u, nil
}
