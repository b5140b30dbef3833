package bridge_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// page keeps what is written, by any goroutine.
type page struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

const (
	canaryToken    = "canarytokencanarytokencanarytoken"
	canaryPassword = "canarypasswordcanarypassword"
)

// A bridge that meets every kind of trouble it can log, while COC throws our
// secrets back at us wherever it can.
func TestSecrets_appearNowhere(t *testing.T) {
	log := &page{}
	r := newRig(t, "")
	r.log = zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(log), zap.DebugLevel))
	r.extra = "receivers: [{name: alertmanager, auth: {bearer_token: " + canaryToken + ", basic: {username: u, password: " + canaryPassword + "}}}]\n"
	r.restart()
	admin := r.b.AdminToken().Reveal()
	spoken := &page{} // what others get to see
	for i, f := range []coctest.Fault{
		{Status: 400, Code: "COC.00000001", Message: "integrationKey " + testKey + " with " + testSecret + " is invalid"},
		{Status: 302, Location: "https://elsewhere.example/" + testKey},
		{Status: 401, Code: "APIGW.0301", Message: "signed with " + testSecret},
		{Status: 503, Body: `{"error_code":"` + testKey + `","error_msg":"` + testSecret + `"}`},
		{Do: coctest.HTML}, {Do: coctest.Reset}, {Do: coctest.Empty}, {Status: 204}, {Do: coctest.Clock},
		{Status: 429, Message: testKey}, {Status: 404, Message: testKey},
	} {
		f.Times = 1
		r.sim.Inject(f)
		r.sayTo(spoken, canaryToken, group(r.firing("Disk"+string(rune('A'+i)), time.Hour)))
		r.until("the fault struck", func() bool { return len(r.sim.Requests().Faults) > i })
		r.until("it is over", func() bool { return r.metric("cocbridge_tasks", "state", "in_flight") == 0 })
		r.advance(10 * time.Minute)
	}
	r.sayTo(spoken, "wrong"+canaryToken, group(r.firing("Unauthorized", time.Hour)))
	r.sayTo(spoken, canaryToken, canaryPassword+" is no JSON")
	r.simURL = "http://" + freeAddress(t)
	for _, extra := range []string{r.extra, r.extra + "nonsense: 1\n", strings.ReplaceAll(r.extra, "bearer_token", "bearer_tokens")} {
		if err := r.reload(extra); err != nil {
			_, _ = spoken.Write([]byte(err.Error()))
		}
	}
	r.sayTo(spoken, canaryToken, group(r.firing("Unreachable", time.Hour)))
	r.until("the gate closes", func() bool { return r.gate("default") == "down" })
	_, metrics := r.do(http.MethodGet, "/metrics", "")
	r.stop()
	seen := map[string]string{"the log": log.String(), "metrics": metrics, "answers and errors": spoken.String()}
	for _, name := range []string{"cocbridge.db", "cocbridge.inflight"} {
		seen[name] = contentOf(t, filepath.Join(r.data, name))
	}
	for secret, name := range map[string]string{
		testSecret: "the secret key", testKey: "the integration key", canaryToken: "the bearer token", canaryPassword: "the password", admin: "the admin token",
	} {
		for where, text := range seen {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s is in %s: %.300s", name, where, text[max(0, at-200):])
			}
		}
	}
	// The search must be able to find something.
	for where, text := range map[string]string{"the log": "gate closed", "metrics": "cocbridge_tasks", "answers and errors": "not authorized", "cocbridge.db": "DiskA"} {
		if !strings.Contains(seen[where], text) {
			t.Errorf("%q is not in %s: the test has looked at nothing", text, where)
		}
	}
}

// sayTo posts with the bearer token and notes what comes back.
func (r *rig) sayTo(spoken *page, token, body string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://"+r.b.Addr()+"/webhook/alertmanager", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := resp.Write(spoken); err != nil {
		r.t.Fatal(err)
	}
}

func contentOf(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
