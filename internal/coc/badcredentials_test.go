package coc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// story is a credential that cannot be used, and what mends it.
type story struct {
	auth    coc.AuthConfig
	options coctest.Options
	spoil   func(c *cloud)
	class   coc.Class
	by      string
	message string
	mend    func(c *cloud)
}

func users(users ...coctest.User) func(*cloud) { return func(c *cloud) { c.SetUsers(users...) } }

func faults(texts ...string) func(*cloud) {
	return func(c *cloud) {
		for _, text := range texts {
			f, err := coctest.ParseFault(text)
			if err != nil {
				c.t.Fatal(err)
			}
			c.Inject(f)
		}
	}
}

func healed(c *cloud) { c.ClearFaults() }

func agencyOf(life time.Duration) coctest.Options {
	return coctest.Options{Agency: &coctest.Agency{Life: life}}
}

func changed(change func(*coctest.User)) coctest.User {
	u := alice
	change(&u)
	return u
}

var stories = map[string]story{
	"a wrong password": {
		auth: byToken(), spoil: users(changed(func(u *coctest.User) { u.Password = "x" })), class: coc.Auth, by: "IAM",
		message: `the user, its password or its account is wrong: correct coc.auth.user, coc.auth.password or coc.auth.domain; ` +
			`a HUAWEI ID cannot log in here, only an IAM user ("The username or password is wrong.")`,
		mend: users(alice),
	},
	"an unknown account": {
		auth: byToken(), spoil: users(changed(func(u *coctest.User) { u.Domain = "x" })), class: coc.Auth, by: "IAM",
		message: `the user, its password or its account is wrong: correct coc.auth.user, coc.auth.password or coc.auth.domain; ` +
			`a HUAWEI ID cannot log in here, only an IAM user ("The username or password is wrong.")`,
		mend: users(alice),
	},
	"a locked user": {
		auth: byToken(), spoil: users(changed(func(u *coctest.User) { u.Locked = true })), class: coc.Auth, by: "IAM",
		message: `the user is locked, for 15 minutes after too many wrong passwords or by an administrator: look who else logs in with coc.auth.user, ` +
			`and have it unlocked ("The account is locked.")`,
		mend: users(alice),
	},
	"a user with a second factor": {
		auth: byToken(), spoil: users(changed(func(u *coctest.User) { u.MFA = true })), class: coc.Auth, by: "IAM",
		message: `the user must log in with a second factor, which a program cannot: switch login protection (MFA) off for it, ` +
			`or use another user or method aksk ("The user must log in with a second factor: the method totp is missing.")`,
		mend: users(alice),
	},
	"a HUAWEI ID": { // IAM does not tell it from a wrong password
		auth: byToken(), spoil: users(changed(func(u *coctest.User) { u.HuaweiID = true })), class: coc.Auth, by: "IAM",
		message: `the user, its password or its account is wrong: correct coc.auth.user, coc.auth.password or coc.auth.domain; ` +
			`a HUAWEI ID cannot log in here, only an IAM user ("The username or password is wrong.")`,
		mend: users(alice),
	},
	"a HUAWEI ID that IAM names": {
		auth: byToken(), spoil: faults("403,on=/v3/,message=HUAWEI ID is not supported"), class: coc.Auth, by: "IAM",
		message: `a HUAWEI ID cannot log in here: create an IAM user in the account and name it in coc.auth.user ("HUAWEI ID is not supported")`,
		mend:    healed,
	},
	"no programmatic access": {
		auth: byToken(), spoil: faults("403,on=/v3/,message=You do not have programmatic access."), class: coc.Auth, by: "IAM",
		message: `the user has no programmatic access: switch it on in IAM ("You do not have programmatic access.")`, mend: healed,
	},
	"an access rule of IAM": {
		auth: byToken(), spoil: faults("403,on=/v3/"), class: coc.Auth, by: "IAM",
		message: `IAM does not let the user in: look at its permissions and at the account's access rules ("Forbidden")`, mend: healed,
	},
	"a project that a user's account has not": {
		auth: byToken(), spoil: func(c *cloud) { c.SetProjects() }, class: coc.Misconfigured, by: "IAM",
		message: `the user's account has no such project: correct coc.auth.project or coc.region, or set coc.project_id ("Could not find project.")`,
		mend:    func(c *cloud) { c.SetProjects(coctest.Project{ID: testProject, Name: "cn-north-4"}) },
	},
	"an IAM that is none": {
		auth: byToken(), spoil: faults("302,on=/v3/"), class: coc.Misconfigured, by: "IAM",
		message: `IAM does not take the request: correct coc.auth.iam_endpoint, user, domain and project ("Found")`, mend: healed,
	},
	"a project that the keys' account has not": {
		auth: byKeys(), spoil: func(c *cloud) { c.SetProjects() }, class: coc.Misconfigured, by: "IAM",
		message: `the account of coc.auth has no project named "cn-north-4": set coc.project_id to the id of the one to use, or correct coc.region or coc.auth.project`,
		mend:    func(c *cloud) { c.SetProjects(coctest.Project{ID: testProject, Name: "cn-north-4"}) },
	},
	"a project that is ambiguous": {
		auth: byKeys(), class: coc.Misconfigured, by: "IAM",
		spoil: func(c *cloud) {
			c.SetProjects(coctest.Project{ID: "a", Name: "cn-north-4"}, coctest.Project{ID: "b", Name: "cn-north-4"})
		},
		message: `the account of coc.auth has 2 projects named "cn-north-4": set coc.project_id to the id of the one to use, or correct coc.region or coc.auth.project`,
		mend:    func(c *cloud) { c.SetProjects(coctest.Project{ID: testProject, Name: "cn-north-4"}) },
	},
	"an ECS without an agency": {
		auth: byAgency(), spoil: func(c *cloud) { c.SetAgency(nil) }, class: coc.Misconfigured, by: "metadata service",
		message: `URL (coc.auth): the ECS is bound to no agency: create one for ECS in IAM and bind the server to it`,
		mend:    func(c *cloud) { c.SetAgency(&coctest.Agency{Life: time.Hour}) },
	},
	"an ECS without an agency, as 401": {
		auth: byAgency(), options: agencyOf(time.Hour), spoil: faults("401,on=/openstack/,body=Please configure Cloud Service Agency first"),
		class: coc.Misconfigured, by: "metadata service",
		message: `URL (coc.auth): the ECS is bound to no agency: create one for ECS in IAM and bind the server to it`, mend: healed,
	},
	"a metadata service that refuses": {
		auth: byAgency(), options: agencyOf(time.Hour), spoil: faults("401,on=/openstack/,body=no"), class: coc.Auth, by: "metadata service",
		message: `URL (coc.auth): it answers HTTP 401 ("no")`, mend: healed,
	},
	"a metadata service that hangs": {
		auth: byAgency(), options: agencyOf(time.Hour), spoil: faults("hang,on=/meta-data/"), class: coc.Auth, by: "metadata service",
		message: `URL (coc.auth): it does not answer: context deadline exceeded; method agency works on an ECS only, and only where its address can be reached`,
		mend:    healed,
	},
	"a metadata service that talks nonsense": {
		auth: byAgency(), options: agencyOf(time.Hour), spoil: faults("on=/openstack/,html"), class: coc.Auth, by: "metadata service",
		message: `URL (coc.auth): its answer holds no temporary keys`, mend: healed,
	},
	"keys of an agency that have expired": {
		auth: byAgency(), options: agencyOf(time.Hour), class: coc.Auth, by: "metadata service",
		spoil:   faults(`on=/openstack/,body={"credential":{"access":"a","secret":"b","securitytoken":"c","expires_at":"2026-09-01T11:59:59.000000Z"}}`),
		message: `URL (coc.auth): it gives keys that have already expired; check its clock and ours`, mend: healed,
	},
	"keys that COC does not know": {
		auth: byKeys(), spoil: func(c *cloud) { c.SetAccessKeys() }, class: coc.Auth, message: "Token missing or invalid.",
		mend: func(c *cloud) { c.SetAccessKeys(coctest.AccessKey{AccessKey: "AK", SecretKey: testSecret}) },
	},
}

// Whatever is wrong with a credential closes a gate with a cause for a person,
// and passes as soon as it is mended, without a restart.
func TestClient_badCredentials(t *testing.T) {
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, s.options)
			cfg := c.config(s.auth)
			if strings.HasSuffix(name, "that hangs") {
				cfg.Timeouts.Connect = model.Duration(time.Second) // all others answer, sooner or later
			}
			client := c.client(cfg)
			s.spoil(c)
			got := c.refusal(client, s.class)
			if got.By != s.by || got.Sent != (s.by == "") {
				t.Errorf("by %q, sent %v", got.By, got.Sent)
			}
			if diff := cmp.Diff(s.message, replaced(got.Message, c.url)); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			mustHideCanaries(t, got)
			s.mend(c)
			c.recovers(client)
		})
	}
}

// recovers asks once a minute, as a closed gate does.
func (c *cloud) recovers(client *coc.Client) {
	c.t.Helper()
	var last *coc.Error
	for range 7 {
		c.advance(time.Minute)
		if last = report(c.t, client); last == nil {
			return
		}
	}
	c.t.Errorf("after 7 minutes: %v", last)
}
