package queue

// QueuedFrom is how many tasks of the source wait or are in flight. It looks at
// every task, so it is for rare questions.
func (q *Queue) QueuedFrom(source string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	theirs := map[*flow]bool{}
	for _, p := range q.index.pools {
		for key, f := range p.flows {
			theirs[f] = theirs[f] || key.source == source
		}
	}
	n := 0
	for _, k := range q.index.kinds {
		for e := k.oldest; e != nil; e = e.newer {
			if theirs[e.class.flow] {
				n++
			}
		}
	}
	return n
}
