package admin

import (
	"context"
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/cocbridge/cocbridge/internal/secret"
)

// Options say what the API can do and who may.
type Options struct {
	Address string        // of the listener, as configured
	Token   secret.String // needed for each change; not used on a Unix socket
	Reload  func(ctx context.Context, force bool) error
	Log     *zap.Logger

	Operations Operations // for the API; nil = there is only the reload
}

// New returns the handler of the admin listener.
func New(o Options) http.Handler {
	s := &server{Options: o}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /-/reload", s.reload)
	if o.Operations != nil {
		s.routes(mux)
	}
	return s.ownHost(http.NewCrossOriginProtection().Handler(s.change(mux)))
}

type server struct{ Options }

// reload answers with the outcome: 200, or 400 with every reason why the old
// configuration stays.
func (s *server) reload(w http.ResponseWriter, r *http.Request) {
	force := r.URL.Query().Get("force") == "1"
	if err := s.Reload(r.Context(), force); err != nil {
		answer(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, http.StatusOK, "")
}

// ownHost refuses requests that reached us under a foreign name (DNS rebinding).
func (s *server) ownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !IsUnix(s.Address) && !s.knows(r.Host) {
			answer(w, http.StatusMisdirectedRequest, "this host name is not served here: use the address of --admin.listen-address, or localhost")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *server) knows(host string) bool {
	name := hostOnly(host)
	if ip := net.ParseIP(name); ip != nil && ip.IsLoopback() {
		return true
	}
	return strings.EqualFold(name, "localhost") || (name != "" && strings.EqualFold(name, hostOnly(s.Address)))
}

func hostOnly(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.Trim(address, "[]")
}

// change guards every method but GET and HEAD.
func (s *server) change(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		switch {
		case !isJSON(r.Header.Get("Content-Type")):
			answer(w, http.StatusUnsupportedMediaType, "a body must be application/json")
		case !IsUnix(s.Address) && !s.authorized(r):
			w.Header().Set("WWW-Authenticate", "Bearer")
			answer(w, http.StatusUnauthorized, "the admin token is needed: send the content of "+tokenFile+" in the store folder as bearer token")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isJSON accepts no type at all too: a request without a body has none.
func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return contentType == "" || (err == nil && kind == "application/json")
}

func (s *server) authorized(r *http.Request) bool {
	values := r.Header.Values("Authorization")
	if len(values) != 1 || s.Token == "" {
		return false
	}
	token, ok := strings.CutPrefix(values[0], "Bearer ")
	return ok && s.Token.Equal(token)
}

// answer writes one JSON object: {"status":"ok"} or {"error":"…"}.
func answer(w http.ResponseWriter, status int, problem string) {
	body := map[string]string{"status": "ok"}
	if problem != "" {
		body = map[string]string{"error": problem}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
