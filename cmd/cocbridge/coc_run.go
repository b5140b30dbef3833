package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/cocbridge/cocbridge/internal/coc"
)

// collect takes at most limit items.
func collect[T any](items iter.Seq2[T, error], limit int) ([]T, error) {
	all := []T{}
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		if len(all) >= limit {
			break
		}
		all = append(all, item)
	}
	return all, nil
}

// runFlags are what script run is told.
type runFlags struct {
	coc.Run
	hosts  []string
	params []string
	batch  int
	pause  bool
}

func (t *tool) addScriptRun(cmd *kingpin.CmdClause) {
	var f runFlags
	cmd.Arg("uuid", "Of the script, SC...").Required().StringVar(&f.Script)
	cmd.Flag("host", "Resource id of a host; repeatable. Batches are filled in this order.").Required().StringsVar(&f.hosts)
	cmd.Flag("user", "User on the hosts.").Default("root").StringVar(&f.User)
	cmd.Flag("timeout", "Of each batch, 6s to 1799s.").Default("5m").DurationVar(&f.Timeout)
	cmd.Flag("success-rate", "Percent of hosts that must succeed before the next batch.").Default("100").Float64Var(&f.SuccessRate)
	cmd.Flag("param", "Value of a parameter, name=value; repeatable.").StringsVar(&f.params)
	cmd.Flag("batch-size", "Hosts that run at the same time, up to 10.").Default("10").IntVar(&f.batch)
	cmd.Flag("pause", "Wait for coc order continue after each batch.").BoolVar(&f.pause)
	t.addFollow(cmd)
	t.actingThen(cmd, f.prepare, followOrder)
}

func (t *tool) addFollow(cmd *kingpin.CmdClause) {
	cmd.Flag("follow", "Stay and show how it gets on, until it ends.").Short('f').BoolVar(&t.follow)
	cmd.Flag("interval", "How often to look while following.").Default("5s").DurationVar(&t.interval)
}

// prepare looks up script and hosts, which changes nothing.
func (f *runFlags) prepare(ctx context.Context, s session) (act, error) {
	run := f.Run
	params, err := pairs(f.params)
	if err != nil {
		return act{}, err
	}
	for _, p := range params {
		run.Params = append(run.Params, coc.RunParam{Name: p[0], Value: p[1]})
	}
	targets, err := s.targets(ctx, f.hosts)
	if err != nil {
		return act{}, err
	}
	if f.batch < 1 {
		return act{}, fmt.Errorf("%w: --batch-size is %d, must be 1 to %d", errUsage, f.batch, coc.MaxHostsPerBatch)
	}
	run.Batches = coc.InBatches(targets, f.batch)
	for i := range run.Batches[:len(run.Batches)-1] {
		run.Batches[i].Pause = f.pause
	}
	script, err := s.client.GetScript(ctx, run.Script)
	if err != nil {
		return act{}, err
	}
	return act{
		question: fmt.Sprintf("run script %s as %s on %d hosts in %d batches", cell(script.Name), cell(run.User), len(targets), len(run.Batches)),
		request:  run, check: run.Check, look: "coc order list --since=10m",
		do: func(ctx context.Context) (string, string, error) { return s.client.ExecuteScript(ctx, run) },
	}, nil
}

// targets finds the hosts in COC's inventory, in the order of ids.
func (s session) targets(ctx context.Context, ids []string) ([]coc.Target, error) {
	if len(ids) > coc.MaxHosts {
		return nil, fmt.Errorf("%w: %d hosts are too many for one run, %d are allowed", errUsage, len(ids), coc.MaxHosts)
	}
	found := map[string]coc.Resource{}
	for first := 0; first < len(ids); first += coc.MaxResourceIDs {
		some := ids[first:min(first+coc.MaxResourceIDs, len(ids))]
		for r, err := range s.client.EachResource(ctx, coc.ResourceQuery{IDs: some}) {
			if err != nil {
				return nil, err
			}
			found[r.ResourceID] = r
		}
	}
	var targets []coc.Target
	var problems []string
	for _, id := range ids {
		r, known := found[id]
		switch {
		case !known:
			problems = append(problems, cell(id)+" is not in COC's inventory")
		case r.AgentState != coc.AgentOnline:
			problems = append(problems, fmt.Sprintf("the UniAgent of %s is %s", cell(id), cell(r.AgentState)))
		}
		targets = append(targets, r.Target())
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%w: %s; nothing was run", errUsage, strings.Join(problems, ", "))
	}
	return targets, nil
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
