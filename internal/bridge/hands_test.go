package bridge_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/cocbridge/cocbridge/internal/admin"
	"github.com/cocbridge/cocbridge/internal/coc/coctest"
	"github.com/cocbridge/cocbridge/internal/secret"
)

// hands is the client of an operator on the bridge's host.
func (r *rig) hands() *admin.Client {
	return admin.NewClient(admin.ClientOptions{
		Address: r.b.AdminAddr(), Actor: "alice", Token: func() (secret.String, error) { return r.b.AdminToken(), nil },
	})
}

func (r *rig) deadLetters(s admin.Select) (all []admin.DeadLetter) {
	r.t.Helper()
	err := r.hands().DeadLetters(r.t.Context(), s, func(d admin.DeadLetter) error {
		all = append(all, d)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// replay returns how many had which result.
func (r *rig) replay(q admin.Replay) map[string]int {
	r.t.Helper()
	results := map[string]int{}
	err := r.hands().Replay(r.t.Context(), q, func(o admin.Outcome) error {
		results[o.Result]++
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return results
}

// needsOwner has no route for most alerts: they cannot be mapped.
const needsOwner = "routes: [{matchers: ['owner!=\"\"'], integration: default}]\n"

// fixedOwner is the mended configuration.
const fixedOwner = "routes: [{integration: default}]\n"

func TestReplay_afterAMappingFix(t *testing.T) {
	r := newRig(t, "mapping: {application_id: app-1, alarm_name: '{{ slice .Labels.alertname 0 9 }}'}\n") // too short a name
	r.send(r.firing("Disk", time.Hour))
	dead := r.deadLetters(admin.Select{})
	if len(dead) != 1 || dead[0].Cause != "mapping_alarm_name" || dead[0].Task.Name != "Disk" {
		t.Fatalf("dead letters: %+v", dead)
	}
	if err := r.reload(""); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{admin.Unmapped: 1}, r.replay(admin.Replay{Select: admin.Select{All: true}})); diff != "" {
		t.Errorf("without remap there is no alarm to send (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{admin.Replayed: 1}, r.replay(admin.Replay{Select: admin.Select{All: true}, Remap: true})); diff != "" {
		t.Errorf("with remap (-want +got):\n%s", diff)
	}
	r.arrived(0, "Disk alarm Minor")
	if left := r.deadLetters(admin.Select{}); len(left) != 0 {
		t.Errorf("%+v are left", left)
	}
	if diff := cmp.Diff([]string{"replayed by alice", "again default", "sent"}, r.history(r.sim.Alarms()[0].Alarm.AlarmID)); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	r.clean()
}

// COC was told of an earlier episode and its end. That says nothing about this one.
func TestReplay_ofALaterEpisode(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Disk", time.Hour)
	identified(&m, "00000000000000aa")
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	r.send(resolve(m, r.clock.Now()))
	r.arrived(1, "Disk ok Minor")
	if err := r.reload(needsOwner); err != nil {
		t.Fatal(err)
	}
	r.advance(time.Hour)
	m.StartsAt = r.clock.Now()
	r.send(m)
	if err := r.reload(fixedOwner); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{admin.Replayed: 1}, r.replay(admin.Replay{Select: admin.Select{All: true}, Remap: true})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.arrived(2, "Disk alarm Minor")
	r.clean()
}

// history is what happened to the alarm, without times and request ids.
func (r *rig) history(alarmID string) (list []string) {
	r.t.Helper()
	a, err := r.hands().Alarm(r.t.Context(), alarmID)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range a.History {
		if e.What == "sent" {
			e.Detail = ""
		}
		list = append(list, strings.TrimSpace(e.What+" "+e.Detail))
	}
	return list
}

// What is replayed goes out as it was, not as it would be mapped today.
func TestReplay_withoutRemapKeepsTheAlarm(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Disk", time.Hour)
	r.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Times: 1})
	r.send(m)
	r.until("it is buried", func() bool { return r.metric("cocbridge_dead_letters") == 1 })
	if err := r.reload("mapping: {application_id: app-2, alarm_name: Renamed}\n"); err != nil {
		t.Fatal(err)
	}
	r.replay(admin.Replay{Select: admin.Select{Reason: "COC.00000001"}})
	r.arrived(0, "Disk alarm Minor")
	if app := r.sim.Alarms()[0].Alarm.ApplicationID; app != "app-1" {
		t.Errorf("application %s", app)
	}
	r.clean()
}

// COC shows it as firing from before, so it must be closed there one day.
func TestReplay_staysInTheIntegrationThatShowsTheAlarm(t *testing.T) {
	r := newRig(t, twoIntegrations)
	m := r.firing("Disk", time.Hour)
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	r.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Times: 1})
	r.advance(30 * time.Minute)
	r.send(m)
	r.until("its refresh is buried", func() bool { return r.metric("cocbridge_dead_letters") == 1 })
	if err := r.reload(twoIntegrations + "routes: [{integration: other}]\n"); err != nil {
		t.Fatal(err)
	}
	r.replay(admin.Replay{Select: admin.Select{All: true}, Remap: true})
	r.arrived(1, "Disk alarm Minor")
	if e := r.sim.Alarms()[1]; e.Key != testKey {
		t.Errorf("it went to %s", e.Key)
	}
	r.clean()
}

// Ten thousand dead letters, of which a hundred have recovered since, while
// senders go on sending.
func TestReplay_ofManyOfWhichSomeAreSuperseded(t *testing.T) {
	const all, old = 10000 / thorough, 100
	r := newRig(t, needsOwner)
	storm := r.storm("Storm", all)
	for part := range slices.Chunk(storm, 1000) {
		r.send(part...)
	}
	if err := r.reload(fixedOwner); err != nil {
		t.Fatal(err)
	}
	r.sim.Inject(coctest.Fault{Status: 401})
	r.advance(time.Minute)
	ended := make([]msg, old)
	for i := range ended {
		ended[i] = resolve(storm[i*7], r.clock.Now())
	}
	r.send(ended...)
	r.closed("default", "auth", old)
	results, superseded, more := map[string]int{}, []uint64{}, 0
	err := r.hands().Replay(t.Context(), admin.Replay{Select: admin.Select{All: true}, Remap: true}, func(o admin.Outcome) error {
		if results[o.Result]++; o.Result == admin.Superseded {
			superseded = append(superseded, o.ID)
		}
		if (results[admin.Replayed]+1)%(all/10) == 0 {
			more++
			r.send(r.firing(fmt.Sprintf("Meanwhile%d", more), time.Hour))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{admin.Replayed: all - old, admin.Superseded: old}, results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if left := r.deadLetters(admin.Select{}); len(left) != old || left[0].ID != superseded[0] {
		t.Errorf("%d dead letters are left, want the superseded", len(left))
	}
	r.sim.ClearFaults()
	r.advance(time.Minute)
	for n := 1000; n < all; n += 1000 { // patience is for a thousand at a time
		r.until(fmt.Sprintf("%d alarms arrive", n), func() bool { return r.metric("cocbridge_deliveries_total", "outcome", "success") >= float64(n) })
	}
	r.delivered(all + more) // the recoveries take the place of what they have overtaken
	if n := r.metric("cocbridge_dead_letters"); n != 0 {
		t.Errorf("%v dead letters are left after the recoveries arrived", n)
	}
	r.clean()
}

func TestReplay_forceTellsWhatIsSuperseded(t *testing.T) {
	r := newRig(t, needsOwner)
	m := r.firing("Disk", time.Hour)
	r.send(m)
	if err := r.reload(fixedOwner); err != nil {
		t.Fatal(err)
	}
	r.sim.Inject(coctest.Fault{Status: 401})
	r.advance(time.Minute)
	r.send(resolve(m, r.clock.Now()))
	r.closed("default", "auth", 1)
	id := r.deadLetters(admin.Select{})[0].ID
	one := admin.Select{IDs: []uint64{id}}
	if diff := cmp.Diff(map[string]int{admin.Superseded: 1}, r.replay(admin.Replay{Select: one, Remap: true})); diff != "" {
		t.Errorf("without force (-want +got):\n%s", diff)
	}
	for name, s := range map[string]admin.Select{"all": {All: true}, "two": {IDs: []uint64{id, id + 1}}} {
		if err := r.hands().Replay(t.Context(), admin.Replay{Select: s, Force: true}, nil); !errors.Is(err, admin.ErrInvalid) {
			t.Errorf("force on %s: %v", name, err)
		}
	}
	if diff := cmp.Diff(map[string]int{admin.Replayed: 1}, r.replay(admin.Replay{Select: one, Remap: true, Force: true})); diff != "" {
		t.Errorf("with force (-want +got):\n%s", diff)
	}
	r.sim.ClearFaults()
	r.advance(time.Minute)
	r.arrived(0, "Disk ok Minor", "Disk alarm Minor")
	r.clean()
}

func TestReplay_whatCannotBeStaysADeadLetter(t *testing.T) {
	r := newRig(t, needsOwner)
	bad := r.firing("Bad", time.Hour)
	bad.Status = "dancing"
	dropped := r.firing("Dropped", time.Hour)
	r.send(bad, dropped, r.firing("Nameless", time.Hour))
	if err := r.reload("routes: [{matchers: ['alertname=\"Dropped\"'], drop: true}, {matchers: ['owner!=\"\"']}]\n"); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{admin.Unusable: 1, admin.RouteDrops: 1, admin.Unmapped: 1}
	if diff := cmp.Diff(want, r.replay(admin.Replay{Select: admin.Select{All: true}, Remap: true})); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if n := len(r.deadLetters(admin.Select{})); n != 3 {
		t.Errorf("%d dead letters are left, want 3", n)
	}
	r.arrived(0)
}

// A change needs to be told what it is about.
func TestDead_changesNeedAChoice(t *testing.T) {
	r := newRig(t, needsOwner)
	r.send(r.firing("Disk", time.Hour))
	for name, err := range map[string]error{
		"replay of nothing":    r.hands().Replay(t.Context(), admin.Replay{}, nil),
		"drop of nothing":      r.hands().Drop(t.Context(), admin.Drop{Why: "x"}, nil),
		"drop without reason":  r.hands().Drop(t.Context(), admin.Drop{Select: admin.Select{All: true}, Why: " \n"}, nil),
		"replay of unknown":    r.hands().Replay(t.Context(), admin.Replay{Select: admin.Select{IDs: []uint64{77}}}, nil),
		"drop of another kind": r.hands().Drop(t.Context(), admin.Drop{Select: admin.Select{Reason: "gave_up"}, Why: "x"}, nil),
	} {
		if !errors.Is(err, admin.ErrInvalid) && !errors.Is(err, admin.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(r.deadLetters(admin.Select{})); n != 1 {
		t.Errorf("%d dead letters are left, want 1", n)
	}
}

func TestDead_filters(t *testing.T) {
	r := newRig(t, twoIntegrations+"routes: [{matchers: ['team=\"other\"'], integration: other}, {matchers: ['owner!=\"\"'], integration: default}]\n")
	r.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Key: otherKey})
	r.send(r.firing("Old", time.Hour))
	r.advance(2 * time.Hour)
	other := r.firing("Other", time.Hour)
	other.Labels["team"] = "other"
	bad := r.firing("Bad", time.Hour)
	bad.Status = "dancing"
	r.send(other, bad)
	r.until("all are buried", func() bool { return r.metric("cocbridge_dead_letters") == 3 })
	for name, c := range map[string]struct {
		choose admin.Select
		want   string
	}{
		"all":         {admin.Select{}, "Old Bad Other"},
		"integration": {admin.Select{Integration: "other"}, "Other"},
		"reason":      {admin.Select{Reason: "invalid_alert"}, "Bad"},
		"older":       {admin.Select{OlderThan: model.Duration(time.Hour)}, "Old"},
		"newer":       {admin.Select{NewerThan: model.Duration(time.Hour)}, "Bad Other"},
		"rule":        {admin.Select{Rule: "restart"}, ""},
		"id":          {admin.Select{IDs: []uint64{1}}, "Old"},
		"both":        {admin.Select{IDs: []uint64{1, 3}, Integration: "other"}, "Other"},
	} {
		var got []string
		for _, d := range r.deadLetters(c.choose) {
			got = append(got, d.Task.Name)
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDrop_keepsTheReason(t *testing.T) {
	r := newRig(t, needsOwner)
	m := r.firing("Disk", time.Hour)
	id := identified(&m, "00000000000000aa")
	r.send(m)
	var got []admin.Outcome
	err := r.hands().Drop(t.Context(), admin.Drop{Select: admin.Select{All: true}, Why: "a test\x1b[31m"}, func(o admin.Outcome) error {
		got = append(got, o)
		return nil
	})
	if diff := cmp.Diff([]admin.Outcome{{ID: 1, AlarmID: id, Result: admin.Dropped}}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"discarded dead letter 1 (mapping_routes) by alice: a test [31m"}, r.history(id)); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if n := r.metric("cocbridge_dead_letters"); n != 0 {
		t.Errorf("%v dead letters", n)
	}
	if err := r.reload(fixedOwner); err != nil {
		t.Fatal(err)
	}
	r.send(m) // it still fires: dropping a dead letter silences nothing
	r.arrived(0, "Disk alarm Minor")
}

// Poison of one source must not fill the store, which would stop the intake of all;
// and what is not kept is not accepted.
func TestDead_oneSourceDoesNotFillTheStore(t *testing.T) {
	r := newRig(t, needsOwner+"store: {max_size: 16MiB}\n")
	poison := func(round int) []msg {
		all := r.storm("Poison", 50)
		for i := range all {
			all[i].Labels["round"] = fmt.Sprint(round)
			for j := range 5 {
				all[i].Annotations[fmt.Sprintf("text%d", j)] = strings.Repeat("x", 4000)
			}
		}
		return all
	}
	taken, answer := 0, ""
	for status := http.StatusOK; status == http.StatusOK && taken < 30; taken++ { // a megabyte each
		status, answer = r.post(poison(taken)...)
	}
	if n := len(r.deadLetters(admin.Select{})); n != 50*(taken-1) || !strings.Contains(answer, "fill their share of the store; see cocbridge dead list") {
		t.Errorf("%d dead letters of %d requests that were taken; the next got %s", n, taken-1, answer)
	}
	fine := r.firing("Fine", time.Hour)
	fine.Labels["owner"] = "me"
	r.send(fine)
	r.arrived(0, "Fine alarm Minor")
	if err := r.hands().Drop(t.Context(), admin.Drop{Select: admin.Select{All: true}, Why: "x"}, func(admin.Outcome) error { return nil }); err != nil {
		t.Fatal(err)
	}
	r.send(poison(taken)...)
}

func TestExport_hasAlarmAndAlert(t *testing.T) {
	r := newRig(t, "")
	r.sim.Inject(coctest.Fault{Status: 400, Code: "COC.00000001", Times: 1})
	r.send(r.firing("Disk", time.Hour))
	r.until("it is buried", func() bool { return r.metric("cocbridge_dead_letters") == 1 })
	d := r.deadLetters(admin.Select{Full: true})[0]
	var alarm, alert map[string]any
	if err := errors.Join(json.Unmarshal(d.Task.Alarm, &alarm), json.Unmarshal(d.Task.Alert, &alert)); err != nil {
		t.Fatal(err)
	}
	if alarm["alarmName"] != "Disk" || alert["receiver"] != "alertmanager" || alert["labels"] == nil {
		t.Errorf("alarm %v, alert %v", alarm, alert)
	}
	if d := r.deadLetters(admin.Select{})[0]; d.Task.Alarm != nil || d.Task.Alert != nil {
		t.Errorf("a list has them too: %s %s", d.Task.Alarm, d.Task.Alert)
	}
}

func TestClose_byHand(t *testing.T) {
	r := newRig(t, "")
	m := r.firing("Disk", time.Hour)
	id := identified(&m, "00000000000000aa")
	if _, err := r.hands().Close(t.Context(), admin.Close{AlarmID: id, Why: "x"}); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("an unknown alarm: %v", err)
	}
	r.send(m)
	r.arrived(0, "Disk alarm Minor")
	r.advance(time.Minute)
	if _, err := r.hands().Close(t.Context(), admin.Close{AlarmID: id}); !errors.Is(err, admin.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}
	for _, want := range []string{admin.Closed, admin.NotFiring} {
		out, err := r.hands().Close(t.Context(), admin.Close{AlarmID: id, Why: strings.Repeat("磁盘换了😀", 100)})
		if err != nil || out.Result != want {
			t.Errorf("%+v, %v; want %s", out, err, want)
		}
	}
	r.arrived(1, "Disk ok Minor")
	if text := r.sim.Alarms()[1].Alarm.AlarmDesc; !strings.HasPrefix(text, "closed through cocbridge by alice: 磁盘换了") {
		t.Errorf("COC is told %q", text)
	}
	r.send(m) // its source still repeats it: it comes back after the fence
	r.advance(time.Minute)
	r.arrived(2, "Disk alarm Minor")
	r.clean()
}

func TestQueue_listsShowsAndCounts(t *testing.T) {
	r := newRig(t, toBoth)
	r.sim.Inject(coctest.Fault{Status: 401, Key: testKey})
	m := r.firing("Disk", time.Hour)
	id := identified(&m, "00000000000000aa")
	r.send(m)
	r.closed("default", "auth", 1)
	var tasks []admin.Task
	collect := func(one admin.Task) error { tasks = append(tasks, one); return nil }
	if err := r.hands().Tasks(t.Context(), admin.SelectTasks{Integration: "other"}, collect); err != nil || len(tasks) != 0 {
		t.Errorf("for the other integration: %+v, %v", tasks, err)
	}
	if err := r.hands().Tasks(t.Context(), admin.SelectTasks{}, collect); err != nil || len(tasks) != 1 || tasks[0].AlarmID != id || tasks[0].State != "waiting" || tasks[0].Alarm != nil {
		t.Fatalf("%+v, %v", tasks, err)
	}
	if err := r.hands().Tasks(t.Context(), admin.SelectTasks{ID: tasks[0].ID, Full: true}, collect); err != nil || len(tasks) != 2 || tasks[1].Alarm == nil {
		t.Errorf("%+v, %v", tasks, err)
	}
	if err := r.hands().Tasks(t.Context(), admin.SelectTasks{ID: 99}, collect); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("a task that is not there: %v", err)
	}
	stats, err := r.hands().Stats(t.Context())
	if err != nil || len(stats.Gates) != 2 || stats.Gates[0].Closed != "auth" || stats.Gates[0].Problem == "" || stats.Gates[0].Waiting != 1 || stats.Gates[1].Closed != "" {
		t.Errorf("%+v, %v", stats, err)
	}
	if len(stats.Kinds) != 1 || stats.Kinds[0].Waiting != 1 || stats.Store.Limit == 0 {
		t.Errorf("%+v", stats)
	}
}

// Who may not change anything learns it in one line.
func TestAdmin_refusals(t *testing.T) {
	r := newRig(t, "")
	ask := func(change func(*http.Request)) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.b.AdminAddr()+"/api/v1/dead/drop", strings.NewReader(`{"all":true,"why":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+r.b.AdminToken().Reveal())
		change(req)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
		says   string
	}{
		"a foreign host":    {func(q *http.Request) { q.Host = "evil.example" }, http.StatusMisdirectedRequest, "use the address of --admin.listen-address"},
		"a foreign origin":  {func(q *http.Request) { q.Header.Set("Origin", "https://evil.example") }, http.StatusForbidden, "cross-origin"},
		"no token":          {func(q *http.Request) { q.Header.Del("Authorization") }, http.StatusUnauthorized, "admin.token in the store folder"},
		"an unknown field":  {func(q *http.Request) { q.Body, q.ContentLength = io.NopCloser(strings.NewReader(`{"al":true}`)), -1 }, http.StatusBadRequest, `unknown field \"al\"`},
		"good, but nothing": {func(*http.Request) {}, http.StatusNotFound, "there is no such dead letter"},
	} {
		status, body := ask(c.change)
		if status != c.status || !strings.Contains(body, c.says) || strings.Count(strings.TrimSpace(body), "\n") > 0 {
			t.Errorf("%s: %d %s; want %d and %q", name, status, body, c.status, c.says)
		}
	}
}
