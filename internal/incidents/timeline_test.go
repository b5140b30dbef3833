package incidents_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/alert"
	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// The default solution tells of alerts, runs and steps, however many there are.
func TestTimeline_hasRoomForAll(t *testing.T) {
	for name, c := range map[string]struct {
		alerts int
		runs   string
	}{
		"nothing ran": {1, ""},
		"one":         {1, "fix: script SC1, called: FINISHED after 20s"},
		"many":        {60, "fix: script SC1, called: FINISHED after 20s\n" + strings.Repeat("- web-1 FINISHED: 磁盘已清理 done\n", 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, coctest.Fault{})
			l.runs = c.runs
			var all []alert.Alert
			for i := range c.alerts {
				a := l.on(fmt.Sprintf("%s-%d", strings.Repeat("long", 30), i))
				all = append(all, a)
				l.hear(a)
			}
			l.pass(2 * time.Minute)
			for _, a := range all {
				l.hear(over(a, l.clock.Now()))
			}
			l.pass(6 * time.Minute)
			text := l.sim.Incidents()[0].Solution
			first, _, _ := strings.Cut(c.runs, "\n")
			for _, part := range []string{"First seen", fmt.Sprintf("%d alerts, 0 flaps", c.alerts), first, " accepted opened"} {
				if !strings.Contains(text, part) {
					t.Errorf("it lacks %q:\n%s", part, text)
				}
			}
			if n := coc.Units(text); n > coc.MaxSolution {
				t.Errorf("%d characters", n)
			}
		})
	}
}
