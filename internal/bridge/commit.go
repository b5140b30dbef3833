package bridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/cocbridge/cocbridge/internal/store"
)

// committer runs the store's commits from before the queue is opened, which may
// write, until after everything that could submit has ended.
type committer struct {
	stop  context.CancelFunc
	ended chan struct{}
	err   error // valid once ended is closed
}

func startCommitter(s *store.Store) *committer {
	ctx, cancel := context.WithCancel(context.Background())
	c := &committer{stop: cancel, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		if err := s.Run(ctx); err != nil {
			c.err = fmt.Errorf("%w: %w", ErrStore, err)
		}
	}()
	return c
}

// close commits what was submitted, then closes the store.
func (c *committer) close(s *store.Store) error {
	c.stop()
	<-c.ended
	return errors.Join(c.err, s.Close())
}

// watch returns when ctx is done, or with the error of a commit: nothing may be
// promised after that.
func (c *committer) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-c.ended:
		return errors.New("the committer has ended")
	}
}
