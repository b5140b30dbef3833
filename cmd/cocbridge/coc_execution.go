package main

import (
	"context"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/coc"
)

func (t *tool) addExecutions(root *kingpin.CmdClause) {
	t.addExecutionList(root.Command("list", "List runs of jobs."))
	t.addExecutionShow(root.Command("show", "Show one run of a job."))
	t.addExecutionSteps(root.Command("steps", "Show the steps of a run with what they returned."))
	for _, of := range []struct {
		name, help string
		operation  coc.ExecutionOperation
	}{
		{"stop", "Stop a run for good.", coc.TerminateExecution},
		{"resume", "Let a run go on that waits.", coc.ResumeExecution},
		{"retry", "Run the failed step again.", coc.RetryExecution},
		{"skip-batch", "Leave the current batch out.", coc.SkipExecutionBatch},
	} {
		t.addExecutionOperation(root.Command(of.name, of.help), of.name, of.operation)
	}
}

func (t *tool) addExecutionList(cmd *kingpin.CmdClause) {
	var q coc.ExecutionQuery
	var since time.Duration
	var limit int
	cmd.Flag("document", "Id of the job, DM...").StringVar(&q.Document)
	cmd.Flag("name", "Part of the job's name.").StringVar(&q.Name)
	cmd.Flag("creator", "Part of who started it.").StringVar(&q.Creator)
	cmd.Flag("since", "Only those started in the last time, such as 24h.").DurationVar(&since)
	cmd.Flag("limit", "How many at most.").Default("50").IntVar(&limit)
	t.on(cmd, func(ctx context.Context, s session) error {
		if since > 0 {
			q.From = time.Now().Add(-since)
		}
		executions, err := collect(s.client.EachExecution(ctx, q), limit)
		if err != nil {
			return err
		}
		return s.show(executions, func(w io.Writer) {
			row(w, "EXECUTION", "STATUS", "STARTED", "TOOK", "JOB", "DESCRIPTION")
			for _, e := range executions {
				row(w, e.ID, e.Status, at(e.Started), length(e.Took()), e.Name, e.Description)
			}
		})
	})
}

func (t *tool) addExecutionShow(cmd *kingpin.CmdClause) {
	var id string
	cmd.Arg("execution", "EX...").Required().StringVar(&id)
	t.addFollow(cmd)
	t.on(cmd, func(ctx context.Context, s session) error {
		if s.follow {
			if err := followExecution(ctx, s, id); err != nil {
				return err
			}
		}
		e, err := s.client.GetExecution(ctx, id)
		if err != nil {
			return err
		}
		return s.show(e, func(w io.Writer) {
			for _, line := range [][2]any{
				{"execution", e.ID}, {"status", e.Status}, {"job", e.Name + " " + e.Document + " " + e.Version}, {"creator", e.Creator},
				{"started", at(e.Started)}, {"finished", at(e.Finished)}, {"took", length(e.Took())}, {"description", e.Description},
			} {
				row(w, line[0], line[1])
			}
		})
	})
}

func (t *tool) addExecutionSteps(cmd *kingpin.CmdClause) {
	var id string
	cmd.Arg("execution", "EX...").Required().StringVar(&id)
	t.on(cmd, func(ctx context.Context, s session) error {
		steps, err := collect(s.client.EachExecutionStep(ctx, coc.StepQuery{Execution: id}), 1000)
		if err != nil {
			return err
		}
		return s.show(steps, func(w io.Writer) {
			row(w, "STEP", "STATUS", "TOOK", "ACTION", "MESSAGE")
			for _, x := range steps {
				row(w, x.Name, x.Status, length(x.Took()), x.Action, x.Message)
				for _, out := range x.Outputs {
					row(w, "  "+out.Key, out.Value)
				}
			}
		})
	})
}

func (t *tool) addExecutionOperation(cmd *kingpin.CmdClause, name string, operation coc.ExecutionOperation) {
	var id string
	cmd.Arg("execution", "EX...").Required().StringVar(&id)
	t.acting(cmd, func(_ context.Context, s session) (act, error) {
		return act{
			question: name + " execution " + cell(id), request: map[string]string{"execution_id": id, "operate_type": string(operation)},
			look: "coc execution show " + id,
			do: func(ctx context.Context) (string, string, error) {
				requestID, err := s.client.OperateExecution(ctx, id, operation)
				return id, requestID, err
			},
		}, nil
	})
}
