package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

// calm is how long an idle bridge is left alone before its memory is looked at.
const calm = 3 * time.Second

// measureIdle looks at a bridge that was started and not asked anything.
func (b *bench) measureIdle(ctx context.Context) error {
	return b.with(ctx, bridge, func(s *station) error {
		select {
		case <-time.After(calm):
		case <-ctx.Done():
			return ctx.Err()
		}
		m, err := s.target.memory()
		b.add("memory, idle (VmRSS)", "MiB", mebi(m.rss))
		b.add("memory, idle (RssAnon)", "MiB", mebi(m.anon))
		return err
	})
}

// repeated is the size of the group that is repeated.
const repeated = 100

// measureRepeats sends one group again and again, of which COC must hear once.
func (b *bench) measureRepeats(ctx context.Context) error {
	for range b.rounds {
		if err := b.with(ctx, bridge, func(s *station) error { return s.repeat(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *station) repeat(ctx context.Context) error {
	l := loading{url: s.url, alerts: repeated, same: true, count: repeated}
	if _, err := s.bench.load(ctx, l); err != nil {
		return err
	}
	if _, err := s.arrived(ctx, repeated); err != nil {
		return err
	}
	l.count, l.length = 0, s.bench.length
	sent, err := s.bench.load(ctx, l)
	if err != nil {
		return err
	}
	if _, err := s.arrived(ctx, repeated); err != nil {
		return fmt.Errorf("after %d repeats: %w", sent.Alerts, err)
	}
	s.bench.add("repeats suppressed, groups of 100", "alerts/s", sent.perSecond())
	s.bench.note("%.0f repeats/s", sent.perSecond())
	return nil
}

// group is the size of the group of which one alert changes.
const group = 500

// measureGroup changes one alert of a group that COC knows.
func (b *bench) measureGroup(ctx context.Context) error {
	return b.with(ctx, bridge, func(s *station) error {
		w, now := newWriter(time.Now()), time.Now()
		if err := s.post(ctx, w.request(nil, 0, group, now)); err != nil {
			return err
		}
		if _, err := s.arrived(ctx, group); err != nil {
			return err
		}
		if err := s.resetSink(ctx); err != nil {
			return err
		}
		if err := s.post(ctx, w.groupWithout(now)); err != nil {
			return err
		}
		a, err := s.arrived(ctx, 1)
		b.add("POSTs for one change in a group of 500", "", float64(a.Count))
		return err
	})
}

// groupWithout is the group with its first alert resolved.
func (w writer) groupWithout(now time.Time) []byte {
	b := append([]byte(head), w.alert(nil, 0, "resolved", now)...)
	rest := bytes.TrimPrefix(w.request(nil, 1, group-1, now), []byte(head))
	return append(append(b, ','), rest...)
}

func (s *station) post(ctx context.Context, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	return do(client, r)
}
