package coctest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

func (r *rig) metadataToken(ttl string) answer {
	req := newRequest(r.t, http.MethodPut, r.url+"/meta-data/latest/api/token", "")
	if ttl != "" {
		req.Header.Set("X-Metadata-Token-Ttl-Seconds", ttl)
	}
	return r.do(req)
}

func (r *rig) securityKey(token string) answer {
	req := newRequest(r.t, http.MethodGet, r.url+"/openstack/latest/securitykey", "")
	if token != "" {
		req.Header.Set("X-Metadata-Token", token)
	}
	return r.do(req)
}

// temporary are keys as the metadata service hands them out.
type temporary struct {
	Access        string    `json:"access"`
	Secret        string    `json:"secret"`
	SecurityToken string    `json:"securitytoken"`
	ExpiresAt     time.Time `json:"expires_at"`
}

func (r *rig) temporary() temporary {
	r.t.Helper()
	got := r.securityKey(r.metadataToken("21600").body)
	var body struct {
		Credential temporary `json:"credential"`
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != http.StatusOK {
		r.t.Fatalf("answer: %d %s", got.status, got.body)
	}
	return body.Credential
}

// postAs reports an alarm, signed with the temporary keys.
func (r *rig) postAs(k temporary) (int, string) {
	r.t.Helper()
	body := alarmJSON()
	req := newRequest(r.t, http.MethodPost, r.url+eventPath+testKey, body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Security-Token", k.SecurityToken)
	signAs(req, k.Access, k.Secret, body, r.now(), "content-type", "host", "x-security-token")
	got := r.do(req)
	reason := ""
	if seen := r.Refusals(); len(seen) > 0 {
		reason = seen[len(seen)-1].Reason
	}
	return got.status, reason
}

func TestMetadata_Token(t *testing.T) {
	r := start(t, coctest.Options{Agency: &coctest.Agency{Life: time.Hour}})
	for ttl, want := range map[string]int{"": 400, "x": 400, "0": 400, "21601": 400, "1": 200, "21600": 200} {
		if got := r.metadataToken(ttl); got.status != want || want == 200 && got.body == "" {
			t.Errorf("life %q: %d %s", ttl, got.status, got.body)
		}
	}
	token := r.metadataToken("60").body
	for name, c := range map[string]struct {
		token string
		after time.Duration
		want  int
	}{
		"a token":       {token, 59 * time.Second, 200},
		"no token":      {"", 0, 401},
		"another":       {"x", 0, 401},
		"after its end": {token, 60 * time.Second, 401},
	} {
		before := r.now()
		r.advance(c.after)
		if got := r.securityKey(c.token); got.status != c.want {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		r.advance(before.Sub(r.now()))
	}
}

func TestMetadata_withoutTokens(t *testing.T) {
	for _, status := range []int{404, 405, 503} {
		r := start(t, coctest.Options{Agency: &coctest.Agency{Life: time.Hour, NoToken: status}})
		if got := r.metadataToken("60"); got.status != status {
			t.Errorf("%d: token %d", status, got.status)
		}
		if got := r.securityKey(""); got.status != http.StatusOK {
			t.Errorf("%d: keys %d %s", status, got.status, got.body)
		}
		if got := r.securityKey("x"); got.status != http.StatusUnauthorized {
			t.Errorf("%d: with a token %d", status, got.status)
		}
	}
}

func TestMetadata_withoutAgency(t *testing.T) {
	r := start(t, coctest.Options{})
	if got := r.securityKey(r.metadataToken("60").body); got.status != 404 || got.body != "Please configure Cloud Service Agency first" {
		t.Errorf("answer: %d %s", got.status, got.body)
	}
	r.SetAgency(&coctest.Agency{Life: time.Hour})
	if status, reason := r.postAs(r.temporary()); status != http.StatusOK {
		t.Errorf("answer: %d, %s", status, reason)
	}
}

func TestMetadata_Keys(t *testing.T) {
	r := start(t, coctest.Options{Agency: &coctest.Agency{Life: time.Hour}})
	want := func(k temporary, reason string) {
		t.Helper()
		status, got := r.postAs(k)
		if reason == "" && status != http.StatusOK || reason != "" && (status != 401 || got != reason) {
			t.Errorf("answer: %d, %s; want %q", status, got, reason)
		}
	}
	first := r.temporary()
	if !first.ExpiresAt.Equal(epoch.Add(time.Hour)) {
		t.Errorf("they end at %v", first.ExpiresAt)
	}
	want(first, "")
	r.advance(30*time.Minute - time.Second)
	if again := r.temporary(); again != first {
		t.Error("other keys before half of the life is over")
	}
	r.advance(time.Second)
	second := r.temporary()
	if second == first {
		t.Error("the same keys although half of the life is over")
	}
	want(first, "")
	want(second, "")
	half := first
	half.SecurityToken = second.SecurityToken
	want(half, "X-Security-Token is missing or wrong")
	r.advance(30 * time.Minute)
	want(first, "the temporary access key has expired")
	r.RotateAgency()
	third := r.temporary()
	want(second, "")
	r.RevokeAgencyKeys()
	want(second, "the access key was revoked")
	want(third, "the access key was revoked")
	if r.temporary() != third {
		t.Error("a revocation told the metadata service")
	}
	r.RotateAgency()
	want(r.temporary(), "")
}

// Replacing the permanent keys leaves the temporary ones.
func TestMetadata_KeysBesideOthers(t *testing.T) {
	r := start(t, coctest.Options{Agency: &coctest.Agency{Life: time.Hour}})
	k := r.temporary()
	r.SetAccessKeys()
	if status, reason := r.postAs(k); status != http.StatusOK {
		t.Errorf("answer: %d, %s", status, reason)
	}
}
