package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// server is a running serve with the simulated COC it tells.
type server struct {
	t      *testing.T
	sim    *coctest.Server
	web    string
	folder string // of the configuration; the store lies in it
	admin  string
	run    *running
}

// startDaemon runs serve with testdata-like configuration plus extra.
func startDaemon(t *testing.T, extra string, socket bool) *server {
	t.Helper()
	sim := coctest.New(coctest.Options{Keys: []string{demoKey}, AccessKey: demoAccessKey, SecretKey: demoSecretKey, Refresh: 30 * time.Minute})
	srv := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); srv.Close() })
	d := &server{t: t, sim: sim, folder: t.TempDir(), admin: "127.0.0.1:0"}
	if socket {
		d.admin = "unix:" + shortPath(t)
	}
	d.configure(srv.URL, extra)
	d.run = start(t, nil, "serve", "--config.file="+d.file(), "--web.listen-address=127.0.0.1:0", "--admin.listen-address="+d.admin, "--log.format=json")
	ready := d.run.stderr.wait(t, `"msg":"ready","web":"([^"]+)","admin":"([^"]+)"`)
	d.web = ready[1]
	if !socket {
		d.admin = ready[2]
	}
	return d
}

func (d *server) file() string { return filepath.Join(d.folder, "config.yaml") }

func (d *server) configure(endpoint, extra string) {
	d.t.Helper()
	text := fmt.Sprintf("coc: {endpoint: %s, auth: {access_key: %s, secret_key: %s}}\nintegrations: [{name: default, key: %s}]\nmapping: {application_id: app-1}\nstore: {path: %s}\n%s",
		endpoint, demoAccessKey, demoSecretKey, demoKey, filepath.Join(d.folder, "data"), extra)
	if err := os.WriteFile(d.file(), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// ask runs a command against the daemon.
func (d *server) ask(args ...string) outcome {
	d.t.Helper()
	return execute(d.t, "", append(args, "--config.file="+d.file(), "--admin.listen-address="+d.admin)...)
}

// says asks and checks exit code and answer, a regular expression over the lines.
func (d *server) says(code int, pattern string, args ...string) outcome {
	d.t.Helper()
	got := d.ask(args...)
	if got.code != code || !regexp.MustCompile(`(?ms)`+pattern).MatchString(got.stdout+got.stderr) {
		d.t.Errorf("%s: exit code %d, want %d and %s\n%s%s", strings.Join(args, " "), got.code, code, pattern, got.stdout, got.stderr)
	}
	return got
}

// post sends one alert; the texts are parts of JSON.
func (d *server) post(name, fingerprint string) {
	d.t.Helper()
	send(d.t, http.MethodPost, "http://"+d.web+"/webhook/alertmanager", `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"`+name+
		`","severity":"critical","instance":"web-1"},"startsAt":"2026-11-21T12:00:00Z","fingerprint":"`+fingerprint+`"}]}`)
}

// arrived waits until COC has n alarms, and nothing waits.
func (d *server) arrived(n int) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	if err := d.sim.Wait(ctx, func(s *coctest.Server) bool { return len(s.Alarms()) >= n }); err != nil {
		d.t.Fatalf("%d alarms do not arrive: %v; %v", n, err, d.sim.Refusals())
	}
	for ctx.Err() == nil { // until the answers are on disk as well
		if d.ask("queue", "list").stdout == "nothing waits\n" {
			return
		}
	}
	d.t.Fatal("they are not settled")
}

// The life of a dead letter, from the shell.
func TestHands_deadLetters(t *testing.T) {
	const nowhere = "delivery: {report_trouble: false}\nroutes: [{matchers: ['owner!=\"\"'], integration: default}]\n"
	d := startDaemon(t, nowhere, true)
	d.says(exitOK, `^no dead letters$`, "dead", "list")
	d.post("Disk", "00000000000000aa")
	d.post("Other\\u001b[2J", "00000000000000bb")
	d.says(exitOK, `^ID +LAST +CAUSE +COUNT +INTEGRATION +NAME +ALARM_ID$.*^1 +\S+Z +mapping_routes +1 +- +Disk +[0-9a-f]{32}$.*^2 +.*Other�\[2J`, "dead", "list")
	d.says(exitOK, `^dead letter: 1$.*^cause: mapping_routes$.*^alert: \{$.*"alertname": "Disk"`, "dead", "show", "1")
	d.says(exitOther, `there is no dead letter 9`, "dead", "show", "9")
	d.says(exitUsage, `invalid: say which dead letters: numbers, a filter such as --reason, or --all`, "dead", "replay")
	d.says(exitOther, `^ID +RESULT +ALARM_ID +DETAIL$.*^1 +unmapped .*replay it with --remap$.*^2 unmapped$.*^cocbridge: nothing was replayed \(2 unmapped\): what is listed stays`, "dead", "replay", "--all")
	d.says(exitOther, `"result":"unmapped".*^cocbridge: nothing was replayed \(2 unmapped\)`, "dead", "replay", "--all", "-o", "json")
	d.says(exitUsage, `--why`, "dead", "drop", "2")
	d.says(exitOK, `^1 dropped$`, "dead", "drop", "2", "--why=a joke")
	exported := d.says(exitOK, `"alertname":"Disk"`, "dead", "export", "--reason=mapping_routes", "--newer-than=1d")
	var letter struct {
		ID   uint64
		Task struct{ Alert struct{ Fingerprint string } }
	}
	if err := json.Unmarshal([]byte(exported.stdout), &letter); err != nil || letter.ID != 1 || letter.Task.Alert.Fingerprint != "00000000000000aa" {
		t.Errorf("%+v, %v: %s", letter, err, exported.stdout)
	}
	text, err := os.ReadFile(d.file())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.file(), []byte(strings.ReplaceAll(string(text), `['owner!=""']`, "[]")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.run.stderr.wait(t, "configuration reloaded")
	d.says(exitOK, `^1 replayed$`, "dead", "replay", "1", "--remap")
	d.arrived(1)
	d.says(exitOK, `^no dead letters$`, "dead", "list")
	// On a Unix socket the kernel names who did it.
	d.run.stderr.wait(t, `"msg":"dead letters dropped by hand","actor":"`+regexp.QuoteMeta(me())+`","count":1,"why":"a joke"`)
	d.run.stop()
}

func TestHands_queueAlarmAndWhy(t *testing.T) {
	d := startDaemon(t, "", false)
	d.says(exitOK, `^nothing waits$`, "queue", "list")
	d.says(exitOK, `^no alarms$`, "alarm", "list")
	d.says(exitOK, `^no record: never received`, "why", "alertname=Disk")
	d.sim.Inject(coctest.Fault{Status: 401})
	d.post("Disk", "00000000000000aa")
	d.run.stderr.wait(t, "gate closed")
	// From here on a probe is under way now and then.
	d.shows(`^ID +STATE .*^1 +waiting +.* default +Disk +[0-9a-f]{32}`, "queue", "list")
	d.says(exitOK, `^task: 1$.*^alarm: \{$.*"alarmName": "Disk"`, "queue", "show", "1")
	d.says(exitOther, `not found: task 7: it was sent, or became a dead letter, or never was`, "queue", "show", "7")
	d.shows(`^report +1 +0 +0 .*^default +closed: auth +\S+Z +1 +20 +coc: report alarm: HTTP 401.*^store: \d+ of \d+ bytes used`, "queue", "stats")
	d.shows(`^gate of integration default closed since \S+Z \(auth\).*^  task 1: new for default, waiting`, "why", "alertname=Disk", "instance=web-1")
	d.sim.ClearFaults()
	d.arrived(1)
	why := d.says(exitOK, `^sent: COC took firing at \S+Z with request id`, "why", "00000000000000aa")
	alarmID := regexp.MustCompile(`alarm ([0-9a-f]{32})`).FindStringSubmatch(why.stdout)[1]
	d.says(exitOK, `^`+alarmID+` +firing +firing +\S+Z +0 +default +Critical +Disk +web-1$`, "alarm", "list", "--firing")
	d.says(exitOK, `^in COC: firing$.*^AT +WHAT +DETAIL$.*new +default$.*sent `, "alarm", "show", alarmID)
	d.says(exitOther, `not found: the ledger has no alarm "x": ask why`, "alarm", "show", "x")
	d.says(exitUsage, `--why`, "alarm", "close", alarmID)
	d.says(exitOK, `^closed: COC is being told that it is over`, "alarm", "close", alarmID, "--why=known")
	d.arrived(2)
	d.says(exitOK, `"verdict": "sent"`, "why", alarmID, "-o", "json")
	d.says(exitUsage, `invalid: ask for one alarmId or fingerprint`, "why", "a", "b")
	// On TCP a change needs the token, which lies in the store's folder.
	if err := os.Rename(filepath.Join(d.folder, "data", "admin.token"), filepath.Join(d.folder, "gone")); err != nil {
		t.Fatal(err)
	}
	d.says(exitOther, `admin.token: no such file or directory; a change needs the token of the running daemon`, "alarm", "close", alarmID, "--why=known")
	if err := os.WriteFile(filepath.Join(d.folder, "data", "admin.token"), []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.says(exitOther, `the admin token is needed`, "alarm", "close", alarmID, "--why=known")
	d.run.stop()
}

// runsNothing is a rule whose runs are held back: its receiver asks for no credentials.
const runsNothing = `rules: [{name: restart, script: {uuid: SC1, targets: {hosts: [{resource_id: web-1}]}}}]
`

func TestHands_whyNothingRan(t *testing.T) {
	d := startDaemon(t, runsNothing, false)
	send(t, http.MethodPost, "http://"+d.web+"/webhook/alertmanager", fmt.Sprintf(`{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Disk"},"startsAt":%q}]}`,
		time.Now().UTC().Format(time.RFC3339Nano)))
	d.arrived(1)
	d.run.stderr.wait(t, "run not called")
	why := d.says(exitOK, `^sent: COC took firing at .*^  script of rule restart: refused since \S+Z, not_called, receiver_not_authenticated, receiver "alertmanager" asks for no credentials`, "why", "alertname=Disk")
	alarmID := regexp.MustCompile(`alarm ([0-9a-f]{32})`).FindStringSubmatch(why.stdout)[1]
	d.says(exitOK, `^run: script [0-9a-f]{32}$.*^of rule: restart$.*^its state: refused since \S+Z$.*^outcome: not_called$.*^reason: receiver_not_authenticated$.*^AT +WHAT`, "alarm", "show", alarmID)
	d.says(exitOK, `"reason": "receiver_not_authenticated"`, "why", alarmID, "-o", "json")
	d.run.stop()
}

func TestSendTest_provesThePath(t *testing.T) {
	d := startDaemon(t, "", false)
	d.says(exitOK, `^queued: alarm [0-9a-f]{32}, firing, for integration default$.*^sent: COC took firing at \S+Z with request id \S+ \(.*s\)$.*^sent: COC took resolved at .*^COC took both`, "send-test")
	d.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Message: "no such application"})
	d.says(exitOther, `dead letter 1 since .*no such application`, "send-test")
	d.sim.ClearFaults()
	d.sim.Inject(coctest.Fault{Status: 401})
	d.says(exitOther, `not confirmed within 1s: (gate of integration default closed since|waiting: )`, "send-test", "--timeout=1s")
	d.run.stop()
}

func TestHealthcheck(t *testing.T) {
	d := startDaemon(t, "", false)
	if got := execute(t, "", "healthcheck", "--web.listen-address="+d.web); got.code != exitOK || got.stdout+got.stderr != "" {
		t.Errorf("%+v", got)
	}
	_, port, _ := strings.Cut(d.web, ":")
	for _, listen := range []string{":" + port, "0.0.0.0:" + port} { // what a container listens on
		if got := execute(t, "", "healthcheck", "--web.listen-address="+listen); got.code != exitOK {
			t.Errorf("%s: %+v", listen, got)
		}
	}
	d.run.stop()
	if got := execute(t, "", "healthcheck", "--web.listen-address="+d.web); got.code != exitOther || !strings.Contains(got.stderr, "not healthy: ") {
		t.Errorf("%+v", got)
	}
	if got := execute(t, "", "healthcheck", "--web.listen-address=nonsense"); got.code != exitUsage {
		t.Errorf("%+v", got)
	}
}

func TestHands_noDaemon(t *testing.T) {
	for _, args := range [][]string{{"queue", "stats"}, {"dead", "list"}, {"why", "x"}} {
		got := execute(t, "", append(args, "--admin.listen-address=127.0.0.1:1")...)
		if got.code != exitOther || !strings.Contains(got.stderr, "no cocbridge answers at 127.0.0.1:1: ") || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%q: %+v", args, got)
		}
	}
}
