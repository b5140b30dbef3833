package secret_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cocbridge/cocbridge/internal/secret"
)

func TestString_printsNowhere(t *testing.T) {
	const canary = "canary-7c1d"
	holder := struct {
		Key  secret.String
		Keys []secret.String
	}{canary, []secret.String{canary}}
	asJSON, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{string(asJSON), string(asYAML), fmt.Sprint(holder), fmt.Sprintf("%+v %#v %q %x %d", holder, holder, holder.Key, holder.Key, holder.Key)}
	for _, text := range shown {
		if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
			t.Errorf("the secret is in %q", text)
		}
		if !strings.Contains(text, "secret") {
			t.Errorf("%q does not say that a secret is set", text)
		}
	}
}

func TestString_emptyPrintsNothing(t *testing.T) {
	if got := fmt.Sprint(secret.String("")); got != "" {
		t.Errorf("an unset secret prints %q", got)
	}
}

func TestString_Equal(t *testing.T) {
	s := secret.String("abc")
	for other, want := range map[string]bool{"abc": true, "abd": false, "": false, "abcabc": false} {
		if s.Equal(other) != want {
			t.Errorf("Equal(%q) = %v", other, !want)
		}
	}
}
