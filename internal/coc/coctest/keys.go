package coctest

import (
	"errors"
	"time"
)

// AccessKey is a pair of keys that may sign. With a SecurityToken it is a
// temporary one, and every request must carry and sign the token too.
type AccessKey struct {
	AccessKey     string
	SecretKey     string
	SecurityToken string
}

// knownKey is a pair with what became of it.
type knownKey struct {
	AccessKey
	issued  bool      // by the metadata service
	expires time.Time // zero = never
	revoked bool
}

// SetAccessKeys replaces the pairs that may sign. Those that the metadata
// service has handed out stay.
func (s *Server) SetAccessKeys(keys ...AccessKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, key := range s.signers {
		if !key.issued {
			delete(s.signers, id)
		}
	}
	for _, key := range keys {
		s.signers[key.AccessKey] = &knownKey{AccessKey: key}
	}
}

// accessKey is the pair of that name, if it may sign now.
func (s *Server) accessKey(id string) (AccessKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.signers[id]
	switch {
	case key == nil:
		return AccessKey{}, errors.New("unknown access key")
	case key.revoked:
		return AccessKey{}, errors.New("the access key was revoked")
	case !key.expires.IsZero() && !s.opts.Now().Before(key.expires):
		return AccessKey{}, errors.New("the temporary access key has expired")
	}
	return key.AccessKey, nil
}
