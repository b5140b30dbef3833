package forwarder

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cocbridge/cocbridge/internal/task"
)

// Metrics are the forwarder's figures. All label values are closed sets or
// configured names, and every series exists from the start.
type Metrics struct {
	deliveries *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	closed     *prometheus.GaugeVec
	limit      *prometheus.GaugeVec
}

// NewMetrics registers the forwarder's metrics.
func NewMetrics(reg prometheus.Registerer, kinds ...task.Kind) *Metrics {
	m := &Metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cocbridge_deliveries_total", Help: "Attempts to tell COC, by kind of task and outcome."}, []string{"kind", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cocbridge_delivery_duration_seconds", Help: "How long attempts took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"kind"}),
		closed: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cocbridge_gate_closed", Help: "1 while nothing is sent to an integration, by cause; alarms are kept meanwhile."}, []string{"integration", "cause"}),
		limit: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cocbridge_rate_limit_alarms_per_second", Help: "The rate an integration is sent at most, lowered after a 429; +Inf = no limit."}, []string{"integration"}),
	}
	reg.MustRegister(m.deliveries, m.duration, m.closed, m.limit)
	for _, kind := range kinds {
		m.duration.WithLabelValues(string(kind))
		for _, outcome := range Outcomes() {
			m.deliveries.WithLabelValues(string(kind), string(outcome))
		}
	}
	return m
}

func (m *Metrics) delivery(kind string, outcome Outcome, took time.Duration) {
	m.deliveries.WithLabelValues(kind, string(outcome)).Inc()
	m.duration.WithLabelValues(kind).Observe(took.Seconds())
}

// gate sets the integration's gate to the cause; empty = open.
func (m *Metrics) gate(integration string, cause gateCause) {
	for _, c := range gateCauses {
		value := 0.0
		if c == cause {
			value = 1
		}
		m.closed.WithLabelValues(integration, string(c)).Set(value)
	}
}

func (m *Metrics) rate(integration string, perSecond float64) {
	m.limit.WithLabelValues(integration).Set(perSecond)
}

// forget removes the series of an integration that is no longer configured.
func (m *Metrics) forget(integration string) {
	m.closed.DeletePartialMatch(prometheus.Labels{"integration": integration})
	m.limit.DeletePartialMatch(prometheus.Labels{"integration": integration})
}
