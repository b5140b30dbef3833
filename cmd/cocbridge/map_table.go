package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// show writes the line for people.
func (l line) show(c console) {
	fmt.Fprintf(c.stdout, "%s %s, fingerprint %s\n", shown(l.Alert.Labels["alertname"]), shown(string(l.Alert.Status)), shown(l.Alert.Fingerprint))
	pairs := [][2]string{{"problem", l.Problem}, {"route", l.Route}, {"integration", l.Integration}, {"cut", strings.Join(l.Cut, ", ")}}
	if a := l.Alarm; a != nil {
		pairs = append(pairs, [2]string{"alarm", fmt.Sprintf("%s %s, %s", a.AlarmName, a.AlarmStatus, a.AlarmLevel)},
			[2]string{"resource", a.ResourceName}, [2]string{"text", a.AlarmDesc}, [2]string{"alarm id", a.AlarmID})
	}
	for _, t := range l.Incidents {
		pairs = append(pairs, [2]string{"ticket of rule " + t.Rule, t.text()})
	}
	for _, r := range l.Runs {
		pairs = append(pairs, [2]string{r.Kind + " of rule " + r.Rule, r.text()})
	}
	for i := range pairs {
		pairs[i][0] = "  " + pairs[i][0]
	}
	printPairs(c, pairs)
}

func (t ticket) text() string {
	if t.Problem != "" {
		return "none: " + t.Problem
	}
	return fmt.Sprintf("level %s, %s", t.Level, t.Title)
}

func (r plannedRun) text() string {
	text := r.What
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		text += fmt.Sprintf(" %s=%q", name, r.Parameters[name])
	}
	for _, part := range [][2]string{{" as ", r.User}, {" on ", r.Targets}, {"; after a hold of ", r.Hold}, {"; none: ", r.Problem}, {"; not called, ", r.NotCalled}, {": ", r.Why}} {
		if part[1] != "" {
			text += part[0] + part[1]
		}
	}
	if r.DryRun {
		text += "; dry_run: it would only be logged"
	}
	return text
}
