package coc_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cocbridge/cocbridge/internal/coc"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

func newIncident() coc.NewIncident {
	return coc.NewIncident{
		Region: "cn-north-4", EnterpriseProject: "0", Application: "app1", Level: "level_20", Type: "inc_type_p_monitoring_issues",
		Title: "磁盘满 [cb:0123456789ab]", Description: "only 4% left <now>", Source: "incident_source_alarm", Assignee: "u2",
		Creator: "u1", ServiceInterrupt: true, StartTime: epoch.UnixMilli(),
	}
}

func acceptance(num string) coc.IncidentAction {
	return coc.IncidentAction{Num: num, Operator: "u1", Key: coc.AcceptIncident}
}

func solve(num string) coc.IncidentAction {
	return coc.IncidentAction{Num: num, Operator: "u1", Key: coc.CommitSolution, Solution: &coc.Solution{
		Type: "inc_type_p_monitoring_issues", Cause: "a full disk", Solution: "a bigger disk",
	}}
}

func confirm(num string, ok bool) coc.IncidentAction {
	return coc.IncidentAction{Num: num, Operator: "u1", Key: coc.ConfirmIncident, Verdict: &coc.Verdict{OK: ok, Comment: "seen"}}
}

func (s *simulated) create(t testing.TB, in coc.NewIncident) string {
	t.Helper()
	num, requestID, err := s.client.CreateIncident(t.Context(), in)
	if err != nil || requestID == "" {
		t.Fatalf("create: %v, request id %q", err, requestID)
	}
	return num
}

func TestClient_incident_throughItsLife(t *testing.T) {
	s := simulate(t, coctest.Options{IncidentDelay: 2 * time.Second, IncidentPause: 10 * time.Second, Staff: []string{"u1", "u2"}})
	num := s.create(t, newIncident())
	_, err := s.client.GetIncident(t.Context(), num)
	wantClass(t, err, coc.NotFound, true)
	s.advance(2 * time.Second)
	got, err := s.client.GetIncident(t.Context(), num)
	if err != nil {
		t.Fatal(err)
	}
	want := coc.Incident{
		Num: num, Title: "磁盘满 [cb:0123456789ab]", Description: "only 4% left <now>", Level: "level_20", Type: "inc_type_p_monitoring_issues",
		Source: "incident_source_alarm", Status: coc.StatusTriggered, Creator: "u1", Assignee: "u2", Region: "cn-north-4",
		EnterpriseProject: "0", Application: "app1", ServiceInterrupt: true, CreateTime: epoch.UnixMilli(), StartTime: epoch.UnixMilli(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, step := range []struct {
		action coc.IncidentAction
		want   coc.IncidentStatus
	}{
		{acceptance(num), coc.StatusAcknowledged}, {solve(num), coc.StatusResolved}, {confirm(num, false), coc.StatusAcknowledged},
		{solve(num), coc.StatusResolved}, {confirm(num, true), coc.StatusCompleted},
	} {
		_, err := s.client.HandleIncident(t.Context(), step.action)
		if e := classified(t, err, coc.Permanent, true); !strings.Contains(e.Message, "operate_key") {
			t.Errorf("too early: %v", e)
		}
		s.advance(10 * time.Second)
		if _, err := s.client.HandleIncident(t.Context(), step.action); err != nil {
			t.Fatal(err)
		}
		s.advance(2 * time.Second)
		if got, err := s.client.GetIncident(t.Context(), num); err != nil || got.Status != step.want {
			t.Errorf("after %s: %v, %v, want %s", step.action.Key, got.Status, err, step.want)
		}
	}
	s.advance(10 * time.Second)
	_, err = s.client.HandleIncident(t.Context(), acceptance(num)) // done long ago
	wantClass(t, err, coc.Permanent, true)
	if got, err := s.client.GetIncident(t.Context(), num); err != nil || got.HandleTime == 0 {
		t.Errorf("handle time %d, %v", got.HandleTime, err)
	}
}

func TestClient_incident_asPeopleChangeIt(t *testing.T) {
	s := simulate(t, coctest.Options{IncidentDelay: time.Minute})
	num := s.create(t, newIncident())
	s.advance(time.Minute)
	err := s.EditIncident(num, func(i *coctest.Incident) { i.Status, i.Assignee = "incident_status_Rejected", "u9" })
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.client.GetIncident(t.Context(), num)
	if err != nil || got.Status != coc.StatusRejected || got.Assignee != "u9" {
		t.Errorf("%+v, %v, want it rejected by another one at once", got, err)
	}
	_, err = s.client.HandleIncident(t.Context(), acceptance(num))
	wantClass(t, err, coc.Permanent, true)
}

func TestClient_incident_refusedOperator(t *testing.T) {
	s := simulate(t, coctest.Options{Staff: []string{"u1", "u2"}})
	num := s.create(t, newIncident())
	action := acceptance(num)
	action.Operator = "u3"
	_, err := s.client.HandleIncident(t.Context(), action)
	if e := classified(t, err, coc.Permanent, true); !strings.Contains(e.Error(), "GOM.00007256: The field[operator] value[u3] invalid (request id ") {
		t.Errorf("%v, want COC's code, text and request id", e)
	}
}

func TestClient_CreateIncident_refusesBeforeSending(t *testing.T) {
	s := simulate(t, coctest.Options{})
	emoji := strings.Repeat("😀", 100)
	for name, c := range map[string]struct {
		change func(*coc.NewIncident)
		want   string // "" = it is sent
	}{
		"nothing":                    {func(*coc.NewIncident) {}, ""},
		"the longest title of emoji": {func(in *coc.NewIncident) { in.Title = emoji }, ""},
		"scene and role":             {func(in *coc.NewIncident) { in.Assignee, in.AssigneeScene, in.AssigneeRole = "", "s", "r" }, ""},
		"half an emoji too much":     {func(in *coc.NewIncident) { in.Title = emoji + "." }, "incident_title has 201 characters"},
		"a blank title":              {func(in *coc.NewIncident) { in.Title = " \t" }, "incident_title is empty"},
		"no description":             {func(in *coc.NewIncident) { in.Description = "" }, "incident_description is empty"},
		"a long description":         {func(in *coc.NewIncident) { in.Description = strings.Repeat("x", 601) }, "incident_description has 601"},
		"an unknown level":           {func(in *coc.NewIncident) { in.Level = "P1" }, `incident_level is "P1", must be one of level_10`},
		"an unknown source":          {func(in *coc.NewIncident) { in.Source = "x" }, "incident_source is"},
		"no type":                    {func(in *coc.NewIncident) { in.Type = "" }, "incident_type is empty"},
		"no creator":                 {func(in *coc.NewIncident) { in.Creator = "" }, "creator is empty"},
		"nobody to own it":           {func(in *coc.NewIncident) { in.Assignee, in.AssigneeRole = "", "r" }, "incident_assignee is empty"},
		"a long region":              {func(in *coc.NewIncident) { in.Region = strings.Repeat("x", 256) }, "region has 256"},
		"a time before time":         {func(in *coc.NewIncident) { in.StartTime = -1 }, "start_time is -1"},
	} {
		t.Run(name, func(t *testing.T) {
			in := newIncident()
			c.change(&in)
			_, _, err := s.client.CreateIncident(t.Context(), in)
			if c.want == "" && err != nil {
				t.Fatal(err)
			}
			if c.want != "" {
				if e := classified(t, err, coc.Permanent, false); !strings.Contains(e.Message, c.want) {
					t.Errorf("%v, want %s", e, c.want)
				}
			}
		})
	}
	if refusals := s.Refusals(); len(refusals) > 0 {
		t.Errorf("COC had to refuse: %+v", refusals)
	}
}

func TestClient_HandleIncident_refusesBeforeSending(t *testing.T) {
	s := simulate(t, coctest.Options{})
	for name, a := range map[string]coc.IncidentAction{
		"no number":                {Operator: "u", Key: coc.AcceptIncident},
		"a number that is a path":  {Num: "../x", Operator: "u", Key: coc.AcceptIncident},
		"no operator":              {Num: "IM1", Key: coc.AcceptIncident},
		"an unknown key":           {Num: "IM1", Operator: "u", Key: "x"},
		"no solution":              {Num: "IM1", Operator: "u", Key: coc.CommitSolution},
		"a solution of nothing":    {Num: "IM1", Operator: "u", Key: coc.AcceptIncident, Solution: &coc.Solution{Type: "t", Cause: "c", Solution: "s"}},
		"an empty cause":           {Num: "IM1", Operator: "u", Key: coc.CommitSolution, Solution: &coc.Solution{Type: "t", Solution: "s"}},
		"a solution that is long":  {Num: "IM1", Operator: "u", Key: coc.CommitSolution, Solution: &coc.Solution{Type: "t", Cause: "c", Solution: strings.Repeat("x", 10001)}},
		"no verdict":               {Num: "IM1", Operator: "u", Key: coc.ConfirmIncident},
		"a comment that is long":   {Num: "IM1", Operator: "u", Key: coc.ConfirmIncident, Verdict: &coc.Verdict{Comment: strings.Repeat("x", 301)}},
		"a verdict without reason": {Num: "IM1", Operator: "u", Key: coc.ConfirmIncident, Verdict: &coc.Verdict{OK: true}},
	} {
		_, err := s.client.HandleIncident(t.Context(), a)
		if e := asError(t, err); e == nil || e.Class != coc.Permanent || e.Sent {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := s.Requests().Requests; n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestClient_ListIncidents(t *testing.T) {
	s := simulate(t, coctest.Options{})
	var nums []string
	for _, title := range []string{"disk [cb:aaaaaaaaaaaa]", "cpu [cb:bbbbbbbbbbbb]", "disk [cb:cccccccccccc]"} {
		in := newIncident()
		in.Title = title
		nums = append(nums, s.create(t, in))
		s.advance(time.Minute)
	}
	for name, c := range map[string]struct {
		query coc.IncidentQuery
		want  []string // newest first
		total int
	}{
		"all":               {coc.IncidentQuery{}, []string{nums[2], nums[1], nums[0]}, 3},
		"a mark":            {coc.IncidentQuery{TitleLike: "[cb:bbbbbbbbbbbb]"}, []string{nums[1]}, 1},
		"a page of several": {coc.IncidentQuery{TitleLike: "disk", Limit: 1, Offset: 1}, []string{nums[0]}, 2},
		"another creator":   {coc.IncidentQuery{Creator: "u7"}, nil, 0},
		"from and to are inclusive": {coc.IncidentQuery{Creator: "u1", CreatedFrom: epoch.Add(time.Minute), CreatedTo: epoch.Add(time.Minute)},
			[]string{nums[1]}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := s.client.ListIncidents(t.Context(), c.query)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, numsOf(page)); diff != "" || page.Total != c.total {
				t.Errorf("total %d, want %d (-want +got):\n%s", page.Total, c.total, diff)
			}
		})
	}
	page, err := s.client.ListIncidents(t.Context(), coc.IncidentQuery{Limit: 1})
	want := coc.Incident{
		Num: nums[2], Title: "disk [cb:cccccccccccc]", Description: "only 4% left <now>", Level: "level_20", Type: "inc_type_p_monitoring_issues",
		Source: "incident_source_alarm", Status: coc.StatusTriggered, Creator: "u1", Assignee: "u2", Region: "cn-north-4",
		EnterpriseProject: "0", Application: "app1", ServiceInterrupt: true, CreateTime: epoch.Add(2 * time.Minute).UnixMilli(),
	}
	if diff := cmp.Diff(coc.IncidentPage{Incidents: []coc.Incident{want}, Total: 3}, page); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func numsOf(p coc.IncidentPage) []string {
	var nums []string
	for _, i := range p.Incidents {
		nums = append(nums, i.Num)
	}
	return nums
}

func TestClient_ListIncidents_refusesBeforeSending(t *testing.T) {
	s := simulate(t, coctest.Options{})
	for _, q := range []coc.IncidentQuery{{Limit: 201}, {Limit: -1}, {Limit: 10, Offset: 5}, {Offset: -50}, {TitleLike: strings.Repeat("x", 201)}} {
		_, err := s.client.ListIncidents(t.Context(), q)
		wantClass(t, err, coc.Permanent, false)
	}
	_, err := s.client.ListIncidentTickets(t.Context(), coc.TicketQuery{Limit: 101})
	wantClass(t, err, coc.Permanent, false)
}

func TestClient_ListIncidentTickets(t *testing.T) {
	s := simulate(t, coctest.Options{})
	var nums []string
	for range 3 {
		nums = append(nums, s.create(t, newIncident()))
		s.advance(time.Second)
	}
	first, err := s.client.ListIncidentTickets(t.Context(), coc.TicketQuery{Limit: 2})
	if diff := cmp.Diff([]string{nums[2], nums[1]}, numsOf(first)); diff != "" || err != nil || first.Total != 3 {
		t.Errorf("%v, total %d (-want +got):\n%s", err, first.Total, diff)
	}
	second, err := s.client.ListIncidentTickets(t.Context(), coc.TicketQuery{Limit: 2, Offset: 2})
	want := coc.Incident{
		Num: nums[0], Title: newIncident().Title, Description: newIncident().Description, Level: "level_20", Source: "incident_source_alarm",
		Status: coc.StatusTriggered, Creator: "u1", Assignee: "u2", EnterpriseProject: "0",
	}
	if diff := cmp.Diff([]coc.Incident{want}, second.Incidents); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestClient_RemarkIncident(t *testing.T) {
	s := simulate(t, coctest.Options{})
	num := s.create(t, newIncident())
	if _, err := s.client.RemarkIncident(t.Context(), num, "it still fires"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"it still fires"}, s.Incidents()[0].Remarks); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err := s.client.RemarkIncident(t.Context(), num, strings.Repeat("x", 301))
	wantClass(t, err, coc.Permanent, false)
	_, err = s.client.RemarkIncident(t.Context(), "IM0", "who?")
	wantClass(t, err, coc.NotFound, false)
	s.fault(t, "reset-before,on=/v2/incidents/")
	_, err = s.client.RemarkIncident(t.Context(), num, "only asked for the task")
	wantClass(t, err, coc.Retry, false)
	s.ClearFaults()
	if err := s.EditIncident(num, func(i *coctest.Incident) { i.Status = coctest.IncidentCompleted }); err != nil {
		t.Fatal(err)
	}
	_, err = s.client.RemarkIncident(t.Context(), num, "too late")
	wantClass(t, err, coc.Conflict, false)
}

// TestClient_CreateIncident_saysWhatIsKnown has each way in which the outcome
// may get lost: what leaves doubt must be Sent, and nothing is sent twice.
func TestClient_CreateIncident_saysWhatIsKnown(t *testing.T) {
	const on = ",on=/v1/external/incident/create"
	for name, c := range map[string]struct {
		fault string
		class coc.Class
		made  int
	}{
		"acted, then reset":          {"reset-after", coc.Retry, 1},
		"reset before it acted":      {"reset-before", coc.Retry, 0},
		"acted, then 500":            {"500,after", coc.Retry, 1},
		"500":                        {"500", coc.Retry, 0},
		"acted, then 204":            {"no-content,after", coc.Retry, 1},
		"acted, then an empty 200":   {"empty,after", coc.Retry, 1},
		"acted, then a web page":     {"html,after", coc.Retry, 1},
		"acted, and lost the number": {`status=200,after` + on + `,body={"error_code":"GOM.00000000","data":null}`, coc.Retry, 1},
		"acted, and left it out":     {`status=200,after` + on + `,body={"error_code":"GOM.00000000","data":{}}`, coc.Retry, 1},
		"throttled":                  {"429", coc.Throttled, 0},
		"refused":                    {"400,code=GOM.00007256", coc.Permanent, 0},
		"a 200 that refuses":         {"code=GOM.00007256", coc.Permanent, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, coctest.Options{})
			if !strings.Contains(c.fault, on) {
				c.fault += on
			}
			s.fault(t, c.fault)
			_, _, err := s.client.CreateIncident(t.Context(), newIncident())
			wantClass(t, err, c.class, true)
			if got := len(s.Incidents()); got != c.made {
				t.Errorf("%d incidents, want %d", got, c.made)
			}
			if n := s.Requests().Requests; n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestClient_CreateIncident_thatHangs(t *testing.T) {
	s := simulate(t, coctest.Options{})
	s.fault(t, "hang-after")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, _, err := s.client.CreateIncident(ctx, newIncident())
		done <- err
	}()
	if err := s.Wait(t.Context(), func(s *coctest.Server) bool { return len(s.Incidents()) == 1 }); err != nil {
		t.Fatal(err)
	}
	cancel()
	wantClass(t, <-done, coc.Retry, true)
}

// TestClient_GetIncident_readsEveryForm has the shapes in which documents and
// samples contradict each other.
func TestClient_GetIncident_readsEveryForm(t *testing.T) {
	millis := epoch.UnixMilli()
	for name, c := range map[string]struct {
		data string
		want coc.Incident
	}{
		"lists of an empty string": {`{"region":[""],"enterprise_project":[],"incident_assignee":null}`, coc.Incident{}},
		"texts instead of lists":   {`{"region":"r","incident_assignee":"u"}`, coc.Incident{Region: "r", Assignee: "u"}},
		"bool as text":             {`{"is_service_interrupt":"True"}`, coc.Incident{ServiceInterrupt: true}},
		"bool as null":             {`{"is_service_interrupt":null}`, coc.Incident{}},
		"seconds":                  {`{"create_time":1772366400,"handle_time":null}`, coc.Incident{CreateTime: millis}},
		"milliseconds as text":     {`{"create_time":"1772366400000"}`, coc.Incident{CreateTime: millis}},
		"times in letters":         {`{"create_time":"2026-03-01T12:00:00Z","start_time":"2026-03-01 12:00:00"}`, coc.Incident{CreateTime: millis, StartTime: millis}},
		"a status in another case": {`{"status":"incident_status_TRIGGERED"}`, coc.Incident{Status: coc.StatusTriggered}},
		"a status of the future":   {`{"status":"Pondering"}`, coc.Incident{Status: "Pondering"}},
		"scenario, as one table":   {`{"assignee_scenario":"s","assignee_role":"r"}`, coc.Incident{AssigneeScene: "s", AssigneeRole: "r"}},
		"fields of the future":     {`{"incident_num":7,"x":{"y":[1]}}`, coc.Incident{Num: "7"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"provider_code":"049","error_code":"GOM.00000000","error_msg":null,"data":`+c.data+`}`)
			})
			got, err := client.GetIncident(t.Context(), "IM1")
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestClient_GetIncident_withoutContent(t *testing.T) {
	for _, data := range []string{"null", `"x"`, "[]"} {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"error_code":"0","data":`+data+`}`)
		})
		_, err := client.GetIncident(t.Context(), "IM1")
		wantClass(t, err, coc.Retry, true)
	}
}

func TestClient_incident_bySwitch(t *testing.T) {
	s := simulate(t, coctest.Options{Switches: coctest.Switches{TextBool: true, Seconds: true, OptionalApplication: true}})
	in := newIncident()
	got, err := s.client.GetIncident(t.Context(), s.create(t, in))
	want := coc.Incident{ServiceInterrupt: true, CreateTime: epoch.UnixMilli(), Status: coc.StatusTriggered}
	only := cmpopts.IgnoreFields(coc.Incident{}, "Num", "Title", "Description", "Level", "Type", "Source", "Creator", "Assignee", "Region", "EnterpriseProject", "Application", "StartTime")
	if diff := cmp.Diff(want, got, only); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestClient_acts_onAConnectionOfItsOwn: the transport repeats a request by
// itself only on a connection that was used before.
func TestClient_acts_onAConnectionOfItsOwn(t *testing.T) {
	var seen recorder
	client := serve(t, seen.ServeHTTP)
	for range 2 {
		_, _ = client.HandleIncident(t.Context(), acceptance("IM1"))
	}
	for _, r := range seen.all() {
		if diff := cmp.Diff([]string{"close"}, r.Header["Connection"]); diff != "" {
			t.Errorf("Connection (-want +got):\n%s", diff)
		}
	}
}

func TestClient_waitsForItsTurn(t *testing.T) {
	s := simulate(t, coctest.Options{})
	cfg := testConfig("http://127.0.0.1:1")
	cfg.RateLimits.Tickets = 1e-6
	client := newClient(t, cfg)
	_, _ = client.HandleIncident(t.Context(), acceptance("IM1")) // takes the only turn
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := client.HandleIncident(ctx, acceptance("IM1"))
	if e := classified(t, err, coc.Throttled, false); !strings.Contains(e.Message, "coc.rate_limits") {
		t.Errorf("%v", e)
	}
	if _, err := s.client.ListIncidents(t.Context(), coc.IncidentQuery{}); err != nil {
		t.Error(err)
	}
}
