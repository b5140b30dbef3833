package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/admin"
)

// deadSettings are the flags of the commands about dead letters.
type deadSettings struct {
	remote
	chosen       admin.Select
	force, remap bool
	why          string
	id           uint64
}

func (s *deadSettings) addSelect(cmd *kingpin.CmdClause) {
	s.add(cmd)
	cmd.Arg("id", "Numbers of dead letters; without any, the flags choose.").Uint64ListVar(&s.chosen.IDs)
	cmd.Flag("integration", "Those for this integration.").StringVar(&s.chosen.Integration)
	cmd.Flag("rule", "Those of this rule.").StringVar(&s.chosen.Rule)
	cmd.Flag("reason", "Those with this cause, such as mapping_alarm_name or gave_up.").StringVar(&s.chosen.Reason)
	cmd.Flag("older-than", "Those last buried so long ago or longer, such as 2d.").SetValue(&s.chosen.OlderThan)
	cmd.Flag("newer-than", "Those last buried less long ago, such as 1h.").SetValue(&s.chosen.NewerThan)
}

func deadCommands(app *kingpin.Application) map[string]command {
	dead := app.Command("dead", "Alarms that were given up, kept until you replay or drop them.")
	commands := map[string]command{}
	add := func(name, help string, flags func(*deadSettings, *kingpin.CmdClause), do func(context.Context, console, *deadSettings) error) {
		s := new(deadSettings)
		cmd := dead.Command(name, help)
		flags(s, cmd)
		commands[cmd.FullCommand()] = func(ctx context.Context, c console) error { return do(ctx, c, s) }
	}
	changing := func(s *deadSettings, cmd *kingpin.CmdClause) {
		s.addSelect(cmd)
		cmd.Flag("all", "All of them.").BoolVar(&s.chosen.All)
	}
	add("list", "List dead letters, oldest first.", (*deadSettings).addSelect, listDead)
	add("show", "Show one dead letter with its alarm and its alert.", func(s *deadSettings, cmd *kingpin.CmdClause) {
		s.add(cmd)
		cmd.Arg("id", "Its number.").Required().Uint64Var(&s.id)
	}, showDead)
	add("replay", "Queue dead letters again, as far as no newer news has overtaken them.", func(s *deadSettings, cmd *kingpin.CmdClause) {
		changing(s, cmd)
		cmd.Flag("remap", "Map the alert that was kept again, by today's configuration.").BoolVar(&s.remap)
		cmd.Flag("force", "Also if newer news has overtaken it; with one number only.").BoolVar(&s.force)
	}, replayDead)
	add("drop", "Forget dead letters.", func(s *deadSettings, cmd *kingpin.CmdClause) {
		changing(s, cmd)
		cmd.Flag("why", "The reason, which is kept in the history of each alarm.").Required().StringVar(&s.why)
	}, dropDead)
	add("export", "Write dead letters as JSON lines, with their alarms and alerts.", (*deadSettings).addSelect, exportDead)
	return commands
}

func listDead(ctx context.Context, c console, s *deadSettings) error {
	p := newPrinter(c, s.output, "ID LAST CAUSE COUNT INTEGRATION NAME ALARM_ID", func(d admin.DeadLetter) []string {
		if d.Problem != "" {
			return []string{id(d.ID), "", "damaged", "", "", d.Problem, ""}
		}
		return []string{id(d.ID), when(d.Last), d.Cause, strconv.Itoa(d.Count), d.Task.Integration, d.Task.Name, d.Task.AlarmID}
	})
	if err := s.client(c).DeadLetters(ctx, s.chosen, p.print); err != nil {
		return err
	}
	return p.end("no dead letters")
}

func id(n uint64) string { return strconv.FormatUint(n, 10) }

func showDead(ctx context.Context, c console, s *deadSettings) error {
	found := false
	err := s.client(c).DeadLetters(ctx, admin.Select{IDs: []uint64{s.id}, Full: true}, func(d admin.DeadLetter) error {
		found = true
		if s.output == "json" {
			return printJSON(c, d)
		}
		printDead(c, d)
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: there is no dead letter %d", admin.ErrNotFound, s.id)
	}
	return err
}

func printDead(c console, d admin.DeadLetter) {
	printPairs(c, [][2]string{
		{"dead letter", id(d.ID)}, {"cause", d.Cause}, {"detail", d.Detail}, {"problem", d.Problem},
		{"buried", fmt.Sprintf("%d times from %s to %s", d.Count, when(d.First), when(d.Last))},
	})
	printTask(c, d.Task)
}

func replayDead(ctx context.Context, c console, s *deadSettings) error {
	o := newOutcomes(c, s.output, admin.Replayed)
	err := s.client(c).Replay(ctx, admin.Replay{Select: s.chosen, Force: s.force, Remap: s.remap}, o.add)
	if err = o.end(c, err); err == nil && o.count[admin.Replayed] == 0 {
		err = fmt.Errorf("nothing was replayed (%s): what is listed stays a dead letter, for the reason beside it", firstOf(o.sum(), "they are gone"))
	}
	return err
}

func dropDead(ctx context.Context, c console, s *deadSettings) error {
	o := newOutcomes(c, s.output, admin.Dropped)
	err := s.client(c).Drop(ctx, admin.Drop{Select: s.chosen, Why: s.why}, o.add)
	return o.end(c, err)
}

func exportDead(ctx context.Context, c console, s *deadSettings) error {
	s.chosen.Full = true
	p := newPrinter[admin.DeadLetter](c, "json", "", nil)
	return s.client(c).DeadLetters(ctx, s.chosen, p.print)
}

// outcomes counts what became of each, and shows those that did not go as meant.
type outcomes struct {
	*printer[admin.Outcome]
	meant string
	count map[string]int
}

func newOutcomes(c console, output, meant string) *outcomes {
	row := func(o admin.Outcome) []string { return []string{id(o.ID), o.Result, o.AlarmID, o.Detail} }
	return &outcomes{newPrinter(c, output, "ID RESULT ALARM_ID DETAIL", row), meant, map[string]int{}}
}

func (o *outcomes) add(one admin.Outcome) error {
	o.count[one.Result]++
	if o.json == nil && one.Result == o.meant {
		return nil
	}
	return o.print(one)
}

// end shows the sum also where an error came between: what was done stays done.
func (o *outcomes) end(c console, err error) error {
	if o.json != nil || len(o.count) == 0 {
		return err
	}
	_ = o.tab.Flush()
	fmt.Fprintln(c.stdout, o.sum())
	return err
}

func (o *outcomes) sum() string {
	var parts []string
	for _, result := range slices.Sorted(maps.Keys(o.count)) {
		parts = append(parts, fmt.Sprintf("%d %s", o.count[result], result))
	}
	return strings.Join(parts, ", ")
}
