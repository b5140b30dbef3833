package coc_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

func TestAgency_tokenModes(t *testing.T) {
	for _, off := range []int{0, 404, 405, 503} {
		t.Run(fmt.Sprint("PUT answers ", off), func(t *testing.T) {
			c := newCloud(t, coctest.Options{ProjectID: testProject, Agency: &coctest.Agency{Life: time.Hour, NoToken: off}})
			client := c.client(c.config(byAgency()))
			c.takes(client)
			c.takes(client)
			if n := c.Requests(); n.MetadataTokens != 1 || n.SecurityKeys != 1 {
				t.Errorf("%+v", n)
			}
		})
	}
}

func TestAgency_takesAnotherMetadataTokenOnce(t *testing.T) {
	for times, want := range map[int]coc.Class{1: -1, 2: coc.Auth} {
		c := newCloud(t, agencyOf(time.Hour))
		faults(fmt.Sprintf("401,on=/openstack/,times=%d,body=expired", times))(c)
		e := report(t, c.client(c.config(byAgency())))
		if want < 0 != (e == nil) || e != nil && e.Class != want {
			t.Errorf("401 %d times: %v", times, e)
		}
		if n := c.Requests(); n.MetadataTokens != 2 || n.SecurityKeys != 2 {
			t.Errorf("401 %d times: %+v", times, n)
		}
	}
}

// Keys are renewed before they end, and never for each call, however short they
// live and whatever the metadata service hands out: it gives the same ones until
// half of their life is over.
func TestAgency_earlyButNotForEveryCall(t *testing.T) {
	for _, life := range []time.Duration{24 * time.Hour, 30 * time.Minute, 5 * time.Minute, 90 * time.Second} {
		t.Run(life.String(), func(t *testing.T) {
			c := newCloud(t, coctest.Options{ProjectID: testProject, Agency: &coctest.Agency{Life: life}})
			client := c.client(c.config(byAgency()))
			const steps, each = 100, 3
			for range steps {
				for range each {
					c.takes(client)
				}
				client.Renewals()
				c.advance(life / 20)
			}
			if n := c.Requests(); n.SecurityKeys > 12 || len(n.Refused) != 0 {
				t.Errorf("%d fetches in 5 lives and %d calls; refused: %v", n.SecurityKeys, steps*each, n.Refused)
			}
		})
	}
}

func TestAgency_theLastKeysLastUntilTheirEnd(t *testing.T) {
	c := newCloud(t, coctest.Options{ProjectID: testProject, Agency: &coctest.Agency{Life: 10 * time.Hour}})
	client := c.client(c.config(byAgency()))
	c.takes(client)
	faults("500,on=/meta-data/,body=trouble")(c)
	c.advance(10*time.Hour - time.Second)
	c.takes(client)
	c.until(func(n coctest.Counts) bool { return n.MetadataTokens >= 2 })
	c.takes(client)
	c.advance(time.Second)
	if e := c.refusal(client, coc.Auth); !strings.HasSuffix(e.Message, `it answers HTTP 500 ("trouble")`) {
		t.Errorf("%v", e)
	}
	c.ClearFaults()
	c.takes(client)
}

func TestAgency_revokedKeys(t *testing.T) {
	c := newCloud(t, coctest.Options{ProjectID: testProject, Agency: &coctest.Agency{Life: 10 * time.Hour}})
	client := c.client(c.config(byAgency()))
	c.takes(client)
	c.advance(time.Hour)
	c.RevokeAgencyKeys()
	e := c.refusal(client, coc.Auth) // the metadata service still gives them
	if n := c.Requests(); n.SecurityKeys != 2 || e.By != "" {
		t.Errorf("%+v", n)
	}
	c.refuses(client, coc.Auth)
	if n := c.Requests().SecurityKeys; n != 2 {
		t.Errorf("%d fetches for keys that were refused although new", n)
	}
	c.RotateAgency()
	c.advance(time.Minute)
	c.takes(client)
}

// The metadata service is on the same host: a proxy would be asked for its own.
func TestAgency_isAskedDirectly(t *testing.T) {
	c := newCloud(t, coctest.Options{ProjectID: testProject, Agency: &coctest.Agency{Life: time.Hour}})
	var mu sync.Mutex
	var seen []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, strings.TrimSuffix(r.URL.Path, testKey))
		mu.Unlock()
		c.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	cfg := c.config(byAgency())
	cfg.HTTP.ProxyURL = proxy.URL
	c.takes(c.client(cfg))
	if diff := cmp.Diff([]string{"/v3/projects", "/v1/event/huawei/custom/"}, seen); diff != "" {
		t.Errorf("over the proxy (-want +got):\n%s", diff)
	}
	if n := c.Requests().SecurityKeys; n != 1 {
		t.Errorf("%d times asked for keys", n)
	}
}
