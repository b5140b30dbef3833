package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/user"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/secret"
)

// office is what the API talks to; the methods that are not here are not called.
type office struct {
	admin.Operations
	letters int
	fails   error
	by      []string
}

func (o *office) DeadLetters(_ context.Context, _ admin.Select, visit func(admin.DeadLetter) error) error {
	for i := range o.letters {
		if err := visit(admin.DeadLetter{ID: uint64(i + 1)}); err != nil {
			return err
		}
	}
	return o.fails
}

func (o *office) Close(_ context.Context, c admin.Close) (admin.Outcome, error) {
	o.by = append(o.by, c.By)
	return admin.Outcome{AlarmID: c.AlarmID, Result: admin.Closed, Detail: c.Why}, o.fails
}

// serveAPI returns a client of a daemon with this office.
func serveAPI(t *testing.T, o *office, actor string) *admin.Client {
	t.Helper()
	srv := httptest.NewServer(admin.New(admin.Options{Address: "127.0.0.1:0", Token: token, Operations: o}))
	t.Cleanup(srv.Close)
	return admin.NewClient(admin.ClientOptions{
		Address: strings.TrimPrefix(srv.URL, "http://"), Actor: actor, Token: func() (secret.String, error) { return token, nil },
	})
}

// A list that breaks off must not look like a whole one.
func TestClient_listThatBreaksOff(t *testing.T) {
	for name, c := range map[string]struct {
		office
		want error
	}{
		"whole":              {office{letters: 250}, nil},
		"empty":              {office{}, nil},
		"at once":            {office{fails: fmt.Errorf("%w: nothing", admin.ErrNotFound)}, admin.ErrNotFound},
		"after some of them": {office{letters: 250, fails: errors.New("the disk is gone")}, errors.New("the disk is gone")},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			err := serveAPI(t, &c.office, "").DeadLetters(t.Context(), admin.Select{}, func(admin.DeadLetter) error { n++; return nil })
			if n != c.letters {
				t.Errorf("%d letters, want %d", n, c.letters)
			}
			if (err == nil) != (c.want == nil) || err != nil && !errors.Is(err, c.want) && err.Error() != c.want.Error() {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestAPI_namesWhoAsks(t *testing.T) {
	for claimed, want := range map[string]string{
		"alice":                  "alice",
		"":                       "a holder of the admin token",
		"张三":                     "张三",
		"a\nb\x1b[31m\u202e":     "ab[31m",
		strings.Repeat("x", 100): strings.Repeat("x", 64),
	} {
		o := &office{}
		out, err := serveAPI(t, o, claimed).Close(t.Context(), admin.Close{AlarmID: "a/b", Why: "w"})
		if diff := cmp.Diff([]string{want}, o.by); err != nil || diff != "" || out.AlarmID != "a/b" {
			t.Errorf("%q: %+v, %v (-want +got):\n%s", claimed, out, err, diff)
		}
	}
}

// What the client claims does not count where the kernel knows better.
func TestAPI_namesThePeerOfAUnixSocket(t *testing.T) {
	address, o := "unix:"+socket(t), &office{}
	l, err := admin.Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: admin.New(admin.Options{Address: address, Operations: o}), ConnContext: admin.ConnContext}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	if _, err := admin.NewClient(admin.ClientOptions{Address: address, Actor: "mallory"}).Close(t.Context(), admin.Close{AlarmID: "a", Why: "w"}); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("uid %d", os.Getuid())
	if u, err := user.Current(); err == nil {
		want = u.Username
	}
	if diff := cmp.Diff([]string{want}, o.by); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAPI_refusesWhatCannotBeMeantSo(t *testing.T) {
	h := admin.New(admin.Options{Address: "127.0.0.1:9877", Token: token, Operations: &office{}})
	for name, c := range map[string]struct {
		method, path, body string
		status             int
	}{
		"an unknown field":       {http.MethodPost, "/api/v1/dead/drop", `{"integrations":"x"}`, http.StatusBadRequest},
		"a wrong type":           {http.MethodPost, "/api/v1/dead/replay", `{"ids":["1"]}`, http.StatusBadRequest},
		"a wrong filter":         {http.MethodGet, "/api/v1/dead?filter=" + url.QueryEscape(`{"ids":"1"}`), "", http.StatusBadRequest},
		"a wrong duration":       {http.MethodGet, "/api/v1/dead?filter=" + url.QueryEscape(`{"olderThan":"soon"}`), "", http.StatusBadRequest},
		"more than can be meant": {http.MethodPost, "/api/v1/dead/drop", `{"why":"` + strings.Repeat("x", 2<<20) + `"}`, http.StatusBadRequest},
		"a change by GET":        {http.MethodGet, "/api/v1/dead/drop", "", http.StatusMethodNotAllowed},
		"a path that is not":     {http.MethodGet, "/api/v1/nothing", "", http.StatusNotFound},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Host = "127.0.0.1:9877"
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.status)
		}
	}
}

func TestToken_thatOthersCanReadIsRefused(t *testing.T) {
	folder := t.TempDir()
	for mode, refused := range map[os.FileMode]bool{0o600: false, 0o660: false, 0o644: true, 0o602: true} {
		if err := os.WriteFile(admin.TokenPath(folder), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(admin.TokenPath(folder), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Token(folder); (err != nil) != refused {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}
