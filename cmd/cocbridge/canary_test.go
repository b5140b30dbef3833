package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// canaries are secrets that must be found nowhere.
var canaries = map[string]string{
	"secret_key":      "canarysecretkeycanarysecretkey",
	"integration_key": "canaryintegrationkeycanary",
	"bearer_token":    "canarybearertokencanary",
	"basic_password":  "canarybasicpasswordcanary",
	"iam_password":    "canaryiampasswordcanary",
	"admin_token":     "canaryadmintokencanary",
}

const canaryConfig = `coc:
  endpoint: SIM
  region: cn-north-4
  auth: {access_key: AK, secret_key_file: secret_key}
  auth_fallback: {method: token, user: joe, password_file: iam_password, domain: acme, iam_endpoint: SIM}
receivers:
  - name: alertmanager
    auth: {bearer_token_file: bearer_token, basic: {username: u, password_file: basic_password}}
integrations: [{name: default, key_file: integration_key}]
mapping: {application_id: app-1}
store: {path: data}
`

// process is a cocbridge of its own.
type process struct {
	cmd  *exec.Cmd
	text *screen // what it prints
}

func startProcess(t *testing.T, folder string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0], args...), text: newScreen()}
	p.cmd.Dir, p.cmd.Env = folder, []string{asCocbridge + "=1", "PATH=" + os.Getenv("PATH"), "GOTRACEBACK=all"}
	p.cmd.Stdout, p.cmd.Stderr = p.text, p.text
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

// A process that meets trouble while COC throws our secrets back at us, and is
// asked everything that can be asked, until it is made to dump its stacks.
func TestSecrets_sixCanaries(t *testing.T) {
	folder := t.TempDir()
	sim := coctest.New(coctest.Options{Keys: []string{canaries["integration_key"]}, AccessKey: "AK", SecretKey: canaries["secret_key"]})
	srv := httptest.NewServer(sim)
	defer srv.Close()
	defer sim.Close()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, secret := range canaries {
		write(name, secret)
	}
	if err := os.Mkdir(filepath.Join(folder, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("data/admin.token", canaries["admin_token"])
	write("config.yaml", strings.ReplaceAll(canaryConfig, "SIM", srv.URL))
	p := startProcess(t, folder, "serve", "--config.file=config.yaml", "--web.listen-address=127.0.0.1:0", "--admin.listen-address=127.0.0.1:0", "--log.level=debug", "--log.format=json")
	ready := p.text.wait(t, `"msg":"ready","web":"([^"]+)","admin":"([^"]+)"`)
	seen := map[string]string{}
	all := strings.Join([]string{canaries["integration_key"], canaries["secret_key"], canaries["iam_password"]}, " ")
	sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Message: all, Times: 1})
	seen["answers"] += sayTo(t, ready[1], canaries["bearer_token"], `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Refused"},"startsAt":"2026-11-21T12:00:00Z","fingerprint":"01"}]}`)
	p.text.wait(t, `"msg":"dead letter"`)
	for deadline := time.Now().Add(patience); !strings.Contains(sayTo(t, ready[1]+"/metrics", "", ""), `cocbridge_dead_letters{kind="report"} 1`); { // it is logged before it is on disk
		if time.Now().After(deadline) {
			t.Fatal("the dead letter is not counted")
		}
	}
	sim.Inject(coctest.Fault{Status: 401, Code: "APIGW.0301", Message: all})
	sim.Inject(coctest.Fault{On: "/v3/auth/tokens", Status: 401, Message: all})
	seen["answers"] += sayTo(t, ready[1], canaries["bearer_token"], `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Kept"},"startsAt":"2026-11-21T12:00:00Z","fingerprint":"02"}]}`)
	p.text.wait(t, `"msg":"gate closed`)
	seen["answers"] += sayTo(t, ready[1], "wrong", "{}") + sayTo(t, ready[1], canaries["bearer_token"], canaries["basic_password"])
	for _, args := range [][]string{
		{"dead", "list"}, {"dead", "export"}, {"dead", "show", "1", "-o", "json"}, {"queue", "list"}, {"queue", "stats", "-o", "json"},
		{"queue", "show", "2"}, {"alarm", "list", "-o", "json"}, {"why", "alertname=Kept", "-o", "json"}, {"why", "alertname=Refused"}, {"why", "nobody"},
		{"dead", "drop", "1", "--why=x"}, {"dead", "drop", "99", "--why=x"}, {"send-test", "--timeout=300ms"},
	} {
		got := execute(t, "", append(args, "--admin.listen-address="+ready[2], "--config.file="+filepath.Join(folder, "config.yaml"), "--storage.path="+filepath.Join(folder, "data"))...)
		seen["commands"] += got.stdout + got.stderr
	}
	write("config.yaml", strings.ReplaceAll(canaryConfig, "SIM", srv.URL)+"nonsense: "+canaries["bearer_token"]+"\n")
	seen["commands"] += execute(t, "", "check-config", filepath.Join(folder, "config.yaml")).stderr
	seen["metrics"] = sayTo(t, ready[1]+"/metrics", "", "")
	seen["argv"] = read(t, fmt.Sprintf("/proc/%d/cmdline", p.cmd.Process.Pid))
	seen["its environment"] = read(t, fmt.Sprintf("/proc/%d/environ", p.cmd.Process.Pid))
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	if err != nil || len(children) == 0 {
		t.Fatalf("%v, %v", children, err)
	}
	for _, file := range children { // there is none that could inherit anything
		if text := read(t, file); text != "" {
			t.Errorf("it has the children %s", text)
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	seen["log and dump"], _ = p.text.read()
	seen["store"] = read(t, filepath.Join(folder, "data", "cocbridge.db")) + read(t, filepath.Join(folder, "data", "cocbridge.inflight"))
	hits := 0
	for name, secret := range canaries {
		for where, text := range seen {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
				if at := strings.Index(text, form); at >= 0 {
					hits++
					t.Errorf("%s is in %s: %.300q", name, where, text[max(0, at-200):])
				}
			}
		}
	}
	t.Logf("%d canaries, %d hits", len(canaries), hits)
	// The search must be able to find something.
	for where, text := range map[string]string{
		"log and dump": "SIGQUIT: quit", "metrics": "cocbridge_tasks", "answers": "not authorized", "commands": "Refused",
		"store": "Kept", "argv": "serve", "its environment": asCocbridge,
	} {
		if !strings.Contains(seen[where], text) {
			t.Errorf("%q is not in %s, so nothing was looked at: %.500q", text, where, seen[where])
		}
	}
}

// sayTo asks the web address with the bearer token; an address with a path is read.
func sayTo(t *testing.T, address, token, body string) string {
	t.Helper()
	method, url := http.MethodPost, "http://"+address+"/webhook/alertmanager"
	if strings.Contains(address, "/") {
		method, url = http.MethodGet, "http://"+address
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	if err := resp.Write(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
