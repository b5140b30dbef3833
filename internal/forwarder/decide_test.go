package forwarder_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/forwarder"
	"github.com/cocbridge/cocbridge/internal/queue"
)

func TestDecide(t *testing.T) {
	fail := func(c coc.Class) error {
		return fmt.Errorf("wrapped: %w", &coc.Error{Op: "report alarm", Class: c, Code: "COC.00000001", Status: 400})
	}
	for name, tc := range map[string]struct {
		err                   error
		refusedAlike, failing int
		closed, stopping      bool
		spent                 time.Duration
		want                  forwarder.Verdict
	}{
		"success":                                {err: nil, want: forwarder.Verdict{Action: "ack"}},
		"dry run is done, nothing is told":       {err: forwarder.ErrDryRun, want: forwarder.Verdict{Action: "ack"}},
		"nothing to tell yet":                    {err: forwarder.ErrIdle, want: forwarder.Verdict{Action: "ack"}},
		"nothing to tell yet, COC was asked":     {err: forwarder.ErrRead, want: forwarder.Verdict{Action: "ack"}},
		"our own fault, which passes":            {err: &forwarder.Later{Err: errors.New("disk full")}, spent: 80 * time.Hour, want: forwarder.Verdict{Action: "retry"}},
		"our own fault, while stopping":          {err: &forwarder.Later{Err: context.Canceled}, stopping: true, want: forwarder.Verdict{Action: "release"}},
		"a 5xx of this task alone":               {err: fail(coc.Retry), failing: 1, want: forwarder.Verdict{Action: "retry"}},
		"two tasks failing are not yet all":      {err: fail(coc.Retry), failing: 2, want: forwarder.Verdict{Action: "retry"}},
		"5xx for everybody":                      {err: fail(coc.Retry), failing: 3, want: forwarder.Verdict{Action: "release", Gate: "down"}},
		"a 5xx while the gate is closed":         {err: fail(coc.Retry), failing: 1, closed: true, want: forwarder.Verdict{Action: "release", Gate: "down"}},
		"throttled":                              {err: fail(coc.Throttled), want: forwarder.Verdict{Action: "retry"}},
		"throttled while the gate is closed":     {err: fail(coc.Throttled), closed: true, want: forwarder.Verdict{Action: "release"}},
		"validation":                             {err: fail(coc.Permanent), refusedAlike: 1, want: forwarder.Verdict{Action: "bury", Code: "COC.00000001"}},
		"not there":                              {err: fail(coc.NotFound), refusedAlike: 1, want: forwarder.Verdict{Action: "bury", Code: "COC.00000001"}},
		"there already":                          {err: fail(coc.Conflict), refusedAlike: 1, want: forwarder.Verdict{Action: "bury", Code: "COC.00000001"}},
		"three different tasks refused alike":    {err: fail(coc.Permanent), refusedAlike: 3, want: forwarder.Verdict{Action: "release", Gate: "config"}},
		"credentials":                            {err: fail(coc.Auth), want: forwarder.Verdict{Action: "release", Gate: "auth"}},
		"wrong path":                             {err: fail(coc.Misconfigured), want: forwarder.Verdict{Action: "release", Gate: "config"}},
		"no connection":                          {err: fail(coc.Network), want: forwarder.Verdict{Action: "release", Gate: "down"}},
		"its own failures used up give_up_after": {err: fail(coc.Retry), failing: 1, spent: 72 * time.Hour, want: forwarder.Verdict{Action: "bury", Code: "gave_up"}},
		"give up counts no closed gate":          {err: fail(coc.Network), spent: 72 * time.Hour, want: forwarder.Verdict{Action: "release", Gate: "down"}},
		"not a task":                             {err: errors.New("not a task"), want: forwarder.Verdict{Action: "bury", Code: "malformed"}},
		"our own reason":                         {err: &forwarder.Unsendable{Code: "removed", Text: "x"}, want: forwarder.Verdict{Action: "bury", Code: "removed"}},
		"shutdown":                               {err: &coc.Error{Class: coc.Retry, Err: context.Canceled}, stopping: true, want: forwarder.Verdict{Action: "release"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, _ := forwarder.Decide(forwarder.DefaultConfig(), tc.err, queue.Item{Spent: tc.spent}, tc.refusedAlike, tc.failing, tc.closed, tc.stopping)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecide_waitsForTheLongerOfBackoffAndRetryAfter(t *testing.T) {
	c := forwarder.DefaultConfig()
	err := &coc.Error{Class: coc.Throttled, RetryAfter: 7 * time.Minute}
	_, wait, spent := forwarder.Decide(c, err, queue.Item{Attempts: 3, Spent: time.Hour}, 0, 0, false, false)
	if wait != 7*time.Minute {
		t.Errorf("wait = %s, want Retry-After", wait)
	}
	if want := time.Hour + time.Second + wait; spent != want {
		t.Errorf("spent = %s, want what was spent, the call and the planned wait: %s", spent, want)
	}
}

func TestDecide_backoffIsFullJitterBelowADoublingCeiling(t *testing.T) {
	c := forwarder.DefaultConfig()
	c.Backoff = forwarder.BackoffConfig{Initial: model.Duration(time.Second), Max: model.Duration(time.Minute)}
	err := &coc.Error{Class: coc.Retry}
	for attempts, ceiling := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		ceiling *= time.Second
		if got := c.Backoff.Ceiling(attempts); got != ceiling {
			t.Errorf("ceiling after %d attempts = %s, want %s", attempts, got, ceiling)
		}
		low := 0
		for range 1000 {
			_, wait, _ := forwarder.Decide(c, err, queue.Item{Attempts: attempts}, 0, 1, false, false)
			if wait <= 0 || wait > ceiling {
				t.Fatalf("a wait of %s after %d attempts is not within (0, %s]", wait, attempts, ceiling)
			}
			if wait < ceiling/2 {
				low++
			}
		}
		if low < 400 || low > 600 {
			t.Errorf("%d of 1000 waits are in the lower half: that is no full jitter", low)
		}
	}
}
