package main

import (
	"context"
	"fmt"
	"io"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/coc"
)

func (t *tool) addJobs(root *kingpin.CmdClause) {
	t.addJobShow(root.Command("show", "Show one job, its content and the sha256 of that."))
	t.addJobRun(root.Command("run", "Run a job."))
}

func addDocument(cmd *kingpin.CmdClause, ref *coc.DocumentRef) {
	cmd.Arg("document", "DM...").Required().StringVar(&ref.ID)
	cmd.Flag("job-version", "Such as v1; default: the latest.").StringVar(&ref.Version)
	cmd.Flag("type", "PRIVATE or PUBLIC; default: COC's.").StringVar(&ref.Type)
}

// documentView is a document with what rules pin.
type documentView struct {
	coc.Document
	ContentSHA256 string `json:"content_sha256"`
}

func (t *tool) addJobShow(cmd *kingpin.CmdClause) {
	var ref coc.DocumentRef
	addDocument(cmd, &ref)
	t.on(cmd, func(ctx context.Context, s session) error {
		d, err := s.client.GetDocument(ctx, ref)
		if err != nil {
			return err
		}
		return s.show(documentView{d, d.ContentSHA256()}, func(w io.Writer) {
			for _, line := range [][2]any{
				{"document", d.ID}, {"name", d.Name}, {"version", d.Version}, {"risk", d.RiskLevel}, {"creator", d.Creator},
				{"updated", at(d.Updated)}, {"description", d.Description}, {"content_sha256", d.ContentSHA256()},
			} {
				row(w, line[0], line[1])
			}
			fmt.Fprintf(w, "content:\n%s\n", block(d.Content))
		})
	})
}

func (t *tool) addJobRun(cmd *kingpin.CmdClause) {
	var j coc.JobRun
	var params []string
	addDocument(cmd, &j.Document)
	cmd.Flag("param", "Value of a parameter, name=value; repeatable.").StringsVar(&params)
	cmd.Flag("description", "Kept with the execution, to find it by.").Default("cocbridge coc job run").StringVar(&j.Description)
	t.addFollow(cmd)
	t.actingThen(cmd, func(ctx context.Context, s session) (act, error) {
		given, err := pairs(params)
		if err != nil {
			return act{}, err
		}
		run := j
		for _, p := range given {
			run.Parameters = append(run.Parameters, coc.RunParam{Name: p[0], Value: p[1]})
		}
		d, err := s.client.GetDocument(ctx, j.Document)
		return act{
			question: fmt.Sprintf("run job %s (%s)", cell(d.Name), cell(d.Version)), request: run, check: run.Check,
			look: "coc execution list --document=" + run.Document.ID,
			do:   func(ctx context.Context) (string, string, error) { return s.client.ExecuteDocument(ctx, run) },
		}, err
	}, followExecution)
}
