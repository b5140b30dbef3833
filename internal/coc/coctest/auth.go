package coctest

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// maxSkew is how far X-Sdk-Date may be from the server's clock (coc-api.md 2.2).
const maxSkew = 15 * time.Minute

// signedTime is the form of X-Sdk-Date, in UTC.
const signedTime = "20060102T150405Z"

// clockError is a request signed at a time too far from the server's.
type clockError struct{ signed, server string }

// Error is the gateway's text.
func (e *clockError) Error() string {
	return fmt.Sprintf("Incorrect authentication information: signature expired, x-sdk-date: %s, server time: %s", e.signed, e.server)
}

// authHeader carries IAM's token; who sends it does not sign.
const authHeader = "X-Auth-Token"

// authenticate says why the caller is not who it claims to be; nil = it is.
func (s *Server) authenticate(c *call) error {
	token, signed := c.r.Header.Values(authHeader), c.r.Header.Values("Authorization")
	switch {
	case len(token) > 0 && len(signed) > 0 || len(token) > 1:
		return errors.New("a token and a signature, or two tokens")
	case len(token) == 1:
		return s.checkAuthToken(c.r.Header)
	}
	if err := s.checkSigned(c); err != nil {
		return err
	}
	return s.checkScope(c.r.Header)
}

// checkSigned checks who has signed, for whichever project.
func (s *Server) checkSigned(c *call) error {
	auth, err := parseAuthorization(c.r)
	if err != nil {
		return err
	}
	key, err := s.accessKey(auth.access)
	if err != nil {
		return err
	}
	if !auth.covers("x-sdk-date") {
		return errors.New("x-sdk-date is not signed")
	}
	if err := s.checkClock(c.r.Header.Get("X-Sdk-Date")); err != nil {
		return err
	}
	if err := checkSecurityToken(key.SecurityToken, c.r.Header, auth); err != nil {
		return err
	}
	return auth.verify(c.r, c.body, key.SecretKey)
}

func (s *Server) checkClock(date string) error {
	signed, err := time.Parse(signedTime, date)
	if err != nil {
		return errors.New("X-Sdk-Date does not have the form YYYYMMDDTHHMMSSZ")
	}
	now := s.opts.Now()
	if now.Sub(signed).Abs() > maxSkew {
		return &clockError{signed: date, server: now.UTC().Format(signedTime)}
	}
	return nil
}

func checkSecurityToken(token string, h http.Header, auth authorization) error {
	switch {
	case token == "":
		return nil
	case h.Get("X-Security-Token") != token:
		return errors.New("X-Security-Token is missing or wrong")
	case !auth.covers("x-security-token"):
		return errors.New("x-security-token is not signed")
	}
	return nil
}

// checkScope refuses two project ids even when any is allowed (coc-api.md 1.2).
func (s *Server) checkScope(h http.Header) error {
	projects := h.Values("X-Project-Id")
	switch {
	case len(projects) > 1:
		return errors.New("X-Project-Id came twice")
	case s.opts.ProjectID == "", len(projects) == 1 && projects[0] == s.opts.ProjectID:
		return nil
	case s.opts.Switches.GlobalCredentials && len(projects) == 0 && h.Get("X-Domain-Id") != "":
		return nil
	}
	return errors.New("X-Project-Id is missing or wrong")
}
