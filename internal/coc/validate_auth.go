package coc

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// validateAuth reports what is wrong with the credentials.
func (c Config) validateAuth(report func(path, problem string)) {
	for _, s := range c.sections() {
		within := func(key, problem string) { report(s.name+"."+key, problem) }
		given := c.Auth
		if s.name != "auth" {
			given = c.AuthFallback
		}
		switch s.Method {
		case methodKeys:
			s.validateKeys(within)
		case methodToken:
			s.validateLogin(c, within)
		case methodAgency:
		default:
			within("method", fmt.Sprintf("%.64q is not known; write aksk, token or agency", s.Method))
			continue
		}
		given.validateUnused(s.Method, within)
		c.validateServices(s, report)
	}
}

// validateKeys wants a pair of keys. Variables of the environment exist for the
// first credential only.
func (s section) validateKeys(report func(key, problem string)) {
	for _, key := range []struct{ name, value, env string }{
		{"access_key", s.AccessKey, "COCBRIDGE_ACCESS_KEY"},
		{"secret_key", s.SecretKey.Reveal(), "COCBRIDGE_SECRET_KEY"},
	} {
		switch {
		case key.value == "" && s.name == "auth":
			report(key.name, fmt.Sprintf("it is missing; set it, or %s.%s_file, or the environment variable %s or %s_FILE", s.name, key.name, key.env, key.env))
		case key.value == "":
			report(key.name, fmt.Sprintf("it is missing; set it, or %s.%s_file", s.name, key.name))
		case !isToken(key.value):
			report(key.name, "it has blanks, line breaks or other characters that no key has; copy it again from the console")
		}
	}
	if !isToken(s.SecurityToken.Reveal()) {
		report("security_token", "it has blanks, line breaks or other characters that no token has; copy it again, or remove it if the keys are permanent")
	}
}

// validateLogin wants what a log-in needs.
func (s section) validateLogin(c Config, report func(key, problem string)) {
	for _, key := range []struct{ name, value, missing string }{
		{"user", s.User, "name an IAM user; a HUAWEI ID cannot log in"},
		{"password", s.Password.Reveal(), fmt.Sprintf("set it, or %s.password_file", s.name)},
		{"domain", s.Domain, "name the account that the user belongs to, as My Credentials in the console shows it"},
	} {
		switch {
		case key.value == "":
			report(key.name, "it is missing; "+key.missing)
		case strings.ContainsFunc(key.value, unicode.IsControl):
			report(key.name, "it has a line break or another control character; write it in one line")
		}
	}
	if cmp.Or(c.ProjectID, s.Project, c.Region) == "" {
		report("project", "it is missing; a token is for one project: set it, or coc.region, or coc.project_id")
	}
	if s.IAMEndpoint == "" && c.isSimulation() {
		report("iam_endpoint", "it is missing; beside a coc.endpoint on a loopback address it has no default")
	}
}

// validateUnused refuses what the method does not use, so that nobody takes it
// to be in use.
func (a AuthConfig) validateUnused(method string, report func(key, problem string)) {
	for _, key := range []struct {
		name, value, method string
	}{
		{"access_key", a.AccessKey, methodKeys},
		{"secret_key", a.SecretKey.Reveal(), methodKeys},
		{"security_token", a.SecurityToken.Reveal(), methodKeys},
		{"user", a.User, methodToken},
		{"password", a.Password.Reveal(), methodToken},
		{"domain", a.Domain, methodToken},
		{"metadata_endpoint", a.MetadataEndpoint, methodAgency},
	} {
		if key.value != "" && key.method != method {
			report(key.name, fmt.Sprintf("method %s does not use it; remove it, or write method: %s", method, key.method))
		}
	}
}

// validateServices checks where the credential comes from.
func (c Config) validateServices(s section, report func(path, problem string)) {
	switch _, err := c.iamEndpoint(s.AuthConfig); {
	case errors.Is(err, errRegion):
		report("region", fmt.Sprintf("%.64q cannot be part of IAM's host name; write a region id such as cn-north-4, or set %s.iam_endpoint", c.Region, s.name))
	case err != nil:
		report(s.name+".iam_endpoint", err.Error())
	}
	if _, err := metadataEndpoint(s.AuthConfig); err != nil && s.Method == methodAgency {
		report(s.name+".metadata_endpoint", err.Error())
	}
}
