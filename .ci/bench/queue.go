package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const (
	shallow  = 10_000           // alarms in a queue that is not deep
	draining = 20 * time.Second // how much of the deep queue's draining is measured
	perFill  = 100              // alerts per request while a queue is filled
	fillRest = 8 * time.Minute  // how long filling may take
)

// measureQueue fills a queue while COC answers 503, kills the bridge, starts it
// again and lets the queue drain: a deep one once, shallow ones in every round,
// half of them before and half after.
func (b *bench) measureQueue(ctx context.Context) error {
	var rates []float64
	for round := range b.rounds {
		if round == b.rounds/2 {
			if err := b.with(ctx, bridge, func(s *station) error { return s.drainDeep(ctx) }); err != nil {
				return err
			}
		}
		err := b.with(ctx, bridge, func(s *station) error {
			rate, err := s.drainShallow(ctx)
			rates = append(rates, rate)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, rate := range rates {
		b.add("shallow queue: drained", "alarms/s", rate)
		b.add("deep queue: drained, deep / shallow", "", b.median("deep queue: drained")/rate)
	}
	return nil
}

func (s *station) drainShallow(ctx context.Context) (float64, error) {
	if _, _, err := s.fillAndRestart(ctx, shallow); err != nil {
		return 0, err
	}
	if err := s.answerWith(ctx, http.StatusOK); err != nil {
		return 0, err
	}
	a, err := s.arrived(ctx, shallow)
	if err != nil {
		return 0, err
	}
	rate := float64(a.Count) / seconds(a.First, a.Last)
	s.bench.note("shallow queue: drained at %.0f alarms/s", rate)
	return rate, nil
}

func (s *station) drainDeep(ctx context.Context) error {
	b := s.bench
	filled, ready, err := s.fillAndRestart(ctx, b.queued)
	if err != nil {
		return err
	}
	m, err := s.target.memory()
	if err != nil {
		return err
	}
	b.add("deep queue: alarms", "", float64(b.queued))
	b.add("deep queue: accepted while COC answers 503, 100 alerts a request", "alarms/s", filled.perSecond())
	b.add("deep queue: time to fill", "s", seconds(filled.First, filled.Last))
	b.add("deep queue: file", "MiB", mebi(s.fileSize()))
	b.add("deep queue: from kill -9 to ready", "s", ready.Seconds())
	b.add("deep queue: memory after the restart (RssAnon)", "MiB", mebi(m.anon))
	b.add("deep queue: memory after the restart (VmRSS)", "MiB", mebi(m.rss))
	b.note("deep queue: filled in %.0f s, ready in %s, %.0f MiB on disk, RssAnon %.0f, VmRSS %.0f MiB",
		seconds(filled.First, filled.Last), ready.Round(time.Millisecond), mebi(s.fileSize()), mebi(m.anon), mebi(m.rss))
	return s.drainForAWhile(ctx)
}

func (s *station) drainForAWhile(ctx context.Context) error {
	peak := s.target.peak(ctx)
	a, err := s.beginDraining(ctx)
	for err == nil && a.Distinct < s.bench.queued && time.Since(time.Unix(0, a.First)) < draining {
		time.Sleep(interval)
		a, err = s.arrivals(ctx, "")
	}
	most := peak()
	if err != nil {
		return err
	}
	rate := float64(a.Count) / seconds(a.First, a.Last)
	s.bench.add("deep queue: drained", "alarms/s", rate)
	s.bench.add("deep queue: memory while it drains (RssAnon)", "MiB", mebi(most.anon))
	s.bench.add("deep queue: memory while it drains (VmRSS)", "MiB", mebi(most.rss))
	s.bench.note("deep queue: drained at %.0f alarms/s, RssAnon %.0f, VmRSS %.0f MiB", rate, mebi(most.anon), mebi(most.rss))
	if a.Count != a.Distinct {
		return fmt.Errorf("%d alarms of the deep queue arrived in %d calls", a.Distinct, a.Count)
	}
	return nil
}

// beginDraining returns when the first alarm has arrived.
func (s *station) beginDraining(ctx context.Context) (a arrivals, err error) {
	if err := s.answerWith(ctx, http.StatusOK); err != nil {
		return a, err
	}
	return a, s.until(ctx, "the queue to drain", func() (ok bool, err error) {
		a, err = s.arrivals(ctx, "")
		return a.Count > 0, err
	})
}

// fillAndRestart leaves a bridge that was just started again, with n alarms
// queued and COC still answering 503.
func (s *station) fillAndRestart(ctx context.Context, n int) (filled loaded, ready time.Duration, err error) {
	if err := s.answerWith(ctx, http.StatusServiceUnavailable); err != nil {
		return filled, 0, err
	}
	filling, cancel := context.WithTimeout(ctx, fillRest)
	defer cancel()
	if filled, err = s.bench.load(filling, loading{url: s.url, alerts: perFill, count: n}); err != nil {
		return filled, 0, err
	}
	if ready, err = s.restart(ctx); err != nil {
		return filled, 0, err
	}
	queued, err := s.queued(ctx)
	if err == nil && queued != n {
		err = fmt.Errorf("%d alarms were accepted, but after kill -9 and a restart %d are queued", n, queued)
	}
	return filled, ready, err
}

func (s *station) fileSize() int64 {
	info, err := os.Stat(filepath.Join(s.folder, "data", "cocbridge.db"))
	if err != nil {
		return 0
	}
	return info.Size()
}
