package receivers_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

func basic(pair string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

func TestHandler_Auth(t *testing.T) {
	bearer := receivers.AuthConfig{BearerToken: "new token\n\n  old-token \n"}
	user := receivers.AuthConfig{Basic: receivers.BasicConfig{Username: "Jürgen", Password: "neu:pass\nold"}}
	both := receivers.AuthConfig{BearerToken: bearer.BearerToken, Basic: user.Basic}
	tests := []struct {
		name   string
		auth   receivers.AuthConfig
		header []string
		want   int
	}{
		{"nothing is asked, nothing shown", receivers.AuthConfig{}, nil, 200},
		{"nothing is asked, something shown", receivers.AuthConfig{}, []string{"Bearer x"}, 200},

		{"token, first line", bearer, []string{"Bearer new token"}, 200},
		{"token, second line", bearer, []string{"Bearer old-token"}, 200},
		{"token, the scheme in other letters", bearer, []string{"bEARER old-token"}, 200},
		{"token, nothing shown", bearer, nil, 401},
		{"token, an empty header", bearer, []string{""}, 401},
		{"token, an empty token", bearer, []string{"Bearer "}, 401},
		{"token, only the scheme", bearer, []string{"Bearer"}, 401},
		{"token, no scheme", bearer, []string{"old-token"}, 401},
		{"token, another scheme", bearer, []string{"Token old-token"}, 401},
		{"token, a wrong one", bearer, []string{"Bearer old-tokeN"}, 401},
		{"token, another receiver's", bearer, []string{"Bearer the token of the receiver beside it"}, 401},
		{"token, a beginning of it", bearer, []string{"Bearer old"}, 401},
		{"token, more than it", bearer, []string{"Bearer old-token2"}, 401},
		{"token, two blanks", bearer, []string{"Bearer  old-token"}, 401},
		{"token, the whole file", bearer, []string{"Bearer new token  old-token"}, 401},
		{"token, as a password", bearer, []string{basic(":old-token")}, 401},
		{"token, twice", bearer, []string{"Bearer old-token", "Bearer old-token"}, 401},
		{"token, beside a wrong one", bearer, []string{"Bearer old-token", "Bearer x"}, 401},
		{"token, in one header with another", bearer, []string{"Bearer old-token, Bearer x"}, 401},

		{"password, first line", user, []string{basic("Jürgen:neu:pass")}, 200},
		{"password, second line", user, []string{basic("Jürgen:old")}, 200},
		{"password, nothing shown", user, nil, 401},
		{"password, wrong", user, []string{basic("Jürgen:new")}, 401},
		{"password, another receiver's", user, []string{basic("zabbix:pass")}, 401},
		{"password, empty", user, []string{basic("Jürgen:")}, 401},
		{"password, another user", user, []string{basic("jürgen:old")}, 401},
		{"password, no user", user, []string{basic(":old")}, 401},
		{"password, no colon", user, []string{basic("Jürgen")}, 401},
		{"password, not base64", user, []string{"Basic !"}, 401},
		{"password, as a token", user, []string{"Bearer old"}, 401},
		{"password, twice", user, []string{basic("Jürgen:old"), basic("Jürgen:old")}, 401},

		{"both, the token", both, []string{"Bearer old-token"}, 200},
		{"both, the password", both, []string{basic("Jürgen:old")}, 200},
		{"both, the password as a token", both, []string{"Bearer old"}, 401},
		{"both, the token as a password", both, []string{basic("Jürgen:old-token")}, 401},
		{"both, one of each", both, []string{"Bearer old-token", basic("Jürgen:old")}, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, func(o *receivers.Options) { o.Config.Auth = tt.auth })
			r := s.request(t, http.MethodPost, message(good))
			r.Header["Authorization"] = tt.header
			got := s.do(t, r)
			if got.status != tt.want {
				t.Errorf("answered %d %s, want %d", got.status, got.body, tt.want)
			}
			if tt.want == 401 && got.body != errorBody("not authorized") {
				t.Errorf("the answer tells more than it should: %s", got.body)
			}
			if stored := len(s.accepted()) == 1; stored != (tt.want == 200) {
				t.Errorf("stored: %v", stored)
			}
		})
	}
}

func TestHandler_Challenge(t *testing.T) {
	const bearer, basic = `Bearer realm="cocbridge"`, `Basic realm="cocbridge", charset="UTF-8"`
	password := receivers.BasicConfig{Username: "u", Password: "p"}
	for _, tt := range []struct {
		auth receivers.AuthConfig
		want []string
	}{
		{receivers.AuthConfig{BearerToken: "t"}, []string{bearer}},
		{receivers.AuthConfig{Basic: password}, []string{basic}},
		{receivers.AuthConfig{BearerToken: "t", Basic: password}, []string{bearer, basic}},
	} {
		s := newServer(t, func(o *receivers.Options) { o.Config.Auth = tt.auth })
		got := s.post(t, message(good)).header["Www-Authenticate"]
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}
