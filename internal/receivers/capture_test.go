package receivers_test

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

var update = flag.Bool("update", false, "write the golden files anew")

// arrival is when every request of the tests arrives.
var arrival = time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)

var limits = receivers.Limits{MaxAlerts: 50000}

// capture is a request that a real Alertmanager sent.
type capture struct {
	file    string
	Method  string      `json:"method"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
}

// ownPayload is a receiver whose webhook_config has a payload of its own.
func (c capture) ownPayload() bool { return strings.Contains(c.file, "payload-payloadstr") }

func captures(t testing.TB) []capture {
	t.Helper()
	files, err := filepath.Glob("testdata/captures/*/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	var all []capture
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := capture{file: file}
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, c)
	}
	return all
}

func decode(body string) (receivers.Batch, error) {
	return receivers.Decode([]byte(body), limits, "alertmanager", arrival)
}

func TestDecode_Captures(t *testing.T) {
	for _, c := range captures(t) {
		if c.Method != http.MethodPost {
			continue
		}
		t.Run(c.file, func(t *testing.T) {
			got := outcome(t, c.Body)
			golden := strings.TrimSuffix(c.file, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func outcome(t *testing.T, body string) string {
	b, err := decode(body)
	if err != nil {
		return err.Error() + "\n"
	}
	text, err := json.Marshal(b, json.Deterministic(true), jsontext.WithIndent(" "))
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// A redirect in front of the bridge turns the POST into a GET without a body,
// and a 200 to that would count as delivered.
func TestHandler_Captures(t *testing.T) {
	s := newServer(t, open)
	for _, c := range captures(t) {
		t.Run(c.file, func(t *testing.T) {
			want := http.StatusOK
			switch {
			case c.Method == http.MethodGet:
				want = http.StatusMethodNotAllowed
			case c.ownPayload():
				want = http.StatusBadRequest
			}
			r := s.request(t, c.Method, c.Body)
			for _, h := range c.Headers {
				r.Header.Add(h[0], h[1])
			}
			if got := s.do(t, r); got.status != want {
				t.Errorf("answered %d %s, want %d", got.status, got.body, want)
			}
		})
	}
}
