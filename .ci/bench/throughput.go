package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// warmUp comes before each measurement and does not count.
const warmUp = 500 * time.Millisecond

// flow is what one station did in one round.
type flow struct {
	accepted  float64       // alarms/s, while requests came in
	delivered float64       // alarms/s, from the first request until the last had arrived
	work      time.Duration // on a core, per alarm
	others    time.Duration // the same of generator and sink
	memory    memory
}

// measureThroughput has bridge, relay and decode take all they can, in turns.
func (b *bench) measureThroughput(ctx context.Context) error {
	for _, alerts := range []int{1, 10} {
		for round := range b.rounds {
			if err := b.compare(ctx, round, alerts); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare is one round; who begins changes.
func (b *bench) compare(ctx context.Context, round, alerts int) error {
	names := []string{bridge, relays, decode}
	round %= len(names)
	flows := map[string]flow{}
	for _, name := range slices.Concat(names[round:], names[:round]) {
		err := b.with(ctx, name, func(s *station) (err error) {
			flows[name], err = s.flood(ctx, alerts)
			return err
		})
		if err != nil {
			return err
		}
	}
	b.addFlows(flows, alerts)
	return nil
}

func (b *bench) addFlows(flows map[string]flow, alerts int) {
	with := plural(alerts, "alert") + " a request"
	our, theirs, bare := flows[bridge], flows[relays], flows[decode]
	b.add("delivered, bridge, "+with, "alarms/s", our.delivered)
	b.add("delivered, relay, "+with, "alarms/s", theirs.delivered)
	b.add("delivered, bridge / relay, "+with, "", our.delivered/theirs.delivered)
	b.add("accepted, bridge, "+with, "alarms/s", our.accepted)
	b.add("accepted, decode, "+with, "alarms/s", bare.accepted)
	b.add("accepted, bridge / decode, "+with, "", our.accepted/bare.accepted)
	b.add("work of the bridge, "+with, "µs/alarm", micros(our.work))
	b.add("work of the relay, "+with, "µs/alarm", micros(theirs.work))
	b.add("work of decode, "+with, "µs/alarm", micros(bare.work))
	b.add("work of generator and sink, "+with, "µs/alarm", micros(our.others))
	b.add("memory, at full load (VmRSS)", "MiB", mebi(our.memory.rss))
	b.add("memory, at full load (RssAnon)", "MiB", mebi(our.memory.anon))
	b.note("%s: delivered %.0f of %.0f, accepted %.0f of %.0f alarms/s", with, our.delivered, theirs.delivered, our.accepted, bare.accepted)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func mebi(bytes int64) float64       { return float64(bytes) / (1 << 20) }

// flood sends as fast as the answers come, and waits until all has arrived.
func (s *station) flood(ctx context.Context, alerts int) (f flow, err error) {
	l := loading{url: s.url, alerts: alerts, length: warmUp}
	warm, err := s.bench.load(ctx, l)
	if err != nil {
		return f, err
	}
	if _, err := s.settle(ctx, warm); err != nil {
		return f, err
	}
	peak, before, sinkBefore := s.target.peak(ctx), s.target.work(), s.sink.work()
	l.length, l.first = s.bench.length, warm.Alerts
	sent, err := s.bench.load(ctx, l)
	if err != nil {
		return f, err
	}
	a, err := s.settle(ctx, sent)
	f.memory = peak()
	if err != nil {
		return f, err
	}
	f.accepted = sent.perSecond()
	f.work = (s.target.work() - before) / time.Duration(sent.Alerts)
	f.others = (s.sink.work() - sinkBefore + sent.work) / time.Duration(sent.Alerts)
	if a.Count > 0 {
		f.delivered = float64(a.Count) / seconds(sent.First, a.Last)
	}
	return f, nil
}

// settle waits until everything has arrived, and has the sink count anew.
func (s *station) settle(ctx context.Context, sent loaded) (a arrivals, err error) {
	if s.name == decode {
		return a, nil
	}
	if a, err = s.arrived(ctx, sent.Alerts); err != nil {
		return a, err
	}
	return a, s.resetSink(ctx)
}
