package main

import (
	"context"
	"time"
)

// pace is the load of an ordinary bad day, in alarms per second.
const pace = 1000

// measureLatency sends at a pace that does not depend on the answers, one alert
// per request. A delay counts from when the alert was due to be sent.
func (b *bench) measureLatency(ctx context.Context) error {
	for range b.rounds {
		for _, name := range []string{bridge, relays} {
			err := b.with(ctx, name, func(s *station) error { return s.stroll(ctx) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *station) stroll(ctx context.Context) error {
	b := s.bench
	l := loading{url: s.url, alerts: 1, length: warmUp, rate: pace}
	warm, err := b.load(ctx, l)
	if err != nil {
		return err
	}
	if _, err := s.settle(ctx, warm); err != nil {
		return err
	}
	l.first, l.length = warm.Alerts, b.length
	peak, before := s.target.peak(ctx), s.target.work()
	sent, err := b.load(ctx, l)
	if err != nil {
		return err
	}
	a, err := s.settle(ctx, sent)
	most := peak()
	if err != nil {
		return err
	}
	name := "accept to COC at 1,000/s, " + s.name
	b.add(name+", p50", "ms", millis(a.P50))
	b.add(name+", p99", "ms", millis(a.P99))
	b.add(name+", worst", "ms", millis(a.Max))
	if s.name == bridge {
		b.add("memory, at 1,000/s (VmRSS)", "MiB", mebi(most.rss))
		b.add("memory, at 1,000/s (RssAnon)", "MiB", mebi(most.anon))
		b.add("work of the bridge at 1,000/s", "% of a core", 100*(s.target.work()-before).Seconds()/seconds(sent.First, a.Last))
	}
	b.note("%s: %.0f alarms/s, p50 %s, p99 %s, worst %s", s.name, sent.perSecond(), a.P50, a.P99, a.Max)
	return nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
