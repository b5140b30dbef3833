package coctest

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// The metadata service of an ECS with an agency: PUT
// /meta-data/latest/api/token and GET /openstack/latest/securitykey (coc-api.md
// 2.4).

// Agency is how the metadata service behaves.
type Agency struct {
	// Life is how long the temporary keys are good for. A new set is handed out
	// once less than half of it is left.
	Life time.Duration
	// NoToken is the status of a request for a metadata token where that mode
	// is off: 404, 405 or 503. 0 = the mode is on, and keys are given for a
	// token only.
	NoToken int
}

// maxTTL is the longest life of a metadata token, in seconds.
const maxTTL = 6 * 60 * 60

// unbound is what an ECS without an agency is told.
const unbound = "Please configure Cloud Service Agency first"

// SetAgency changes how the metadata service behaves; nil = the ECS has no agency.
func (s *Server) SetAgency(a *Agency) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agency = a
}

// RotateAgency makes the metadata service hand out another set of keys from now on.
func (s *Server) RotateAgency() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = nil
}

// RevokeAgencyKeys makes COC refuse the sets handed out so far. The metadata
// service is not told: it hands out what it did, until RotateAgency.
func (s *Server) RevokeAgencyKeys() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.signers {
		key.revoked = key.revoked || key.issued
	}
}

// metadataToken opens the token mode.
func (s *Server) metadataToken(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agency != nil && s.agency.NoToken != 0 {
		return metadataError(s.agency.NoToken, "the token mode is off")
	}
	ttl, err := strconv.Atoi(c.r.Header.Get("X-Metadata-Token-Ttl-Seconds"))
	if err != nil || ttl < 1 || ttl > maxTTL {
		return metadataError(http.StatusBadRequest, "X-Metadata-Token-Ttl-Seconds is missing or not between 1 and 21600")
	}
	text := "metadata-" + rand.Text()
	s.metadataTokens[text] = s.opts.Now().Add(time.Duration(ttl) * time.Second)
	return reply{status: http.StatusOK, contentType: "text/plain", body: []byte(text)}
}

// securityKey hands out the temporary keys of the agency.
func (s *Server) securityKey(c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agency == nil {
		return metadataError(http.StatusNotFound, unbound)
	}
	if err := s.checkMetadataToken(c.r.Header.Get("X-Metadata-Token")); err != nil {
		return metadataError(http.StatusUnauthorized, err.Error())
	}
	key := s.agencyKey()
	body := encode(map[string]any{"credential": map[string]any{
		"access": key.AccessKey.AccessKey, "secret": key.SecretKey, "securitytoken": key.SecurityToken,
		"expires_at": key.expires.UTC().Format(tokenTime),
	}})
	return reply{status: http.StatusOK, contentType: jsonType, body: body}
}

func (s *Server) checkMetadataToken(text string) error {
	expires, known := s.metadataTokens[text]
	switch {
	case s.agency.NoToken != 0 && text == "":
		return nil
	case !known:
		return errors.New("X-Metadata-Token is missing or unknown")
	case !s.opts.Now().Before(expires):
		return errors.New("X-Metadata-Token has expired")
	}
	return nil
}

// agencyKey is the set that is handed out now. The caller holds mu.
func (s *Server) agencyKey() *knownKey {
	now := s.opts.Now()
	if s.current != nil && s.current.expires.Sub(now) > s.agency.Life/2 {
		return s.current
	}
	s.current = &knownKey{
		AccessKey: AccessKey{AccessKey: "HST" + rand.Text(), SecretKey: rand.Text(), SecurityToken: "gQpj" + rand.Text()},
		issued:    true, expires: now.Add(s.agency.Life),
	}
	s.signers[s.current.AccessKey.AccessKey] = s.current
	return s.current
}

func metadataError(status int, message string) reply {
	return reply{status: status, contentType: "text/plain", body: []byte(message), code: "metadata", reason: message}
}
