package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// alertSize is the JSON of one alert in a request, in bytes.
const alertSize = 1024

const (
	head = `{"receiver":"cocbridge","status":"firing","alerts":[`
	tail = `],"groupLabels":{"alertname":"HighRequestLatency","cluster":"prod-eu-1"},` +
		`"commonLabels":{"alertname":"HighRequestLatency","cluster":"prod-eu-1","severity":"warning"},"commonAnnotations":{},` +
		`"externalURL":"http://alertmanager.example:9093","version":"4",` +
		`"groupKey":"{}/{}:{alertname=\"HighRequestLatency\", cluster=\"prod-eu-1\"}","truncatedAlerts":0}` + "\n"
)

// mark begins the annotation that the sink looks for: ten digits that number the
// alert, and when it was due to be sent, in nanoseconds since 1970.
const (
	mark       = `bench":"`
	markDigits = 10
)

// writer makes requests with alerts of the usual form.
type writer struct {
	startsAt string
	pad      string
}

func newWriter(start time.Time) writer {
	w := writer{startsAt: start.UTC().Format(time.RFC3339Nano)}
	w.pad = strings.Repeat("It serves the storefront; see the dashboard. ", 30)[:alertSize-len(w.alert(nil, 0, "firing", start))]
	return w
}

// request appends a request with n alerts, numbered from first on.
func (w writer) request(b []byte, first, n int, due time.Time) []byte {
	b = append(b, head...)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = w.alert(b, first+i, "firing", due)
	}
	return append(b, tail...)
}

// alert appends an alert that differs from all others by an instance.
func (w writer) alert(b []byte, number int, status string, due time.Time) []byte {
	id := fmt.Sprintf("%0*d", markDigits, number)
	b = append(b, `{"status":"`+status+`","labels":{"alertname":"HighRequestLatency","cluster":"prod-eu-1","env":"prod","instance":"node-`...)
	b = append(b, id...)
	b = append(b, `.example:9100","job":"storefront","namespace":"shop","pod":"storefront-5d9c7b6f4-x2x7q","severity":"warning","team":"web"},`+
		`"annotations":{"bench":"`...)
	b = append(b, id...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, due.UnixNano(), 10)
	b = append(b, `","description":"The 99th percentile of the request latency has been above 500 ms for 10 minutes.","runbook_url":"https://wiki.example/runbooks/latency","summary":"Requests are slow. `...)
	b = append(b, w.pad...)
	b = append(b, `"},"startsAt":"`+w.startsAt+`","endsAt":"`...)
	b = append(b, ends(status, due)...)
	b = append(b, `","generatorURL":"http://prometheus.example:9090/graph?g0.expr=job%3Alatency%3Ap99+%3E+0.5\u0026g0.tab=1","fingerprint":"000000`...)
	b = append(b, id...)
	return append(b, `"}`...)
}

func ends(status string, due time.Time) string {
	if status == "resolved" {
		return due.UTC().Format(time.RFC3339Nano)
	}
	return "0001-01-01T00:00:00Z"
}
