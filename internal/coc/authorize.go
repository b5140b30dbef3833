package coc

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// The methods of AuthConfig.Method.
const (
	methodKeys   = "aksk"
	methodToken  = "token"
	methodAgency = "agency"
)

// authorizer proves to COC who a request is from. Its methods may be called from
// several goroutines at once.
type authorizer interface {
	// authorize adds the proof to r, for the time at. body is exactly what r
	// sends. It may have to ask IAM or the metadata service first. Its error is
	// an *Error without Op, or that of ctx.
	authorize(ctx context.Context, r *http.Request, body []byte, at time.Time) error
	// refused learns that COC answered r, which authorize prepared, with 401. It
	// says whether a repeat, authorised anew, may fare better.
	refused(r *http.Request) bool
}

// credential is one way to be known to COC, under the name that it has in the
// configuration.
type credential struct {
	section string
	authorizer
}

// section is the configuration of one credential and its path below coc.
type section struct {
	name string
	AuthConfig
}

// sections are the credentials to use, in their order of preference.
func (c Config) sections() []section {
	all := []section{{"auth", c.Auth}}
	if c.AuthFallback != (AuthConfig{}) {
		all = append(all, section{"auth_fallback", c.AuthFallback.completedBy(c.Auth)})
	}
	return all
}

// completedBy takes from the first credential what is not the second's own.
func (a AuthConfig) completedBy(first AuthConfig) AuthConfig {
	a.Method = cmp.Or(a.Method, first.Method)
	a.Domain = cmp.Or(a.Domain, first.Domain)
	a.Project = cmp.Or(a.Project, first.Project)
	a.IAMEndpoint = cmp.Or(a.IAMEndpoint, first.IAMEndpoint)
	a.MetadataEndpoint = cmp.Or(a.MetadataEndpoint, first.MetadataEndpoint)
	return a
}

// secrets are the texts that no error may show.
func (a AuthConfig) secrets() []secret.String {
	return []secret.String{a.SecretKey, a.SecurityToken, a.Password}
}

// newAuthorizer is the one for the section's method.
func (c *Client) newAuthorizer(cfg Config, s section) (authorizer, error) {
	endpoint, err := cfg.iamEndpoint(s.AuthConfig)
	if err != nil {
		return nil, fmt.Errorf("%s: iam_endpoint: %w", s.name, err)
	}
	iam := iam{wire: c.wire, endpoint: endpoint, section: "coc." + s.name}
	if s.Method == methodToken {
		return c.newTokens(cfg, s.AuthConfig, iam), nil
	}
	var source keySource = fixedKeys{s.AccessKey, s.SecretKey, s.SecurityToken}
	if s.Method == methodAgency {
		if source, err = c.newAgency(s); err != nil {
			return nil, fmt.Errorf("%s: metadata_endpoint: %w", s.name, err)
		}
	}
	return &signer{keys: source, project: c.newProject(cfg, s.AuthConfig, iam, source)}, nil
}

// sensitive are the secrets that a request carries, which its answer may echo.
func sensitive(r *http.Request) []secret.String {
	var all []secret.String
	for _, name := range []string{headerIAM, headerToken, headerMetadata} {
		all = append(all, secret.String(r.Header.Get(name)))
	}
	return all
}
