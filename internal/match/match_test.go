package match_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/match"
)

func TestMatchers_Match(t *testing.T) {
	a := alert.Alert{Receiver: "prod", Labels: map[string]string{"severity": "critical", "env": "prod", "receiver": "forged", "服务": "支付"}}
	for _, c := range []struct {
		name     string
		matchers []string
		want     bool
	}{
		{"none match everything", nil, true},
		{"all of them", []string{`severity="critical"`, `env=~"prod|live"`}, true},
		{"one text with several", []string{`{severity="critical", env!="test"}`}, true},
		{"not all of them", []string{`severity="critical"`, `env="test"`}, false},
		{"a missing label is empty", []string{`team=""`}, true},
		{"the receiver is the configured one", []string{`receiver="prod"`}, true},
		{"whatever the label says", []string{`receiver="forged"`}, false},
		{"UTF-8 names", []string{`"服务"="支付"`}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ms, err := match.ParseAll(c.matchers)
			if err != nil {
				t.Fatal(err)
			}
			if got := ms.Match(&a); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	var got []string
	match.Validate([]string{`a="b"`, ``, `a=~"("`}, func(path, problem string) { got = append(got, path+": "+problem) })
	want := []string{
		`[1]: "" is not a matcher: it is empty; write it like severity="critical" or severity=~"warning|critical"`,
		"[2]: \"a=~\\\"(\\\"\" is not a matcher: error parsing regexp: missing closing ): `^(?:()$`; write it like severity=\"critical\" or severity=~\"warning|critical\"",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
