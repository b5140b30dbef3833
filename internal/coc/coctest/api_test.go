package coctest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

// call makes a signed request; the names of a query must be sorted.
func (r *rig) call(method, path, body string) answer {
	r.t.Helper()
	req := newRequest(r.t, method, r.url+path, body)
	sign(req, body, r.now(), "host")
	return r.do(req)
}

// object is a JSON object of some fields with others replaced, as alarmJSON is.
func object(fields [][2]string, pairs ...string) string {
	var parts []string
	for _, f := range fields {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == f[0] {
				f[1] = pairs[i+1]
			}
		}
		if f[1] != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", f[0], f[1]))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func incidentJSON(pairs ...string) string {
	return object([][2]string{
		{"region", `["r"]`}, {"enterprise_project", `["0"]`}, {"current_cloud_service", `["app"]`}, {"incident_level", `"level_10"`},
		{"is_service_interrupt", "true"}, {"incident_type", `"inc_type_p_ohter_issues"`}, {"incident_title", `"t"`}, {"incident_description", `"d"`},
		{"incident_source", `"incident_source_alarm"`}, {"incident_assignee", `["u1"]`}, {"assignee_scene", ""}, {"assignee_scenario", ""},
		{"assignee_role", ""}, {"creator", `"u1"`}, {"start_time", ""},
	}, pairs...)
}

func handleJSON(key, parameter string) string {
	return object([][2]string{{"incident_num", `"IM202603011200000000000001"`}, {"operator", `"u1"`}, {"operate_key", `"` + key + `"`}, {"parameter", parameter}})
}

func scriptJSON(pairs ...string) string {
	return object([][2]string{
		{"name", `"fix"`}, {"type", `"SHELL"`}, {"description", `"d"`}, {"content", `"true"`},
		{"properties", `{"risk_level":"LOW","version":"1"}`}, {"script_params", ""},
	}, pairs...)
}

func declared(pairs ...string) string {
	return "[" + object([][2]string{{"param_name", `"a"`}, {"param_value", `"x"`}, {"param_description", `""`}, {"param_order", "1"}, {"sensitive", "false"}}, pairs...) + "]"
}

func targetJSON(pairs ...string) string {
	return object([][2]string{{"resource_id", `"h1"`}, {"region_id", `"r"`}, {"agent_sn", ""}, {"project_id", ""}, {"custom_attributes", ""}}, pairs...)
}

func batchJSON(index, targets string) string {
	return `{"batch_index":` + index + `,"rotation_strategy":"CONTINUE","target_instances":[` + targets + `]}`
}

func executeJSON(param, batches string) string {
	return `{"execute_param":` + param + `,"execute_batches":[` + batches + `]}`
}

func paramJSON(pairs ...string) string {
	return object([][2]string{{"timeout", "60"}, {"success_rate", "100"}, {"execute_user", `"root"`}, {"script_params", ""}, {"resourceful", ""}}, pairs...)
}

// inhabited is a server in which each call has something to do.
func inhabited(t *testing.T, opts coctest.Options) *rig {
	t.Helper()
	opts.Hosts = []coctest.Host{{ResourceID: "h1", RegionID: "r", AgentState: "ONLINE", Takes: time.Minute}, {ResourceID: "h2", RegionID: "r"}}
	opts.Scripts = []coctest.Script{{UUID: "SC1", Name: "one", Params: []coctest.ScriptParam{{Name: "a"}}}, {UUID: "SC2", Name: "two", Status: coctest.ScriptPending}}
	opts.Documents = []coctest.Document{{ID: "DM1", Name: "job", Parameters: []string{"p"}, Steps: []coctest.DocumentStep{{Name: "s", Takes: time.Minute}}}}
	return start(t, opts)
}

const (
	createPath = "/v1/external/incident/create"
	handlePath = "/v1/external/incident/handle"
	order      = "SCT20260301120000000000001"
	execution  = "EX2026030112000000000001"
)

// TestServer_refuses has what only a careless client sends: the client of package
// coc refuses most of it itself.
func TestServer_refuses(t *testing.T) {
	long := func(n int) string { return `"` + strings.Repeat("你", n) + `"` }
	good := executeJSON(paramJSON(), batchJSON("1", targetJSON()))
	for name, c := range map[string]struct {
		method, path, body string
		want               string // part of the answer; "" = it is taken
		sw                 coctest.Switches
	}{
		"an incident":                     {path: createPath, body: incidentJSON()},
		"an incident of scene and role":   {path: createPath, body: incidentJSON("incident_assignee", "", "assignee_scene", `"s"`, "assignee_role", `"r"`)},
		"an incident of a scenario":       {path: createPath, body: incidentJSON("incident_assignee", "", "assignee_scenario", `"s"`, "assignee_role", `"r"`), want: "assigneeScene"},
		"a scenario, by switch":           {path: createPath, body: incidentJSON("incident_assignee", "", "assignee_scenario", `"s"`, "assignee_role", `"r"`), sw: coctest.Switches{Scenario: true}},
		"an incident by GET":              {method: http.MethodGet, path: createPath, want: "COC.00067003"}, // as if it were a number
		"an incident that is no object":   {path: createPath, body: "[]", want: "GOM.00007256"},
		"an incident of nothing":          {path: createPath, body: "{}", want: "creator must not be null | currentCloudService must not be null | incidentAssignee or assigneeScene and assigneeRole must not be null | incidentDescription must not be null | incidentLevel must not be null | incidentSource must not be null | incidentTitle must not be null | incidentType must not be null | isServiceInterrupt must not be null"},
		"an empty title, which COC takes": {path: createPath, body: incidentJSON("incident_title", `""`)},
		"a long title":                    {path: createPath, body: incidentJSON("incident_title", long(201)), want: "incidentTitle size must be between 0 and 200"},
		"a long description":              {path: createPath, body: incidentJSON("incident_description", long(601)), want: "incidentDescription size must be between 0 and 600"},
		"two regions":                     {path: createPath, body: incidentJSON("region", `["a","b"]`), want: "region size must be between 0 and 1"},
		"a region that is no list":        {path: createPath, body: incidentJSON("region", `"a"`), want: "region must be an array"},
		"an unknown level":                {path: createPath, body: incidentJSON("incident_level", `"P1"`), want: "incidentLevel must match"},
		"an unknown source":               {path: createPath, body: incidentJSON("incident_source", `"x"`), want: "incidentSource must match"},
		"a bool as text":                  {path: createPath, body: incidentJSON("is_service_interrupt", `"true"`), want: "isServiceInterrupt must be a boolean"},
		"a bool as text, by switch":       {path: createPath, body: incidentJSON("is_service_interrupt", `"true"`), sw: coctest.Switches{TextBool: true}},
		"no description, by switch":       {path: createPath, body: incidentJSON("incident_description", "", "current_cloud_service", ""), sw: coctest.Switches{OptionalApplication: true}},
		"seconds":                         {path: createPath, body: incidentJSON("start_time", "1700000000"), want: "startTime must be milliseconds"},

		"a solution of a new incident": {path: handlePath, body: handleJSON("commitSolution1", `{"mtm_type":"t","is_service_interrupt":false,"cause":"c","solution":"s"}`), want: "The field[operate_key] value[commitSolution1] invalid"},
		"a step of no incident":        {path: handlePath, body: strings.Replace(handleJSON("acceptedIncident1", ""), "IM2", "IM9", 1), want: "COC.00067003"},
		"an unknown step":              {path: handlePath, body: handleJSON("forwardOther1", "{}"), want: "The field[operate_key] value[forwardOther1] invalid"},
		"a reopening":                  {path: handlePath, body: handleJSON("ReOpen", "{}"), want: "The field[operate_key] value[ReOpen] invalid"},
		"a solution of no cause":       {path: handlePath, body: handleJSON("commitSolution1", `{"mtm_type":"t","is_service_interrupt":false,"solution":"s"}`), want: "cause must not be null"},
		"a verdict that is text":       {path: handlePath, body: handleJSON("confirm", `{"virtual_confirm_result":"true","virtual_confirm_comment":"c"}`), want: "virtualConfirmResult must be a boolean"},
		"a long comment":               {path: handlePath, body: handleJSON("confirm", `{"virtual_confirm_result":true,"virtual_confirm_comment":`+long(301)+`}`), want: "virtualConfirmComment size must be between 0 and 300"},
		"an operator of no name":       {path: handlePath, body: strings.Replace(handleJSON("acceptedIncident1", ""), `"u1"`, `""`, 1), want: "The field[operator] value[] invalid"},
		"201 incidents a page":         {path: "/v2/incidents/list", body: `{"per_page":201}`, want: "perPage must be between 1 and 200"},
		"an unknown filter":            {path: "/v2/incidents/list", body: `{"string_filters":[{"operator":"like","field":"x","values":["y"]}]}`, want: "The field[x] operator[like] invalid"},
		"101 tickets a page":           {method: http.MethodGet, path: "/v1/incident-tickets?limit=101", want: "limit must be between 1 and 100"},

		"a script":                      {path: "/v1/job/scripts", body: scriptJSON("script_params", declared())},
		"a name with a hyphen":          {path: "/v1/job/scripts", body: scriptJSON("name", `"a-b"`), want: "name must match"},
		"a content of 4097":             {path: "/v1/job/scripts", body: scriptJSON("content", long(4097)), want: "content size must be between 1 and 4096"},
		"the same, by switch":           {path: "/v1/job/scripts", body: scriptJSON("content", long(4097)), sw: coctest.Switches{BigScripts: true}},
		"no properties":                 {path: "/v1/job/scripts", body: scriptJSON("properties", ""), want: "properties must not be null"},
		"a version of 11":               {path: "/v1/job/scripts", body: scriptJSON("properties", `{"risk_level":"LOW","version":"12345678901"}`), want: "version size must be between 1 and 10"},
		"parameters that begin at 2":    {path: "/v1/job/scripts", body: scriptJSON("script_params", declared("param_order", "2")), want: "paramOrder must be between 1 and 1"},
		"a default with two dots":       {path: "/v1/job/scripts", body: scriptJSON("script_params", declared("param_value", `"a..b"`)), want: "paramValue must match"},
		"a default in Chinese":          {path: "/v1/job/scripts", body: scriptJSON("script_params", declared("param_value", `"你"`)), want: "paramValue must match"},
		"a name that is taken":          {path: "/v1/job/scripts", body: scriptJSON("name", `"one"`), want: "COC.00040601"},
		"a list without limit":          {method: http.MethodGet, path: "/v1/job/scripts", want: "limit must not be null"},
		"a script of a long id":         {method: http.MethodGet, path: "/v1/job/scripts/" + strings.Repeat("S", 26), want: "scriptUuid size must be between 1 and 25"},
		"a script that is not approved": {path: "/v1/job/scripts/SC2", body: good, want: "The script is not approved."},

		"a run":                     {path: "/v1/job/scripts/SC1", body: good},
		"a run by old rules":        {path: "/v1/job/scripts/SC1", body: good, sw: coctest.Switches{OldExecute: true}, want: "resourceful must not be null | agentSn must not be null | projectId must not be null"},
		"five seconds":              {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON("timeout", "5"), batchJSON("1", targetJSON())), want: "timeout must be between 6 and 1799"},
		"a rate as text":            {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON("success_rate", `"100.0"`), batchJSON("1", targetJSON())), want: "successRate must be between 1 and 100"},
		"the same, by switch ":      {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON("success_rate", `"100.0"`), batchJSON("1", targetJSON())), sw: coctest.Switches{TextRate: true}},
		"no user":                   {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON("execute_user", `""`), batchJSON("1", targetJSON())), want: "executeUser size must be between 1 and 32"},
		"no batch":                  {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON(), ""), want: "executeBatches size must be between 1 and 20"},
		"a batch that begins at 2":  {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON(), batchJSON("2", targetJSON())), want: "batchIndex must be between 1 and 1"},
		"a batch of nobody":         {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON(), batchJSON("1", "")), want: "targetInstances size must be between 1 and 10"},
		"a host twice":              {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON(), batchJSON("1", targetJSON())+","+batchJSON("2", targetJSON())), want: "resourceId value[h1] invalid"},
		"a host without an agent":   {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON(), batchJSON("1", targetJSON("resource_id", `"h2"`))), want: "not online"},
		"an unknown host":           {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON(), batchJSON("1", targetJSON("resource_id", `"h9"`))), want: "resourceId value[h9] invalid"},
		"a long attribute":          {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON(), batchJSON("1", targetJSON("custom_attributes", `[{"key":"k","value":"`+strings.Repeat("x", 21)+`"}]`))), want: "customAttributes.value size"},
		"a value with a quote":      {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON("script_params", `[{"param_name":"a","param_value":"x'y"}]`), batchJSON("1", targetJSON())), want: "paramValue must match"},
		"an undeclared parameter":   {path: "/v1/job/scripts/SC1", body: executeJSON(paramJSON("script_params", `[{"param_name":"b","param_value":"x"}]`), batchJSON("1", targetJSON())), want: "paramName value[b] invalid"},
		"an unknown order":          {method: http.MethodGet, path: "/v1/job/script/orders/SCT1", want: "COC.00040709"},
		"an order of a long id":     {method: http.MethodGet, path: "/v1/job/script/orders/" + strings.Repeat("S", 27), want: "executeUuid size must be between 1 and 26"},
		"101 orders a page":         {method: http.MethodGet, path: "/v1/job/script/orders?limit=101", want: "limit must be between 1 and 100"},
		"a page without provider":   {method: http.MethodGet, path: "/v1/resources?limit=1&type=cloudservers", want: "provider must not be null"},
		"the provider of a run":     {method: http.MethodGet, path: "/v1/resources?limit=1&provider=ECS&type=cloudservers", want: "provider value[ECS] invalid"},
		"101 resources":             {method: http.MethodGet, path: "/v1/resources?limit=101&provider=ecs&type=cloudservers", want: "limit must be between 1 and 100"},
		"101 resources, by switch":  {method: http.MethodGet, path: "/v1/resources?limit=101&provider=ecs&type=cloudservers", sw: coctest.Switches{Resources500: true}},
		"a job":                     {path: "/v1/documents/DM1"},
		"a job of an odd type":      {path: "/v1/documents/DM1", body: `{"document_type":"NORMAL"}`, want: "documentType must match"},
		"targets for nothing":       {path: "/v1/documents/DM1", body: `{"targets":[]}`, want: "targetParameterName must not be null"},
		"a parameter that is a map": {path: "/v1/documents/DM1", body: `{"parameters":{"p":"x"}}`, want: "parameters must be an array"},
		"an operation on nothing":   {path: "/v1/executions", body: `{"execution_id":"EX1","operate_type":"RETRY"}`, want: "COC.00042101"},
	} {
		t.Run(name, func(t *testing.T) {
			r := inhabited(t, coctest.Options{Switches: c.sw})
			if c.path == handlePath {
				r.call(http.MethodPost, createPath, incidentJSON())
			}
			method := c.method
			if method == "" {
				method = http.MethodPost
			}
			got := r.call(method, c.path, c.body)
			if want := map[bool]int{true: 200, false: 400}[c.want == ""]; got.status != want || !strings.Contains(got.body, c.want) {
				t.Errorf("%d %s, want %d %s", got.status, got.body, want, c.want)
			}
		})
	}
}

// TestServer_refusesStrangers: the gateway answers for all families but alarms.
func TestServer_refusesStrangers(t *testing.T) {
	r := inhabited(t, coctest.Options{})
	for _, path := range []string{createPath, "/v1/job/scripts/SC1", "/v1/documents/DM1", "/v1/executions"} {
		req := newRequest(t, http.MethodPost, r.url+path, "{}")
		if got := r.do(req); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "APIGW.0301") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if len(r.Incidents())+len(r.Orders())+len(r.Executions()) > 0 {
		t.Error("something was done all the same")
	}
}

// TestServer_answersLikeCOC has the oddities of COC's answers.
func TestServer_answersLikeCOC(t *testing.T) {
	r := inhabited(t, coctest.Options{})
	r.call(http.MethodPost, createPath, incidentJSON())
	r.call(http.MethodPost, "/v1/job/scripts/SC1", executeJSON(paramJSON(), batchJSON("1", targetJSON())))
	r.call(http.MethodPost, "/v1/documents/DM1", "")
	for path, want := range map[string]string{
		"/v1/external/incident/IM202603011200000000000001": `"region":["r"],"enterprise_project":["0"]`,
		"/v1/external/incident/IM9":                        `{"provider_code":"049","error_code":"COC.00067003","error_msg":"The incident does not exist.","data":null}`,
		"/v1/job/script/orders/" + order:                   `"gmt_finished":null,"execute_costs":null`,
		"/v1/job/script/orders/" + order + "/statistics":   `{"instance_status":"ABNORMAL","instance_count":0,"batch_indexes":[]}`,
		"/v1/executions/" + execution:                      `{"data":{"id":1,"execution_id":"` + execution + `"`,
		"/v1/executions/EX9":                               `{"data":null}`,
	} {
		if got := r.call(http.MethodGet, path, ""); !strings.Contains(got.body, want) {
			t.Errorf("%s: %s\nwant %s", path, got.body, want)
		}
	}
	if got := r.call(http.MethodPost, "/v1/executions", `{"execution_id":"`+execution+`","operate_type":"TERMINATE"}`); got.status != 200 || got.body != "" {
		t.Errorf("operate: %d %q, want no body", got.status, got.body)
	}
	calls := r.Requests().Calls
	want := map[string]int{
		"POST " + createPath: 1, "POST /v1/job/scripts/{uuid}": 1, "POST /v1/documents/{document}": 1, "GET /v1/external/incident/{num}": 1,
		"GET /v1/job/script/orders/{order}": 1, "GET /v1/job/script/orders/{order}/statistics": 1, "GET /v1/executions/{execution}": 2, "POST /v1/executions": 1,
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestServer_reopens: the other keys are there by switch.
func TestServer_reopens(t *testing.T) {
	r := inhabited(t, coctest.Options{Switches: coctest.Switches{AllKeys: true}})
	r.call(http.MethodPost, createPath, incidentJSON())
	r.control(http.MethodPost, "incidents/IM202603011200000000000001", `{"status":"incident_status_rejected"}`)
	if got := r.call(http.MethodPost, handlePath, handleJSON("ReOpen", "{}")); got.status != 200 || r.Incidents()[0].Status != coctest.IncidentTriggered {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestServer_Error204 sends what HTTP has no room for.
func TestServer_Error204(t *testing.T) {
	r := inhabited(t, coctest.Options{Switches: coctest.Switches{Error204: true}})
	if got := r.call(http.MethodPost, "/v1/job/scripts/SC9", "{}"); got.status != http.StatusNoContent || got.body != "" || got.header.Get("X-Request-Id") == "" {
		t.Errorf("%+v", got)
	}
}

// TestControl_people: what people do on the console, from outside.
func TestControl_people(t *testing.T) {
	r := inhabited(t, coctest.Options{IncidentDelay: time.Hour})
	r.call(http.MethodPost, createPath, incidentJSON())
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"incidents/IM202603011200000000000001", `{"status":"INCIDENT_STATUS_REJECTED","assignee":"u7","title":"x"}`, 204},
		{"incidents/IM9", `{"status":"x"}`, 400},
		{"incidents/IM202603011200000000000001", `{"state":"x"}`, 400},
		{"scripts/SC1", `{"content":"rm","status":"REJECTED"}`, 204},
		{"scripts/SC2", `{"deleted":true}`, 204},
		{"scripts/SC2", `{"deleted":true}`, 400},
		{"hosts/h1", `{"agent_state":"OFFLINE","output":"o","fails":true}`, 204},
		{"hosts/h9", `{}`, 400},
	} {
		if got := r.control(http.MethodPost, c.path, c.body); got.status != c.status {
			t.Errorf("%s %s: %d %s", c.path, c.body, got.status, got.body)
		}
	}
	i, scripts, host := r.Incidents()[0], r.Scripts(), r.Hosts()[0]
	if i.Status != coctest.IncidentRejected || i.Assignee != "u7" || i.Title != "x" || len(scripts) != 1 || scripts[0].Content != "rm" ||
		scripts[0].Status != coctest.ScriptRejected || host.AgentState != "OFFLINE" || !host.Fails || host.Output != "o" {
		t.Errorf("%+v\n%+v\n%+v", i, scripts, host)
	}
	for _, path := range []string{"incidents", "scripts", "hosts", "orders", "executions"} {
		if got := r.control(http.MethodGet, path, ""); got.status != 200 || !strings.HasPrefix(got.body, "[") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	r.Reset()
	if len(r.Incidents()) != 0 || len(r.Scripts()) != 2 || r.Hosts()[0].AgentState != "ONLINE" {
		t.Error("Reset has left something, or taken too much")
	}
}

func TestFault_method(t *testing.T) {
	r := inhabited(t, coctest.Options{})
	f, err := coctest.ParseFault("503,method=post,on=/v1/job/scripts/")
	if err != nil {
		t.Fatal(err)
	}
	r.Inject(f)
	if got := r.call(http.MethodGet, "/v1/job/scripts/SC1", ""); got.status != 200 {
		t.Errorf("GET: %d", got.status)
	}
	if got := r.call(http.MethodPost, "/v1/job/scripts/SC1", "{}"); got.status != 503 || len(r.Orders()) != 0 {
		t.Errorf("POST: %d", got.status)
	}
	if again, err := coctest.ParseFault(f.String()); err != nil || again != f {
		t.Errorf("%q reads back as %+v, %v", f.String(), again, err)
	}
}
