package config

import (
	"bytes"
	"context"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/sethvargo/go-envconfig"

	"github.com/cocbridge/cocbridge/internal/forwarder"
	"github.com/cocbridge/cocbridge/internal/mapping"
	"github.com/cocbridge/cocbridge/internal/secret"
)

const prefix = "COCBRIDGE_"

// overlay points at everything in a Config that a variable can set. Its path
// tags say where that is; X and XFile are twins.
type overlay struct {
	Site               *string        `env:"SITE" path:"coc.site"`
	Region             *string        `env:"REGION" path:"coc.region"`
	Endpoint           *string        `env:"ENDPOINT" path:"coc.endpoint"`
	ProjectID          *string        `env:"PROJECT_ID" path:"coc.project_id"`
	AccessKey          *string        `env:"ACCESS_KEY" path:"coc.auth.access_key"`
	AccessKeyFile      *string        `env:"ACCESS_KEY_FILE" path:"coc.auth.access_key_file"`
	SecretKey          *secret.String `env:"SECRET_KEY" path:"coc.auth.secret_key"`
	SecretKeyFile      *string        `env:"SECRET_KEY_FILE" path:"coc.auth.secret_key_file"`
	IntegrationKey     *secret.String `env:"INTEGRATION_KEY" path:"integrations[0].key"`
	IntegrationKeyFile *string        `env:"INTEGRATION_KEY_FILE" path:"integrations[0].key_file"`
	ApplicationID      *string        `env:"APPLICATION_ID" path:"mapping.application_id"`
	BearerToken        *secret.String `env:"BEARER_TOKEN" path:"receivers[0].auth.bearer_token"`
	BearerTokenFile    *string        `env:"BEARER_TOKEN_FILE" path:"receivers[0].auth.bearer_token_file"`
	StoragePath        *string        `env:"STORAGE_PATH" path:"store.path"`
	WebListenAddress   *string        `env:"WEB_LISTEN_ADDRESS" path:"web_listen_address"`
	AdminListenAddress *string        `env:"ADMIN_LISTEN_ADDRESS" path:"admin_listen_address"`
	LogLevel           *string        `env:"LOG_LEVEL" path:"log_level"`
}

// overlayEnvironment writes what the environment sets over what the file set.
// A key of an integration goes to the first one, which is created when there is
// none; a bearer token to the first receiver. Empty variables count as unset.
func (l *loader) overlayEnvironment(environ []string) {
	set := l.variables(environ)
	if len(set) == 0 {
		return
	}
	_, key := set["INTEGRATION_KEY"]
	_, keyFile := set["INTEGRATION_KEY_FILE"]
	if len(l.config.Integrations) == 0 && (key || keyFile) {
		first := forwarder.DefaultIntegration()
		first.Name = "default"
		l.config.Integrations = append(l.config.Integrations, first)
	}
	o := l.overlay()
	err := envconfig.ProcessWith(context.Background(), &envconfig.Config{
		Target: &o, Lookuper: envconfig.MapLookuper(set), DefaultOverwrite: true, DefaultNoInit: true,
	})
	if err != nil {
		l.problems = append(l.problems, Problem{File: "environment", Text: err.Error()})
	}
	if o.ApplicationID != nil {
		l.config.Mapping.ApplicationID = &mapping.Field{Value: o.ApplicationID}
	}
	l.settleTwins(reflect.ValueOf(o), set)
	l.leaveOutKeys(o, set)
}

// leaveOutKeys takes a variable that names an empty file for unset where no keys are
// used: the packages' service names the file of the secret key in any case.
func (l *loader) leaveOutKeys(o overlay, set map[string]string) {
	if l.config.COC.Auth.UsesKeys() {
		return
	}
	for name, file := range map[string]*string{"ACCESS_KEY_FILE": o.AccessKeyFile, "SECRET_KEY_FILE": o.SecretKeyFile} {
		if data, _, err := readFile(*file, maxSecret); set[name] != "" && err == nil && len(bytes.TrimSpace(data)) == 0 {
			*file = ""
		}
	}
}

// overlay returns the pointers. ApplicationID stays nil: its place is made
// when a value is known.
func (l *loader) overlay() overlay {
	c := &l.config
	o := overlay{
		Site: &c.COC.Site, Region: &c.COC.Region, Endpoint: &c.COC.Endpoint, ProjectID: &c.COC.ProjectID,
		AccessKey: &c.COC.Auth.AccessKey, AccessKeyFile: &c.COC.Auth.AccessKeyFile,
		SecretKey: &c.COC.Auth.SecretKey, SecretKeyFile: &c.COC.Auth.SecretKeyFile,
		StoragePath: &c.Store.Path, WebListenAddress: &c.WebListenAddress,
		AdminListenAddress: &c.AdminListenAddress, LogLevel: &c.LogLevel,
	}
	if len(c.Integrations) > 0 {
		o.IntegrationKey, o.IntegrationKeyFile = &c.Integrations[0].Key, &c.Integrations[0].KeyFile
	}
	if len(c.Receivers) > 0 {
		o.BearerToken, o.BearerTokenFile = &c.Receivers[0].Auth.BearerToken, &c.Receivers[0].Auth.BearerTokenFile
	}
	return o
}

// settleTwins remembers where each value came from, and lets a variable replace
// both twins of the file. Names of files are taken from the working folder.
func (l *loader) settleTwins(o reflect.Value, set map[string]string) {
	for f := range o.Type().Fields() {
		name := f.Tag.Get("env")
		if _, ok := set[name]; !ok {
			continue
		}
		l.sources[f.Tag.Get("path")] = "environment " + prefix + name
		twin, isFile := strings.CutSuffix(name, "_FILE")
		if !isFile {
			twin = name + "_FILE"
		}
		if file := o.FieldByIndex(f.Index); isFile && !file.IsNil() {
			if path, err := filepath.Abs(file.Elem().String()); err == nil {
				file.Elem().SetString(path)
			}
		}
		if _, both := set[twin]; !both {
			clearTwin(o, twin)
		}
	}
}

// clearTwin empties the field of the named variable, if there is one.
func clearTwin(o reflect.Value, name string) {
	for f := range o.Type().Fields() {
		if v := o.FieldByIndex(f.Index); f.Tag.Get("env") == name && !v.IsNil() {
			v.Elem().SetZero()
		}
	}
}

// serviceLink matches the variables that Kubernetes puts into every container
// for a Service whose name begins with cocbridge.
var serviceLink = regexp.MustCompile(`^COCBRIDGE_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$`)

// variables returns ours without their prefix. One that nothing reads is a
// problem, as an unknown key of the file is.
func (l *loader) variables(environ []string) map[string]string {
	set := map[string]string{}
	known := variableNames()
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		short, ours := strings.CutPrefix(name, prefix)
		switch {
		case !ours || value == "":
		case slices.Contains(known, short):
			set[short] = value
		case !serviceLink.MatchString(name):
			full := make([]string, len(known))
			for i, k := range known {
				full[i] = prefix + k
			}
			_, hint := suggest(name, full)
			l.problems = append(l.problems, Problem{File: "environment " + name, Text: "this variable is unknown; " + hint})
		}
	}
	return set
}

func variableNames() []string {
	var list []string
	for f := range reflect.TypeFor[overlay]().Fields() {
		list = append(list, f.Tag.Get("env"))
	}
	return list
}

// variableFor returns the variable that would set path, for people who have no
// file; empty when there is none.
func variableFor(path string) string {
	for f := range reflect.TypeFor[overlay]().Fields() {
		at := f.Tag.Get("path")
		if at == path || strings.HasPrefix(at, path+"[") {
			return prefix + f.Tag.Get("env")
		}
	}
	return ""
}
