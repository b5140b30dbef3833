package scripts

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cocbridge/cocbridge/internal/store"
)

// Outcome is how a run has ended, in one word of a closed set.
type Outcome string

// The outcomes.
const (
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
	Canceled  Outcome = "canceled"
	Lost      Outcome = "lost"     // it was not seen to end
	Wrong     Outcome = "wrong"    // COC's order is not ours
	NoTrace   Outcome = "absent"   // COC has not begun it, as far as its lists tell
	Unclear   Outcome = "conflict" // nobody can tell whether COC has begun it
	NotCalled Outcome = "not_called"
)

// Outcomes lists all of them.
func Outcomes() []Outcome {
	return []Outcome{Succeeded, Failed, Canceled, Lost, Wrong, NoTrace, Unclear, NotCalled}
}

// Metrics are the figures of all runs.
type Metrics struct {
	calls   *prometheus.CounterVec
	ended   *prometheus.CounterVec
	reasons *prometheus.CounterVec
	open    *prometheus.GaugeVec
	armed   prometheus.Gauge
}

// followed is the label of what is done but has not ended in COC.
const followed = "followed"

// NewMetrics registers the metrics of runs.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cocbridge_run_calls_total", Help: "Calls that asked COC to run a script or a job."}, []string{"rule"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cocbridge_runs_total", Help: "Runs of scripts and jobs that have ended, by what became of them."}, []string{"rule", "outcome"}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cocbridge_runs_not_called_total", Help: "Runs that were not called, by the brake or the fault that has kept them."}, []string{"reason"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cocbridge_runs_open", Help: "Runs that have not ended, by state; unknown: nobody knows whether COC has begun them."}, []string{"state"}),
		armed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "cocbridge_automation_armed", Help: "1 if runs may begin; 0 after a storm or a stop by hand, until cocbridge automation arm."}),
	}
	reg.MustRegister(m.calls, m.ended, m.reasons, m.open, m.armed)
	for _, state := range openLabels() {
		m.open.WithLabelValues(state)
	}
	for _, reason := range reasons() {
		m.reasons.WithLabelValues(reason)
	}
	return m
}

func openLabels() []string {
	return []string{string(Planned), string(Armed), string(Calling), string(Unknown), followed}
}

// init shows the series of a rule from the beginning.
func (m *Metrics) init(rule string) {
	if m == nil {
		return
	}
	m.calls.WithLabelValues(rule)
	for _, o := range Outcomes() {
		m.ended.WithLabelValues(rule, string(o))
	}
}

func (m *Metrics) refused(reason Reason) { m.reasons.WithLabelValues(reason).Inc() }

func label(s State) string {
	if s == Done {
		return followed
	}
	return string(s)
}

// moved follows a change of the run once it is synced. from is empty for a new one.
func (m *Metrics) moved(tx *store.Tx, from State, r *Run) {
	rule, to, outcome, ended := r.Rule, r.State, r.Outcome, !r.Ended.IsZero()
	tx.OnCommit(func() {
		if from != "" {
			m.open.WithLabelValues(label(from)).Dec()
		}
		if ended {
			m.ended.WithLabelValues(rule, string(outcome)).Inc()
			return
		}
		m.open.WithLabelValues(label(to)).Inc()
		if to == Calling {
			m.calls.WithLabelValues(rule).Inc()
		}
	})
}

// Recount sets the gauges from what is on disk, for the start.
func (s *Scripts) Recount(tx *store.Tx) {
	m, n := s.o.Metrics, map[string]float64{}
	eachOpen(tx, func(_, _ string, state State) { n[label(state)]++ })
	for _, state := range openLabels() {
		m.open.WithLabelValues(state).Set(n[state])
	}
	m.armed.Set(1)
	if f, err := loadFuse(tx); err != nil || !f.Blown.IsZero() || !f.Stopped.IsZero() {
		m.armed.Set(0)
	}
}
