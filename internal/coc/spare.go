package coc

import (
	"context"
	"sync"
	"time"
)

// spare runs work that no call waits for, until it is closed.
type spare struct {
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // so that nothing starts while close waits
	group  sync.WaitGroup
}

func newSpare() *spare {
	ctx, cancel := context.WithCancel(context.Background())
	return &spare{ctx: ctx, cancel: cancel}
}

// start runs f beside the caller; it returns false, and does not, after close.
func (s *spare) start(f func(context.Context)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.group.Go(func() { f(s.ctx) })
	return true
}

// after starts f once d has passed, unless s is closed by then.
func (s *spare) after(d time.Duration, f func(context.Context)) {
	ctx, cancel := context.WithTimeout(s.ctx, d)
	context.AfterFunc(ctx, func() {
		cancel()
		s.start(f)
	})
}

// close ends the context of what runs and waits for it.
func (s *spare) close() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.group.Wait()
}
