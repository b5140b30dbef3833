package receivers

import "sync"

// DefaultBudget is how many bytes of bodies may be in flight over all receivers.
const DefaultBudget = 64 << 20

// Budget bounds the memory that all requests together spend on their bodies. A
// body counts from before it is read until its request is answered. It may be
// used by many goroutines at once.
type Budget struct {
	total int64

	mu   sync.Mutex
	free int64
}

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget { return &Budget{total: bytes, free: bytes} }

func (b *Budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.free {
		return false
	}
	b.free -= n
	return true
}

func (b *Budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
}

// portion is what one receiver may hold of the budget: half, so that a storm
// through one leaves the others theirs, but always enough for one request.
func (b *Budget) portion(maxBody int64) *Budget {
	return NewBudget(max(b.total/2, maxBody+1))
}

// share is what one request holds of the budget, and of its receiver's portion.
type share struct {
	budget, portion *Budget
	held            int64
}

// grow takes n more bytes.
func (s *share) grow(n int64) error {
	if !s.portion.take(n) {
		return &Error{Overload, "", "too many requests of this receiver are being read at once, send it again"}
	}
	if !s.budget.take(n) {
		s.portion.give(n)
		return &Error{Overload, "", "too many requests are being read at once, send it again"}
	}
	s.held += n
	return nil
}

// release gives everything back.
func (s *share) release() {
	s.budget.give(s.held)
	s.portion.give(s.held)
}
