package receivers

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what all receivers take and refuse. Label values come from the
// configuration and from closed sets, never from a request.
type Metrics struct {
	alerts    *prometheus.CounterVec
	rejected  *prometheus.CounterVec
	invalid   *prometheus.CounterVec
	truncated *prometheus.CounterVec
	cut       *prometheus.CounterVec
}

// NewMetrics registers the metrics of all receivers with reg, which may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		alerts: vec("cocbridge_alerts_received_total",
			"Alerts in requests that were stored, the invalid ones included.", "receiver"),
		rejected: vec("cocbridge_rejected_total",
			"Requests that were refused as a whole and stored nothing, by reason. Without a receiver: connections that ended before there was a request.", "receiver", "reason"),
		invalid: vec("cocbridge_alerts_invalid_total",
			"Alerts in stored requests that cannot be used and became dead letters, by reason.", "receiver", "reason"),
		truncated: vec("cocbridge_alerts_truncated_total",
			"Alerts that the sender left out of its requests (max_alerts in Alertmanager); their state is unknown.", "receiver"),
		cut: vec("cocbridge_values_cut_total",
			"Texts in stored requests that were longer than 4 KiB and were cut, with a mark.", "receiver"),
	}
	if reg != nil {
		reg.MustRegister(m.alerts, m.rejected, m.invalid, m.truncated, m.cut)
	}
	return m
}

// init makes all series of a receiver exist, so that a rate over the first
// event is seen. It keeps those that exist.
func (m *Metrics) init(receiver string) {
	m.alerts.WithLabelValues(receiver)
	m.truncated.WithLabelValues(receiver)
	m.cut.WithLabelValues(receiver)
	for reason := range statuses {
		m.rejected.WithLabelValues(receiver, string(reason))
	}
	for _, reason := range invalidReasons {
		m.invalid.WithLabelValues(receiver, reason)
	}
}

// Delete removes the series of a receiver that is no longer configured.
func (m *Metrics) Delete(receiver string) {
	of := prometheus.Labels{"receiver": receiver}
	for _, vec := range []*prometheus.CounterVec{m.alerts, m.rejected, m.invalid, m.truncated, m.cut} {
		vec.DeletePartialMatch(of)
	}
}

// InitConnections makes the series exist that Closed counts in.
func (m *Metrics) InitConnections() {
	for _, reason := range []Reason{AllConnections, AddressConnections, BadHeader} {
		m.rejected.WithLabelValues("", string(reason))
	}
}

// Closed counts a connection that ended before there was a request.
func (m *Metrics) Closed(reason Reason) { m.refused("", reason) }

func (m *Metrics) refused(receiver string, reason Reason) {
	m.rejected.WithLabelValues(receiver, string(reason)).Inc()
}

func (m *Metrics) accepted(b Batch) {
	m.alerts.WithLabelValues(b.Receiver).Add(float64(len(b.Alerts) + len(b.Rejected)))
	m.truncated.WithLabelValues(b.Receiver).Add(float64(b.Truncated))
	m.cut.WithLabelValues(b.Receiver).Add(float64(b.Cut))
	for _, bad := range b.Rejected {
		m.invalid.WithLabelValues(b.Receiver, bad.Reason).Inc()
	}
}
