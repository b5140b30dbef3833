package bridge_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cocbridge/cocbridge/internal/coc/coctest"
)

const zabbixReceiver = "receivers: [{name: zabbix, type: zabbix}]\n"

// problem is one event as Zabbix sends it.
func problem(id string) map[string]string {
	return map[string]string{
		"event_id": id, "event_source": "0", "event_value": "1", "event_update_status": "0", "event_nseverity": "4",
		"event_name": "Disk", "host_name": "web-1", "alert_message": "Problem " + id, "event_tagsjson": "[]",
	}
}

func with(event map[string]string, pairs ...string) map[string]string {
	changed := maps.Clone(event)
	for i := 0; i < len(pairs); i += 2 {
		changed[pairs[i]] = pairs[i+1]
	}
	return changed
}

func recovery(event map[string]string) map[string]string {
	return with(event, "event_value", "0", "alert_message", "Resolved")
}

// updated is the event as somebody changed it, at a time of the day.
func updated(event map[string]string, at string, pairs ...string) map[string]string {
	return with(with(event, "event_update_status", "1", "event_update_date", "2026.11.21", "event_update_time", at), pairs...)
}

// tell sends one event and returns the tags of the answer.
func (r *rig) tell(event map[string]string) map[string]string {
	r.t.Helper()
	body, err := json.Marshal(event)
	if err != nil {
		r.t.Fatal(err)
	}
	resp, text := r.do(http.MethodPost, "/webhook/zabbix", string(body))
	var answer struct{ Tags map[string]string }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("the bridge answered %d: %s", resp.StatusCode, text)
	}
	return answer.Tags
}

func TestZabbix_aProblemItsSeverityAndItsRecovery(t *testing.T) {
	r := newRig(t, zabbixReceiver)
	p := problem("31")
	tags := r.tell(p)
	r.arrived(0, "Disk alarm Major")
	r.advance(time.Second)
	r.tell(updated(p, "12:00:01", "event_update_action", "acknowledged and commented"))
	r.tell(updated(p, "12:00:01", "event_nseverity", "5"))
	r.arrived(1, "Disk alarm Critical")
	r.advance(time.Second)
	r.tell(recovery(with(p, "event_nseverity", "5")))
	r.arrived(2, "Disk ok Critical")
	for _, e := range r.sim.Alarms() {
		if e.Alarm.AlarmID != tags["__zbx_coc_alarm"] || e.Alarm.AlarmSource != "zabbix" {
			t.Errorf("%+v, answered %v", e.Alarm, tags)
		}
	}
	if _, ok := tags["__zbx_coc_link"]; ok {
		t.Errorf("a link without coc.console_url: %v", tags)
	}
	r.clean()
}

// The fence is the event id, not the clock: what comes after the recovery of an
// event is late, and another event is another alarm.
func TestZabbix_nothingReopensAnEvent(t *testing.T) {
	r := newRig(t, zabbixReceiver)
	p := problem("31")
	r.tell(p)
	r.tell(recovery(p))
	r.arrived(0, "Disk alarm Major", "Disk ok Major")
	for range 3 {
		r.advance(12 * time.Hour)
		r.tell(p)
		r.tell(updated(p, "23:00:00", "event_nseverity", "5"))
	}
	r.restart()
	r.tell(p)
	r.arrived(2)
	r.tell(updated(recovery(p), "23:00:01", "event_update_action", "commented")) // on what is over
	r.arrived(2)
	r.tell(problem("32"))
	r.arrived(2, "Disk alarm Major")
	r.clean()
}

func TestZabbix_aRecoveryBeforeItsProblem(t *testing.T) {
	r := newRig(t, zabbixReceiver)
	r.tell(recovery(problem("31"))) // its problem failed for good inside Zabbix
	r.tell(problem("31"))
	r.arrived(0)
	if n := r.metric("cocbridge_ledger_decisions_total", "verdict", "unknown"); n != 1 {
		t.Errorf("dropped %v times: the default of a Zabbix receiver", n)
	}
}

// An update does not wait for the next attempt of its problem.
func TestZabbix_anUpdateBeforeItsProblem(t *testing.T) {
	r := newRig(t, zabbixReceiver)
	p := problem("31")
	r.tell(updated(p, "12:00:05", "event_nseverity", "5"))
	r.arrived(0, "Disk alarm Critical")
	r.advance(4 * time.Second)
	r.tell(p)                                              // with the severity it had
	r.tell(updated(p, "12:00:03", "event_nseverity", "3")) // an earlier change, overtaken
	r.arrived(1)
	r.tell(updated(p, "12:00:07", "event_nseverity", "2"))
	r.arrived(1, "Disk alarm Minor")
	r.clean()
}

func TestZabbix_closedByHandAndCanceled(t *testing.T) {
	r := newRig(t, zabbixReceiver)
	closed, disabled := problem("31"), problem("32")
	r.tell(closed)
	r.arrived(0, "Disk alarm Major")
	r.tell(updated(with(closed, "event_value", "0"), "12:00:01", "event_update_action", "commented and closed"))
	r.tell(recovery(closed))
	r.arrived(1, "Disk ok Major")
	r.tell(disabled)
	r.arrived(2, "Disk alarm Major")
	r.tell(with(disabled, "alert_message", "NOTE: Escalation canceled: trigger \"Disk\" disabled."))
	r.arrived(3, "Disk ok Major")
	if got := string(r.sim.Alarms()[3].Alarm.Additional); !strings.Contains(got, "escalation canceled: trigger") {
		t.Errorf("no reason in %s", got)
	}
	r.clean()
}

// Escalation steps, two users, a restart of Zabbix during a send.
func TestZabbix_repeatsAreQuiet(t *testing.T) {
	r := newRig(t, zabbixReceiver)
	p := problem("31")
	for range 5 {
		r.tell(p)
		r.advance(time.Minute)
	}
	r.arrived(0, "Disk alarm Major")
	r.advance(30 * time.Minute)
	r.tell(updated(p, "12:40:00", "event_update_action", "acknowledged")) // not told as an alarm
	r.arrived(1)
	r.tell(p)
	r.arrived(1, "Disk alarm Major")
	r.tell(updated(p, "12:40:01", "event_nseverity", "5"))
	r.arrived(2, "Disk alarm Critical")
	r.advance(31 * time.Minute)
	r.tell(p) // with the severity it had
	r.arrived(3, "Disk alarm Critical")
	r.clean()
}

func TestZabbix_theLinkToTheConsole(t *testing.T) {
	r := makeRig(t, zabbixReceiver, coctest.Options{})
	r.auth = "auth: {access_key: " + testAccess + ", secret_key_file: secret_key}\n  console_url: 'https://console.example/coc?alarm={{ .AlarmID }}'"
	r.start()
	tags := r.tell(problem("31"))
	if want := "https://console.example/coc?alarm=" + tags["__zbx_coc_alarm"]; tags["__zbx_coc_link"] != want {
		t.Errorf("the tags are %v", tags)
	}
	r.arrived(0, "Disk alarm Major")
}
