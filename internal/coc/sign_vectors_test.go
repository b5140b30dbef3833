package coc_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/secret"
)

// TestSign_likeTheSDK has odd paths and queries, which the client itself never
// sends. The signatures are those of Huawei's Go SDK; package sdkcheck makes the file.
func TestSign_likeTheSDK(t *testing.T) {
	text, err := os.ReadFile("sdkcheck/testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Method, URL, Body, Date, Authorization string

		ProjectID     string        `json:"project_id"`
		AccessKey     string        `json:"access_key"`
		SecretKey     secret.String `json:"secret_key"`
		SecurityToken secret.String `json:"security_token"`
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for i, v := range vectors {
		r, err := http.NewRequestWithContext(t.Context(), v.Method, v.URL, strings.NewReader(v.Body))
		if err != nil {
			t.Fatal(err)
		}
		if v.ProjectID != "" {
			r.Header.Set("X-Project-Id", v.ProjectID)
		}
		at, err := time.Parse("20060102T150405Z", v.Date)
		if err != nil {
			t.Fatal(err)
		}
		coc.Sign(r, []byte(v.Body), v.AccessKey, v.SecretKey, v.SecurityToken, at)
		if got := r.Header.Get("Authorization"); got != v.Authorization {
			t.Errorf("vector %d: %s %s\n got %s\nwant %s", i, v.Method, v.URL, got, v.Authorization)
		}
	}
}
