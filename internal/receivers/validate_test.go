package receivers_test

import (
	"strings"
	"testing"

	"github.com/alecthomas/units"
	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

func TestConfig_Validate(t *testing.T) {
	const name = ` is not a receiver's name; use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or a digit`
	const form = `; use one such as /webhook/alertmanager`
	types := strings.Join(receivers.Types(), ", ")
	const body = "max_body: must be more than 0 and at most 32MiB, half of what all bodies in flight share, so that one request leaves room for the other receivers; use one such as 32MiB"
	tests := []struct {
		name   string
		change func(*receivers.Config)
		want   []string
	}{
		{"the default", func(*receivers.Config) {}, nil},
		{"a long name", func(c *receivers.Config) { c.Name = strings.Repeat("a", 63) }, nil},
		{"a name with all", func(c *receivers.Config) { c.Name = "0-a_b" }, nil},
		{"no name", func(c *receivers.Config) { c.Name = "" }, []string{`name: ""` + name}},
		{"a capital in the name", func(c *receivers.Config) { c.Name = "Web" }, []string{`name: "Web"` + name}},
		{"a name that begins with -", func(c *receivers.Config) { c.Name = "-web" }, []string{`name: "-web"` + name}},
		{"a name with a line end", func(c *receivers.Config) { c.Name = "web\n" }, []string{`name: "web\n"` + name}},
		{"a name too long", func(c *receivers.Config) { c.Name = strings.Repeat("a", 64) }, []string{`name: "` + strings.Repeat("a", 64) + `"` + name}},

		{"another type", func(c *receivers.Config) { c.Type = "nagios" }, []string{`type: "nagios" is not a type of receiver; use one of: ` + types}},

		{"a path of its own", func(c *receivers.Config) { c.Path = "/apiary/a.b~c" }, nil},
		{"no path", func(c *receivers.Config) { c.Path = "" }, []string{`path: "" is not a path: it begins with / and holds only letters, digits and . _ ~ / -` + form}},
		{"a path without /", func(c *receivers.Config) { c.Path = "webhook" }, []string{`path: "webhook" is not a path: it begins with / and holds only letters, digits and . _ ~ / -` + form}},
		{"only /", func(c *receivers.Config) { c.Path = "/" }, []string{`path: "/" is not a path: it begins with / and holds only letters, digits and . _ ~ / -` + form}},
		{"a pattern", func(c *receivers.Config) { c.Path = "/{x...}" }, []string{`path: "/{x...}" is not a path: it begins with / and holds only letters, digits and . _ ~ / -` + form}},
		{"a detour", func(c *receivers.Config) { c.Path = "/x/../metrics/" }, []string{`path: /x/../metrics/ is not in its shortest form, which is /metrics` + form}},
		{"the health check", func(c *receivers.Config) { c.Path = "/-/healthy" }, []string{`path: /-/healthy belongs to cocbridge itself, as everything under /- does` + form}},
		{"the metrics", func(c *receivers.Config) { c.Path = "/metrics" }, []string{`path: /metrics belongs to cocbridge itself, as everything under /metrics does` + form}},
		{"the API", func(c *receivers.Config) { c.Path = "/api/v1/alerts" }, []string{`path: /api/v1/alerts belongs to cocbridge itself, as everything under /api does` + form}},

		{"the largest body", func(c *receivers.Config) { c.MaxBody = 32 * units.MiB }, nil},
		{"no body", func(c *receivers.Config) { c.MaxBody = 0 }, []string{body}},
		{"a body beyond half of the budget", func(c *receivers.Config) { c.MaxBody = 32*units.MiB + 1 }, []string{body}},
		{"no alerts", func(c *receivers.Config) { c.MaxAlerts = -1 }, []string{"max_alerts: must be more than 0; leave it out for 50000"}},
		{"drop", func(c *receivers.Config) { c.UnknownResolved = "drop" }, nil},
		{"neither send nor drop", func(c *receivers.Config) { c.UnknownResolved = "keep" }, []string{`unknown_resolved: "keep" is neither of the two; use send or drop`}},

		{"all credentials", func(c *receivers.Config) {
			c.Auth = receivers.AuthConfig{BearerToken: "a\nb", Basic: receivers.BasicConfig{Username: "u", Password: "p:q"}}
		}, nil},
		{"insecure", func(c *receivers.Config) { c.Auth.InsecureNone = true }, nil},
		{"an empty token", func(c *receivers.Config) { c.Auth.BearerToken = " \n" },
			[]string{"auth.bearer_token: is empty, which would let everybody in; set it, or put it into bearer_token_file"}},
		{"an empty token file", func(c *receivers.Config) { c.Auth.BearerTokenFile = "token" },
			[]string{"auth.bearer_token: is empty, which would let everybody in; set it, or put it into bearer_token_file"}},
		{"no password", func(c *receivers.Config) { c.Auth.Basic.Username = "u" },
			[]string{"auth.basic.password: is missing beside the username; set it, or password_file"}},
		{"no user", func(c *receivers.Config) { c.Auth.Basic.Password = "p" },
			[]string{"auth.basic.username: is missing beside the password; set it"}},
		{"a colon in the user", func(c *receivers.Config) { c.Auth.Basic = receivers.BasicConfig{Username: "u:v", Password: "p"} },
			[]string{"auth.basic.username: holds a colon, which ends the name in a request; use a name without it"}},
		{"insecure with credentials", func(c *receivers.Config) { c.Auth.InsecureNone, c.Auth.BearerToken = true, "t" },
			[]string{"auth.insecure_none: contradicts the credentials beside it, which are required of every request; remove one of the two"}},
		{"all at once", func(c *receivers.Config) { *c = receivers.Config{Name: "alertmanager", Path: "/a"} }, []string{
			`type: "" is not a type of receiver; use one of: ` + types, body,
			"max_alerts: must be more than 0; leave it out for 50000", `unknown_resolved: "" is neither of the two; use send or drop`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := receivers.DefaultConfig()
			tt.change(&c)
			var got []string
			c.Validate(func(path, problem string) { got = append(got, path+": "+problem) })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestValidateAll(t *testing.T) {
	receiver := func(name, path string) receivers.Config {
		c := receivers.DefaultConfig()
		c.Name, c.Path = name, path
		return c
	}
	var got []string
	receivers.ValidateAll([]receivers.Config{
		receiver("a", "/a"), receiver("b", "/a"), receiver("a", "/c"), receiver("", ""), receiver("", ""),
	}, func(path, problem string) {
		first, _, _ := strings.Cut(problem, ";")
		got = append(got, path+": "+first)
	})
	empty := func(i string) []string {
		return []string{
			i + `.name: "" is not a receiver's name`,
			i + `.path: "" is not a path: it begins with / and holds only letters, digits and . _ ~ / -`,
		}
	}
	want := append([]string{
		"[1].path: the receiver [0] has the path /a already",
		`[2].name: the receiver [0] has the name "a" already`,
	}, append(empty("[3]"), empty("[4]")...)...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestConfig_Authenticated(t *testing.T) {
	for _, tt := range []struct {
		auth receivers.AuthConfig
		want bool
	}{
		{receivers.AuthConfig{}, false},
		{receivers.AuthConfig{InsecureNone: true}, false},
		{receivers.AuthConfig{BearerToken: "t"}, true},
		{receivers.AuthConfig{Basic: receivers.BasicConfig{Username: "u", Password: "p"}}, true},
		{receivers.AuthConfig{Basic: receivers.BasicConfig{Username: "u"}}, false},
	} {
		if got := (receivers.Config{Auth: tt.auth}).Authenticated(); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.auth, got, tt.want)
		}
	}
}
