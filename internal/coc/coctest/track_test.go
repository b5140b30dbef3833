package coctest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// sent is one event of an alarm's story: after a pause, a status, a level and
// the alarm's time in seconds after some start.
type sent struct {
	pause  time.Duration
	status string
	level  string
	time   int
}

func (e sent) json(pairs ...string) string {
	own := []string{"alarmLevel", `"` + e.level + `"`, "time", fmt.Sprint(1700000000000 + e.time*1000)}
	if e.status == "" {
		own = append(own, "alarmStatus", "")
	} else {
		own = append(own, "alarmStatus", `"`+e.status+`"`)
	}
	return alarmJSON(append(own, pairs...)...)
}

func TestServer_Order(t *testing.T) {
	const refresh, refire = 30 * time.Minute, time.Minute
	alarm := func(at int) sent { return sent{0, "alarm", "Major", at} }
	ok := func(at int) sent { return sent{0, "ok", "Major", at} }
	level := func(name string, at int) sent { return sent{0, "alarm", name, at} }
	after := func(d time.Duration, e sent) sent { e.pause = d; return e }

	for name, c := range map[string]struct {
		story      []sent
		refire     time.Duration
		want       coctest.Counts // Requests, Accepted and Alarms aside
		violations []string       // their beginnings
	}{
		"an episode":                                {story: []sent{alarm(1), ok(2)}},
		"two episodes":                              {story: []sent{alarm(1), ok(2), alarm(3), ok(4)}},
		"a later start without a recovery":          {story: []sent{alarm(1), alarm(3), ok(4)}},
		"an episode that ends at once":              {story: []sent{alarm(1), ok(1)}},
		"an episode that begins as the last ends":   {story: []sent{alarm(1), ok(2), alarm(2), ok(3)}},
		"another level":                             {story: []sent{alarm(1), level("Critical", 1)}},
		"a level that goes back":                    {story: []sent{alarm(1), level("Critical", 1), alarm(1)}, want: coctest.Counts{Returned: 1}},
		"no status counts as alarm":                 {story: []sent{{0, "", "Major", 2}, ok(1)}, want: coctest.Counts{Violations: 1}, violations: []string{"order: alarm a1: event 2 (Major ok of 1700000001000) was accepted after the newer event 1 (Major alarm of 1700000002000)"}},
		"an ok alone is only counted":               {story: []sent{ok(2)}, want: coctest.Counts{OKWithoutAlarm: 1}},
		"the same again at once":                    {story: []sent{alarm(1), alarm(1)}, want: coctest.Counts{Duplicates: 1}},
		"the same again, nearly due":                {story: []sent{alarm(1), after(refresh-1, alarm(1))}, want: coctest.Counts{Duplicates: 1}},
		"a refresh when it is due":                  {story: []sent{alarm(1), after(refresh, alarm(1))}, want: coctest.Counts{Refreshes: 1}},
		"due counts from the last time":             {story: []sent{alarm(1), after(time.Minute, alarm(1)), after(refresh-time.Minute, alarm(1))}, want: coctest.Counts{Duplicates: 2}},
		"an ok redelivered after a crash":           {story: []sent{alarm(1), ok(2), ok(2)}, want: coctest.Counts{Duplicates: 1}},
		"a recovery that overtakes":                 {story: []sent{ok(2), alarm(1)}, want: coctest.Counts{OKWithoutAlarm: 1, Violations: 1}, violations: []string{"reopened:"}},
		"late news reopens":                         {story: []sent{alarm(1), ok(2), alarm(1)}, want: coctest.Counts{Violations: 1}, violations: []string{"reopened: alarm a1: event 3 (Major alarm of 1700000001000) is older than the accepted ok of 1700000002000; "}},
		"an older start while it fires":             {story: []sent{alarm(3), alarm(1)}, want: coctest.Counts{Violations: 1}, violations: []string{"order:"}},
		"an older recovery":                         {story: []sent{alarm(1), ok(2), alarm(3), ok(2)}, want: coctest.Counts{Violations: 1}, violations: []string{"order:"}},
		"an older event of the same time":           {story: []sent{alarm(1), ok(1), alarm(1)}, want: coctest.Counts{Violations: 1}, violations: []string{"order:"}},
		"a stray does not move the order":           {story: []sent{alarm(3), alarm(1), alarm(3), ok(4)}, want: coctest.Counts{Violations: 1, Duplicates: 1}, violations: []string{"order:"}},
		"a re-fire is a violation by default":       {story: []sent{alarm(1), ok(2), after(time.Hour, alarm(1))}, want: coctest.Counts{Violations: 1}, violations: []string{"reopened:"}},
		"a re-fire after its time, where allowed":   {story: []sent{alarm(1), ok(2), after(refire, alarm(1)), ok(3)}, refire: refire, want: coctest.Counts{Refires: 1}},
		"a re-fire before its time":                 {story: []sent{alarm(1), ok(2), after(refire-1, alarm(1))}, refire: refire, want: coctest.Counts{Violations: 1}, violations: []string{"reopened:"}},
		"a re-fire twice is a duplicate":            {story: []sent{alarm(1), ok(2), after(refire, alarm(1)), alarm(1)}, refire: refire, want: coctest.Counts{Refires: 1, Duplicates: 1}},
		"late news after a re-fire's own recovery":  {story: []sent{alarm(1), ok(2), after(refire, alarm(1)), ok(3), alarm(1)}, refire: refire, want: coctest.Counts{Refires: 1, Violations: 1}, violations: []string{"reopened:"}},
		"a re-fire begins anew":                     {story: []sent{alarm(1), ok(9), after(refire, alarm(4)), alarm(3)}, refire: refire, want: coctest.Counts{Refires: 1, Violations: 1}, violations: []string{"order:"}},
		"an old ok is no re-fire":                   {story: []sent{alarm(1), ok(2), after(time.Hour, ok(1))}, refire: refire, want: coctest.Counts{Violations: 1}, violations: []string{"order:"}},
		"an old start while it fires is no re-fire": {story: []sent{alarm(3), after(time.Hour, alarm(1))}, refire: refire, want: coctest.Counts{Violations: 1}, violations: []string{"order:"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, coctest.Options{Refresh: refresh, Refire: c.refire})
			for _, e := range c.story {
				r.advance(e.pause)
				if got := r.post(e.json()); got.body != accepted {
					t.Fatalf("answer: %d %s", got.status, got.body)
				}
			}
			c.want.Requests, c.want.Accepted, c.want.Alarms = len(c.story), len(c.story), 1
			wantCounts(t, r, c.want)
			wantPrefixes(t, c.violations, r.Violations())
			if len(r.Duplicates()) != c.want.Duplicates {
				t.Errorf("duplicates: %v", r.Duplicates())
			}
		})
	}
	t.Run("without a refresh every repeat is a duplicate", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.post(alarm(1).json())
		r.advance(24 * time.Hour)
		r.post(alarm(1).json())
		if d := r.Duplicates(); len(d) != 1 || d[0].Seq != 2 {
			t.Errorf("duplicates: %v", d)
		}
	})
	t.Run("alarms are judged apart", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.post(alarm(9).json())
		r.post(alarm(1).json("alarmId", `"other"`))
		wantCounts(t, r, coctest.Counts{Requests: 2, Accepted: 2, Alarms: 2})
	})
}

func TestServer_Identity(t *testing.T) {
	for name, c := range map[string]struct {
		change []string
		differ string // "" = no violation
	}{
		"an ok like its alarm":               {},
		"other text, region, link and level": {change: []string{"alarmDesc", `"x"`, "regionId", `"x"`, "URL", `"x"`, "alarmLevel", `"Info"`, "additional", "{}"}},
		"another name":                       {change: []string{"alarmName", `"x"`}, differ: "alarmName"},
		"another namespace":                  {change: []string{"nameSpace", `"x"`}, differ: "nameSpace"},
		"another application":                {change: []string{"applicationId", `"x"`}, differ: "applicationId"},
		"another resource":                   {change: []string{"resourceName", `"x"`, "resourceId", `"x"`}, differ: "resourceName, resourceId"},
		"no resource":                        {change: []string{"resourceName", ""}, differ: "resourceName"},
		"another source":                     {change: []string{"alarmSource", `"x"`}, differ: "alarmSource"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, coctest.Options{})
			r.post(sent{0, "alarm", "Major", 1}.json())
			r.post(sent{0, "ok", "Major", 2}.json(c.change...))
			var want []string
			if c.differ != "" {
				want = []string{"identity: alarm a1: event 2 ("}
			}
			got := r.Violations()
			wantPrefixes(t, want, got)
			if len(got) == 1 && !strings.HasSuffix(got[0], " differs from the alarm it ends in "+c.differ) {
				t.Errorf("violation: %s", got[0])
			}
		})
	}
	t.Run("another integration key", func(t *testing.T) {
		r := start(t, coctest.Options{Keys: []string{testKey, "k2"}})
		r.post(alarmJSON())
		req := newRequest(t, "POST", r.url+eventPath+"k2", sent{0, "ok", "Major", 2}.json())
		req.Header.Set("Content-Type", "application/json")
		sign(req, sent{0, "ok", "Major", 2}.json(), r.now())
		r.do(req)
		if got := r.Violations(); len(got) != 1 || !strings.HasSuffix(got[0], " in integration key") {
			t.Errorf("violations: %q", got)
		}
	})
	t.Run("the last alarm counts", func(t *testing.T) {
		r := start(t, coctest.Options{})
		r.post(sent{0, "alarm", "Major", 1}.json())
		r.post(sent{0, "alarm", "Major", 2}.json("alarmName", `"new"`))
		r.post(sent{0, "ok", "Major", 3}.json("alarmName", `"new"`))
		wantPrefixes(t, nil, r.Violations())
	})
}

func TestServer_ContentType(t *testing.T) {
	for _, c := range []struct {
		value string
		want  []string
	}{
		{"application/json", nil},
		{"Application/JSON; charset=utf-8", nil},
		{"text/plain", []string{`content-type: event 1 came as "text/plain" instead of application/json`}},
	} {
		t.Run(c.value, func(t *testing.T) {
			r := start(t, coctest.Options{})
			req := r.request(alarmJSON())
			req.Header.Set("Content-Type", c.value)
			sign(req, alarmJSON(), r.now())
			if got := r.do(req); got.body != accepted {
				t.Errorf("answer: %d %s", got.status, got.body)
			}
			wantPrefixes(t, c.want, r.Violations())
		})
	}
}

func TestServer_ViolationsAreBounded(t *testing.T) {
	r := start(t, coctest.Options{KeepEvents: 1})
	r.post(sent{0, "alarm", "Major", 5000}.json())
	for i := range 1010 {
		r.post(sent{0, "alarm", "Major", i}.json())
	}
	if len(r.Violations()) != 1000 || r.Requests().Violations != 1010 {
		t.Errorf("%d kept, %d counted", len(r.Violations()), r.Requests().Violations)
	}
}

func wantPrefixes(t *testing.T, want, got []string) {
	t.Helper()
	var cut []string
	for i, text := range got {
		if i < len(want) && strings.HasPrefix(text, want[i]) {
			text = want[i]
		}
		cut = append(cut, text)
	}
	if diff := cmp.Diff(want, cut); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}
