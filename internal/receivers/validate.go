package receivers

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/cocbridge/cocbridge/internal/secret"
)

var (
	goodName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	goodPath = regexp.MustCompile(`^/[A-Za-z0-9._~/-]+$`)
)

// ValidateAll reports what is wrong with the receivers, each with its path
// within the list, such as [0].name.
func ValidateAll(configs []Config, report func(path, problem string)) {
	names, paths := map[string]int{}, map[string]int{}
	for i, c := range configs {
		in := func(path, problem string) { report(fmt.Sprintf("[%d].%s", i, path), problem) }
		c.Validate(in)
		if first, taken := names[c.Name]; taken && c.Name != "" {
			in("name", fmt.Sprintf("the receiver [%d] has the name %q already; give each its own", first, c.Name))
		} else {
			names[c.Name] = i
		}
		if first, taken := paths[c.Path]; taken && c.Path != "" {
			in("path", fmt.Sprintf("the receiver [%d] has the path %s already; give each its own", first, c.Path))
		} else {
			paths[c.Path] = i
		}
	}
}

// Validate reports what is wrong with one receiver.
func (c Config) Validate(report func(path, problem string)) {
	if !goodName.MatchString(c.Name) {
		report("name", fmt.Sprintf("%q is not a receiver's name; use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or a digit", c.Name))
	}
	if types := Types(); !slices.Contains(types, c.Type) {
		report("type", fmt.Sprintf("%q is not a type of receiver; use one of: %s", c.Type, strings.Join(types, ", ")))
	}
	if problem := pathProblem(c.Path); problem != "" {
		report("path", problem+"; use one such as /webhook/"+c.Name)
	}
	if c.MaxBody <= 0 || c.MaxBody > DefaultBudget/2 {
		report("max_body", "must be more than 0 and at most 32MiB, half of what all bodies in flight share, so that one request leaves room for the other receivers; use one such as 32MiB")
	}
	if c.MaxAlerts <= 0 {
		report("max_alerts", "must be more than 0; leave it out for 50000")
	}
	if c.UnknownResolved != "send" && c.UnknownResolved != "drop" {
		report("unknown_resolved", fmt.Sprintf("%q is neither of the two; use send or drop", c.UnknownResolved))
	}
	if c.SilentAfter < 0 {
		report("silent_after", "is negative; use a duration such as 1h, or 0 for never")
	}
	if c.RateLimit < 0 {
		report("rate_limit", "must not be negative; leave it out, or write 0, for no limit")
	}
	if c.Gzip && len(lines(c.Auth.HMAC.Secret)) > 0 {
		report("gzip", "contradicts auth.hmac: it would not be clear whether the body was signed before or after it was compressed; remove one of the two")
	}
	c.validateGeneric(report)
	c.Auth.validate(report)
}

func pathProblem(p string) string {
	switch {
	case !goodPath.MatchString(p):
		return fmt.Sprintf("%q is not a path: it begins with / and holds only letters, digits and . _ ~ / -", p)
	case path.Clean(p) != p:
		return fmt.Sprintf("%s is not in its shortest form, which is %s", p, path.Clean(p))
	}
	for _, own := range []string{"/-", "/metrics", "/api"} {
		if p == own || strings.HasPrefix(p, own+"/") {
			return fmt.Sprintf("%s belongs to cocbridge itself, as everything under %s does", p, own)
		}
	}
	return ""
}

func (c AuthConfig) validate(report func(path, problem string)) {
	if c.BearerToken+secret.String(c.BearerTokenFile) != "" && len(lines(c.BearerToken)) == 0 {
		report("auth.bearer_token", "is empty, which would let everybody in; set it, or put it into bearer_token_file")
	}
	hasUser, hasPassword := c.Basic.Username != "", len(lines(c.Basic.Password)) > 0
	switch {
	case hasUser && !hasPassword:
		report("auth.basic.password", "is missing beside the username; set it, or password_file")
	case hasPassword && !hasUser:
		report("auth.basic.username", "is missing beside the password; set it")
	case strings.Contains(c.Basic.Username, ":"):
		report("auth.basic.username", "holds a colon, which ends the name in a request; use a name without it")
	}
	c.HMAC.validate(report)
	for i, name := range c.ClientSAN {
		if strings.TrimSpace(name) == "" {
			report(fmt.Sprintf("auth.client_san[%d]", i), "is empty; write a name as it stands in the certificate, such as alertmanager.example or spiffe://example/alertmanager")
		}
	}
	if c.InsecureNone && newCredentials(c).any() {
		report("auth.insecure_none", "contradicts the credentials beside it, which are required of every request; remove one of the two")
	}
}

var goodHeader = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

func (c HMACConfig) validate(report func(path, problem string)) {
	if c.Secret+secret.String(c.SecretFile) != "" && len(lines(c.Secret)) == 0 {
		report("auth.hmac.secret", "is empty, which would let everybody in; set it, or put it into secret_file")
	}
	if len(lines(c.Secret)) == 0 {
		return
	}
	if !goodHeader.MatchString(c.Header) {
		report("auth.hmac.header", fmt.Sprintf("%q is not a header's name; use one such as X-Signature-256", c.Header))
	}
	switch {
	case c.TimestampHeader == "":
	case !goodHeader.MatchString(c.TimestampHeader):
		report("auth.hmac.timestamp_header", fmt.Sprintf("%q is not a header's name; use one such as X-Timestamp", c.TimestampHeader))
	case strings.EqualFold(c.TimestampHeader, c.Header):
		report("auth.hmac.timestamp_header", "is the header of the signature; name another one")
	}
}

// AuthMethods names the ways a sender can authenticate: bearer, basic, hmac, client_san.
func (c Config) AuthMethods() []string { return newCredentials(c.Auth).methods() }

// Authenticated reports whether the receiver asks for credentials. One that
// does not may listen on loopback addresses only, unless insecure_none is set.
func (c Config) Authenticated() bool { return newCredentials(c.Auth).any() }
