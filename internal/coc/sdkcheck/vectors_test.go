package sdkcheck_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vectorsFile hands the SDK's signatures to the tests of package coc, which can
// reach our signer but must not know the SDK: our client itself has no call yet
// whose path or query could be odd.
const vectorsFile = "testdata/signatures.json"

// vector is a request without a Content-Type, and how the SDK signs all headers
// that ours signs.
type vector struct {
	Method        string `json:"method"`
	URL           string `json:"url"`
	Body          string `json:"body,omitempty"`
	ProjectID     string `json:"project_id,omitempty"` // X-Project-Id
	Date          string `json:"date"`                 // X-Sdk-Date
	AccessKey     string `json:"access_key"`
	SecretKey     string `json:"secret_key"`
	SecurityToken string `json:"security_token,omitempty"` // X-Security-Token
	Authorization string `json:"authorization"`
}

const vectorCount = 250

// TestVectors_areTheSDKs signs the requests of the file again. With -update it
// writes a new file.
func TestVectors_areTheSDKs(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	vectors := readVectors(t)
	if len(vectors) != vectorCount {
		t.Errorf("%d vectors, want %d", len(vectors), vectorCount)
	}
	for i, v := range vectors {
		s, k := v.request(t)
		names := s.signable()
		sdk, err := s.sdkAuthorization(k, names)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sdk, v.Authorization); diff != "" {
			t.Fatalf("vector %d (-SDK +file):\n%s", i, diff)
		}
		if diff := cmp.Diff(sdk, s.authorization(k, names)); diff != "" {
			t.Fatalf("vector %d (-SDK +this test's):\n%s", i, diff)
		}
	}
}

// request is the vector as a server would see it.
func (v vector) request(t *testing.T) (sent, keys) {
	t.Helper()
	u, err := url.Parse(v.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := sent{Method: v.Method, Host: u.Host, Path: u.Path, Query: u.Query(), Header: http.Header{}, Body: []byte(v.Body)}
	for name, value := range map[string]string{"X-Project-Id": v.ProjectID, "X-Sdk-Date": v.Date, "X-Security-Token": v.SecurityToken} {
		if value != "" {
			s.Header.Set(name, value)
		}
	}
	return s, keys{v.AccessKey, v.SecretKey, v.SecurityToken}
}

func readVectors(t *testing.T) (vectors []vector) {
	t.Helper()
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatalf("%s: %v", vectorsFile, err)
	}
	return vectors
}

func writeVectors(t *testing.T) {
	t.Helper()
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	for i := range vectorCount {
		b.WriteString(map[bool]string{true: "[", false: ","}[i == 0])
		if err := lines.Encode(newVector(t, newDice(*seed, i))); err != nil {
			t.Fatal(err)
		}
	}
	b.WriteString("]\n")
	if err := os.WriteFile(vectorsFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// newVector is odd in all that a signature encodes, and plain in the rest.
func newVector(t *testing.T, d dice) vector {
	t.Helper()
	u := url.URL{
		Scheme: "https", Host: d.of("coc.myhuaweicloud.com", "127.0.0.1:8443", "[::1]:1", "h"),
		Path: d.path(d.IntN(5)) + d.of("", "/"), RawQuery: d.query().Encode(),
	}
	v := vector{
		Method: d.of("GET", "PUT", "POST", "DELETE", "PATCH"), URL: u.String(), Body: d.of("", `{"a":"磁盘"}`, d.word(letters, 30)),
		ProjectID: d.of("", d.word("0123456789abcdef", 32)), Date: d.at().UTC().Format(signedTime),
		AccessKey: d.word(letters, 20), SecretKey: "not a secret " + d.word(visible, 8), SecurityToken: d.of("", d.word(visible, 40)),
	}
	s, k := v.request(t)
	var err error
	if v.Authorization, err = s.sdkAuthorization(k, s.signable()); err != nil {
		t.Fatal(err)
	}
	return v
}
