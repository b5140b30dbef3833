package admin

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os/user"
	"strconv"
	"strings"
	"unicode"
)

// actorHeader is how a client on TCP names the person; it is a claim, while the
// admin token is the proof.
const actorHeader = "Cocbridge-Actor"

const maxActor = 64

type peerKey struct{}

// ConnContext is for the http.Server of the admin listener: it notes who is at
// the other end of a Unix socket.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	unix, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	uid, ok := peerUID(unix)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, userName(uid))
}

// userName is the uid where the user has no name, as in a container.
func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}

// actor names who makes a change: on a Unix socket the kernel says so.
func (s *server) actor(r *http.Request) string {
	if peer, ok := r.Context().Value(peerKey{}).(string); ok {
		return peer
	}
	name, err := url.PathUnescape(r.Header.Get(actorHeader))
	if err != nil {
		name = ""
	}
	claimed := strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, name)
	if claimed = strings.TrimSpace(claimed); claimed == "" {
		return "a holder of the admin token"
	}
	if short := []rune(claimed); len(short) > maxActor {
		claimed = string(short[:maxActor])
	}
	return claimed
}
