package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/config"
)

func TestLoad_environmentAlone(t *testing.T) {
	c, err := config.Load(config.Options{Environ: sidecar(
		"COCBRIDGE_SITE=intl", "COCBRIDGE_ENDPOINT=https://coc.example.com", "COCBRIDGE_PROJECT_ID=p1", "COCBRIDGE_BEARER_TOKEN=B",
		"COCBRIDGE_STORAGE_PATH=/s", "COCBRIDGE_WEB_LISTEN_ADDRESS=:1", "COCBRIDGE_ADMIN_LISTEN_ADDRESS=unix:/a", "COCBRIDGE_LOG_LEVEL=warn",
	)})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{
		c.COC.Site, c.COC.Region, c.COC.Endpoint, c.COC.ProjectID, c.COC.Auth.AccessKey, c.COC.Auth.SecretKey.Reveal(),
		c.Integrations[0].Name, c.Integrations[0].Key.Reveal(), *c.Mapping.ApplicationID.Value, c.Receivers[0].Name,
		c.Receivers[0].Auth.BearerToken.Reveal(), c.Store.Path, c.WebListenAddress, c.AdminListenAddress, c.LogLevel,
	}
	want := strings.Fields("intl cn-north-4 https://coc.example.com p1 AK SK default abc123 app1 alertmanager B /s :1 unix:/a warn")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestLoad_environmentSetsTheFirstOfAList(t *testing.T) {
	c := load(t, strings.Replace(minimal, "mapping", "  - {name: second, key: def456}\nmapping", 1)+"receivers: [{name: a}, {name: b}]\n",
		"COCBRIDGE_INTEGRATION_KEY=new", "COCBRIDGE_BEARER_TOKEN=B", "COCBRIDGE_APPLICATION_ID=app2")
	if c.Integrations[0].Key.Reveal() != "new" || c.Integrations[1].Key.Reveal() != "def456" || len(c.Integrations) != 2 {
		t.Errorf("integrations: %+v", c.Integrations)
	}
	if c.Receivers[0].Auth.BearerToken.Reveal() != "B" || c.Receivers[1].Auth.BearerToken != "" {
		t.Errorf("receivers: %+v", c.Receivers)
	}
	if *c.Mapping.ApplicationID.Value != "app2" {
		t.Errorf("application_id: %q", *c.Mapping.ApplicationID.Value)
	}
}

func TestLoad_environmentReplacesBothTwins(t *testing.T) {
	folder := t.TempDir()
	secret := write(t, folder, "secret", "from file\n")
	file := write(t, folder, "c.yaml", strings.Replace(minimal, "secret_key: SK", "secret_key_file: gone", 1))
	for _, c := range []struct{ name, variable, want string }{
		{"text over file", "COCBRIDGE_SECRET_KEY=text", "text"},
		{"file over file", "COCBRIDGE_SECRET_KEY_FILE=" + secret, "fromfile"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(t, folder, "secret", "fromfile\n")
			got, err := config.Load(config.Options{File: file, Environ: []string{c.variable}})
			if err != nil {
				t.Fatal(err)
			}
			if got.COC.Auth.SecretKey.Reveal() != c.want {
				t.Errorf("got %q", got.COC.Auth.SecretKey.Reveal())
			}
		})
	}
	t.Run("file over text", func(t *testing.T) {
		c := load(t, minimal, "COCBRIDGE_SECRET_KEY_FILE="+secret, "COCBRIDGE_ACCESS_KEY_FILE="+secret)
		if c.COC.Auth.SecretKey.Reveal() != "fromfile" || c.COC.Auth.AccessKey != "fromfile" {
			t.Errorf("got %q and %q", c.COC.Auth.SecretKey.Reveal(), c.COC.Auth.AccessKey)
		}
	})
	t.Run("relative to the working folder", func(t *testing.T) {
		t.Chdir(folder)
		c := load(t, minimal, "COCBRIDGE_SECRET_KEY_FILE=secret")
		if diff := cmp.Diff([]string{secret}, c.SecretFiles()); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	})
}

func TestLoad_environmentProblems(t *testing.T) {
	secret := write(t, t.TempDir(), "secret", "x")
	for _, c := range []struct {
		name    string
		environ []string
		want    string
	}{
		{
			"both twins", sidecar("COCBRIDGE_SECRET_KEY_FILE=" + secret),
			"environment COCBRIDGE_SECRET_KEY_FILE: coc.auth.secret_key_file: give either secret_key or secret_key_file, not both",
		},
		{
			"a file that is not there", append(sidecar()[:3:3], "COCBRIDGE_SECRET_KEY_FILE=/none", "COCBRIDGE_INTEGRATION_KEY=a1", "COCBRIDGE_APPLICATION_ID=a"),
			"environment COCBRIDGE_SECRET_KEY_FILE: coc.auth.secret_key_file: there is no file /none; create it or correct its name",
		},
		{
			"a misspelt variable", sidecar("COCBRIDGE_ACCES_KEY=x"),
			`environment COCBRIDGE_ACCES_KEY: this variable is unknown; did you mean "COCBRIDGE_ACCESS_KEY"?`,
		},
		{
			"a value that does not pass", sidecar("COCBRIDGE_SITE=mars"),
			`environment COCBRIDGE_SITE: coc.site: "mars" is not a site of COC; write cn, intl or eu`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, loadError(t, config.Options{Environ: c.environ})); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// The packages' service names the file of the secret key, whatever the method.
func TestLoad_anEmptyFileOfAKeyThatIsNotUsed(t *testing.T) {
	empty := write(t, t.TempDir(), "secret_key", "\n")
	agency := strings.Replace(minimal, "access_key: AK, secret_key: SK", "method: agency", 1)
	c := load(t, agency, "COCBRIDGE_SECRET_KEY_FILE="+empty)
	if c.COC.Auth.SecretKeyFile != "" || c.COC.Auth.SecretKey != "" {
		t.Errorf("%+v", c.COC.Auth)
	}
	for name, tt := range map[string]struct{ text, file, want string }{
		"a secret that is not used": {agency, write(t, t.TempDir(), "secret_key", "SK"), "method agency does not use it; remove it"},
		"a key that is used":        {minimal, empty, "is empty; write the secret into it"},
	} {
		file := write(t, t.TempDir(), "c.yaml", tt.text)
		if got := loadError(t, config.Options{File: file, Environ: []string{"COCBRIDGE_SECRET_KEY_FILE=" + tt.file}}); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestLoad_nothingAtAllNamesTheVariables(t *testing.T) {
	got := loadError(t, config.Options{})
	for _, name := range []string{"ACCESS_KEY", "SECRET_KEY", "INTEGRATION_KEY", "APPLICATION_ID"} {
		if !strings.Contains(got, "environment COCBRIDGE_"+name+": ") {
			t.Errorf("no line is about COCBRIDGE_%s:\n%s", name, got)
		}
	}
}

// A Kubernetes Service named cocbridge puts these into every container of its
// namespace; they must not keep the daemon from starting.
func TestLoad_serviceLinksAreNotOurs(t *testing.T) {
	_, err := config.Load(config.Options{Environ: sidecar(
		"COCBRIDGE_SERVICE_HOST=10.0.0.1", "COCBRIDGE_SERVICE_PORT=9876", "COCBRIDGE_SERVICE_PORT_HTTP_WEB=9876",
		"COCBRIDGE_PORT=tcp://10.0.0.1:9876", "COCBRIDGE_PORT_9876_TCP=tcp://10.0.0.1:9876", "COCBRIDGE_PORT_9876_TCP_PROTO=tcp",
		"COCBRIDGE_PORT_9876_TCP_PORT=9876", "COCBRIDGE_PORT_9876_TCP_ADDR=10.0.0.1", "COCBRIDGE_ADMIN_SERVICE_HOST=10.0.0.1",
		"COCBRIDGE_WEB_PORT_9876_UDP_ADDR=10.0.0.1", "COCBRIDGEX=1", "OTHER=1",
	)})
	if err != nil {
		t.Error(err)
	}
}

func TestLoad_emptyUnknownVariableIsIgnored(t *testing.T) {
	if _, err := config.Load(config.Options{Environ: sidecar("COCBRIDGE_FOO=")}); err != nil {
		t.Error(err)
	}
}
