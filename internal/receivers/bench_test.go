package receivers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cocbridge/cocbridge/internal/receivers"
)

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1, 10, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			body := []byte(group(n))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := receivers.Decode(body, limits, "alertmanager", arrival); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// group is a message about n instances, as Alertmanager 0.34 writes it.
func group(n int) string {
	const one = `{"status":"firing","labels":{"alertname":"InstanceDown","cluster":"lab","env":"prod","instance":"10.0.%d.%d:9100","job":"node","replica":"a","severity":"page"},` +
		`"annotations":{"description":"node 10.0.%d.%d:9100 of job node has been down for more than 5 minutes.\nRunbook: \u003chttps://wiki.example/down\u003e","summary":"Instance 10.0.%d.%d:9100 down"},` +
		`"startsAt":"2026-11-21T17:23:55.059Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example:9090/graph?g0.expr=up+%%3D%%3D+0\u0026g0.tab=1","fingerprint":"%016x"}`
	alerts := make([]string, n)
	for i := range alerts {
		x, y := i/256, i%256
		alerts[i] = fmt.Sprintf(one, x, y, x, y, x, y, i)
	}
	return `{"receiver":"sink","status":"firing","alerts":[` + strings.Join(alerts, ",") + `],"notification_reason":"first notification","groupLabels":{"alertname":"InstanceDown","cluster":"lab"},` +
		`"commonLabels":{"alertname":"InstanceDown","cluster":"lab","env":"prod","job":"node","replica":"a","severity":"page"},"commonAnnotations":{},"routeLabels":{},` +
		`"externalURL":"http://alertmanager.example:9093","version":"4","groupKey":"{}/{}:{alertname=\"InstanceDown\", cluster=\"lab\"}","truncatedAlerts":0}` + "\n"
}
