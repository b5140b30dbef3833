package scripts_test

import (
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/scripts"
)

// injections are what a hostile label may say (reliability.md T12): one quoted
// text per line of a file that the tests of the bridge read too.
var injections = func() (all []string) {
	text, err := os.ReadFile("testdata/injections.txt")
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(text)) {
		value, err := strconv.Unquote(strings.TrimSpace(line))
		if err != nil {
			panic(line)
		}
		all = append(all, value)
	}
	return all
}()

const unitAllow = `^[a-z][a-z0-9@._-]{0,63}$`

func labelled(value string) *alert.Alert {
	return &alert.Alert{Receiver: "r", Labels: map[string]string{"unit": value}, Annotations: map[string]string{"unit": "nginx"}}
}

func TestParam_refusesInjections(t *testing.T) {
	if len(injections) < 60 {
		t.Fatalf("only %d entries", len(injections))
	}
	for _, allow := range []string{unitAllow, `[a-z][a-z0-9@._-]{0,63}`, `(?m)^[a-z][a-z0-9@._-]{0,63}$`, `nginx|redis`} {
		for _, value := range injections {
			text, err := scripts.Render(scripts.Param{Value: "{{ .Labels.unit }}", Allow: allow}, labelled(value))
			if err == nil {
				t.Errorf("allow %q takes %q as %q", allow, value, text)
			}
		}
	}
	// The positive control.
	for _, value := range []string{"nginx", "a", "php-fpm@8.2", strings.Repeat("a", 64)} {
		if text, err := scripts.Render(scripts.Param{Value: "{{ .Labels.unit }}", Allow: unitAllow}, labelled(value)); err != nil || text != value {
			t.Errorf("%q: %q, %v", value, text, err)
		}
	}
}

// An allow that lets everything through still cannot say what COC does not take.
func TestParam_isNeverWiderThanCOC(t *testing.T) {
	for _, value := range injections {
		text, err := scripts.Render(scripts.Param{Value: "{{ .Labels.unit }}", Allow: `(?s).*`}, labelled(value))
		if err == nil && (!coc.ParamAllowed(text) || text != value) {
			t.Errorf("%q is passed on as %q", value, text)
		}
	}
}

func TestParam_acceptedMatchesAllowAndClass(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 7))
	alphabet := []rune("abcxyz019@._-/ *'\"$`;|&\n\r\t\\{}()<>!#%~é\u200b\x00")
	allow := regexp.MustCompile(unitAllow)
	accepted := 0
	for range 8000 / thorough {
		text := make([]rune, random.IntN(8))
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		value := string(text)
		got, err := scripts.Render(scripts.Param{Value: "{{ .Labels.unit }}", Allow: unitAllow}, labelled(value))
		if err != nil {
			continue
		}
		accepted++
		if got != value || !allow.MatchString(got) || !coc.ParamAllowed(got) || strings.ContainsAny(got, "\n\r'\"$`;|& ") {
			t.Fatalf("%q is accepted as %q", value, got)
		}
	}
	if accepted < 100/thorough {
		t.Errorf("only %d were accepted: the test shows nothing", accepted)
	}
}

// The value is rendered once, from labels only.
func TestParam_rendersOnceAndFromLabelsOnly(t *testing.T) {
	a := labelled("{{ .Labels.other }}")
	a.Labels["other"] = "nginx"
	if text, err := scripts.Render(scripts.Param{Value: "{{ .Labels.unit }}", Allow: ".*"}, a); err == nil && text != "{{ .Labels.other }}" {
		t.Errorf("rendered twice: %q", text)
	}
	if text, err := scripts.Render(scripts.Param{Value: `{{ index .Annotations "unit" }}`, Allow: ".*"}, a); err == nil {
		t.Errorf("an annotation reaches a host: %q", text)
	}
}

func FuzzParam(f *testing.F) {
	for _, value := range injections {
		f.Add(value)
	}
	allow := regexp.MustCompile(unitAllow)
	f.Fuzz(func(t *testing.T, value string) {
		got, err := scripts.Render(scripts.Param{Value: "{{ .Labels.unit }}", Allow: unitAllow}, labelled(value))
		if err == nil && (got != value || !allow.MatchString(got) || !coc.ParamAllowed(got)) {
			t.Errorf("%q is accepted as %q", value, got)
		}
	})
}
