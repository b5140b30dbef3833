package stage

import (
	"context"
	"fmt"
	"time"
)

const (
	// patience is how long a step may take; Zabbix checks an escalation once a minute.
	patience = 2 * time.Minute
	interval = 100 * time.Millisecond
)

// Until asks again and again until the answer is yes or patience ends. An error
// ends it at once.
func Until(ctx context.Context, what string, holds func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		ok, err := holds(ctx)
		switch {
		case ok:
			return nil
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: not within %s", what, patience)
		}
	}
}

// Pause lets time pass that has no sign to wait for.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
