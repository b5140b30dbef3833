package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/forwarder"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/mapping"
	"github.com/cocbridge/cocbridge/internal/receivers"
	"github.com/cocbridge/cocbridge/internal/scripts"
	"github.com/cocbridge/cocbridge/internal/store"
)

// Config is everything the daemon is told. A Config that Load returned is
// complete and valid: secrets are read, and the names of files are resolved
// against the folder of the configuration file.
type Config struct {
	COC          coc.Config              `yaml:"coc"`
	Receivers    []receivers.Config      `yaml:"receivers"`
	Integrations []forwarder.Integration `yaml:"integrations"`
	Routes       []mapping.Route         `yaml:"routes"`
	Mapping      mapping.Config          `yaml:"mapping"`
	Delivery     Delivery                `yaml:"delivery"`
	Store        store.Config            `yaml:"store"`
	Rules        []Rule                  `yaml:"rules"`
	Automation   scripts.Automation      `yaml:"automation"`

	// What follows comes from flags and the environment only.

	WebListenAddress   string `yaml:"-"` // host:port of the webhooks
	AdminListenAddress string `yaml:"-"` // host:port, or unix:/path of a socket
	LogLevel           string `yaml:"-"` // debug, info, warn or error

	// Warnings are for the log: nothing here stops the daemon.
	Warnings []string `yaml:"-"`

	files []string
}

// Delivery is the section delivery, which several packages share.
type Delivery struct {
	Forwarder     forwarder.Config `yaml:",inline"`
	Ledger        ledger.Config    `yaml:",inline"`
	ReportTrouble bool             `yaml:"report_trouble"` // own alarms about what is wrong with cocbridge itself
}

// OwnReceiver is the name of the receiver that cocbridge's own alerts seem to
// come from. No configured one can have it.
const OwnReceiver = "cocbridge"

// Default returns what an empty configuration means. It is not valid: it lacks
// what only the user can know.
func Default() Config {
	return Config{
		COC:                coc.DefaultConfig(),
		Receivers:          []receivers.Config{receivers.DefaultConfig()},
		Mapping:            mapping.Defaults(),
		Delivery:           Delivery{Forwarder: forwarder.DefaultConfig(), Ledger: ledger.DefaultConfig(), ReportTrouble: true},
		Store:              store.DefaultConfig(),
		Automation:         scripts.DefaultAutomation(),
		WebListenAddress:   "127.0.0.1:9876",
		AdminListenAddress: "127.0.0.1:9877",
		LogLevel:           "info",
	}
}

// SecretFiles lists the files that were read besides the configuration file:
// secrets, certificate authorities and templates. A change of any of them is a
// reason to load again.
func (c *Config) SecretFiles() []string {
	return slices.Compact(slices.Sorted(slices.Values(c.files)))
}

// validate asks every section, and checks what only the whole can know.
func (c *Config) validate(report func(path, problem string)) {
	c.COC.Validate(within("coc", report))
	if _, err := mapping.NewLink(c.COC.ConsoleURL); err != nil {
		report("coc.console_url", err.Error())
	}
	receivers.ValidateAll(c.Receivers, within("receivers", report))
	forwarder.ValidateIntegrations(c.Integrations, within("integrations", report))
	c.Mapping.Validate(within("mapping", report))
	c.validateRoutes(report)
	c.Delivery.Forwarder.Validate(within("delivery", report))
	c.Delivery.Ledger.Validate(within("delivery", report))
	c.Store.Validate(within("store", report))
	c.validateRules(report)
	c.validateNames(report)
	c.validateReach(report)
	c.validateListeners(report)
}

func (c *Config) validateRoutes(report func(path, problem string)) {
	mapping.ValidateRoutes(c.Mapping, c.Routes, c.integrationNames(), func(path, problem string) {
		if path == "" { // there are no routes that could name an application
			report("mapping.application_id", "it is missing; name the COC application that the alarms belong to")
			return
		}
		report(join("routes", path), problem)
	})
}

// validateReach refuses receivers that anyone on the network could write to.
func (c *Config) validateReach(report func(path, problem string)) {
	if len(c.Receivers) == 0 {
		report("receivers", "there is none; add one, or remove the key for one of type alertmanager")
	}
	if !exposed(c.WebListenAddress) {
		return
	}
	for i, r := range c.Receivers {
		if !r.Authenticated() && !r.Auth.InsecureNone {
			report(fmt.Sprintf("receivers[%d].auth", i), fmt.Sprintf("receiver %q asks for no credentials, but others on the network reach %s; "+
				"set bearer_token, basic, hmac or client_san, or listen on 127.0.0.1, or set insecure_none: true if everybody may send alerts", r.Name, c.WebListenAddress))
		}
	}
}

func (c *Config) validateNames(report func(path, problem string)) {
	for i, r := range c.Receivers {
		if r.Name == OwnReceiver {
			report(fmt.Sprintf("receivers[%d].name", i), fmt.Sprintf("%q is where our own alarms come from; choose another name", r.Name))
		}
	}
}

func (c *Config) integrationNames() []string {
	names := make([]string, len(c.Integrations))
	for i, in := range c.Integrations {
		names[i] = in.Name
	}
	return names
}

func (c *Config) validateListeners(report func(path, problem string)) {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		report("log_level", fmt.Sprintf("%q is not a level; write debug, info, warn or error", c.LogLevel))
	}
	if err := checkTCP(c.WebListenAddress); err != nil {
		report("web_listen_address", err.Error()+"; write host:port, such as 127.0.0.1:9876 or :9876")
	}
	path, unix := strings.CutPrefix(c.AdminListenAddress, "unix:")
	if unix && path == "" {
		report("admin_listen_address", "the path of the socket is missing; write unix:/run/cocbridge/admin.sock")
	}
	if err := checkTCP(c.AdminListenAddress); err != nil && !unix {
		report("admin_listen_address", err.Error()+"; write host:port, or unix: and the path of a socket")
	}
	if !unix && exposed(c.AdminListenAddress) {
		c.Warnings = append(c.Warnings, fmt.Sprintf("admin_listen_address: others on the network reach %s: they can read all alarms, queued tasks and dead letters, and the admin token travels in the clear; "+
			"listen on 127.0.0.1 or on a socket (unix:/path)", c.AdminListenAddress))
	}
	if c.AdminListenAddress == c.WebListenAddress && !strings.HasSuffix(c.WebListenAddress, ":0") {
		report("admin_listen_address", "the webhooks listen there too; choose another port")
	}
}

// exposed says that others on the network may reach the TCP address. One that is no
// address is reported elsewhere.
func exposed(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && host != "localhost" && !(ip != nil && ip.IsLoopback())
}

func checkTCP(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not an address to listen on", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is not a port between 0 and 65535", port)
	}
	return nil
}

// within returns a report for the part of the configuration below section.
func within(section string, report func(path, problem string)) func(path, problem string) {
	return func(path, problem string) { report(join(section, path), problem) }
}
