package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc"
)

// progress is what following shows on one line.
type progress struct {
	what  string // that is followed, and the command that goes on doing so
	state string
	ended bool
	good  bool
}

// errEnded is the exit of following something that did not end well.
var errEnded = errors.New("it did not end well")

// watch shows progress until it ends: on a terminal one line that changes, else
// a line per change. Trouble on the way to COC does not end it.
func (s session) watch(ctx context.Context, look func(ctx context.Context) (progress, error)) error {
	began, last := time.Now(), ""
	for {
		p, err := look(ctx)
		switch {
		case err != nil && !passing(err):
			return fmt.Errorf("stopped watching, %s goes on: %w", p.what, err)
		case err != nil:
			p.state = "cannot look: " + cell(err.Error())
		}
		if p.state != last || isLive(s.stdout) {
			s.progress(time.Since(began), p)
			last = p.state
		}
		if p.ended {
			return ending(s, p)
		}
		if err := pause(ctx, s.interval); err != nil {
			return fmt.Errorf("stopped watching, %s goes on: %w", p.what, err)
		}
	}
}

func ending(s session, p progress) error {
	if isLive(s.stdout) && s.output != "json" {
		fmt.Fprintln(s.stdout)
	}
	if !p.good {
		return fmt.Errorf("%s: %w: %s", p.what, errEnded, p.state)
	}
	return nil
}

func (s session) progress(elapsed time.Duration, p progress) {
	line := fmt.Sprintf("%4ds  %s", int(elapsed.Seconds()), p.state)
	if s.output == "json" { // what a program reads is the result alone
		fmt.Fprintln(s.stderr, line)
		return
	}
	if isLive(s.stdout) {
		fmt.Fprintf(s.stdout, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(s.stdout, line)
}

// passing says that a later look may fare better.
func passing(err error) bool {
	var e *coc.Error
	return errors.As(err, &e) && (e.Class == coc.Retry || e.Class == coc.Network || e.Class == coc.Throttled) && !errors.Is(err, context.Canceled)
}

func followOrder(ctx context.Context, s session, uuid string) error {
	return s.watch(ctx, func(ctx context.Context) (progress, error) {
		p := progress{what: "order " + uuid}
		o, err := s.client.GetOrder(ctx, uuid)
		var unseen *coc.Error
		if errors.As(err, &unseen) && unseen.Class == coc.NotFound {
			p.state = "COC does not show it yet"
			return p, nil
		}
		if err != nil {
			return p, err
		}
		st, err := s.client.OrderStatistics(ctx, uuid)
		if err != nil {
			return p, err
		}
		done, failed := st.Done()
		p.state = fmt.Sprintf("%s  batch %d  hosts %d/%d done, %d not well", cell(string(o.Status)), o.CurrentBatch, done, st.Hosts, failed)
		p.ended, p.good = o.Status.Ended(), o.Status == coc.OrderFinished
		return p, nil
	})
}

func followExecution(ctx context.Context, s session, id string) error {
	return s.watch(ctx, func(ctx context.Context) (progress, error) {
		p := progress{what: "execution " + id}
		e, err := s.client.GetExecution(ctx, id)
		var unseen *coc.Error
		if errors.As(err, &unseen) && unseen.Class == coc.NotFound {
			p.state = "COC does not show it yet"
			return p, nil
		}
		if err != nil {
			return p, err
		}
		steps, err := collect(s.client.EachExecutionStep(ctx, coc.StepQuery{Execution: id}), 1000)
		if err != nil {
			return p, err
		}
		done, now := 0, ""
		for _, step := range steps {
			if step.Status.Ended() {
				done++
			} else if now == "" {
				now = "  at " + cell(step.Name)
			}
		}
		p.state = fmt.Sprintf("%s  steps %d/%d done%s", cell(string(e.Status)), done, len(steps), now)
		p.ended, p.good = e.Status.Ended(), e.Status == coc.ExecutionSucceeded
		return p, nil
	})
}
