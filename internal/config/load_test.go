package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cocbridge/cocbridge/internal/config"
)

const minimal = `coc:
  region: cn-north-4
  auth: {access_key: AK, secret_key: SK}
integrations:
  - {name: default, key: abc123}
mapping: {application_id: app1}
`

// sidecar is the environment of a daemon without a file.
func sidecar(more ...string) []string {
	return append([]string{
		"PATH=/bin", "COCBRIDGE_REGION=cn-north-4", "COCBRIDGE_ACCESS_KEY=AK", "COCBRIDGE_SECRET_KEY=SK",
		"COCBRIDGE_INTEGRATION_KEY=abc123", "COCBRIDGE_APPLICATION_ID=app1",
	}, more...)
}

// write puts a file into the test's folder and returns its name.
func write(t testing.TB, folder, name, content string) string {
	t.Helper()
	file := filepath.Join(folder, name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func load(t *testing.T, content string, environ ...string) *config.Config {
	t.Helper()
	c, err := config.Load(config.Options{File: write(t, t.TempDir(), "cocbridge.yaml", content), Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// loadError returns the problems without the header and the test's folder.
func loadError(t *testing.T, o config.Options) string {
	t.Helper()
	c, err := config.Load(o)
	var problems *config.Error
	if !errors.As(err, &problems) {
		t.Fatalf("the error is %v", err)
	}
	if c != nil {
		t.Error("there is a configuration beside the error")
	}
	_, text, _ := strings.Cut(err.Error(), "\n")
	return strings.ReplaceAll(text, filepath.Dir(o.File)+"/", "")
}

func TestLoad_defaults(t *testing.T) {
	want := config.Default()
	got := load(t, minimal)
	want.COC.Region, want.COC.Auth = got.COC.Region, got.COC.Auth
	want.Integrations, want.Mapping.ApplicationID = got.Integrations, got.Mapping.ApplicationID
	if diff := diffConfig(want, *got); diff != "" {
		t.Errorf("beyond what the file sets (-default +got):\n%s", diff)
	}
	if got.Integrations[0].RateLimit != 20 || got.Integrations[0].Key.Reveal() != "abc123" {
		t.Errorf("the integration is %+v", got.Integrations[0])
	}
}

func TestLoad_emptyFileMeansDefaults(t *testing.T) {
	want, err := config.Load(config.Options{Environ: sidecar()})
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "\n", "# nothing\n", "---\n", "coc:\nreceivers: ~\n", "~"} {
		got := load(t, content, sidecar()...)
		if diff := diffConfig(*want, *got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", content, diff)
		}
	}
}

func TestLoad_itemsStartFromDefaults(t *testing.T) {
	c := load(t, minimal+`
receivers:
  - name: one
  - {name: two, path: /hook, max_alerts: 7}
`)
	got := fmt.Sprint(c.Receivers[0].Path, c.Receivers[0].MaxAlerts, c.Receivers[1].Path, c.Receivers[1].MaxAlerts, c.Receivers[1].MaxBody)
	if want := "/webhook/one50000/hook732MiB"; strings.ReplaceAll(got, " ", "") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLoad_unknownResolvedGoesByType(t *testing.T) {
	c := load(t, minimal+`
receivers:
  - {name: am}
  - {name: z, type: zabbix}
  - {name: z2, type: zabbix, unknown_resolved: send}
`)
	got := fmt.Sprint(c.Receivers[0].UnknownResolved, c.Receivers[1].UnknownResolved, c.Receivers[2].UnknownResolved)
	if want := fmt.Sprint("send", "drop", "send"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLoad_mappingMergesOverDefaults(t *testing.T) {
	c := load(t, strings.Replace(minimal, "app1}", "app1, alarm_level: {map: {sev1: Critical}}}", 1))
	level, before := c.Mapping.AlarmLevel, config.Default().Mapping.AlarmLevel
	if level.Map["sev1"] != "Critical" || len(level.Map) != len(before.Map)+1 || *level.Value != *before.Value || *level.Default != *before.Default {
		t.Errorf("alarm_level is %+v", *level)
	}
}

func TestLoad_emptyValuesLeaveTheDefault(t *testing.T) {
	c := load(t, strings.Replace(minimal, "app1}", "app1, alarm_name: , additional: {team: , site: x}}", 1)+"delivery: {workers: , backoff: }\nstore: {path: ~}\n")
	want := load(t, strings.Replace(minimal, "app1}", "app1, additional: {site: x}}", 1))
	if diff := diffConfig(*want, *c); diff != "" {
		t.Errorf("(-default +got):\n%s", diff)
	}
}

func TestLoad_precedence(t *testing.T) {
	type value func(*config.Config) string
	storage := func(c *config.Config) string { return c.Store.Path }
	web := func(c *config.Config) string { return c.WebListenAddress }
	admin := func(c *config.Config) string { return c.AdminListenAddress }
	level := func(c *config.Config) string { return c.LogLevel }
	site := func(c *config.Config) string { return c.COC.Site }
	for _, c := range []struct {
		name, file, environ string
		flags               config.Overrides
		value               value
		want                string
	}{
		{"default", "", "", config.Overrides{}, storage, "./data"},
		{"file over default", "store: {path: /f}", "", config.Overrides{}, storage, "/f"},
		{"environment over file", "store: {path: /f}", "COCBRIDGE_STORAGE_PATH=/e", config.Overrides{}, storage, "/e"},
		{"flag over environment", "store: {path: /f}", "COCBRIDGE_STORAGE_PATH=/e", config.Overrides{StoragePath: "/g"}, storage, "/g"},
		{"flag over file", "store: {path: /f}", "", config.Overrides{StoragePath: "/g"}, storage, "/g"},
		{"empty variable is unset", "store: {path: /f}", "COCBRIDGE_STORAGE_PATH=", config.Overrides{}, storage, "/f"},
		{"web default", "", "", config.Overrides{}, web, "127.0.0.1:9876"},
		{"web environment", "", "COCBRIDGE_WEB_LISTEN_ADDRESS=[::1]:1", config.Overrides{}, web, "[::1]:1"},
		{"web flag", "", "COCBRIDGE_WEB_LISTEN_ADDRESS=[::1]:1", config.Overrides{WebListenAddress: "localhost:2"}, web, "localhost:2"},
		{"admin default", "", "", config.Overrides{}, admin, "127.0.0.1:9877"},
		{"admin environment", "", "COCBRIDGE_ADMIN_LISTEN_ADDRESS=unix:/a", config.Overrides{}, admin, "unix:/a"},
		{"admin flag", "", "COCBRIDGE_ADMIN_LISTEN_ADDRESS=unix:/a", config.Overrides{AdminListenAddress: "unix:/b"}, admin, "unix:/b"},
		{"level default", "", "", config.Overrides{}, level, "info"},
		{"level environment", "", "COCBRIDGE_LOG_LEVEL=debug", config.Overrides{}, level, "debug"},
		{"level flag", "", "COCBRIDGE_LOG_LEVEL=debug", config.Overrides{LogLevel: "warn"}, level, "warn"},
		{"site default", "", "", config.Overrides{}, site, "cn"},
		{"site environment", "", "COCBRIDGE_SITE=eu", config.Overrides{}, site, "eu"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, t.TempDir(), "c.yaml", minimal+c.file+"\n")
			got, err := config.Load(config.Options{File: file, Environ: []string{c.environ}, Overrides: c.flags})
			if err != nil {
				t.Fatal(err)
			}
			if c.value(got) != c.want {
				t.Errorf("got %q, want %q", c.value(got), c.want)
			}
		})
	}
}

func TestLoad_anchorsAndMerges(t *testing.T) {
	c := load(t, `coc: {region: r, auth: {access_key: AK, secret_key: SK}}
integrations:
  - &first {name: default, key: abc, rate_limit: 3}
  - {<<: *first, name: other}
  - {<<: [{name: third, key: xyz}, *first], rate_limit: 4}
mapping: {application_id: app1}
`)
	var got []string
	for _, in := range c.Integrations {
		got = append(got, fmt.Sprint(in.Name, in.Key.Reveal(), in.RateLimit))
	}
	if diff := cmp.Diff([]string{"defaultabc3", "otherabc3", "thirdxyz4"}, got); diff != "" {
		t.Errorf("integrations (-want +got):\n%s", diff)
	}
}

// Each level of << repeats what is below it.
func TestLoad_boundsMerges(t *testing.T) {
	nested := func(levels int) string {
		keys := ""
		for i := range 50 {
			keys += fmt.Sprintf("key%d: x, ", i)
		}
		additional := strings.Repeat("{<<: ", levels) + "{" + keys + "}" + strings.Repeat("}", levels)
		return strings.Replace(minimal, "app1}", "app1, additional: "+additional+"}", 1)
	}
	if c := load(t, nested(100)); len(c.Mapping.Additional) != 50 {
		t.Errorf("got %d keys", len(c.Mapping.Additional))
	}
	got := loadError(t, config.Options{File: write(t, t.TempDir(), "c.yaml", nested(500))})
	if want := "c.yaml:6: mapping.additional: << merges more than 10000 keys; write them out"; got != want {
		t.Errorf("got %.200s, want %s", got, want)
	}
}

func TestLoad_boundsTheFile(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		write(t, folder, "big.yaml", strings.Repeat("# padding\n", 110_000)): "reading the configuration: big.yaml is larger than 1024 KiB; is it the right file?",
		filepath.Join(folder, "none.yaml"):                                   "reading the configuration: there is no file none.yaml; create it or correct its name",
		pipe:                                                                 "reading the configuration: pipe is a pipe, socket or device; name a regular file",
	} {
		if diff := cmp.Diff(want, loadError(t, config.Options{File: file})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func TestLoad_boundsTheNumberOfProblems(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, "unknown%d: 1\n", i)
	}
	text := loadError(t, config.Options{File: write(t, t.TempDir(), "c.yaml", b.String())})
	if n := strings.Count(text, "\n"); n > 150 {
		t.Errorf("%d lines", n)
	}
}

func TestError_Error(t *testing.T) {
	one := &config.Error{Problems: []config.Problem{{File: "a.yaml", Line: 3, Path: "x.y", Text: "wrong"}}}
	if want := "the configuration has 1 problem:\na.yaml:3: x.y: wrong"; one.Error() != want {
		t.Errorf("got %q", one.Error())
	}
	two := &config.Error{Problems: []config.Problem{{Path: "x", Text: "a"}, {File: "flag --b", Text: "c"}}}
	if want := "the configuration has 2 problems:\nx: a\nflag --b: c"; two.Error() != want {
		t.Errorf("got %q", two.Error())
	}
}

func diffConfig(want, got config.Config) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".files" }, cmp.Ignore()))
}

func TestLoad_reachableReceiverNeedsCredentials(t *testing.T) {
	file := write(t, t.TempDir(), "c.yaml", minimal+"receivers:\n  - name: am\n    auth: {insecure_none: true}\n  - name: open\n    auth: {}\n")
	got := loadError(t, config.Options{File: file, Overrides: config.Overrides{WebListenAddress: ":9876"}})
	want := `c.yaml:11: receivers[1].auth: receiver "open" asks for no credentials, but others on the network reach :9876; ` +
		`set bearer_token, basic, hmac or client_san, or listen on 127.0.0.1, or set insecure_none: true if everybody may send alerts`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	for _, address := range []string{"127.0.0.1:1", "127.8.0.1:1", "[::1]:1", "localhost:0"} {
		if _, err := config.Load(config.Options{File: file, Overrides: config.Overrides{WebListenAddress: address}}); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// Reading needs no token, so who reaches the address sees all alarms.
func TestLoad_warnsOfAReachableAdminAPI(t *testing.T) {
	file := write(t, t.TempDir(), "c.yaml", minimal)
	for address, warned := range map[string]bool{
		":9877": true, "0.0.0.0:9877": true, "[::]:9877": true, "10.0.0.1:9877": true, "host.example:9877": true,
		"127.0.0.1:9877": false, "[::1]:9877": false, "localhost:9877": false, "unix:/run/x.sock": false,
	} {
		c, err := config.Load(config.Options{File: file, Overrides: config.Overrides{AdminListenAddress: address}})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(c.Warnings) == 1 && strings.Contains(c.Warnings[0], "others on the network reach "+address); got != warned {
			t.Errorf("%s: warnings %q", address, c.Warnings)
		}
	}
}

func TestLoad_settingsWithoutAKey(t *testing.T) {
	for _, c := range []struct {
		name    string
		environ []string
		flags   config.Overrides
		want    string
	}{
		{"level", sidecar("COCBRIDGE_LOG_LEVEL=loud"), config.Overrides{}, `environment COCBRIDGE_LOG_LEVEL: log_level: "loud" is not a level; write debug, info, warn or error`},
		{"level by flag", sidecar(), config.Overrides{LogLevel: "loud"}, `flag --log.level: log_level: "loud" is not a level; write debug, info, warn or error`},
		{"web", sidecar(), config.Overrides{WebListenAddress: "9876"}, `flag --web.listen-address: web_listen_address: "9876" is not an address to listen on; write host:port, such as 127.0.0.1:9876 or :9876`},
		{"port", sidecar(), config.Overrides{WebListenAddress: "localhost:98765"}, `flag --web.listen-address: web_listen_address: "98765" is not a port between 0 and 65535; write host:port, such as 127.0.0.1:9876 or :9876`},
		{"socket", sidecar(), config.Overrides{AdminListenAddress: "unix:"}, `flag --admin.listen-address: admin_listen_address: the path of the socket is missing; write unix:/run/cocbridge/admin.sock`},
		{"the same twice", sidecar(), config.Overrides{AdminListenAddress: "127.0.0.1:9876"}, `flag --admin.listen-address: admin_listen_address: the webhooks listen there too; choose another port`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, loadError(t, config.Options{Environ: c.environ, Overrides: c.flags})); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
