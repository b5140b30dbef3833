package coctest

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Family F, IAM: POST /v3/auth/tokens and GET /v3/projects (coc-api.md 2.1, 2.3).
// The wordings for a wrong password and a locked user are IAM's own; those for a
// second factor and for an unknown project are guessed.

// User is one who may log in to IAM.
type User struct {
	Name, Password, Domain string // Domain is the account's name

	Locked   bool // by an administrator
	MFA      bool // asks for a second factor
	HuaweiID bool // no IAM user: IAM answers as to a wrong password
}

// Project is one project of the account. Names need not be unique here.
type Project struct{ ID, Name string }

const (
	wrongPassword = "The username or password is wrong."
	lockedUser    = "The account is locked."
	secondFactor  = "The user must log in with a second factor: the method totp is missing."
	noProject     = "Could not find project."
)

// IAM's default policy: so many wrong passwords in that time lock the user for
// as long.
const (
	maxWrong = 5
	lockTime = 15 * time.Minute
)

// issuedToken is what a token stands for.
type issuedToken struct {
	user    User
	project string // id; empty = the token is not scoped to a project
	expires time.Time
	revoked bool
}

// SetUsers replaces the users. Tokens of those who are gone or changed are
// revoked, as a change of the password does.
func (s *Server) SetUsers(users ...User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = users
	for _, token := range s.tokens {
		token.revoked = token.revoked || !s.isUser(token.user)
	}
}

func (s *Server) isUser(u User) bool {
	for _, known := range s.users {
		if known == u {
			return true
		}
	}
	return false
}

// SetProjects replaces the projects.
func (s *Server) SetProjects(projects ...Project) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.projects = projects
}

// RevokeTokens ends all tokens that IAM has issued so far.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, token := range s.tokens {
		token.revoked = true
	}
}

// login is the body of POST /v3/auth/tokens.
type login struct {
	Auth struct {
		Identity struct {
			Methods  []string `json:"methods"`
			Password struct {
				User struct {
					Name     string `json:"name"`
					Password string `json:"password"`
					Domain   struct {
						Name string `json:"name"`
					} `json:"domain"`
				} `json:"user"`
			} `json:"password"`
		} `json:"identity"`
		Scope struct {
			Project *struct {
				ID   string `json:"id"`
				Name string `json:"name"`
			} `json:"project"`
		} `json:"scope"`
	} `json:"auth"`
}

// check names what is missing; empty = nothing.
func (l login) check() string {
	user, scope := l.Auth.Identity.Password.User, l.Auth.Scope.Project
	switch {
	case len(l.Auth.Identity.Methods) != 1 || l.Auth.Identity.Methods[0] != "password":
		return "auth.identity.methods must be [password]"
	case user.Name == "" || user.Password == "" || user.Domain.Name == "":
		return "auth.identity.password.user needs name, password and domain.name"
	case scope != nil && (scope.ID == "") == (scope.Name == ""):
		return "auth.scope.project needs either id or name"
	}
	return ""
}

// issueToken logs a user in: the token is in X-Subject-Token, not in the body.
func (s *Server) issueToken(c *call) reply {
	var l login
	if err := json.Unmarshal(c.body, &l); err != nil || !isJSON(c.r) {
		return iamError(http.StatusBadRequest, "Request body is invalid.")
	}
	if problem := l.check(); problem != "" {
		return iamError(http.StatusBadRequest, problem)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	user, refusal := s.logIn(l)
	if refusal != nil {
		return *refusal
	}
	project, refusal := s.scope(l)
	if refusal != nil {
		return *refusal
	}
	return s.newToken(user, project)
}

// logIn finds the user, in IAM's order: locked, password, second factor. The
// caller holds mu.
func (s *Server) logIn(l login) (User, *reply) {
	given := l.Auth.Identity.Password.User
	user, known := s.user(given.Name, given.Domain.Name)
	refuse := func(message, reason string) (User, *reply) {
		answer := iamError(http.StatusUnauthorized, message)
		answer.reason = reason
		return User{}, &answer
	}
	switch {
	case !known:
		return refuse(wrongPassword, "there is no such user in this account")
	case user.Locked || s.isLocked(user):
		return refuse(lockedUser, "the user is locked")
	case user.HuaweiID:
		return refuse(wrongPassword, "a HUAWEI ID cannot log in")
	case user.Password != given.Password:
		s.wrong[user.Name] = append(s.wrong[user.Name], s.opts.Now())
		return refuse(wrongPassword, "the password is wrong")
	case user.MFA:
		return refuse(secondFactor, "the user needs a second factor")
	}
	delete(s.wrong, user.Name)
	return user, nil
}

func (s *Server) user(name, domain string) (User, bool) {
	for _, u := range s.users {
		if u.Name == name && u.Domain == domain {
			return u, true
		}
	}
	return User{}, false
}

// isLocked tells whether the last wrong passwords came too fast. The caller
// holds mu.
func (s *Server) isLocked(u User) bool {
	wrong := s.wrong[u.Name]
	if len(wrong) < maxWrong {
		return false
	}
	last := wrong[len(wrong)-1]
	return last.Sub(wrong[len(wrong)-maxWrong]) < lockTime && s.opts.Now().Sub(last) < lockTime
}

// scope finds the project that the token is for; empty = for none.
func (s *Server) scope(l login) (Project, *reply) {
	wanted := l.Auth.Scope.Project
	if wanted == nil {
		return Project{}, nil
	}
	for _, p := range s.projects {
		if p.ID == wanted.ID || p.Name == wanted.Name {
			return p, nil
		}
	}
	answer := iamError(http.StatusUnauthorized, noProject)
	return Project{}, &answer
}

// tokenTime is IAM's form of a time, in UTC.
const tokenTime = "2006-01-02T15:04:05.000000Z"

func (s *Server) newToken(u User, p Project) reply {
	now := s.opts.Now()
	token := &issuedToken{user: u, project: p.ID, expires: now.Add(s.opts.TokenLife)}
	text := "MII" + strings.Repeat(rand.Text(), 60) // as long as real ones
	s.tokens[text] = token
	s.book.counts.Tokens++
	body := encode(map[string]any{"token": map[string]any{
		"issued_at": now.UTC().Format(tokenTime), "expires_at": token.expires.UTC().Format(tokenTime),
		"methods": []string{"password"}, "user": map[string]any{"name": u.Name, "domain": map[string]any{"id": "d1", "name": u.Domain}},
		"project": map[string]any{"id": p.ID, "name": p.Name},
	}})
	return reply{status: http.StatusCreated, contentType: jsonType, body: body, header: map[string]string{"X-Subject-Token": text}}
}

// tokenError is a token that was good once, or is not for this project. The
// gateway says so in a code of its own.
type tokenError string

// Error is the reason in Refusals.
func (e tokenError) Error() string { return string(e) }

// checkAuthToken takes a token of IAM in place of a signature.
func (s *Server) checkAuthToken(h http.Header) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := s.tokens[h.Get(authHeader)]
	project := h.Get("X-Project-Id")
	switch {
	case token == nil:
		return tokenError("the token is unknown")
	case token.revoked:
		return tokenError("the token was revoked")
	case !s.opts.Now().Before(token.expires):
		return tokenError("the token has expired")
	case token.project == "":
		return tokenError("the token is not scoped to a project")
	case s.opts.ProjectID != "" && token.project != s.opts.ProjectID:
		return tokenError("the token is for another project")
	case project != "" && project != token.project:
		return tokenError("X-Project-Id is not the token's project")
	}
	return nil
}

// listProjects answers who has signed.
func (s *Server) listProjects(c *call) reply {
	if err := s.checkSigned(c); err != nil {
		answer := iamError(http.StatusUnauthorized, "The request you have made requires authentication.")
		answer.reason = err.Error()
		return answer
	}
	type row struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Enabled bool   `json:"enabled"`
	}
	rows := []row{}
	name := c.r.URL.Query().Get("name")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.projects {
		if name == "" || p.Name == name {
			rows = append(rows, row{p.ID, p.Name, true})
		}
	}
	return reply{status: http.StatusOK, contentType: jsonType, body: encode(map[string]any{"projects": rows, "links": map[string]any{}})}
}

// iamError is envelope F. Its code is a number.
func iamError(status int, message string) reply {
	body := encode(map[string]any{"error": map[string]any{"code": status, "message": message, "title": http.StatusText(status)}})
	return reply{status: status, contentType: jsonType, body: body, code: "IAM", reason: message}
}
