package store

// Fd is the descriptor that bbolt writes to, for tests that break it.
func (s *Store) Fd() int { return int(s.file.Fd()) }
