package bridge

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cocbridge/cocbridge/internal/forwarder"
	"github.com/cocbridge/cocbridge/internal/incidents"
	"github.com/cocbridge/cocbridge/internal/ledger"
	"github.com/cocbridge/cocbridge/internal/queue"
	"github.com/cocbridge/cocbridge/internal/receivers"
	"github.com/cocbridge/cocbridge/internal/scripts"
	"github.com/cocbridge/cocbridge/internal/task"
)

// Registry takes the bridge's metrics and shows them, with whatever else is in it.
type Registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// metrics are the bridge's own figures and those of the parts it wires.
type metrics struct {
	receivers *receivers.Metrics
	forwarder *forwarder.Metrics
	incidents *incidents.Metrics
	scripts   *scripts.Metrics

	decisions     *prometheus.CounterVec
	unmapped      prometheus.Counter
	unknownLevels prometheus.Counter
	reloadOK      prometheus.Gauge
	reloadTime    prometheus.Gauge
}

// tally is what one request's transaction decided; it counts once that is synced.
type tally struct {
	verdicts      map[ledger.Verdict]int
	unmapped      []unmapped
	unknownLevels int
	quiet         []quiet
}

func (t *tally) count(v ledger.Verdict, m mapped) {
	if t.verdicts == nil {
		t.verdicts = map[ledger.Verdict]int{}
	}
	t.verdicts[v]++
	if !v.IsNews() {
		t.quiet = append(t.quiet, quiet{alarmID: m.alert.AlarmID(), verdict: v, route: m.result.Route})
	}
	if m.result.LevelUnknown {
		t.unknownLevels++
	}
}

// kinds are those of all tasks, each with its series from the start.
var kinds = []task.Kind{task.Report, task.Incident, task.Script, task.Job}

// damagedKind is that of dead letters which are damaged records.
const damagedKind = ""

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		receivers: receivers.NewMetrics(reg),
		forwarder: forwarder.NewMetrics(reg, kinds...),
		incidents: incidents.NewMetrics(reg),
		scripts:   scripts.NewMetrics(reg),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cocbridge_ledger_decisions_total", Help: "What the ledger said of received alerts."}, []string{"verdict"}),
		unmapped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cocbridge_alerts_unmapped_total", Help: "Alerts that could not be mapped and became dead letters."}),
		unknownLevels: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cocbridge_unknown_levels_total", Help: "Alerts whose severity is not in mapping.alarm_level.map and got its default."}),
		reloadOK: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "cocbridge_config_last_reload_successful", Help: "1 if the last load of the configuration worked."}),
		reloadTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "cocbridge_config_last_reload_success_timestamp_seconds", Help: "When the configuration in force was loaded."}),
	}
	reg.MustRegister(m.decisions, m.unmapped, m.unknownLevels, m.reloadOK, m.reloadTime)
	m.receivers.InitConnections()
	for _, v := range ledger.Verdicts() {
		m.decisions.WithLabelValues(string(v))
	}
	return m
}

func (m metrics) accepted(t tally) {
	for v, n := range t.verdicts {
		m.decisions.WithLabelValues(string(v)).Add(float64(n))
	}
	m.unmapped.Add(float64(len(t.unmapped)))
	m.unknownLevels.Add(float64(t.unknownLevels))
}

func (m metrics) reloaded(err error, now time.Time) {
	if err != nil {
		m.reloadOK.Set(0)
		return
	}
	m.reloadOK.Set(1)
	m.reloadTime.Set(float64(now.UnixMilli()) / 1000)
}

// observe registers the figures that are read when somebody asks.
func (m metrics) observe(reg prometheus.Registerer, b *Bridge) {
	m.reloaded(nil, b.o.Now())
	reg.MustRegister(&observer{b: b})
}

var (
	tasksDesc   = prometheus.NewDesc("cocbridge_tasks", "Tasks in the queue, by kind and state.", []string{"kind", "state"}, nil)
	oldestDesc  = prometheus.NewDesc("cocbridge_oldest_task_age_seconds", "Age of the oldest task that waits, by kind; 0 = none.", []string{"kind"}, nil)
	deadDesc    = prometheus.NewDesc("cocbridge_dead_letters", "Dead letters that wait for an operator, by kind.", []string{"kind"}, nil)
	damagedDesc = prometheus.NewDesc("cocbridge_damaged_records", "Records that could not be read and were put aside.", nil, nil)
	sizeDesc    = prometheus.NewDesc("cocbridge_store_size_bytes", "Size of the store's file.", nil, nil)
	usedDesc    = prometheus.NewDesc("cocbridge_store_used_bytes", "What of the store's file is in use; intake stops at 85 % of the maximum.", nil, nil)
	maxDesc     = prometheus.NewDesc("cocbridge_store_max_bytes", "The configured maximum of the store's file.", nil, nil)
	syncDesc    = prometheus.NewDesc("cocbridge_store_sync_seconds_total", "Time spent in commits, with their syncs.", nil, nil)
	commitDesc  = prometheus.NewDesc("cocbridge_store_commits_total", "Synced transactions.", nil, nil)
	heardDesc   = prometheus.NewDesc("cocbridge_receiver_last_message_timestamp_seconds", "When a receiver last got a message that it could read; 0 = not since the start.", []string{"receiver"}, nil)
	changeDesc  = prometheus.NewDesc("cocbridge_store_changes_total", "Changes in synced transactions: divided by the commits, the size of a batch.", nil, nil)
)

// observer reads the queue and the store at each scrape.
type observer struct{ b *Bridge }

// Describe implements prometheus.Collector.
func (o *observer) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(o, ch) }

// Collect implements prometheus.Collector.
func (o *observer) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	q := o.b.queueStats()
	gauge(damagedDesc, float64(q.Damaged))
	for kind, k := range q.Kinds {
		if kind == damagedKind {
			kind = "unknown"
		}
		gauge(tasksDesc, float64(k.Waiting), kind, "waiting")
		gauge(tasksDesc, float64(k.InFlight), kind, "in_flight")
		gauge(deadDesc, float64(k.Dead), kind)
		age := 0.0
		if !k.Oldest.IsZero() {
			age = o.b.o.Now().Sub(k.Oldest).Seconds()
		}
		gauge(oldestDesc, age, kind)
	}
	for _, rc := range o.b.live.Load().cfg.Receivers {
		last := 0.0
		if at, heard := o.b.hears.since(rc.Name); heard {
			last = float64(at.UnixMilli()) / 1000
		}
		gauge(heardDesc, last, rc.Name)
	}
	s := o.b.store.Stats()
	gauge(sizeDesc, float64(s.Size))
	gauge(usedDesc, float64(s.Used))
	gauge(maxDesc, float64(s.MaxSize))
	counter(syncDesc, s.TotalSync.Seconds())
	counter(commitDesc, float64(s.Commits))
	counter(changeDesc, float64(s.Changes))
}

// queueStats has every kind, those without tasks too.
func (b *Bridge) queueStats() queue.Stats {
	q := b.queue.Stats()
	for _, kind := range append(kinds, damagedKind) {
		if _, known := q.Kinds[string(kind)]; !known {
			q.Kinds[string(kind)] = queue.KindStats{}
		}
	}
	return q
}

// count is one series of a counter that is not 0.
type count struct {
	labels []string // name=value
	value  float64
}

// counted reads a counter back.
func (b *Bridge) counted(name string) (all []count) {
	families, _ := b.o.Registry.Gather() // what could be gathered
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetCounter().GetValue() == 0 {
				continue
			}
			one := count{value: m.GetCounter().GetValue()}
			for _, l := range m.GetLabel() {
				one.labels = append(one.labels, l.GetName()+"="+l.GetValue())
			}
			all = append(all, one)
		}
	}
	return all
}
