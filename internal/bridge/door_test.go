package bridge_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/cocbridge/cocbridge/internal/bridge"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// shown is how a sender shows a secret, by the way of authentication.
var shown = map[string]struct {
	auth string // of the receiver; its secret is in the file door
	show func(r *http.Request, body, secret string)
}{
	"bearer": {"{bearer_token_file: door}", func(r *http.Request, _, secret string) { r.Header.Set("Authorization", "Bearer "+secret) }},
	"basic": {"{basic: {username: am, password_file: door}}", func(r *http.Request, _, secret string) {
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("am:"+secret)))
	}},
	"hmac": {"{hmac: {secret_file: door}}", func(r *http.Request, body, secret string) {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		r.Header.Set("X-Signature-256", hex.EncodeToString(mac.Sum(nil)))
	}},
}

// A second line comes into the file, the senders go over to it one by one, the
// first line goes: no request is refused meanwhile, and then the old secret is.
func TestRotation_ofReceivers(t *testing.T) {
	for name, method := range shown {
		t.Run(name, func(t *testing.T) {
			r := makeRig(t, "receivers: [{name: am, path: /webhook/alertmanager, auth: "+method.auth+"}]\n", coctest.Options{})
			r.put("door", "the old one\n")
			r.start()
			look := r.b.Watcher()
			change := func(text string) {
				t.Helper()
				r.put("door", text)
				if err := look(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			post := func(secret string) int {
				body := group(r.firing("Load", time.Hour))
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.b.Addr()+"/webhook/alertmanager", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return 0
				}
				method.show(req, body, secret)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Error(err)
					return 0
				}
				resp.Body.Close()
				return resp.StatusCode
			}
			s := startSenders(t, post)
			s.flow(50)
			change("the old one\nthe new one\n")
			s.flow(50)
			s.use("the new one")
			s.flow(50)
			change("the new one\n")
			s.flow(50)
			s.stop()
			if status := post("the old one"); status != http.StatusUnauthorized {
				t.Errorf("the old secret is answered %d", status)
			}
		})
	}
}

// senders post as fast as they can with the secret that is in use.
type senders struct {
	t       *testing.T
	answers atomic.Int64
	secret  [4]atomic.Pointer[string]
	turn    [4]sync.Mutex // held while a request is under way
	done    chan struct{}
	running sync.WaitGroup
}

func startSenders(t *testing.T, post func(secret string) int) *senders {
	s := &senders{t: t, done: make(chan struct{})}
	s.use("the old one")
	t.Cleanup(s.stop)
	for i := range s.secret {
		s.running.Go(func() {
			for {
				select {
				case <-s.done:
					return
				default:
				}
				s.turn[i].Lock()
				status := post(*s.secret[i].Load())
				s.turn[i].Unlock()
				if status != http.StatusOK {
					t.Errorf("a request was answered %d", status)
					return
				}
				s.answers.Add(1)
			}
		})
	}
	return s
}

// use lets the senders go over to another secret, each after its request.
func (s *senders) use(secret string) {
	for i := range s.secret {
		s.turn[i].Lock()
		s.secret[i].Store(&secret)
		s.turn[i].Unlock()
	}
}

// flow waits for n more answers.
func (s *senders) flow(n int64) {
	s.t.Helper()
	tick, limit := time.NewTicker(time.Millisecond), time.NewTimer(patience)
	defer tick.Stop()
	defer limit.Stop()
	for from := s.answers.Load(); s.answers.Load() < from+n; {
		select {
		case <-tick.C:
		case <-limit.C:
			s.t.Fatalf("only %d of %d answers came", s.answers.Load()-from, n)
		}
	}
}

func (s *senders) stop() {
	select {
	case <-s.done:
	default:
		close(s.done)
	}
	s.running.Wait()
}

// TLS and the authority of client certificates come from the web configuration
// file; which names are let in is said by each receiver.
func TestWebConfig_clientCertificates(t *testing.T) {
	r := makeRig(t, "receivers: [{name: am, path: /webhook/alertmanager, auth: {client_san: [am.example]}}, {name: open, path: /webhook/open}]\n", coctest.Options{})
	client := r.secure()
	r.start()
	for _, tt := range []struct {
		name, path string
		san        []string
		want       int
	}{
		{"the name", "/webhook/alertmanager", []string{"am.example"}, 200},
		{"another name", "/webhook/alertmanager", []string{"zabbix.example"}, 401},
		{"no certificate", "/webhook/alertmanager", nil, 401},
		{"no certificate, where none is asked for", "/webhook/open", nil, 200},
		{"health needs none", "/-/healthy", nil, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			method, body := http.MethodPost, group(r.firing("Disk", time.Hour))
			if tt.path == "/-/healthy" {
				method, body = http.MethodGet, ""
			}
			req, err := http.NewRequestWithContext(t.Context(), method, "https://"+r.b.Addr()+tt.path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client(tt.san...).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != tt.want {
				t.Errorf("answered %s, want %d", resp.Status, tt.want)
			}
		})
	}
}

// secure gives the bridge a certificate. What it returns makes clients: with
// names, they have one too.
func (r *rig) secure() func(names ...string) *http.Client {
	r.t.Helper()
	ca := issue(r.t, nil, x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	own := issue(r.t, &ca, x509.Certificate{DNSNames: []string{"bridge.example"}})
	r.put("ca.pem", ca.certPEM(), "own.pem", own.certPEM(), "own.key", own.keyPEM(r.t), "web.yml",
		"tls_server_config: {cert_file: own.pem, key_file: own.key, client_ca_file: ca.pem, client_auth_type: VerifyClientCertIfGiven}\n")
	r.webConfig = filepath.Join(r.folder, "web.yml")
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return func(names ...string) *http.Client {
		config := &tls.Config{RootCAs: pool, ServerName: "bridge.example", MinVersion: tls.VersionTLS12}
		if names != nil {
			c := issue(r.t, &ca, x509.Certificate{DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
			config.Certificates = []tls.Certificate{{Certificate: [][]byte{c.cert.Raw}, PrivateKey: c.key}}
		}
		transport := &http.Transport{TLSClientConfig: config}
		r.t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
}

// One bridge, a receiver for each way to show who one is, two with a token. What
// opens one door opens no other, although all secrets are the same but for that
// of the second token.
func TestDoors_eachOpensToItsOwnOnly(t *testing.T) {
	r := makeRig(t, `receivers:
  - {name: bearer, auth: {bearer_token: secret}}
  - {name: other, auth: {bearer_token: another}}
  - {name: basic, auth: {basic: {username: am, password: secret}}}
  - {name: hmac, auth: {hmac: {secret: secret}}}
  - {name: san, auth: {client_san: [am.example]}}
`, coctest.Options{})
	client := r.secure()
	r.start()
	plain, certified, misnamed := client(), client("am.example"), client("secret")
	body := group(r.firing("Disk", time.Hour))
	none := func(*http.Request) {}
	by := func(method, secret string) func(*http.Request) {
		return func(req *http.Request) { shown[method].show(req, body, secret) }
	}
	twice := func(show func(*http.Request)) func(*http.Request) {
		return func(req *http.Request) {
			show(req)
			for name, values := range req.Header {
				req.Header[name] = append(values, values...)
			}
		}
	}
	answered := map[int]int{}
	for _, c := range []struct {
		name   string
		client *http.Client
		show   func(*http.Request)
		opens  string
	}{
		{"nothing", plain, none, ""},
		{"the token", plain, by("bearer", "secret"), "bearer"}, {"the other token", plain, by("bearer", "another"), "other"},
		{"a wrong token", plain, by("bearer", "Secret"), ""}, {"an empty token", plain, by("bearer", ""), ""}, {"the token twice", plain, twice(by("bearer", "secret")), ""},
		{"the password", plain, by("basic", "secret"), "basic"},
		{"a wrong password", plain, by("basic", "another"), ""}, {"an empty password", plain, by("basic", ""), ""}, {"the password twice", plain, twice(by("basic", "secret")), ""},
		{"the signature", plain, by("hmac", "secret"), "hmac"},
		{"a wrong signature", plain, by("hmac", "another"), ""}, {"a signature with no key", plain, by("hmac", ""), ""}, {"the signature twice", plain, twice(by("hmac", "secret")), ""},
		{"the certificate", certified, none, "san"}, {"a certificate of another name", misnamed, none, ""},
		{"the certificate, and a token that is not for it", certified, by("bearer", "another"), "san other"},
	} {
		for _, door := range []string{"bearer", "other", "basic", "hmac", "san"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+r.b.Addr()+"/webhook/"+door, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			c.show(req)
			resp, err := c.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			want := http.StatusUnauthorized
			if slices.Contains(strings.Fields(c.opens), door) {
				want = http.StatusOK
			}
			if answered[resp.StatusCode]++; resp.StatusCode != want {
				t.Errorf("%s at %s: answered %s, want %d", c.name, door, resp.Status, want)
			}
		}
	}
	if n := r.metric("cocbridge_rejected_total", "reason", "unauthorized"); int(n) != answered[http.StatusUnauthorized] {
		t.Errorf("%v are counted of %v", n, answered)
	}
}

// What exporter-toolkit offers and a webhook target must not have.
func TestWebConfig_refused(t *testing.T) {
	for text, want := range map[string]string{
		"rate_limit: {burst: 1, interval: 1s}\n": "web.yml:1: rate_limit answers 429, after which Alertmanager gives up; remove it",
		"basic_auth_users: {am: x}\n":            "web.yml:1: basic_auth_users would cover health and metrics too and takes the header that bearer tokens need; use receivers[].auth.basic",
	} {
		r := makeRig(t, "", coctest.Options{})
		r.put("web.yml", text)
		r.write()
		cfg, err := r.load()
		if err != nil {
			t.Fatal(err)
		}
		_, err = bridge.New(t.Context(), bridge.Options{Config: cfg, WebConfigFile: filepath.Join(r.folder, "web.yml"), Registry: prometheus.NewRegistry(), Log: zap.NewNop()})
		if !errors.Is(err, bridge.ErrWebConfig) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

// The file is in force as soon as it is written, so the least is to say what is wrong.
func TestWebConfig_refusedWhileRunning(t *testing.T) {
	core, lines := observer.New(zap.ErrorLevel)
	r := makeRig(t, "", coctest.Options{})
	r.put("web.yml", "http_server_config: {http2: false}\n")
	r.log, r.webConfig = zap.New(core), filepath.Join(r.folder, "web.yml")
	r.start()
	r.do(http.MethodGet, "/-/healthy", "") // it serves, under the good file
	look := r.b.Watcher()
	r.put("web.yml", "http_server_config: {http2: false}\nbasic_auth_users: {am: x}\n")
	for name, load := range map[string]func() error{"noticed": func() error { return look(t.Context()) }, "reloaded": func() error { return r.reload("") }} {
		if err := load(); !errors.Is(err, bridge.ErrWebConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	logged := lines.FilterMessage("configuration not reloaded, the old one stays").All()
	if len(logged) == 0 || !strings.Contains(fmt.Sprint(logged[0].ContextMap()["error"]), "web.yml:2: basic_auth_users would cover health and metrics too") {
		t.Errorf("logged %v", logged)
	}
	r.put("web.yml", "http_server_config: {http2: false}\n")
	if err := look(t.Context()); err != nil {
		t.Error(err)
	}
}

// issued is a certificate with its key.
type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate; without an issuer it signs itself.
func issue(t *testing.T, issuer *issued, c x509.Certificate) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := &c, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issued{cert, key}
}

func (c issued) certPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
}

func (c issued) keyPEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
