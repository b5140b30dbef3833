package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// bench is a simulated COC whose clock stands still, and a configuration that
// leads to it.
type bench struct {
	*coctest.Server
	config string
}

func newBench(t *testing.T, change func(o *coctest.Options)) bench {
	t.Helper()
	clock := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	o := furnished(coctest.Options{AccessKey: demoAccessKey, SecretKey: demoSecretKey, Now: func() time.Time { return clock }})
	o.IncidentDelay, o.IncidentPause, o.OrderStart = 0, 0, 0
	for i := range o.Hosts {
		o.Hosts[i].Takes = 0
	}
	for i := range o.Documents[0].Steps {
		o.Documents[0].Steps[i].Takes = 0
	}
	if change != nil {
		change(&o)
	}
	sim := coctest.New(o)
	socket := httptest.NewServer(sim)
	t.Cleanup(func() {
		sim.Close()
		socket.Close()
	})
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf(`coc:
  endpoint: %s
  auth: {access_key: %s, secret_key: %s}
  rate_limits: {tickets: 1000, execute: 1000, reads: 1000}
integrations: [{name: default, key: abc}]
mapping: {application_id: app}
`, socket.URL, demoAccessKey, demoSecretKey)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return bench{sim, file}
}

// coc runs one command below coc.
func (b bench) coc(t *testing.T, args ...string) outcome {
	t.Helper()
	return execute(t, "", b.args(args)...)
}

func (b bench) args(args []string) []string {
	return append([]string{"coc", "--config.file=" + b.config}, args...)
}

// changing is what differs from run to run.
var changing = regexp.MustCompile(`(request id |"request_id": ")[0-9a-f]{32}|(?m)^ +[0-9]+s  `)

// story compares all that commands print with a golden file.
func (b bench) story(t *testing.T, name string, steps ...string) {
	t.Helper()
	golden(t, name, b.tell(t, steps...))
}

// tell runs commands one after the other.
func (b bench) tell(t *testing.T, steps ...string) outcome {
	t.Helper()
	var all bytes.Buffer
	for _, step := range steps {
		got := b.coc(t, strings.Fields(step)...)
		fmt.Fprintf(&all, "$ cocbridge coc %s\n%s%s(exit code %d)\n\n", step, got.stdout, got.stderr, got.code)
	}
	text := changing.ReplaceAllStringFunc(all.String(), func(s string) string {
		if strings.HasSuffix(s, "s  ") {
			return "   0s  "
		}
		return s[:len(s)-32] + "ID"
	})
	return outcome{stdout: text}
}

const incident = "IM202603011200000000000001"

func TestCOC_incident(t *testing.T) {
	b := newBench(t, nil)
	const create = "incident create --title=disk --description=full --level=level_20 --creator=oncall --assignee=oncall"
	b.story(t, "coc-incident",
		create, // nobody can be asked
		create+" --dry-run",
		create+" --yes",
		"incident list", "incident list --title=cpu -o json", "incident list --simple",
		"incident get "+incident, "incident get "+incident+" -o json", "incident get IM9",
		"incident remark "+incident+" still-firing --yes",
		"incident accept "+incident+" --operator=nobody --yes",
		"incident accept "+incident+" --operator=oncall --yes -o json",
		"incident solve "+incident+" --operator=oncall --cause=logs --solution=removed --yes",
		"incident confirm "+incident+" --operator=oncall --comment=ok --dry-run",
		"incident confirm "+incident+" --operator=oncall --comment=ok --yes",
		"incident confirm "+incident+" --operator=oncall --comment=ok --yes",
		"incident list",
		"incident create --title=disk --description=full --level=level_20 --creator=oncall --yes",
	)
	if got := b.Incidents(); len(got) != 1 || got[0].Status != coctest.IncidentCompleted || len(got[0].Remarks) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestCOC_script(t *testing.T) {
	b := newBench(t, nil)
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // so that the commands name no folder
	content := map[string]string{"fix.sh": "echo fixed\n", "better.sh": "echo better\n", "empty.sh": ""}
	for name, text := range content {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const create = "script create fix_it --description=fixes --risk=LOW --script-version=1 --param=mode=fast --param=key=x --sensitive=key --file="
	const uuid = "SC20260301120000000000003"
	got := b.tell(t,
		"script list", "script show SC1", "script show SC2 -o json", "script show SC9",
		create+"fix.sh --dry-run", create+"empty.sh --yes", create+"nothing.sh --yes", create+"fix.sh --param=mode=slow --yes",
		create+"fix.sh", create+"fix.sh --yes", create+"fix.sh --yes",
		"script update "+uuid+" --description=better --risk=HIGH --script-version=2 --reviewer=ann=u1 --file=better.sh --yes", "script show "+uuid,
		"script run "+uuid+" --host=web-1 --yes",
		"script delete "+uuid, "script delete "+uuid+" --yes", "script delete "+uuid+" --yes", "script list --name=restart")
	t.Chdir(home)
	golden(t, "coc-script", got)
}

func TestCOC_order(t *testing.T) {
	b := newBench(t, nil)
	const order = "SCT20260301120000000000001"
	b.story(t, "coc-order",
		"script run SC1 --host=web-1 --param=service=php",
		"script run SC1 --host=web-1 --param=service=php --dry-run",
		"script run SC1 --host=web-1 --host=web-3 --host=web-9 --yes",
		"script run SC1 --host=web-1 --param=service=a;b --yes",
		"script run SC1 --host=web-1 --param=service=php --yes --follow",
		"script run SC1 --host=web-1 --host=web-2 --batch-size=1 --yes --follow -o json",
		"order list", "order list --status=FINISHED -o json", "order show "+order, "order show "+order+" --follow -o json",
		"order logs "+order, "order logs SCT9",
		"order cancel "+order+" --yes", "order cancel "+order,
		"order pause "+order+" --dry-run", "order continue "+order+" --dry-run", "order skip-batch "+order+" 2 --dry-run",
		"order cancel "+order+" --host=7 --dry-run",
	)
	if got := b.Orders(); len(got) != 2 || got[0].Params["service"] != "php" {
		t.Errorf("%+v", got)
	}
}

func TestCOC_jobs(t *testing.T) {
	b := newBench(t, nil)
	const execution = "EX2026030112000000000001"
	b.story(t, "coc-job",
		"resource list", "resource list --id=web-1 -o json", "resource list --agent-state=OFFLINE",
		"job show DM1", "job show DM1 -o json", "job show DM9",
		"job run DM1 --param=database=orders", "job run DM1 --param=database=orders --dry-run",
		"job run DM1 --param=database=orders --yes --follow", "job run DM1 --param=table=x --yes",
		"execution list", "execution list --document=DM9 -o json", "execution show "+execution, "execution show "+execution+" --follow -o json",
		"execution steps "+execution, "execution stop "+execution+" --yes", "execution retry "+execution+" --dry-run",
	)
}

// TestCOC_operations has runs that go on, so that there is something to act on.
func TestCOC_operations(t *testing.T) {
	b := newBench(t, func(o *coctest.Options) {
		o.Hosts[0].Takes = time.Hour
		o.Documents[0].Steps[1].Suspend = true
		o.Documents = append(o.Documents,
			coctest.Document{ID: "DM2", Name: "slow", Content: "x", Steps: []coctest.DocumentStep{{Name: "wait", Takes: time.Hour}}},
			coctest.Document{ID: "DM3", Name: "broken", Content: "x", Steps: []coctest.DocumentStep{{Name: "fail", Fails: true}}})
	})
	for _, step := range []string{
		"script run SC1 --host=web-1 --host=web-2 --batch-size=1 --pause --yes",
		"order pause SCT20260301120000000000001 --yes",
		"order skip-batch SCT20260301120000000000001 1 --yes",
		"order continue SCT20260301120000000000001 --yes",
		"script run SC2 --host=web-1 --yes",
		"order cancel SCT20260301120000000000002 --host=3 --yes",
		"script run SC2 --host=web-1 --yes",
		"order cancel SCT20260301120000000000003 --yes",
		"job run DM1 --yes",
		"execution resume EX2026030112000000000001 --yes",
		"job run DM1 --yes",
		"execution stop EX2026030112000000000002 --yes",
		"job run DM2 --yes",
		"execution skip-batch EX2026030112000000000003 --yes",
		"job run DM3 --yes",
		"execution retry EX2026030112000000000004 --yes",
	} {
		if got := b.coc(t, strings.Fields(step)...); got.code != exitOK {
			t.Errorf("%s: %+v", step, got)
		}
	}
	var got []string
	for _, o := range b.Orders() {
		got = append(got, fmt.Sprint(o.Operations))
	}
	for _, e := range b.Executions() {
		got = append(got, fmt.Sprint(e.Operations))
	}
	want := []string{"[PAUSE_ORDER SKIP_BATCH CONTINUE_ORDER]", "[CANCEL_INSTANCE]", "[CANCEL_ORDER]", "[RESUME]", "[TERMINATE]", "[SKIP_BATCH]", "[RETRY]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	if s := b.Executions()[2].Status; s != coctest.ExecutionSucceed {
		t.Errorf("without its only batch the execution is %s", s)
	}
}

func TestCOC_asksBeforeItActs(t *testing.T) {
	for answer, runs := range map[string]int{"y\n": 1, "YES\n": 1, "n\n": 0, "\n": 0, "": 0, "yessir\n": 0} {
		b := newBench(t, nil)
		var stdout, stderr bytes.Buffer
		c := console{stdin: strings.NewReader(answer), asks: true, stdout: &stdout, stderr: &stderr, environ: func() []string { return nil }}
		code := run(t.Context(), b.args([]string{"script", "run", "SC1", "--host=web-1"}), c)
		if (code == exitOK) != (runs == 1) || len(b.Orders()) != runs || !strings.Contains(stderr.String(), "run script restart_service as root on 1 hosts in 1 batches? [y/N] ") {
			t.Errorf("%q: exit code %d, %d orders\n%s", answer, code, len(b.Orders()), stderr.String())
		}
	}
}

// TestCOC_nobodyAtTheNullDevice: there is nobody to ask.
func TestCOC_nobodyAtTheNullDevice(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if isTerminal(null) {
		t.Error("the null device is taken for a terminal")
	}
}

// TestCOC_inDoubt: what may have been done is said to be so, and is not done
// again.
func TestCOC_inDoubt(t *testing.T) {
	for args, look := range map[string]string{
		"script run SC1 --host=web-1 --yes": "coc order list --since=10m",
		"job run DM1 --yes":                 "coc execution list --document=DM1",
		"incident create --title=d --description=f --level=level_20 --creator=oncall --assignee=oncall --yes": "coc incident list",
	} {
		b := newBench(t, func(o *coctest.Options) { o.Now = time.Now }) // else the first call is refused for its time
		b.Inject(coctest.Fault{Do: coctest.Reset, After: true, Method: "POST", On: "/v1/"})
		got := b.coc(t, strings.Fields(args)...)
		says := "COC may have done it all the same: look with cocbridge " + look + " before you repeat it"
		if done := len(b.Orders()) + len(b.Executions()) + len(b.Incidents()); got.code != exitOther || !strings.Contains(got.stderr, says) || done != 1 {
			t.Errorf("%s: done %d times, %+v", args, done, got)
		}
	}
}

// TestCOC_dryRunOfTheConfiguration: coc.dry_run holds for what acts.
func TestCOC_dryRunOfTheConfiguration(t *testing.T) {
	b := newBench(t, nil)
	text, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.config, bytes.Replace(text, []byte("coc:\n"), []byte("coc:\n  dry_run: true\n"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	got := b.coc(t, "script", "run", "SC1", "--host=web-1", "--yes", "--follow")
	if got.code != exitOK || !strings.HasPrefix(got.stdout, "dry run, nothing was asked of COC: run script") || len(b.Orders()) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestCOC_output: what a script wrote must not move the operator's cursor.
func TestCOC_output(t *testing.T) {
	b := newBench(t, func(o *coctest.Options) { o.Hosts[0].Output = "one\x1b[2Jtwo\r\nthree\u202e" })
	if got := b.coc(t, "script", "run", "SC1", "--host=web-1", "--yes"); got.code != exitOK {
		t.Fatalf("%+v", got)
	}
	for _, command := range []string{"show", "logs"} {
		got := b.coc(t, "order", command, "SCT20260301120000000000001")
		if strings.ContainsAny(got.stdout, "\x1b\r\u202e") || !strings.Contains(got.stdout, "three�") {
			t.Errorf("%s: %q", command, got.stdout)
		}
	}
}

// TestCOC_followsOnATerminal: one line that is written over.
func TestCOC_followsOnATerminal(t *testing.T) {
	b := newBench(t, func(o *coctest.Options) { o.Hosts[0].Fails = true })
	screen := &display{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := console{stdin: strings.NewReader(""), stdout: screen, stderr: screen, environ: func() []string { return nil }}
	code := run(ctx, b.args([]string{"script", "run", "SC1", "--host=web-1", "--yes", "--follow"}), c)
	if code != exitOther || !regexp.MustCompile(`\r\x1b\[K +[0-9]+s  ABNORMAL  batch 1  hosts 1/1 done, 1 not well\n`).MatchString(screen.String()) ||
		!strings.Contains(screen.String(), "it did not end well: ABNORMAL") {
		t.Errorf("exit code %d: %q", code, screen.String())
	}
}

// display is a terminal that is looked at.
type display struct{ bytes.Buffer }

func (*display) IsTerminal() bool { return true }

// TestCOC_follows has a run that ends after a while, and a COC that fails now and
// then.
func TestCOC_follows(t *testing.T) {
	var looks atomic.Int64
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := newBench(t, func(o *coctest.Options) {
		o.Hosts[0].Takes = 3 * time.Second
		o.Now = func() time.Time { return began.Add(time.Duration(looks.Load()) * time.Second) }
	})
	done := make(chan outcome, 1)
	go func() {
		done <- b.coc(t, "script", "run", "SC1", "--host=web-1", "--yes", "--follow", "--interval=1ms")
	}()
	happens := func(what func(*coctest.Server) bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := b.Wait(ctx, what); err != nil {
			t.Fatalf("%v: %+v", err, b.Requests())
		}
	}
	happens(func(s *coctest.Server) bool {
		return s.Requests().Calls["GET /v1/job/script/orders/{order}/statistics"] > 0
	})
	b.Inject(coctest.Fault{Status: 503, Times: 1, On: "/v1/job/script/orders/"})
	looks.Store(1)
	happens(func(s *coctest.Server) bool { return len(s.Requests().Faults) > 0 })
	looks.Store(10)
	got := <-done
	if got.code != exitOK || !strings.Contains(got.stdout, "PROCESSING  batch 1  hosts 0/1 done") || !strings.Contains(got.stdout, "cannot look: ") ||
		!strings.Contains(got.stdout, "FINISHED  batch 1  hosts 1/1 done, 0 not well\n") {
		t.Errorf("%+v", got)
	}
}

func TestCOC_refusesABatchOfNoHosts(t *testing.T) {
	b := newBench(t, nil)
	for _, size := range []string{"0", "-3"} {
		got := b.coc(t, "script", "run", "SC1", "--host=web-1", "--batch-size="+size, "--yes")
		if got.code != exitUsage || !strings.Contains(got.stderr, "--batch-size") || len(b.Orders()) != 0 {
			t.Errorf("%s: %+v, %d orders", size, got, len(b.Orders()))
		}
	}
}

// Who cannot watch any more is told that what was begun goes on.
func TestCOC_saysWhatGoesOnWhenItCannotFollow(t *testing.T) {
	b := newBench(t, nil)
	b.Inject(coctest.Fault{Status: 401, Code: "APIGW.0301", On: "/v1/job/script/orders/"})
	got := b.coc(t, "script", "run", "SC1", "--host=web-1", "--yes", "--follow")
	if got.code != exitOther || len(b.Orders()) != 1 || !strings.Contains(got.stderr, "order "+b.Orders()[0].UUID+" goes on") {
		t.Errorf("%+v", got)
	}
}
