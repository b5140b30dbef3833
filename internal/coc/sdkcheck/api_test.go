package sdkcheck_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	sdk "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/coc/v1"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// apiCall is one call of the API as both clients make it.
type apiCall struct {
	ours     func(ctx context.Context, c *coc.Client, w world) error // nil: it is a part of another call of ours
	theirs   func(c *sdk.CocClient, w world) (any, error)
	differs  func(us, them map[string]any) // takes the intended differences out of the bodies
	switches coctest.Switches              // with which coctest takes what the SDK sends and sends what it understands
	before   string                        // the status that the incident must have
}

// TestAPI_sendsWhatTheSDKSends compares what a server gets.
func TestAPI_sendsWhatTheSDKSends(t *testing.T) {
	rec := newRecorder(t)
	a := account{endpoint: "http://localhost:81", proxy: rec.proxy.URL, project: "p1", keys: keys{"AK", "SK", ""}, now: time.Now}
	for name, c := range calls() {
		if c.ours == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			client := ours(t, a)
			defer client.Close()
			_ = c.ours(t.Context(), client, imagined) // the recorder's answer is none to this call
			us := received(t, rec)
			_, _ = c.theirs(theirs(t, a, rec.transport), imagined)
			them := received(t, rec)
			if problem := missigned(us, a); problem != "" {
				t.Error(problem)
			}
			if c.differs != nil {
				us.Body, them.Body = without(t, us.Body, them.Body, c.differs)
			}
			if problem := unlike(us, them); problem != "" {
				t.Error(problem)
			}
		})
	}
}

// TestAPI_differencesAreCaught is the negative control: a request that differs in
// one field of its body or query is found to be different.
func TestAPI_differencesAreCaught(t *testing.T) {
	one := sent{Method: "POST", Path: "/v1/job/scripts", Query: map[string][]string{"limit": {"1"}}, Body: []byte(`{"a":1}`)}
	for name, change := range map[string]func(s *sent){
		"method": func(s *sent) { s.Method = "PUT" }, "path": func(s *sent) { s.Path += "/" },
		"query": func(s *sent) { s.Query = nil }, "a value": func(s *sent) { s.Body = []byte(`{"a":2}`) },
		"a name": func(s *sent) { s.Body = []byte(`{"A":1}`) }, "a type": func(s *sent) { s.Body = []byte(`{"a":"1"}`) },
	} {
		other := one.clone()
		change(&other)
		if unlike(one, other) == "" {
			t.Errorf("another %s is not found", name)
		}
	}
	if problem := unlike(one, one.clone()); problem != "" {
		t.Error(problem)
	}
}

// received is the one request that a call has made.
func received(t *testing.T, rec *recorder) sent {
	t.Helper()
	select {
	case s := <-rec.calls:
		return s
	default:
		t.Fatal("no request was sent")
		return sent{}
	}
}

// unlike is different, for requests that may have no body.
func unlike(us, them sent) string {
	if len(us.Body) == 0 && len(them.Body) == 0 {
		us.Body, them.Body = []byte("null"), []byte("null")
	}
	return different(us, them)
}

// without edits both bodies.
func without(t *testing.T, us, them []byte, edit func(us, them map[string]any)) (ours, theirs []byte) {
	t.Helper()
	a, b := decoded(us).(map[string]any), decoded(them).(map[string]any)
	edit(a, b)
	ours, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if theirs, err = json.Marshal(b); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// TestAPI_theSDKAgainstCoctest: the simulator takes what the SDK sends, and the
// SDK understands what it answers.
func TestAPI_theSDKAgainstCoctest(t *testing.T) {
	for name, c := range calls() {
		t.Run(name, func(t *testing.T) {
			s, w := inhabited(t, c.switches)
			if c.before != "" {
				if err := s.EditIncident(w.incident, func(i *coctest.Incident) { i.Status = c.before }); err != nil {
					t.Fatal(err)
				}
			}
			if answer, err := c.theirs(theirs(t, s.account, s.transport), w); err != nil {
				t.Errorf("%v: %v\n%+v", answer, err, s.Refusals())
			}
		})
	}
}

// TestAPI_oursAgainstCoctest is the same for our client.
func TestAPI_oursAgainstCoctest(t *testing.T) {
	for name, c := range calls() {
		if c.ours == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s, w := inhabited(t, coctest.Switches{})
			if c.before != "" {
				if err := s.EditIncident(w.incident, func(i *coctest.Incident) { i.Status = c.before }); err != nil {
					t.Fatal(err)
				}
			}
			client := ours(t, s.account)
			defer client.Close()
			if err := c.ours(t.Context(), client, w); err != nil {
				t.Errorf("%v\n%+v", err, s.Refusals())
			}
		})
	}
}
