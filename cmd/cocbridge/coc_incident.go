package main

import (
	"context"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/coc"
)

func (t *tool) addIncidents(root *kingpin.CmdClause) {
	t.addIncidentCreate(root.Command("create", "Open a ticket. It pages people."))
	t.addIncidentGet(root.Command("get", "Show one ticket.").Alias("show"))
	t.addIncidentAccept(root.Command("accept", "Take a ticket on."))
	t.addIncidentSolve(root.Command("solve", "Hand in the solution of an accepted ticket."))
	t.addIncidentConfirm(root.Command("confirm", "Close a solved ticket, or send it back."))
	t.addIncidentRemark(root.Command("remark", "Add a note to a ticket."))
	t.addIncidentList(root.Command("list", "List tickets, newest first."))
}

func (t *tool) addIncidentCreate(cmd *kingpin.CmdClause) {
	var in coc.NewIncident
	cmd.Flag("title", "Up to 200 characters.").Required().StringVar(&in.Title)
	cmd.Flag("description", "Up to 600 characters.").Required().StringVar(&in.Description)
	cmd.Flag("level", "level_10 (worst) to level_50.").Required().EnumVar(&in.Level, coc.IncidentLevels()...)
	cmd.Flag("type", "Such as inc_type_p_monitoring_issues.").Default("inc_type_p_monitoring_issues").StringVar(&in.Type)
	cmd.Flag("source", "Where it comes from.").Default("incident_source_manual").EnumVar(&in.Source, coc.IncidentSources()...)
	cmd.Flag("creator", "User id of who opens it.").Required().StringVar(&in.Creator)
	cmd.Flag("assignee", "User id of who owns it; or --scene and --role.").StringVar(&in.Assignee)
	cmd.Flag("scene", "Shift scenario that names the owner, with --role.").StringVar(&in.AssigneeScene)
	cmd.Flag("role", "Shift role that names the owner, with --scene.").StringVar(&in.AssigneeRole)
	cmd.Flag("application", "Application id.").StringVar(&in.Application)
	cmd.Flag("region", "Region id.").StringVar(&in.Region)
	cmd.Flag("enterprise-project", "Enterprise project id.").Default("0").StringVar(&in.EnterpriseProject)
	cmd.Flag("interrupted", "The service is interrupted.").BoolVar(&in.ServiceInterrupt)
	t.acting(cmd, func(_ context.Context, s session) (act, error) {
		return act{
			question: "open the incident " + cell(in.Title), request: in, check: in.Check, look: "coc incident list",
			do: func(ctx context.Context) (string, string, error) { return s.client.CreateIncident(ctx, in) },
		}, nil
	})
}

// handling is an act on an incident.
func handling(s session, question string, a coc.IncidentAction) act {
	return act{
		question: question + " " + cell(a.Num), request: a, check: a.Check, look: "coc incident get " + a.Num,
		do: func(ctx context.Context) (string, string, error) {
			id, err := s.client.HandleIncident(ctx, a)
			return a.Num, id, err
		},
	}
}

func (t *tool) addIncidentAccept(cmd *kingpin.CmdClause) {
	a := coc.IncidentAction{Key: coc.AcceptIncident}
	addAction(cmd, &a)
	t.acting(cmd, func(_ context.Context, s session) (act, error) { return handling(s, "accept incident", a), nil })
}

func addAction(cmd *kingpin.CmdClause, a *coc.IncidentAction) {
	cmd.Arg("number", "Of the ticket, IM...").Required().StringVar(&a.Num)
	cmd.Flag("operator", "User id of who does it.").Required().StringVar(&a.Operator)
}

func (t *tool) addIncidentSolve(cmd *kingpin.CmdClause) {
	a := coc.IncidentAction{Key: coc.CommitSolution, Solution: &coc.Solution{}}
	addAction(cmd, &a)
	cmd.Flag("cause", "What was wrong.").Required().StringVar(&a.Solution.Cause)
	cmd.Flag("solution", "What was done.").Required().StringVar(&a.Solution.Solution)
	cmd.Flag("type", "Such as inc_type_p_monitoring_issues.").Default("inc_type_p_monitoring_issues").StringVar(&a.Solution.Type)
	cmd.Flag("interrupted", "The service was interrupted.").BoolVar(&a.Solution.ServiceInterrupt)
	t.acting(cmd, func(_ context.Context, s session) (act, error) { return handling(s, "solve incident", a), nil })
}

func (t *tool) addIncidentConfirm(cmd *kingpin.CmdClause) {
	a := coc.IncidentAction{Key: coc.ConfirmIncident, Verdict: &coc.Verdict{}}
	var reject bool
	addAction(cmd, &a)
	cmd.Flag("comment", "Why, up to 300 characters.").Required().StringVar(&a.Verdict.Comment)
	cmd.Flag("reject", "Send it back instead of closing it.").BoolVar(&reject)
	t.acting(cmd, func(_ context.Context, s session) (act, error) {
		a.Verdict.OK = !reject
		return handling(s, map[bool]string{false: "close incident", true: "send back incident"}[reject], a), nil
	})
}

func (t *tool) addIncidentRemark(cmd *kingpin.CmdClause) {
	var num, note string
	cmd.Arg("number", "Of the ticket, IM...").Required().StringVar(&num)
	cmd.Arg("note", "Up to 300 characters.").Required().StringVar(&note)
	t.acting(cmd, func(_ context.Context, s session) (act, error) {
		return act{
			question: "add a note to incident " + cell(num), request: map[string]string{"incident_num": num, "note": note}, look: "coc incident get " + num,
			do: func(ctx context.Context) (string, string, error) {
				id, err := s.client.RemarkIncident(ctx, num, note)
				return num, id, err
			},
		}, nil
	})
}

func (t *tool) addIncidentGet(cmd *kingpin.CmdClause) {
	var num string
	cmd.Arg("number", "Of the ticket, IM...").Required().StringVar(&num)
	t.on(cmd, func(ctx context.Context, s session) error {
		i, err := s.client.GetIncident(ctx, num)
		if err != nil {
			return err
		}
		return s.show(i, func(w io.Writer) {
			for _, line := range [][2]any{
				{"number", i.Num}, {"status", i.Status}, {"title", i.Title}, {"level", i.Level}, {"type", i.Type}, {"source", i.Source},
				{"created", at(i.CreateTime)}, {"solved", at(i.HandleTime)}, {"creator", i.Creator}, {"assignee", i.Assignee},
				{"scene, role", i.AssigneeScene + " " + i.AssigneeRole}, {"application", i.Application}, {"region", i.Region},
				{"interrupted", i.ServiceInterrupt}, {"description", i.Description},
			} {
				row(w, line[0], line[1])
			}
		})
	})
}

func (t *tool) addIncidentList(cmd *kingpin.CmdClause) {
	var q coc.IncidentQuery
	var since time.Duration
	var simple bool
	cmd.Flag("title", "Part of the title.").StringVar(&q.TitleLike)
	cmd.Flag("creator", "User id of who opened it.").StringVar(&q.Creator)
	cmd.Flag("since", "Only those opened in the last time, such as 24h.").DurationVar(&since)
	cmd.Flag("limit", "How many at most.").Default("50").IntVar(&q.Limit)
	cmd.Flag("simple", "Ask the list without filters (GET /v1/incident-tickets).").BoolVar(&simple)
	t.on(cmd, func(ctx context.Context, s session) error {
		if since > 0 {
			q.CreatedFrom = time.Now().Add(-since)
		}
		list := func() (coc.IncidentPage, error) { return s.client.ListIncidents(ctx, q) }
		if simple {
			list = func() (coc.IncidentPage, error) {
				return s.client.ListIncidentTickets(ctx, coc.TicketQuery{Limit: q.Limit})
			}
		}
		page, err := list()
		if err != nil {
			return err
		}
		return s.show(page, func(w io.Writer) {
			row(w, "NUMBER", "STATUS", "LEVEL", "CREATED", "ASSIGNEE", "TITLE")
			for _, i := range page.Incidents {
				row(w, i.Num, i.Status, i.Level, at(i.CreateTime), i.Assignee, i.Title)
			}
			s.more(w, len(page.Incidents), page.Total)
		})
	})
}
