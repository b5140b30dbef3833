package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/alecthomas/kingpin/v2"
)

// starting is what a first configuration must know.
type starting struct {
	File string

	Site, Region, ProjectID  string
	Method                   string
	AccessKey, SecretKeyFile string
	User, PasswordFile       string
	Domain                   string
	IntegrationKeyFile       string
	ApplicationID            string
	BearerTokenFile          string
}

func initCommand(app *kingpin.Application) (string, command) {
	var s starting
	cmd := app.Command("init", "Write a commented configuration to begin with. What the flags leave out is asked for on a terminal.")
	cmd.Arg("file", "The file to write; one that exists is left alone.").Default("cocbridge.yaml").StringVar(&s.File)
	cmd.Flag("site", "cn, intl or eu.").EnumVar(&s.Site, "cn", "intl", "eu")
	cmd.Flag("region", "The region of your project, such as cn-north-4.").StringVar(&s.Region)
	cmd.Flag("project-id", "The project's id; may be left empty with aksk, IAM is asked then.").StringVar(&s.ProjectID)
	cmd.Flag("auth.method", "aksk, token or agency.").EnumVar(&s.Method, "aksk", "token", "agency")
	cmd.Flag("access-key", "For aksk: the access key.").StringVar(&s.AccessKey)
	cmd.Flag("secret-key-file", "For aksk: the file that holds, or will hold, the secret key.").StringVar(&s.SecretKeyFile)
	cmd.Flag("user", "For token: the IAM user.").StringVar(&s.User)
	cmd.Flag("password-file", "For token: the file with the user's password.").StringVar(&s.PasswordFile)
	cmd.Flag("domain", "For token: the account the user belongs to.").StringVar(&s.Domain)
	cmd.Flag("integration-key-file", "The file that holds, or will hold, the integration key of the data source in COC.").StringVar(&s.IntegrationKeyFile)
	cmd.Flag("application-id", "The COC application that the alarms belong to.").StringVar(&s.ApplicationID)
	cmd.Flag("bearer-token-file", "The file with the token that senders show; without one only this host may send.").StringVar(&s.BearerTokenFile)
	return cmd.FullCommand(), func(_ context.Context, c console) error { return initialize(c, s) }
}

// question is one thing to know; those with needs are about one method only.
type question struct {
	flag, text, usual string
	answer            *string
	needs             string
}

func (s *starting) questions() []question {
	return []question{
		{flag: "site", text: "Site of Huawei Cloud: cn, intl or eu", usual: "cn", answer: &s.Site},
		{flag: "region", text: "Region of your project", usual: "cn-north-4", answer: &s.Region},
		{flag: "auth.method", text: "How to log in: aksk, token or agency", usual: "aksk", answer: &s.Method},
		{flag: "access-key", text: "Access key", answer: &s.AccessKey, needs: "aksk"},
		{flag: "secret-key-file", text: "File with the secret key", usual: "secret_key", answer: &s.SecretKeyFile, needs: "aksk"},
		{flag: "user", text: "IAM user", answer: &s.User, needs: "token"},
		{flag: "password-file", text: "File with its password", usual: "password", answer: &s.PasswordFile, needs: "token"},
		{flag: "domain", text: "Account (domain) of the user", answer: &s.Domain, needs: "token"},
		{flag: "integration-key-file", text: "File with the integration key", usual: "integration_key", answer: &s.IntegrationKeyFile},
		{flag: "application-id", text: "COC application id", answer: &s.ApplicationID},
	}
}

func initialize(c console, s starting) error {
	if _, err := os.Lstat(s.File); err == nil {
		return fmt.Errorf("%w: %s exists and is left alone: name another file", errUsage, s.File)
	}
	if err := s.complete(c); err != nil {
		return err
	}
	if err := s.write(); err != nil {
		return fmt.Errorf("write %s: %w", s.File, err)
	}
	fmt.Fprintf(c.stdout, "%s is written. Next:\n", s.File)
	for _, file := range s.missing() {
		fmt.Fprintf(c.stdout, "  put the secret into %s, readable by cocbridge alone (chmod 600)\n", file)
	}
	fmt.Fprintf(c.stdout, "  cocbridge check-config %s\n  cocbridge serve --config.file=%s\n  cocbridge send-test --config.file=%s\n", s.File, s.File, s.File)
	return nil
}

// complete asks for what the flags left out; where nobody can answer, that what
// has a usual value gets it and the rest is an error.
func (s *starting) complete(c console) error {
	in := bufio.NewScanner(c.stdin)
	var missing []string
	for _, q := range s.questions() {
		if *q.answer != "" || q.needs != "" && q.needs != s.Method {
			continue
		}
		for c.asks && *q.answer == "" {
			if !q.ask(c, in) {
				return fmt.Errorf("%w: the answers end before everything is known", errUsage)
			}
		}
		if *q.answer == "" {
			*q.answer = q.usual
		}
		if *q.answer == "" {
			missing = append(missing, "--"+q.flag)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: %s must be given, or run this on a terminal to be asked", errUsage, strings.Join(missing, ", "))
	}
	return nil
}

// ask puts the question once; an empty answer takes the usual one.
func (q question) ask(c console, in *bufio.Scanner) bool {
	fmt.Fprintf(c.stdout, "%s", q.text)
	if q.usual != "" {
		fmt.Fprintf(c.stdout, " [%s]", q.usual)
	}
	fmt.Fprint(c.stdout, ": ")
	if !in.Scan() {
		return false
	}
	*q.answer = firstOf(strings.TrimSpace(in.Text()), q.usual)
	return true
}

// missing lists the files with secrets that are not there yet.
func (s *starting) missing() (files []string) {
	for _, file := range []string{s.SecretKeyFile, s.PasswordFile, s.IntegrationKeyFile, s.BearerTokenFile} {
		path := file
		if !filepath.IsAbs(file) {
			path = filepath.Join(filepath.Dir(s.File), file)
		}
		if _, err := os.Stat(path); file != "" && errors.Is(err, fs.ErrNotExist) {
			files = append(files, path)
		}
	}
	return files
}

// write creates the file, for its owner only.
func (s *starting) write() error {
	f, err := os.OpenFile(s.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(startingConfig.Execute(f, s), f.Close())
}

// startingConfig quotes what was typed with %q, which YAML reads as JSON does.
var startingConfig = template.Must(template.New("").Parse(`# cocbridge: a configuration to begin with. config.example.yaml names every key.
# An unknown key is an error. Check this file with: cocbridge check-config

coc:
  site: {{ .Site }}
  region: {{ printf "%q" .Region }}
{{- if .ProjectID }}
  project_id: {{ printf "%q" .ProjectID }}
{{- else }}
  # The project's id. While it is empty IAM is asked for it by the region's name.
  #project_id: ""
{{- end }}
  auth:
    method: {{ .Method }}
{{- if eq .Method "aksk" }}
    access_key: {{ printf "%q" .AccessKey }}
    # Secrets stand in files of their own, mode 0600; a change of one is noticed.
    secret_key_file: {{ printf "%q" .SecretKeyFile }}
{{- else if eq .Method "token" }}
    user: {{ printf "%q" .User }}
    # Secrets stand in files of their own, mode 0600; a change of one is noticed.
    password_file: {{ printf "%q" .PasswordFile }}
    domain: {{ printf "%q" .Domain }}
{{- else }}
    # agency: the temporary keys of the agency that this ECS is bound to.
{{- end }}

# Who may send. Alertmanager posts to http://127.0.0.1:9876/webhook/alertmanager
# with send_resolved: true.
receivers:
  - name: alertmanager
{{- if .BearerTokenFile }}
    auth: {bearer_token_file: {{ printf "%q" .BearerTokenFile }}}
{{- else }}
    # Without credentials cocbridge listens on loopback addresses only.
    #auth: {bearer_token_file: bearer_token}
{{- end }}
    # An alarm of our own if nobody has sent anything for so long; 0 = off.
    #silent_after: 0

# The alarm data source in COC. Alarms refer to it by its name.
integrations:
  - name: default
    key_file: {{ printf "%q" .IntegrationKeyFile }}

# The first route whose matchers all match wins. Alertmanager's heartbeat is not
# for COC.
routes:
  - matchers: ['alertname="Watchdog"']
    drop: true
  - integration: default

# What an alarm says. Try it: cocbridge map --config.file=... < message.json
mapping:
  application_id: {{ printf "%q" .ApplicationID }}

# Where accepted alerts are kept until COC has them; relative to the working folder.
store:
  path: ./data
`))
