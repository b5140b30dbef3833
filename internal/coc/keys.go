package coc

import (
	"context"
	"net/http"
	"time"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// keys are an access key with its secret, and the token of temporary ones.
type keys struct {
	accessKey     string
	secretKey     secret.String
	securityToken secret.String
}

// keySource has the keys to sign with now.
type keySource interface {
	get(ctx context.Context) (keys, error)
	// drop is told that COC has refused the keys that match; it says whether
	// others may be had.
	drop(match func(keys) bool) bool
}

// fixedKeys are those of the configuration.
type fixedKeys keys

func (f fixedKeys) get(context.Context) (keys, error) { return keys(f), nil }

func (f fixedKeys) drop(func(keys) bool) bool { return false }

// signer authorises by signing, for the project that the keys are used in.
type signer struct {
	keys    keySource
	project project
}

func (s *signer) authorize(ctx context.Context, r *http.Request, body []byte, at time.Time) error {
	k, err := s.keys.get(ctx)
	if err != nil {
		return err
	}
	id, err := s.project.id(ctx)
	if err != nil {
		return err
	}
	if id != "" {
		r.Header.Set(headerProject, id)
	}
	sign(r, body, k, at)
	return nil
}

func (s *signer) refused(r *http.Request) bool {
	token := secret.String(r.Header.Get(headerToken))
	return s.keys.drop(func(k keys) bool { return k.securityToken == token })
}
