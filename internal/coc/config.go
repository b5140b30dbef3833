package coc

import (
	"time"

	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// Config is the section coc of the configuration file.
type Config struct {
	Site         string     `yaml:"site"`          // cn, intl or eu; names the endpoints of COC and IAM
	Endpoint     string     `yaml:"endpoint"`      // overrides the site's
	Region       string     `yaml:"region"`        // any region id
	ProjectID    string     `yaml:"project_id"`    // sent as X-Project-Id; empty = looked up, see AuthConfig.Project
	Auth         AuthConfig `yaml:"auth"`          // who we are to COC
	AuthFallback AuthConfig `yaml:"auth_fallback"` // who else, when COC or IAM refuses Auth; zero = nobody
	Timeouts     Timeouts   `yaml:"timeouts"`
	RateLimits   RateLimits `yaml:"rate_limits"`
	HTTP         HTTPConfig `yaml:"http"`
	ConsoleURL   string     `yaml:"console_url"` // template of a link to an alarm, see mapping.Link; empty = no links
	DryRun       bool       `yaml:"dry_run"`     // everything but the call; nothing counts as told
}

// AuthConfig says how requests prove who they are from. In Config.AuthFallback
// an empty method, endpoint, domain or project is that of Config.Auth.
type AuthConfig struct {
	Method            string        `yaml:"method"`     // aksk, token or agency
	AccessKey         string        `yaml:"access_key"` // aksk
	AccessKeyFile     string        `yaml:"access_key_file"`
	SecretKey         secret.String `yaml:"secret_key"`
	SecretKeyFile     string        `yaml:"secret_key_file"`
	SecurityToken     secret.String `yaml:"security_token"` // with temporary keys only
	SecurityTokenFile string        `yaml:"security_token_file"`
	User              string        `yaml:"user"` // token: an IAM user
	Password          secret.String `yaml:"password"`
	PasswordFile      string        `yaml:"password_file"`
	Domain            string        `yaml:"domain"`            // the name of the user's account
	Project           string        `yaml:"project"`           // the name that the project is looked up by; empty = Config.Region
	IAMEndpoint       string        `yaml:"iam_endpoint"`      // empty = the site's
	MetadataEndpoint  string        `yaml:"metadata_endpoint"` // agency; empty = the address every ECS has it at
}

// UsesKeys says whether an access key and a secret key are needed.
func (a AuthConfig) UsesKeys() bool { return a.Method == methodKeys }

// Timeouts bound one call each.
type Timeouts struct {
	Connect model.Duration `yaml:"connect"`
	Report  model.Duration `yaml:"report"`
	Ticket  model.Duration `yaml:"ticket"`  // a change of an incident, script, order or execution
	Execute model.Duration `yaml:"execute"` // the start of a script or job
	Read    model.Duration `yaml:"read"`
}

// HTTPConfig uses the names of Prometheus' HTTP client configuration.
type HTTPConfig struct {
	ProxyURL  string    `yaml:"proxy_url"` // the environment's proxy is not used
	TLSConfig TLSConfig `yaml:"tls_config"`
}

// TLSConfig adds to the system's certificate authorities.
type TLSConfig struct {
	CAFile string `yaml:"ca_file"`
}

// DefaultConfig is what an absent key means.
func DefaultConfig() Config {
	return Config{
		Site: "cn",
		Auth: AuthConfig{Method: methodKeys},
		Timeouts: Timeouts{
			Connect: model.Duration(5 * time.Second), Report: model.Duration(30 * time.Second), Ticket: model.Duration(30 * time.Second),
			Execute: model.Duration(60 * time.Second), Read: model.Duration(15 * time.Second),
		},
		RateLimits: RateLimits{Tickets: 1, Execute: 0.5, Reads: 5},
	}
}
