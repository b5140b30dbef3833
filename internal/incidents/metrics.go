package incidents

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cocbridge/cocbridge/internal/store"
)

// Metrics are the figures of all incidents.
type Metrics struct {
	opened, solved, closed, failed, cancelled prometheus.Counter
	open                                      prometheus.Gauge
	accepting                                 prometheus.Histogram
}

// NewMetrics registers the metrics of incidents.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &Metrics{
		opened:    counter("cocbridge_incidents_opened_total", "Tickets that rules have opened in COC, those found again included."),
		solved:    counter("cocbridge_incidents_solved_total", "Tickets that have got a solution, from us or from a person."),
		closed:    counter("cocbridge_incidents_closed_total", "Tickets that were seen completed, rejected or gone."),
		failed:    counter("cocbridge_incidents_failed_total", "Steps of tickets that became dead letters."),
		cancelled: counter("cocbridge_incidents_cancelled_total", "Tickets that were not opened although their alerts fire, because the rule was changed meanwhile."),
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "cocbridge_incidents_open", Help: "Tickets that are opened or accepted and not yet solved."}),
		accepting: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "cocbridge_incident_accept_seconds", Help: "Time from the opening of a ticket until it was seen accepted.",
			Buckets: []float64{5, 15, 60, 300, 900, 1800, 3600, 4 * 3600}}),
	}
	reg.MustRegister(m.opened, m.solved, m.closed, m.failed, m.cancelled, m.open, m.accepting)
	return m
}

// inWork says whether a ticket in this state counts as open.
func (s State) inWork() bool { return s == Open || s == Accepted }

// count follows a change of state once it is synced.
func (in *Incidents) count(tx *store.Tx, from State, r *Record) {
	to, m := r.State, in.o.Metrics
	if from == to {
		return
	}
	tx.OnCommit(func() {
		switch {
		case to.inWork() && !from.inWork():
			m.open.Inc()
		case from.inWork() && !to.inWork():
			m.open.Dec()
		}
		switch to {
		case Open:
			if from != Rejected {
				m.opened.Inc()
			}
		case Accepted:
			if from == Open {
				m.accepting.Observe(r.Accepted.Sub(r.Opened).Seconds())
			}
		case Solved:
			m.solved.Inc()
		case Closed, Rejected:
			m.closed.Inc()
		}
	})
}

// Recount sets the gauge from what is on disk, for the start.
func (in *Incidents) Recount(tx *store.Tx) {
	n := 0
	eachRecord(tx, nil, func(_ []byte, r *Record) bool {
		if r.State.inWork() {
			n++
		}
		return true
	})
	in.o.Metrics.open.Set(float64(n))
}
