package store

// Accepting returns nil while Intake has room, else the reason: ErrFull,
// ErrFailed or ErrClosed. It is cheap.
func (s *Store) Accepting() error {
	if err := s.refused(); err != nil {
		return err
	}
	return s.room()
}
