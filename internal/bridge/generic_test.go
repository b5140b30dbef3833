package bridge_test

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

const monitors = `receivers:
  - {name: alertmanager}
  - name: uptime
    type: generic
    generic:
      alerts: '.monitors[]'
      status: 'if .up then "resolved" else "firing" end'
      id: .id
      labels: '{alertname: .name, severity: "warning"}'
      starts_at: .since
  - {name: aws, type: aws-sns-cloudwatch}
`

// What an expression cannot use becomes a dead letter; its siblings reach COC,
// recover there, and their repeats are swallowed.
func TestGeneric_reachesCOC(t *testing.T) {
	r := newRig(t, monitors)
	r.generic(http.StatusOK, `{"monitors":[{"id":1,"name":"shop","since":1795262400},{"id":2,"name":["blog"],"since":"when"},{"id":3,"name":"api","since":1795262400}]}`)
	r.arrivedInAnyOrder("api alarm Minor", "shop alarm Minor")
	if n := r.metric("cocbridge_dead_letters"); n != 1 {
		t.Errorf("%v dead letters", n)
	}
	if n := r.metric("cocbridge_alerts_invalid_total", "receiver", "uptime", "reason", "bad_time"); n != 1 {
		t.Errorf("%v invalid alerts", n)
	}
	r.generic(http.StatusOK, `{"monitors":[{"id":1,"name":"shop","since":1795262400}]}`) // a repeat
	r.idle(0)
	r.generic(http.StatusOK, `{"monitors":[{"id":1,"name":"shop, as it is called now","since":1795262400,"up":true}]}`)
	r.arrived(2, "shop ok Minor")
	r.generic(http.StatusBadRequest, `{"checks":[]}`)
	r.clean()
}

func (r *rig) generic(want int, body string) {
	r.t.Helper()
	if resp, text := r.do(http.MethodPost, "/webhook/uptime", body); resp.StatusCode != want {
		r.t.Fatalf("answered %d %s, want %d", resp.StatusCode, text, want)
	}
}

// arrivedInAnyOrder waits for the first alarms, which are of different lanes.
func (r *rig) arrivedInAnyOrder(want ...string) {
	r.t.Helper()
	r.until("the first alarms arrive", func() bool { return len(r.sim.Alarms()) >= len(want) })
	r.idle(0)
	got := map[string]bool{}
	for _, e := range r.sim.Alarms() {
		got[e.Alarm.AlarmName+" "+e.Alarm.AlarmStatus+" "+e.Alarm.AlarmLevel] = true
	}
	for _, w := range want {
		if !got[w] {
			r.t.Errorf("%s has not arrived: %v", w, got)
		}
	}
}

// A confirmation is answered and goes into the log; COC hears nothing of it.
func TestSNS_confirmation(t *testing.T) {
	r := newRig(t, monitors)
	body, err := os.ReadFile("../receivers/testdata/shipped/aws-sns-cloudwatch/subscription.json")
	if err != nil {
		t.Fatal(err)
	}
	if resp, text := r.do(http.MethodPost, "/webhook/aws", string(body)); resp.StatusCode != http.StatusOK {
		t.Errorf("answered %d %s", resp.StatusCode, text)
	}
	r.idle(0)
	if n := len(r.sim.Alarms()); n != 0 {
		t.Errorf("%d alarms", n)
	}
}

// While one source storms, until it is refused now and then, another is answered
// each time, and its alarms arrive.
func TestStorm_leavesOthersAnswered(t *testing.T) {
	r := newRig(t, monitors)
	var storm sync.WaitGroup
	done := make(chan struct{})
	end := sync.OnceFunc(func() { close(done); storm.Wait() })
	t.Cleanup(end)
	client := clientFrom(t, "127.0.0.2")
	large := group(r.firing("Storm", time.Hour)) + strings.Repeat(" ", 1<<20)
	for range 80 {
		storm.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				resp, err := client.Post("http://"+r.b.Addr()+"/webhook/alertmanager", "application/json", strings.NewReader(large))
				if err == nil {
					resp.Body.Close() // 200, or 503 where its portion is used up
				}
			}
		})
	}
	r.until("the storm is refused now and then", func() bool {
		return r.metric("cocbridge_rejected_total", "receiver", "alertmanager", "reason", "overload") > 0
	})
	for range 5 {
		r.generic(http.StatusOK, `{"monitors":[{"id":1,"name":"shop","since":1795262400}]}`)
	}
	r.until("the other's alarm arrives", func() bool {
		for _, e := range r.sim.Alarms() {
			if e.Alarm.AlarmName == "shop" {
				return true
			}
		}
		return false
	})
	if n := r.metric("cocbridge_rejected_total", "receiver", "uptime"); n != 0 {
		t.Errorf("%v requests of the other were refused", n)
	}
	end()
	r.idle(0)
	r.clean()
}
