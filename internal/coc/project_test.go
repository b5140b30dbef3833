package coc_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

func TestProject_isLookedUpOnce(t *testing.T) {
	c := newCloud(t, strict)
	client := c.client(c.config(byKeys()))
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if _, err := client.ReportAlarm(t.Context(), testKey, validAlarm()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	c.advance(1000 * time.Hour)
	c.takes(client)
	if n := c.Requests(); n.ProjectLists != 1 || n.Accepted != 51 || len(n.Refused) != 0 {
		t.Errorf("%+v", n)
	}
}

func TestProject_isNotLookedUp(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*coc.Config)
		want   string
	}{
		"when it is configured":               {func(cfg *coc.Config) { cfg.ProjectID = "p9" }, "p9"},
		"without a name":                      {func(cfg *coc.Config) { cfg.Region = "" }, ""},
		"for a simulated COC without any IAM": {func(cfg *coc.Config) { cfg.Auth.IAMEndpoint = "" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, coctest.Options{})
			cfg := c.config(byKeys())
			test.change(&cfg)
			c.takes(c.client(cfg))
			if n := c.Requests().ProjectLists; n != 0 || c.projects()[0] != test.want {
				t.Errorf("%d look-ups, X-Project-Id %q", n, c.projects()[0])
			}
		})
	}
}

func TestProject_byItsOwnName(t *testing.T) {
	c := newCloud(t, coctest.Options{})
	cfg := c.config(byKeys())
	cfg.Auth.Project = "other"
	c.takes(c.client(cfg))
	if got := c.projects()[0]; got != "p0" {
		t.Errorf("X-Project-Id %q", got)
	}
}

// COC mostly does without the header, so no trouble with IAM holds alarms back.
func TestProject_doesNotHoldAlarmsBack(t *testing.T) {
	for _, trouble := range []string{"403", "401", "500", "429", "html", "empty", "reset", "302", "200"} {
		t.Run(trouble, func(t *testing.T) {
			c := newCloud(t, coctest.Options{})
			client := c.client(c.config(byKeys()))
			faults(trouble + ",on=/v3/")(c)
			c.takes(client)
			c.takes(client)
			c.advance(59 * time.Second)
			c.takes(client)
			if n := c.Requests(); n.ProjectLists != 1 {
				t.Errorf("%d look-ups within a minute", n.ProjectLists)
			}
			c.advance(time.Second)
			c.takes(client)                                                     // beside this one IAM is asked again
			c.until(func(n coctest.Counts) bool { return n.ProjectLists >= 2 }) // net/http repeats a GET that was reset
			c.ClearFaults()
			for !slices.Contains(c.projects(), testProject) {
				c.advance(time.Minute)
				c.takes(client)
			}
		})
	}
}

func TestProject_anIAMThatIsNotThere(t *testing.T) {
	c := newCloud(t, coctest.Options{})
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	cfg := c.config(byKeys())
	cfg.Auth.IAMEndpoint = gone.URL
	c.takes(c.client(cfg))
}

// A definite answer counts also when it comes beside the calls.
func TestProject_knownToBeWrongLater(t *testing.T) {
	c := newCloud(t, coctest.Options{})
	client := c.client(c.config(byKeys()))
	faults("500,on=/v3/,times=1")(c)
	c.SetProjects()
	c.takes(client)
	c.advance(time.Minute)
	c.takes(client)
	c.until(func(n coctest.Counts) bool { return n.ProjectLists >= 2 })
	for report(t, client) == nil { // until what came has been looked at
	}
	c.refuses(client, coc.Misconfigured)
}

// The hosts are those that a proxy is asked for.
func TestNew_endpointOfIAM(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*coc.Config)
		want   string
	}{
		"of a region":                   {func(cfg *coc.Config) { cfg.Region = "cn-south-1" }, "iam.cn-south-1.myhuaweicloud.com:443"},
		"of the international site":     {func(cfg *coc.Config) { cfg.Site, cfg.Region = "intl", "ap-southeast-3" }, "iam.ap-southeast-3.myhuaweicloud.com:443"},
		"of the European site":          {func(cfg *coc.Config) { cfg.Site, cfg.Region = "eu", "eu-west-101" }, "iam.eu-west-101.myhuaweicloud.eu:443"},
		"without a region":              {func(cfg *coc.Config) { cfg.Auth.Project = "p" }, "iam.myhuaweicloud.com:443"},
		"named":                         {func(cfg *coc.Config) { cfg.Auth.IAMEndpoint, cfg.Region = "https://iam.example", "x" }, "iam.example:443"},
		"beside another COC of our own": {func(cfg *coc.Config) { cfg.Endpoint, cfg.Region = "https://coc.example", "r-1" }, "iam.r-1.myhuaweicloud.com:443"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var asked []string
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked = append(asked, r.Host)
				mu.Unlock()
				w.WriteHeader(http.StatusForbidden)
			}))
			t.Cleanup(proxy.Close)
			cfg := testConfig("")
			cfg.Auth, cfg.HTTP.ProxyURL = byToken(), proxy.URL
			test.change(&cfg)
			e := report(t, newClient(t, cfg))
			if diff := cmp.Diff([]string{test.want}, asked); diff != "" || e.Class != coc.Network || e.By != "IAM" {
				t.Errorf("%v, asked (-want +got):\n%s", e, diff)
			}
		})
	}
}
