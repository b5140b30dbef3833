package receivers_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

func TestMetrics_Count(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	s := newServer(t, func(o *receivers.Options) { o.Metrics = receivers.NewMetrics(reg) })
	s.post(t, message(good, good, `{"status":"?"}`))
	s.post(t, `{"version":"4","truncatedAlerts":7,"alerts":[`+firing(wide(65))+`,`+firing(`{"":"x"}`)+`]}`)
	s.post(t, message(firing(`{"a":"`+strings.Repeat("x", 5000)+`","b":"`+strings.Repeat("x", 4096)+`"}`)))
	s.post(t, "{")
	s.post(t, "{}")
	s.do(t, s.request(t, http.MethodGet, ""))
	s.set(func() { s.failure = receivers.ErrBusy })
	s.post(t, `{"version":"4","truncatedAlerts":7,"alerts":[`+good+`,{"status":"?"}]}`)
	const want = `
# HELP cocbridge_alerts_invalid_total Alerts in stored requests that cannot be used and became dead letters, by reason.
# TYPE cocbridge_alerts_invalid_total counter
cocbridge_alerts_invalid_total{reason="bad_name",receiver="alertmanager"} 1
cocbridge_alerts_invalid_total{reason="bad_status",receiver="alertmanager"} 1
cocbridge_alerts_invalid_total{reason="bad_time",receiver="alertmanager"} 0
cocbridge_alerts_invalid_total{reason="expression",receiver="alertmanager"} 0
cocbridge_alerts_invalid_total{reason="no_identity",receiver="alertmanager"} 0
cocbridge_alerts_invalid_total{reason="too_many_labels",receiver="alertmanager"} 1
# HELP cocbridge_alerts_received_total Alerts in requests that were stored, the invalid ones included.
# TYPE cocbridge_alerts_received_total counter
cocbridge_alerts_received_total{receiver="alertmanager"} 6
# HELP cocbridge_alerts_truncated_total Alerts that the sender left out of its requests (max_alerts in Alertmanager); their state is unknown.
# TYPE cocbridge_alerts_truncated_total counter
cocbridge_alerts_truncated_total{receiver="alertmanager"} 7
# HELP cocbridge_rejected_total Requests that were refused as a whole and stored nothing, by reason. Without a receiver: connections that ended before there was a request.
# TYPE cocbridge_rejected_total counter
cocbridge_rejected_total{reason="content_encoding",receiver="alertmanager"} 0
cocbridge_rejected_total{reason="expression",receiver="alertmanager"} 0
cocbridge_rejected_total{reason="forwarded",receiver="alertmanager"} 0
cocbridge_rejected_total{reason="malformed",receiver="alertmanager"} 1
cocbridge_rejected_total{reason="method",receiver="alertmanager"} 1
cocbridge_rejected_total{reason="not_stored",receiver="alertmanager"} 1
cocbridge_rejected_total{reason="overload",receiver="alertmanager"} 0
cocbridge_rejected_total{reason="rate_limit",receiver="alertmanager"} 0
cocbridge_rejected_total{reason="read_error",receiver="alertmanager"} 0
cocbridge_rejected_total{reason="read_timeout",receiver="alertmanager"} 0
cocbridge_rejected_total{reason="too_deep",receiver="alertmanager"} 0
cocbridge_rejected_total{reason="too_large",receiver="alertmanager"} 0
cocbridge_rejected_total{reason="too_many_alerts",receiver="alertmanager"} 0
cocbridge_rejected_total{reason="unauthorized",receiver="alertmanager"} 0
cocbridge_rejected_total{reason="version",receiver="alertmanager"} 1
# HELP cocbridge_values_cut_total Texts in stored requests that were longer than 4 KiB and were cut, with a mark.
# TYPE cocbridge_values_cut_total counter
cocbridge_values_cut_total{receiver="alertmanager"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// All decoders count what they cut.
func TestMetrics_cut(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for kind, body := range map[string]string{
		"zabbix":  `{"event_id":"1","event_value":"1","event_name":"` + long + `","alert_message":"` + long + `","event_tagsjson":"[{\"tag\":\"a\",\"value\":\"` + long + `\"}]"}`,
		"generic": `{"status":"firing","labels":{"a":"` + long + `","b":{"c":"` + long + `"}},"url":"` + long + `"}`,
	} {
		b, err := newFormat(t, typed(kind)).Decode(receivers.Message{Body: []byte(body), Arrived: arrival})
		if err != nil || b.Cut != 3 {
			t.Errorf("%s: %d cuts, %v", kind, b.Cut, err)
		}
	}
}

// The series of a receiver live as long as the receiver.
func TestMetrics_Delete(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := receivers.NewMetrics(reg)
	series := func() int {
		n, err := testutil.GatherAndCount(reg)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	add := func(name string) {
		config := receivers.DefaultConfig()
		config.Name = name
		newHandler(t, receivers.Options{Config: config, Metrics: m})
	}
	add("a")
	one := series()
	add("a")
	if n := series(); n != one {
		t.Errorf("%d series after the receiver was built anew, want %d", n, one)
	}
	add("b")
	if n := series(); n != 2*one {
		t.Errorf("%d series of two receivers, want %d", n, 2*one)
	}
	m.Delete("a")
	if n := series(); n != one {
		t.Errorf("%d series after one was deleted, want %d", n, one)
	}
	m.Delete("b")
	if n := series(); n != 0 {
		t.Errorf("%d series are left", n)
	}
}
