package incidents_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/incidents"
)

var update = flag.Bool("update", false, "write the table of plan into testdata")

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// named is a part of a situation with its name in the table.
type named struct {
	name  string
	apply func(*incidents.Situation)
}

var rules = []named{
	{"defaults", func(*incidents.Situation) {}},
	{"accept: never", func(s *incidents.Situation) { s.Rule.Accept.When = "never" }},
	{"solve: never", func(s *incidents.Situation) { s.Rule.Solve.When = "never" }},
	{"confirm: solved", func(s *incidents.Situation) { s.Rule.Confirm.When = "solved" }},
	{"refire: new", func(s *incidents.Situation) { s.Rule.Refire.Do = "new" }},
	{"refire: unsolve", func(s *incidents.Situation) { s.Rule.Refire.Do = "unsolve" }},
	{"on_closed_by_person: remark", func(s *incidents.Situation) { s.Rule.OnClosedByPerson = "remark" }},
	{"changed", func(s *incidents.Situation) { s.Changed = true }},
}

var states = []named{
	{"pending", func(s *incidents.Situation) { s.Record.State = incidents.Pending }},
	{"pending, on hold", func(s *incidents.Situation) { s.Record.State, s.Hold = incidents.Pending, 2*time.Hour }},
	{"pending, young store", func(s *incidents.Situation) { s.Record.State, s.Record.LookFirst = incidents.Pending, true }},
	{"opening, just now", func(s *incidents.Situation) { s.Record.State, s.Record.Intent = incidents.Opening, noon }},
	{"opening, 30 s ago", func(s *incidents.Situation) {
		s.Record.State, s.Record.Intent = incidents.Opening, noon.Add(-30*time.Second)
	}},
	{"opening, looked once", func(s *incidents.Situation) {
		s.Record.State, s.Record.Intent, s.Record.Looks = incidents.Opening, noon.Add(-30*time.Second), 1
	}},
	{"opening, looked twice", func(s *incidents.Situation) {
		s.Record.State, s.Record.Intent, s.Record.Looks = incidents.Opening, noon.Add(-2*time.Minute), 2
	}},
	{"open", func(s *incidents.Situation) { s.Record.State = incidents.Open }},
	{"open, just opened", func(s *incidents.Situation) { s.Record.State, s.Record.Opened = incidents.Open, noon }},
	{"accepted", func(s *incidents.Situation) { s.Record.State = incidents.Accepted }},
	{"accepted, just now", func(s *incidents.Situation) {
		s.Record.State, s.Record.Acted, s.Record.From = incidents.Accepted, noon, coc.StatusTriggered
	}},
	{"solved by us", func(s *incidents.Situation) {
		s.Record.State, s.Record.Ours, s.Record.Solved = incidents.Solved, true, noon.Add(-10*time.Minute)
	}},
	{"solved by a person", func(s *incidents.Situation) {
		s.Record.State, s.Record.Solved = incidents.Solved, noon.Add(-10*time.Minute)
	}},
	{"closed by us", func(s *incidents.Situation) {
		s.Record.State, s.Record.Ours, s.Record.Solved = incidents.Closed, true, noon.Add(-10*time.Minute)
	}},
	{"closed by a person", func(s *incidents.Situation) { s.Record.State = incidents.Closed }},
	{"rejected", func(s *incidents.Situation) { s.Record.State = incidents.Rejected }},
	{"over", func(s *incidents.Situation) { s.Record.State = incidents.Over }},
}

func quietFor(d time.Duration) func(*incidents.Situation) {
	return func(s *incidents.Situation) {
		s.Crowd = incidents.Crowd{Members: 2, QuietSince: noon.Add(-d), Ended: noon.Add(-d)}
		s.Record.Quiet = s.Crowd.QuietSince
	}
}

func again(ago time.Duration) func(*incidents.Situation) {
	return func(s *incidents.Situation) {
		s.Record.Quiet = noon.Add(-90 * time.Minute)
		s.Record.Again = &incidents.Again{At: noon.Add(-ago)}
		if ago == 0 { // late
			s.Record.Solved = noon.Add(-80 * time.Minute)
		} else {
			s.Record.Quiet = noon.Add(-ago - time.Minute)
		}
	}
}

// What the members ask for.
var goals = []named{
	{"fires", func(*incidents.Situation) {}},
	{"worse", func(s *incidents.Situation) { s.Crowd.Level = "level_10" }},
	{"quiet 1m", quietFor(time.Minute)},
	{"quiet 6m", quietFor(6 * time.Minute)},
	{"quiet 1h", quietFor(time.Hour)},
	{"again, soon", again(time.Minute)},
	{"again, late", again(0)},
	{"quiet, remembered long enough", func(s *incidents.Situation) {
		quietFor(time.Hour)(s)
		s.Record.Solved = noon.Add(-time.Hour)
	}},
	{"fenced", func(s *incidents.Situation) {
		s.Crowd = incidents.Crowd{Members: 1, QuietSince: noon.Add(-time.Hour), Next: noon.Add(time.Minute)}
	}},
}

// What COC says of the ticket, our steps and people's edits alike.
var tickets = []named{
	{"not read", func(*incidents.Situation) {}},
	status(coc.StatusDraft), status(coc.StatusTriggered), status(coc.StatusAcknowledged), status(coc.StatusResolved),
	status(coc.StatusCompleted), status(coc.StatusRejected), status("unknown"), status(incidents.Gone),
	reassigned(coc.StatusTriggered), reassigned(coc.StatusAcknowledged), reassigned(coc.StatusResolved),
}

func status(is coc.IncidentStatus) named {
	name := strings.TrimPrefix(strings.ToLower(string(is)), "incident_status_")
	return named{name, func(s *incidents.Situation) { s.Ticket.Status = is }}
}

func reassigned(is coc.IncidentStatus) named {
	n := status(is)
	return named{n.name + ", reassigned", func(s *incidents.Situation) { n.apply(s); s.Ticket.Reassigned = true }}
}

// situation lays the parts over one that has fired for an hour, at level_30.
func situation(parts ...named) incidents.Situation {
	cfg := incidents.DefaultConfig()
	s := incidents.Situation{
		Now: noon, Rule: &cfg,
		Record: &incidents.Record{Level: "level_30", Opened: noon.Add(-time.Hour), Read: noon.Add(-time.Hour), Number: "IM1"},
		Crowd:  incidents.Crowd{Members: 2, Firing: 1, Level: "level_30", FiringSince: noon.Add(-time.Hour), QuietSince: noon.Add(-2 * time.Hour)},
	}
	for _, p := range parts {
		p.apply(&s)
	}
	return s
}

func show(s incidents.Step) string {
	text := string(s.Act)
	switch s.Act {
	case incidents.Wait:
		if s.At.IsZero() {
			return "wait for news"
		}
		return fmt.Sprintf("wait %s", s.At.Sub(noon))
	case incidents.Note:
		text += " " + string(s.State)
	case incidents.Remark:
		text += " " + string(s.Topic)
	}
	return text
}

// Every state of a record x what COC says of the ticket x what the members ask
// for, for each way to write a rule: a block where it differs from the defaults.
func TestPlan(t *testing.T) {
	var out strings.Builder
	for _, rule := range rules {
		for _, state := range states {
			if block := table(rule, state); rule.name == rules[0].name || block != table(rules[0], state) {
				fmt.Fprintf(&out, "== %s; %s\n%s\n", rule.name, state.name, block)
			}
		}
	}
	const golden = "testdata/plan.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(out.String(), "\n")); diff != "" {
		t.Errorf("the table differs (-want +got); -update if the new one is better:\n%s", diff)
	}
}

func table(rule, state named) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "ticket")
	for _, goal := range goals {
		fmt.Fprint(w, "\t", goal.name)
	}
	fmt.Fprintln(w)
	for _, ticket := range tickets {
		fmt.Fprint(w, ticket.name)
		for _, goal := range goals {
			fmt.Fprint(w, "\t", show(incidents.Plan(situation(rule, state, goal, ticket))))
		}
		fmt.Fprintln(w)
		if s := situation(state); s.Record.State == incidents.Pending || s.Record.State == incidents.Opening || s.Record.State == incidents.Over {
			break // there is no ticket to be read
		}
	}
	_ = w.Flush()
	return text.String()
}

// What must hold in every situation, however the table reads.
func TestPlan_neverDoesHarm(t *testing.T) {
	acting := []incidents.Act{incidents.Accept, incidents.Solve, incidents.Confirm, incidents.Unsolve, incidents.Remark}
	n := 0
	for _, rule := range rules {
		for _, state := range states {
			for _, goal := range goals {
				for _, ticket := range tickets {
					s := situation(rule, state, goal, ticket)
					step, n1 := incidents.Plan(s), n+1
					n = n1
					has := s.Record.State != incidents.Pending && s.Record.State != incidents.Opening
					for problem, wrong := range map[string]bool{
						"acts on what it has not read":              slices.Contains(acting, step.Act) && s.Ticket.Status == "",
						"opens a second ticket":                     step.Act == incidents.Create && has,
						"opens what does not fire":                  step.Act == incidents.Create && s.Crowd.Firing == 0,
						"opens by a changed rule":                   step.Act == incidents.Create && s.Changed,
						"opens again without two looks":             step.Act == incidents.Create && s.Record.State == incidents.Opening && s.Record.Looks < 2,
						"confirms unasked":                          step.Act == incidents.Confirm && s.Rule.Confirm.When != "solved",
						"confirms another's solution":               step.Act == incidents.Confirm && !s.Record.Ours,
						"solves what fires":                         step.Act == incidents.Solve && s.Crowd.Firing > 0,
						"solves what is not acknowledged":           step.Act == incidents.Solve && s.Ticket.Status != coc.StatusAcknowledged,
						"steps in another's ticket":                 step.Act.Calls() && step.Act != incidents.Remark && step.Act != incidents.Read && has && s.Ticket.Reassigned,
						"touches a rejected ticket":                 slices.Contains(acting, step.Act) && s.Ticket.Status == coc.StatusRejected,
						"steps in a completed ticket":               slices.Contains(acting[:4], step.Act) && s.Ticket.Status == coc.StatusCompleted,
						"reads what was just read":                  step.Act == incidents.Read && s.Ticket.Status != "",
						"waits for the past":                        step.Act == incidents.Wait && !step.At.IsZero() && !step.At.After(s.Now),
						"begins an episode although the first runs": step.Act == incidents.Begin && s.Record.Again == nil,
						"unsolves another's solution":               step.Act == incidents.Unsolve && !s.Record.Ours,
						"forgets a ticket that is at work again":    slices.Contains([]incidents.Act{incidents.Begin, incidents.End}, step.Act) && s.Record.State == incidents.Solved && !ended(s.Ticket.Status),
					} {
						if wrong {
							t.Errorf("%s; %s; %s; %s: %s %s", rule.name, state.name, goal.name, ticket.name, show(step), problem)
						}
					}
				}
			}
		}
	}
	if n < 10000 {
		t.Errorf("only %d situations", n)
	}
}

// ended: the ticket was read, and nobody works on it.
func ended(s coc.IncidentStatus) bool {
	return slices.Contains([]coc.IncidentStatus{coc.StatusResolved, coc.StatusCompleted, coc.StatusRejected, incidents.Gone}, s)
}

func TestMarked_keepsRoomForTheMark(t *testing.T) {
	mark := incidents.MarkOf("page", []string{"Disk", "eu"}, noon)
	if mark != "[cb:"+mark[4:16]+"]" || len(mark) != 17 {
		t.Errorf("mark %q", mark)
	}
	for _, title := range []string{"short", strings.Repeat("磁", 300), strings.Repeat("👨‍👩‍👧", 100), strings.Repeat("a", 182), strings.Repeat("a", 183)} {
		got := incidents.Marked(title, mark)
		if !strings.HasSuffix(got, " "+mark) || coc.Units(got) > coc.MaxIncidentTitle || coc.Units(got) < min(coc.Units(title), 180) {
			t.Errorf("%d units: %q", coc.Units(got), got)
		}
	}
	if other := incidents.MarkOf("page", []string{"Disk", "eu"}, noon.Add(time.Nanosecond)); other == mark {
		t.Error("another episode has the same mark")
	}
}
