package queue

// Fresh is how many tasks are kept in memory, and their bytes.
func (q *Queue) Fresh() (items, bytes int) { return len(q.fresh.items), q.fresh.bytes }
