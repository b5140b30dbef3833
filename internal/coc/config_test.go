package coc_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
)

func TestConfig_Validate(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	const (
		badKey    = "it has blanks, line breaks or other characters that no key has; copy it again from the console"
		badURL    = "it is not a URL with a host; write it like https://coc.myhuaweicloud.com"
		plain     = "it must begin with https://; http:// is for a loopback address only"
		alone     = "it must be scheme, host and port alone; remove user, path, query and fragment"
		badHost   = "its host is not one that can be signed; write an ASCII name or an address without zone, and no colon without a port"
		badProxy  = "it is not a proxy's URL; write it like http://proxy.example.com:3128 (http, https, socks5 or socks5h)"
		badCA     = "; name a readable PEM file, or remove the key for the system's authorities alone"
		noSecret  = "it is missing; set it, or auth.secret_key_file, or the environment variable COCBRIDGE_SECRET_KEY or COCBRIDGE_SECRET_KEY_FILE"
		noAccess  = "it is missing; set it, or auth.access_key_file, or the environment variable COCBRIDGE_ACCESS_KEY or COCBRIDGE_ACCESS_KEY_FILE"
		badToken  = "it has blanks, line breaks or other characters that no token has; copy it again, or remove it if the keys are permanent"
		badHeader = "it has blanks or other characters that cannot be in a header; copy the project id from the console"
	)
	const local = "it must begin with https://; http:// is for a loopback or link-local address only"
	unused := func(method, other string) string {
		return fmt.Sprintf("method %s does not use it; remove it, or write method: %s", method, other)
	}
	type problems map[string]string
	for name, test := range map[string]struct {
		change func(*coc.Config)
		want   problems
	}{
		"a good one":           {func(*coc.Config) {}, problems{}},
		"every site":           {func(c *coc.Config) { c.Endpoint, c.Site = "", "eu" }, problems{}},
		"an endpoint, no site": {func(c *coc.Config) { c.Site = "" }, problems{}},
		"temporary keys":       {func(c *coc.Config) { c.Auth.SecurityToken = testToken }, problems{}},
		"a good proxy":         {func(c *coc.Config) { c.HTTP.ProxyURL = "socks5://user:pw@proxy:1080" }, problems{}},
		"loopback by address":  {func(c *coc.Config) { c.Endpoint = "http://[::1]:8080" }, problems{}},
		"loopback by name":     {func(c *coc.Config) { c.Endpoint = "http://localhost:8080/" }, problems{}},
		"an IAM user":          {func(c *coc.Config) { c.Auth, c.Region = byToken(), "cn-north-4" }, problems{}},
		"a user's project":     {func(c *coc.Config) { c.Auth = byToken(); c.Auth.Project = "p" }, problems{}},
		"a user's project id":  {func(c *coc.Config) { c.Auth, c.ProjectID = byToken(), "p" }, problems{}},
		"an agency":            {func(c *coc.Config) { c.Auth = byAgency() }, problems{}},
		"its metadata service": {func(c *coc.Config) { c.Auth = byAgency(); c.Auth.MetadataEndpoint = "http://169.254.1.1:80" }, problems{}},
		"a second pair":        {func(c *coc.Config) { c.AuthFallback = coc.AuthConfig{AccessKey: "A", SecretKey: "S"} }, problems{}},
		"a second method":      {func(c *coc.Config) { c.AuthFallback, c.Region = byToken(), "r" }, problems{}},
		"a second user": {func(c *coc.Config) {
			c.Auth, c.Region, c.AuthFallback = byToken(), "r", coc.AuthConfig{User: "u", Password: "p"}
		}, problems{}},

		"an unknown site":                       {func(c *coc.Config) { c.Site = "us" }, problems{"site": `"us" is not a site of COC; write cn, intl or eu`}},
		"neither site nor endpoint":             {func(c *coc.Config) { c.Site, c.Endpoint = "", "" }, problems{"site": `"" is not a site of COC; write cn, intl or eu`}},
		"plain HTTP":                            {func(c *coc.Config) { c.Endpoint = "http://coc.example" }, problems{"endpoint": plain}},
		"plain HTTP to a name that looks local": {func(c *coc.Config) { c.Endpoint = "http://localhost.example" }, problems{"endpoint": plain}},
		"another scheme":                        {func(c *coc.Config) { c.Endpoint = "ftp://coc.example" }, problems{"endpoint": plain}},
		"no scheme":                             {func(c *coc.Config) { c.Endpoint = "coc.example" }, problems{"endpoint": badURL}},
		"not a URL":                             {func(c *coc.Config) { c.Endpoint = "https://[::" }, problems{"endpoint": badURL}},
		"no host":                               {func(c *coc.Config) { c.Endpoint = "https://:443" }, problems{"endpoint": badURL}},
		"a path":                                {func(c *coc.Config) { c.Endpoint = "https://coc.example/v1" }, problems{"endpoint": alone}},
		"a user":                                {func(c *coc.Config) { c.Endpoint = "https://me@coc.example" }, problems{"endpoint": alone}},
		"a query":                               {func(c *coc.Config) { c.Endpoint = "https://coc.example?a=b" }, problems{"endpoint": alone}},
		"a Chinese host":                        {func(c *coc.Config) { c.Endpoint = "https://云.example" }, problems{"endpoint": badHost}},
		"a colon without port":                  {func(c *coc.Config) { c.Endpoint = "https://coc.example:" }, problems{"endpoint": badHost}},
		"an address with a zone":                {func(c *coc.Config) { c.Endpoint = "https://[fe80::1%25eth0]" }, problems{"endpoint": badHost}},
		"a project id with a blank":             {func(c *coc.Config) { c.ProjectID = "p 1" }, problems{"project_id": badHeader}},
		"another method":                        {func(c *coc.Config) { c.Auth.Method = "saml" }, problems{"auth.method": `"saml" is not known; write aksk, token or agency`}},
		"no keys":                               {func(c *coc.Config) { c.Auth.AccessKey, c.Auth.SecretKey = "", "" }, problems{"auth.access_key": noAccess, "auth.secret_key": noSecret}},
		"keys with a blank":                     {func(c *coc.Config) { c.Auth.AccessKey, c.Auth.SecretKey = "A K", "S\nK" }, problems{"auth.access_key": badKey, "auth.secret_key": badKey}},
		"a token with a line break":             {func(c *coc.Config) { c.Auth.SecurityToken = "a\nb" }, problems{"auth.security_token": badToken}},
		"a user without anything": {func(c *coc.Config) { c.Auth = coc.AuthConfig{Method: "token"} }, problems{
			"auth.user":     "it is missing; name an IAM user; a HUAWEI ID cannot log in",
			"auth.password": "it is missing; set it, or auth.password_file",
			"auth.domain":   "it is missing; name the account that the user belongs to, as My Credentials in the console shows it",
			"auth.project":  "it is missing; a token is for one project: set it, or coc.region, or coc.project_id",
		}},
		"a password of two lines": {func(c *coc.Config) { c.Auth = byToken(); c.Auth.Project, c.Auth.Password = "p", "a\nb" }, problems{
			"auth.password": "it has a line break or another control character; write it in one line",
		}},
		"a user for a simulated COC": {func(c *coc.Config) { c.Auth, c.Endpoint, c.Region = byToken(), "http://127.0.0.1:1", "r" }, problems{
			"auth.iam_endpoint": "it is missing; beside a coc.endpoint on a loopback address it has no default",
		}},
		"keys of another method": {func(c *coc.Config) {
			c.Auth.User, c.Auth.Password, c.Auth.Domain, c.Auth.MetadataEndpoint = "u", "p", "d", "http://127.0.0.1"
		}, problems{
			"auth.user": unused("aksk", "token"), "auth.password": unused("aksk", "token"), "auth.domain": unused("aksk", "token"),
			"auth.metadata_endpoint": unused("aksk", "agency"),
		}},
		"keys beside an agency": {func(c *coc.Config) { c.Auth.Method, c.Auth.SecurityToken = "agency", testToken }, problems{
			"auth.access_key": unused("agency", "aksk"), "auth.secret_key": unused("agency", "aksk"), "auth.security_token": unused("agency", "aksk"),
		}},
		"an IAM in plain text":      {func(c *coc.Config) { c.Auth.IAMEndpoint = "http://iam.example" }, problems{"auth.iam_endpoint": plain}},
		"an IAM with a path":        {func(c *coc.Config) { c.Auth.IAMEndpoint = "https://iam.example/v3" }, problems{"auth.iam_endpoint": alone}},
		"an IAM that is no URL":     {func(c *coc.Config) { c.Auth.IAMEndpoint = "iam" }, problems{"auth.iam_endpoint": "it is not a URL with a host; write it like https://iam.cn-north-4.myhuaweicloud.com"}},
		"metadata from far away":    {func(c *coc.Config) { c.Auth = byAgency(); c.Auth.MetadataEndpoint = "http://10.0.0.1" }, problems{"auth.metadata_endpoint": local}},
		"a region that is no name":  {func(c *coc.Config) { c.Region = "cn.evil/x" }, problems{"region": `"cn.evil/x" cannot be part of IAM's host name; write a region id such as cn-north-4, or set auth.iam_endpoint`}},
		"half a second pair":        {func(c *coc.Config) { c.AuthFallback.AccessKey = "A" }, problems{"auth_fallback.secret_key": "it is missing; set it, or auth_fallback.secret_key_file"}},
		"a second method, unknown":  {func(c *coc.Config) { c.AuthFallback.Method = "x" }, problems{"auth_fallback.method": `"x" is not known; write aksk, token or agency`}},
		"what the second needs not": {func(c *coc.Config) { c.AuthFallback = byAgency(); c.AuthFallback.User = "u" }, problems{"auth_fallback.user": unused("agency", "token")}},
		"no time": {func(c *coc.Config) { c.Timeouts = coc.Timeouts{} }, problems{
			"timeouts.connect": "it must be longer than 0; remove it for the default of 5s",
			"timeouts.report":  "it must be longer than 0; remove it for the default of 30s",
			"timeouts.ticket":  "it must be longer than 0; remove it for the default of 30s",
			"timeouts.execute": "it must be longer than 0; remove it for the default of 1m",
			"timeouts.read":    "it must be longer than 0; remove it for the default of 15s",
		}},
		"no calls": {func(c *coc.Config) { c.RateLimits = coc.RateLimits{Execute: -1, Reads: math.NaN()} }, problems{
			"rate_limits.tickets": "it must be more than 0 calls per second; remove it for the default of 1",
			"rate_limits.execute": "it must be more than 0 calls per second; remove it for the default of 0.5",
			"rate_limits.reads":   "it must be more than 0 calls per second; remove it for the default of 5",
		}},
		"a proxy without scheme":    {func(c *coc.Config) { c.HTTP.ProxyURL = "proxy:3128" }, problems{"http.proxy_url": badProxy}},
		"a proxy of another scheme": {func(c *coc.Config) { c.HTTP.ProxyURL = "ftp://proxy" }, problems{"http.proxy_url": badProxy}},
		"a CA file without a certificate": {func(c *coc.Config) { c.HTTP.TLSConfig.CAFile = empty }, problems{
			"http.tls_config.ca_file": "it holds no certificate in PEM form" + badCA,
		}},
		"a CA file that is not there": {func(c *coc.Config) { c.HTTP.TLSConfig.CAFile = empty + "x" }, problems{
			"http.tls_config.ca_file": "open " + empty + "x: no such file or directory" + badCA,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig("https://coc.example")
			test.change(&cfg)
			got := problems{}
			cfg.Validate(func(path, problem string) { got[path] = problem })
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
