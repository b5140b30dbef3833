package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/coc"
)

func (t *tool) addScripts(root *kingpin.CmdClause) {
	t.addScriptList(root.Command("list", "List scripts."))
	t.addScriptShow(root.Command("show", "Show one script, its content and the sha256 of that."))
	t.addScriptCreate(root.Command("create", "Make a script."))
	t.addScriptUpdate(root.Command("update", "Replace the content of a script. What is not named becomes empty."))
	t.addScriptDelete(root.Command("delete", "Delete a script."))
	t.addScriptRun(root.Command("run", "Run a script on hosts."))
}

// more says how many rows a table does not show.
func (s session) more(w io.Writer, shown, total int) {
	if total > shown {
		fmt.Fprintf(w, "%d of %d; raise --limit for more\n", shown, total)
	}
}

func (t *tool) addScriptList(cmd *kingpin.CmdClause) {
	var q coc.ScriptQuery
	var limit int
	cmd.Flag("name", "Part of the name.").StringVar(&q.NameLike)
	cmd.Flag("creator", "Who made it.").StringVar(&q.Creator)
	cmd.Flag("risk", "LOW, MEDIUM or HIGH.").StringVar(&q.RiskLevel)
	cmd.Flag("type", "SHELL, PYTHON or BAT.").StringVar(&q.Type)
	cmd.Flag("limit", "How many at most.").Default("100").IntVar(&limit)
	t.on(cmd, func(ctx context.Context, s session) error {
		scripts, err := collect(s.client.EachScript(ctx, q), limit)
		if err != nil {
			return err
		}
		return s.show(scripts, func(w io.Writer) {
			row(w, "UUID", "NAME", "TYPE", "STATUS", "RISK", "VERSION", "MODIFIED", "CREATOR")
			for _, x := range scripts {
				row(w, x.UUID, x.Name, x.Type, x.Status, x.RiskLevel, x.Version, at(x.Modified), x.Creator)
			}
		})
	})
}

// scriptView is a script with what rules pin.
type scriptView struct {
	coc.Script
	ContentSHA256 string `json:"content_sha256"`
}

func (t *tool) addScriptShow(cmd *kingpin.CmdClause) {
	var uuid string
	cmd.Arg("uuid", "Of the script, SC...").Required().StringVar(&uuid)
	t.on(cmd, func(ctx context.Context, s session) error {
		x, err := s.client.GetScript(ctx, uuid)
		if err != nil {
			return err
		}
		return s.show(scriptView{x, x.ContentSHA256()}, func(w io.Writer) {
			for _, line := range [][2]any{
				{"uuid", x.UUID}, {"name", x.Name}, {"type", x.Type}, {"status", x.Status}, {"risk", x.RiskLevel}, {"version", x.Version},
				{"creator", x.Creator}, {"modified", at(x.Modified)}, {"description", x.Description}, {"content_sha256", x.ContentSHA256()},
			} {
				row(w, line[0], line[1])
			}
			for _, p := range x.Params {
				row(w, "parameter", p.Name+"="+p.Value, p.Description)
			}
			fmt.Fprintf(w, "content:\n%s\n", block(x.Content))
		})
	})
}

// scriptFlags are what create and update have in common.
type scriptFlags struct {
	coc.ScriptChange
	file      string
	params    []string
	sensitive []string
	reviewers []string
}

func (f *scriptFlags) add(cmd *kingpin.CmdClause) {
	cmd.Flag("file", "File with the content.").Required().StringVar(&f.file)
	cmd.Flag("description", "What it does.").Required().StringVar(&f.Description)
	cmd.Flag("risk", "LOW, MEDIUM or HIGH.").Required().EnumVar(&f.RiskLevel, "LOW", "MEDIUM", "HIGH")
	// Not --version: kingpin sets no defaults beside a flag of that name.
	cmd.Flag("script-version", "Up to 10 characters.").Required().StringVar(&f.Version)
	cmd.Flag("param", "Declare a parameter with its default, name=value; repeatable.").StringsVar(&f.params)
	cmd.Flag("sensitive", "Name of a parameter whose value COC hides; repeatable.").StringsVar(&f.sensitive)
	cmd.Flag("reviewer", "Who must approve it, name=id; repeatable.").StringsVar(&f.reviewers)
}

// change reads the file and the lists.
func (f *scriptFlags) change() (coc.ScriptChange, error) {
	change := f.ScriptChange
	content, err := os.ReadFile(f.file)
	if err != nil {
		return change, fmt.Errorf("%w: %w", errUsage, err)
	}
	change.Content = string(content)
	params, err := pairs(f.params)
	if err != nil {
		return change, err
	}
	hidden := map[string]bool{}
	for _, name := range f.sensitive {
		hidden[name] = true
	}
	for _, p := range params {
		change.Params = append(change.Params, coc.ScriptParam{Name: p[0], Value: p[1], Sensitive: hidden[p[0]]})
	}
	reviewers, err := pairs(f.reviewers)
	for _, r := range reviewers {
		change.Reviewers = append(change.Reviewers, coc.Reviewer{Name: r[0], ID: r[1]})
	}
	return change, err
}

func (t *tool) addScriptCreate(cmd *kingpin.CmdClause) {
	var f scriptFlags
	var n coc.NewScript
	cmd.Arg("name", "Letters, digits and _.").Required().StringVar(&n.Name)
	cmd.Flag("type", "SHELL, PYTHON or BAT.").Default("SHELL").EnumVar(&n.Type, "SHELL", "PYTHON", "BAT")
	f.add(cmd)
	t.acting(cmd, func(_ context.Context, s session) (act, error) {
		x, err := f.change()
		n.Description, n.Content, n.RiskLevel, n.Version, n.Reviewers, n.Params = x.Description, x.Content, x.RiskLevel, x.Version, x.Reviewers, x.Params
		return act{
			question: "create the script " + cell(n.Name), request: n, check: n.Check, look: "coc script list --name=" + n.Name,
			do: func(ctx context.Context) (string, string, error) { return s.client.CreateScript(ctx, n) },
		}, err
	})
}

func (t *tool) addScriptUpdate(cmd *kingpin.CmdClause) {
	var f scriptFlags
	var uuid string
	cmd.Arg("uuid", "Of the script, SC...").Required().StringVar(&uuid)
	f.add(cmd)
	t.acting(cmd, func(_ context.Context, s session) (act, error) {
		x, err := f.change()
		return act{
			question: "replace the content of script " + cell(uuid) + " (rules that pin it stop running it)", request: x, check: x.Check, look: "coc script show " + uuid,
			do: func(ctx context.Context) (string, string, error) {
				id, err := s.client.UpdateScript(ctx, uuid, x)
				return uuid, id, err
			},
		}, err
	})
}

func (t *tool) addScriptDelete(cmd *kingpin.CmdClause) {
	var uuid string
	cmd.Arg("uuid", "Of the script, SC...").Required().StringVar(&uuid)
	t.acting(cmd, func(_ context.Context, s session) (act, error) {
		return act{
			question: "delete the script " + cell(uuid), request: map[string]string{"script_uuid": uuid}, look: "coc script show " + uuid,
			do: func(ctx context.Context) (string, string, error) {
				id, err := s.client.DeleteScript(ctx, uuid)
				return uuid, id, err
			},
		}, nil
	})
}
