package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/coc"
)

func (t *tool) addOrders(root *kingpin.CmdClause) {
	t.addOrderList(root.Command("list", "List runs, newest first."))
	t.addOrderShow(root.Command("show", "Show one run: its batches and hosts."))
	t.addOrderLogs(root.Command("logs", "Print what the script wrote on each host."))
	for _, of := range []struct {
		name, help string
		operation  coc.Operation
	}{
		{"cancel", "Stop a run, or one host of it.", coc.CancelOrder},
		{"pause", "Hold a run after its current batch.", coc.PauseOrder},
		{"continue", "Let a held run go on.", coc.ContinueOrder},
		{"skip-batch", "Leave a batch out.", coc.SkipBatch},
	} {
		t.addOrderOperation(root.Command(of.name, of.help), of.name, of.operation)
	}
}

func (t *tool) addOrderList(cmd *kingpin.CmdClause) {
	var q coc.OrderQuery
	var since time.Duration
	var status string
	var limit int
	cmd.Flag("since", "Only those started in the last time, such as 24h.").DurationVar(&since)
	cmd.Flag("creator", "Who started it.").StringVar(&q.Creator)
	cmd.Flag("status", "READY, PROCESSING, ABNORMAL, PAUSED, CANCELED or FINISHED.").StringVar(&status)
	cmd.Flag("limit", "How many at most.").Default("50").IntVar(&limit)
	t.on(cmd, func(ctx context.Context, s session) error {
		q.Status = coc.OrderStatus(status)
		if since > 0 {
			q.From = time.Now().Add(-since)
		}
		orders, err := collect(s.client.EachOrder(ctx, q), limit)
		if err != nil {
			return err
		}
		return s.show(orders, func(w io.Writer) {
			row(w, "ORDER", "STATUS", "CREATED", "TOOK", "CREATOR", "NAME")
			for _, o := range orders {
				row(w, o.UUID, o.Status, at(o.Created), length(o.Took()), o.Creator, o.Name)
			}
		})
	})
}

// orderView is an order with all that belongs to it.
type orderView struct {
	coc.Order
	Statistics coc.Statistics `json:"statistics"`
	Batches    []batchView    `json:"batches"`
}

type batchView struct {
	coc.OrderBatch
	HostRuns []coc.HostRun `json:"host_runs"`
}

func (s session) order(ctx context.Context, uuid string) (v orderView, err error) {
	if v.Order, err = s.client.GetOrder(ctx, uuid); err != nil {
		return v, err
	}
	if v.Statistics, err = s.client.OrderStatistics(ctx, uuid); err != nil {
		return v, err
	}
	batches, err := s.client.OrderBatches(ctx, uuid)
	for _, b := range batches {
		hosts, err := collect(s.client.EachHostRun(ctx, coc.HostRunQuery{Order: uuid, Batch: b.Index}), coc.MaxHosts)
		if err != nil {
			return v, err
		}
		v.Batches = append(v.Batches, batchView{b, hosts})
	}
	return v, err
}

func (t *tool) addOrderShow(cmd *kingpin.CmdClause) {
	var uuid string
	cmd.Arg("order", "SCT...").Required().StringVar(&uuid)
	t.addFollow(cmd)
	t.on(cmd, func(ctx context.Context, s session) error {
		if s.follow {
			if err := followOrder(ctx, s, uuid); err != nil {
				return err
			}
		}
		v, err := s.order(ctx, uuid)
		if err != nil {
			return err
		}
		return s.show(v, func(w io.Writer) { v.write(w) })
	})
}

func (v orderView) write(w io.Writer) {
	done, failed := v.Statistics.Done()
	for _, line := range [][2]any{
		{"order", v.UUID}, {"status", v.Status}, {"script", v.ScriptName + " " + v.ScriptUUID}, {"creator", v.Creator},
		{"created", at(v.Created)}, {"finished", at(v.Finished)}, {"took", length(v.Took())},
		{"hosts", fmt.Sprintf("%d of %d done, %d not well", done, v.Statistics.Hosts, failed)},
	} {
		row(w, line[0], line[1])
	}
	fmt.Fprintln(w)
	row(w, "BATCH", "ID", "HOST", "NAME", "STATUS", "TOOK", "LAST LINE")
	for _, b := range v.Batches {
		for _, h := range b.HostRuns {
			row(w, b.Index, h.ID, h.ResourceID, h.Name, h.Status, length(h.Took()), lastLine(h.Output))
		}
	}
}

func (t *tool) addOrderLogs(cmd *kingpin.CmdClause) {
	var uuid, host string
	cmd.Arg("order", "SCT...").Required().StringVar(&uuid)
	cmd.Flag("host", "Only of this resource id.").StringVar(&host)
	t.on(cmd, func(ctx context.Context, s session) error {
		v, err := s.order(ctx, uuid)
		if err != nil {
			return err
		}
		runs := []coc.HostRun{}
		for _, b := range v.Batches {
			for _, h := range b.HostRuns {
				if host == "" || host == h.ResourceID {
					runs = append(runs, h)
				}
			}
		}
		return s.show(runs, func(w io.Writer) {
			for _, h := range runs {
				fmt.Fprintf(w, "== %s %s %s\n%s\n", cell(h.ResourceID), cell(h.Name), cell(string(h.Status)), block(h.Output))
			}
		})
	})
}

func (t *tool) addOrderOperation(cmd *kingpin.CmdClause, name string, operation coc.Operation) {
	o := coc.OrderOperation{Operation: operation}
	cmd.Arg("order", "SCT...").Required().StringVar(&o.Order)
	switch operation {
	case coc.SkipBatch:
		cmd.Arg("batch", "Its index, from 1.").Required().IntVar(&o.Batch)
	case coc.CancelOrder:
		cmd.Flag("host", "Only this host: its ID of coc order show.").Int64Var(&o.Host)
	}
	t.acting(cmd, func(_ context.Context, s session) (act, error) {
		if o.Host > 0 {
			o.Operation = coc.CancelHost
		}
		return act{
			question: name + " order " + cell(o.Order), request: o, look: "coc order show " + o.Order,
			do: func(ctx context.Context) (string, string, error) {
				id, err := s.client.OperateOrder(ctx, o)
				return o.Order, id, err
			},
		}, nil
	})
}
