package receivers_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

// sign is what openssl dgst -sha256 -hmac prints.
func sign(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestHandler_HMAC(t *testing.T) {
	body := message(good)
	plain := receivers.AuthConfig{HMAC: receivers.HMACConfig{Secret: "new key\nold-key\n", Header: "X-Signature-256"}}
	timed := receivers.AuthConfig{HMAC: receivers.HMACConfig{Secret: "old-key", Header: "x-hub-signature", TimestampHeader: "X-Time"}}
	beside := receivers.AuthConfig{BearerToken: "tok", HMAC: plain.HMAC}
	at := func(d time.Duration) string { return strconv.FormatInt(arrival.Add(d).Unix(), 10) }
	type headers = http.Header
	for _, tt := range []struct {
		name   string
		auth   receivers.AuthConfig
		header headers
		want   int
	}{
		{"first line", plain, headers{"X-Signature-256": {sign("new key", body)}}, 200},
		{"second line", plain, headers{"X-Signature-256": {sign("old-key", body)}}, 200},
		{"with the prefix", plain, headers{"X-Signature-256": {"sha256=" + sign("old-key", body)}}, 200},
		{"in capitals", plain, headers{"X-Signature-256": {strings.ToUpper(sign("old-key", body))}}, 200},
		{"nothing shown", plain, nil, 401},
		{"empty", plain, headers{"X-Signature-256": {""}}, 401},
		{"only the prefix", plain, headers{"X-Signature-256": {"sha256="}}, 401},
		{"of another body", plain, headers{"X-Signature-256": {sign("old-key", body+" ")}}, 401},
		{"of nothing", plain, headers{"X-Signature-256": {sign("old-key", "")}}, 401},
		{"with another receiver's key", plain, headers{"X-Signature-256": {sign("other", body)}}, 401},
		{"with both lines as one key", plain, headers{"X-Signature-256": {sign("new key\nold-key\n", body)}}, 401},
		{"cut", plain, headers{"X-Signature-256": {sign("old-key", body)[:62]}}, 401},
		{"not hex", plain, headers{"X-Signature-256": {strings.Repeat("g", 64)}}, 401},
		{"twice", plain, headers{"X-Signature-256": {sign("old-key", body), sign("old-key", body)}}, 401},
		{"in another header", plain, headers{"X-Signature": {sign("old-key", body)}}, 401},
		{"the key as a token", plain, headers{"Authorization": {"Bearer old-key"}}, 401},
		{"the key as a password", plain, headers{"Authorization": {basic(":old-key")}}, 401},

		{"timed", timed, headers{"X-Hub-Signature": {sign("old-key", at(0)+"."+body)}, "X-Time": {at(0)}}, 200},
		{"timed, five minutes old", timed, headers{"X-Hub-Signature": {sign("old-key", at(-5*time.Minute)+"."+body)}, "X-Time": {at(-5 * time.Minute)}}, 200},
		{"timed, five minutes ahead", timed, headers{"X-Hub-Signature": {sign("old-key", at(5*time.Minute)+"."+body)}, "X-Time": {at(5 * time.Minute)}}, 200},
		{"timed, older", timed, headers{"X-Hub-Signature": {sign("old-key", at(-301*time.Second)+"."+body)}, "X-Time": {at(-301 * time.Second)}}, 401},
		{"timed, further ahead", timed, headers{"X-Hub-Signature": {sign("old-key", at(301*time.Second)+"."+body)}, "X-Time": {at(301 * time.Second)}}, 401},
		{"timed, replayed with another time", timed, headers{"X-Hub-Signature": {sign("old-key", at(-time.Hour)+"."+body)}, "X-Time": {at(0)}}, 401},
		{"timed, without the time", timed, headers{"X-Hub-Signature": {sign("old-key", body)}}, 401},
		{"timed, the time not signed", timed, headers{"X-Hub-Signature": {sign("old-key", body)}, "X-Time": {at(0)}}, 401},
		{"timed, the time twice", timed, headers{"X-Hub-Signature": {sign("old-key", at(0)+"."+body)}, "X-Time": {at(0), at(0)}}, 401},
		{"timed, no number", timed, headers{"X-Hub-Signature": {sign("old-key", "now."+body)}, "X-Time": {"now"}}, 401},
		{"timed, a huge number", timed, headers{"X-Hub-Signature": {sign("old-key", "9223372036854775807."+body)}, "X-Time": {"9223372036854775807"}}, 401},

		{"beside a token, the signature", beside, headers{"X-Signature-256": {sign("old-key", body)}}, 200},
		{"beside a token, the token", beside, headers{"Authorization": {"Bearer tok"}}, 200},
		{"beside a token, both", beside, headers{"Authorization": {"Bearer tok"}, "X-Signature-256": {sign("old-key", body)}}, 200},
		{"beside a token, a wrong token", beside, headers{"Authorization": {"Bearer x"}, "X-Signature-256": {sign("old-key", body)}}, 200},
		{"beside a token, a wrong signature", beside, headers{"Authorization": {"Bearer tok"}, "X-Signature-256": {sign("x", body)}}, 200},
		{"beside a token, both wrong", beside, headers{"Authorization": {"Bearer x"}, "X-Signature-256": {sign("x", body)}}, 401},
		{"beside a token, two tokens", beside, headers{"Authorization": {"Bearer tok", "Bearer tok"}, "X-Signature-256": {sign("old-key", body)}}, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, func(o *receivers.Options) { o.Config.Auth = tt.auth })
			r := s.request(t, http.MethodPost, body)
			for name, values := range tt.header {
				r.Header[name] = values
			}
			checkAuth(t, s, s.do(t, r), tt.want)
		})
	}
}

// checkAuth: who is let in has stored its alert, who is not learns nothing.
func checkAuth(t *testing.T, s *server, got answer, want int) {
	t.Helper()
	if got.status != want {
		t.Errorf("answered %d %s, want %d", got.status, got.body, want)
	}
	if want == 401 && got.body != errorBody("not authorized") {
		t.Errorf("the answer tells more than it should: %s", got.body)
	}
	if stored := len(s.accepted()) == 1; stored != (want == 200) {
		t.Errorf("stored: %v", stored)
	}
}

// authority issues certificates, as the web configuration file's client_ca_file does.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{}
	_, a.cert, a.key = a.issue(t, x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a authority) issue(t *testing.T, c x509.Certificate) (tls.Certificate, *x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = &c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, cert, key
}

func TestHandler_ClientSAN(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	uri, err := url.Parse("spiffe://example/alertmanager")
	if err != nil {
		t.Fatal(err)
	}
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	full := x509.Certificate{DNSNames: []string{"am.example", "AM2.example"}, EmailAddresses: []string{"sre@example.org"},
		IPAddresses: []net.IP{net.IPv4(192, 0, 2, 7)}, URIs: []*url.URL{uri}, ExtKeyUsage: client}
	for _, tt := range []struct {
		name   string
		san    []string
		cert   *x509.Certificate
		issuer authority
		want   int
	}{
		{"a DNS name", []string{"x", "am.example"}, &full, ours, 200},
		{"in other letters", []string{"Am2.Example"}, &full, ours, 200},
		{"an address", []string{"192.0.2.7"}, &full, ours, 200},
		{"an e-mail address", []string{"sre@example.org"}, &full, ours, 200},
		{"a URI", []string{"spiffe://example/alertmanager"}, &full, ours, 200},
		{"another name", []string{"am3.example"}, &full, ours, 401},
		{"a beginning", []string{"am"}, &full, ours, 401},
		{"a wildcard is a name like others", []string{"*.example"}, &full, ours, 401},
		{"a certificate without names", []string{"am.example"}, &x509.Certificate{ExtKeyUsage: client}, ours, 401},
		{"no certificate", []string{"am.example"}, nil, ours, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTLSServer(t, ours, receivers.AuthConfig{ClientSAN: tt.san})
			s.show(t, tt.cert, tt.issuer)
			checkAuth(t, s, s.post(t, message(good)), tt.want)
		})
	}
	t.Run("of another authority", func(t *testing.T) { // the handshake fails
		s := newTLSServer(t, ours, receivers.AuthConfig{ClientSAN: []string{"am.example"}})
		s.show(t, &full, theirs)
		resp, err := s.Client().Do(s.request(t, http.MethodPost, message(good)))
		if err == nil {
			resp.Body.Close()
			t.Errorf("answered %s", resp.Status)
		}
		if len(s.accepted()) != 0 {
			t.Error("stored")
		}
	})
	t.Run("that nobody has verified", func(t *testing.T) {
		s := newTLSServer(t, ours, receivers.AuthConfig{ClientSAN: []string{"am.example"}}, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
		s.show(t, &full, theirs)
		checkAuth(t, s, s.post(t, message(good)), 401)
	})
	t.Run("or a token instead", func(t *testing.T) {
		s := newTLSServer(t, ours, receivers.AuthConfig{BearerToken: "tok", ClientSAN: []string{"am.example"}})
		r := s.request(t, http.MethodPost, message(good))
		r.Header.Set("Authorization", "Bearer tok")
		checkAuth(t, s, s.do(t, r), 200)
	})
}

// newTLSServer verifies certificates that are given, as client_auth_type
// VerifyClientCertIfGiven does.
func newTLSServer(t *testing.T, ca authority, auth receivers.AuthConfig, change ...func(*tls.Config)) *server {
	t.Helper()
	s := newServer(t, func(o *receivers.Options) { o.Config.Auth = auth })
	handler := s.Config.Handler
	s.Close()
	s.Server = httptest.NewUnstartedServer(handler)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	s.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
	for _, f := range change {
		f(s.TLS)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// show makes the client use a certificate, whatever the server says it trusts.
func (s *server) show(t *testing.T, c *x509.Certificate, issuer authority) {
	t.Helper()
	if c == nil {
		return
	}
	pair, _, _ := issuer.issue(t, *c)
	s.Client().Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
}

// A signature is checked before anything of the body is looked at.
func TestHandler_HMAC_beforeDecoding(t *testing.T) {
	auth := receivers.AuthConfig{HMAC: receivers.HMACConfig{Secret: "key", Header: "X-Signature-256"}}
	s := newServer(t, func(o *receivers.Options) { o.Config.Auth = auth })
	r := s.request(t, http.MethodPost, "not JSON")
	r.Header.Set("X-Signature-256", sign("other", "not JSON"))
	checkAuth(t, s, s.do(t, r), 401)
	r = s.request(t, http.MethodPost, "not JSON")
	r.Header.Set("X-Signature-256", sign("key", "not JSON"))
	if got := s.do(t, r); got.status != http.StatusBadRequest {
		t.Errorf("answered %d", got.status)
	}
}
