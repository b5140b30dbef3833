package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cocbridge/cocbridge/.ci/stage"
)

// The answers of COC in a run with kills: slow enough that calls are in flight,
// and where it says so, calls that COC has taken but never answers, so that
// only a telling of the same again can end them.
const (
	slow       = "latency=400ms"
	unanswered = "hang-after,times=3"
)

// moment says when the bridge is killed. No alarm may be in flight at three
// kills: the bridge would take it for their cause and put it aside.
type moment int

const (
	anyTime   moment = iota // at random from the posting of the alerts until their delivery
	duringAll               // at random while COC is being told, some calls unanswered
	missed                  // now, and down when Alertmanager sends its message
	atOnce                  // now, and started again without a pause
)

// killer kills the bridge at random moments.
type killer struct {
	rand   *rand.Rand
	kills  int
	flying int // alarms in flight at all of them
}

func (k *killer) upTo(limit time.Duration) time.Duration {
	return time.Duration(k.rand.Int64N(int64(limit)))
}

// prepare makes COC behave as a step with these moments needs it. It comes
// before the alerts are posted, so that the first call meets it.
func (s *story) prepare(ctx context.Context, moments []moment) error {
	if s.kills != nil && slices.Contains(moments, duringAll) {
		return s.sim.Fail(ctx, append([]string{unanswered}, s.usual...)...)
	}
	return s.sim.Fail(ctx, s.usual...)
}

// disturb kills the bridge once for every moment and starts it again. It does
// nothing in a run that leaves the bridge alone. before is how many calls COC
// had seen when the step began.
func (s *story) disturb(ctx context.Context, moments []moment, before int) error {
	if s.kills == nil {
		return nil
	}
	for _, m := range moments {
		if err := s.await(ctx, m, before); err != nil {
			return err
		}
		if err := s.killOnce(ctx, s.downtime(m)); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) downtime(m moment) time.Duration {
	switch m {
	case atOnce:
		return 0
	case missed:
		return groupInterval + s.kills.upTo(time.Second)
	default:
		return s.kills.upTo(time.Second)
	}
}

// await returns at the moment.
func (s *story) await(ctx context.Context, m moment, before int) error {
	switch m {
	case anyTime:
		return stage.Pause(ctx, s.kills.upTo(2*time.Second))
	case duringAll:
		err := stage.Until(ctx, "a call that COC does not answer", func(ctx context.Context) (bool, error) {
			n, err := s.sim.Requests(ctx)
			return n > before, err
		})
		if err != nil {
			return err
		}
		return stage.Pause(ctx, s.kills.upTo(time.Second))
	default:
		return nil
	}
}

func (s *story) killOnce(ctx context.Context, down time.Duration) error {
	flying, err := s.bridge.metric(ctx, reportsInFly)
	if err != nil {
		return err
	}
	waiting, err := s.bridge.metric(ctx, reportsQueued)
	if err != nil {
		return err
	}
	s.bridge.Kill()
	s.kills.kills++
	s.kills.flying += flying
	fmt.Printf("  %s  kill -9 number %d: %d alarms in flight, %d waiting; down for %s\n",
		clock(time.Now()), s.kills.kills, flying, waiting, down.Round(time.Millisecond))
	if err := s.sim.Fail(ctx, s.usual...); err != nil {
		return err
	}
	if err := stage.Pause(ctx, down); err != nil {
		return err
	}
	return s.bridge.Start(ctx)
}
