package receivers

import (
	"github.com/alecthomas/units"
	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// Config is one entry of the section receivers of the configuration file.
type Config struct {
	Name            string           `yaml:"name"`
	Type            string           `yaml:"type"` // one of Types
	Path            string           `yaml:"path"` // default /webhook/<name>
	Auth            AuthConfig       `yaml:"auth"`
	MaxBody         units.Base2Bytes `yaml:"max_body"`
	MaxAlerts       int              `yaml:"max_alerts"`
	Gzip            bool             `yaml:"gzip"`             // take compressed bodies; max_body is for what they inflate to
	RateLimit       float64          `yaml:"rate_limit"`       // requests per second; 0 = no limit
	UnknownResolved string           `yaml:"unknown_resolved"` // send or drop; default: by type
	Generic         GenericConfig    `yaml:"generic"`          // for the types that are made of expressions
	SilentAfter     model.Duration   `yaml:"silent_after"`     // no message for this long is trouble; 0 = never
}

// AuthConfig lists the credentials a sender may show; any one of them is enough.
type AuthConfig struct {
	BearerToken     secret.String `yaml:"bearer_token"` // a file may hold several lines, all valid
	BearerTokenFile string        `yaml:"bearer_token_file"`
	Basic           BasicConfig   `yaml:"basic"`
	HMAC            HMACConfig    `yaml:"hmac"`
	ClientSAN       []string      `yaml:"client_san"`    // names in certificates that the web configuration file verifies
	InsecureNone    bool          `yaml:"insecure_none"` // allow requests without credentials beyond loopback
}

// HMACConfig says how a sender signs its bodies: with HMAC-SHA256, in hex.
type HMACConfig struct {
	Secret     secret.String `yaml:"secret"` // a file may hold several lines, all valid
	SecretFile string        `yaml:"secret_file"`
	Header     string        `yaml:"header"` // that holds the signature
	// TimestampHeader holds seconds since 1970; then "timestamp.body" is signed,
	// and the time must be within five minutes of ours.
	TimestampHeader string `yaml:"timestamp_header"`
}

// BasicConfig is a user name with its password.
type BasicConfig struct {
	Username     string        `yaml:"username"`
	Password     secret.String `yaml:"password"` // a file may hold several lines, all valid
	PasswordFile string        `yaml:"password_file"`
}

// Fill completes an entry of the section: what is empty gets the default that
// follows from its name and type.
func (c *Config) Fill() {
	if c.Path == "" {
		c.Path = "/webhook/" + c.Name
	}
	if c.UnknownResolved == "" {
		c.UnknownResolved = UnknownResolved(c.Type)
	}
}

// DefaultConfig is the receiver that an absent section means. Each entry of
// the section starts from it too, without what Fill adds.
func DefaultConfig() Config {
	return Config{
		Name:            "alertmanager",
		Type:            "alertmanager",
		Path:            "/webhook/alertmanager",
		Auth:            AuthConfig{HMAC: HMACConfig{Header: "X-Signature-256"}},
		MaxBody:         32 * units.MiB,
		MaxAlerts:       50000,
		UnknownResolved: "send",
	}
}

// UnknownResolved is what an absent unknown_resolved means for a type of
// receiver. Alertmanager resolves only what it has notified of before; other
// senders tell of the end of problems whose beginning was kept from us.
func UnknownResolved(typ string) string {
	if typ == "alertmanager" {
		return "send"
	}
	return "drop"
}
