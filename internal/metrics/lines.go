package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Lines are the metrics of what the lines said. The pipeline counts a line
// here after it was saved, so that a line read twice is counted once.
type Lines struct {
	events       *prometheus.CounterVec
	denials      *prometheus.CounterVec
	unclassified *prometheus.CounterVec
	unreadable   *prometheus.CounterVec
	lastEvent    *prometheus.GaugeVec
	lateness     *prometheus.HistogramVec

	outcomes, reasons []string
	mu                sync.Mutex
	clusters          map[[3]string]*Cluster
}

// NewLines registers the metrics on reg. Each cluster starts with a zero for
// each of the outcomes and reasons, so that a first denial is a rise that
// increase() sees.
func NewLines(reg prometheus.Registerer, outcomes, reasons []string) *Lines {
	counter := func(name, help string, label ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help},
			append([]string{"cluster", "account", "region"}, label...))
	}
	m := &Lines{
		events: counter("eks_authn_events_total",
			"Lines of the authenticator log by what they say: denied, granted, sts_response, malformed_request, marker, other, unreadable.", "outcome"),
		denials: counter("eks_authn_denials_total",
			"Refused requests by reason code; /reasons explains the codes.", "reason"),
		unclassified: counter("eks_authn_unclassified_denials_total",
			"Refused requests whose wording no reason code covers."),
		unreadable: counter("eks_authn_unreadable_lines_total",
			"Lines that do not follow the grammar of the log or were cut."),
		lastEvent: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "eks_authn_last_event_timestamp_seconds",
			Help: "Event time of the newest line of the cluster.",
		}, []string{"cluster", "account", "region"}),
		lateness: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "eks_authn_line_lateness_seconds",
			Help:    "From a line's event time to the moment it was first read, for lines that were read while tailing.",
			Buckets: []float64{5, 15, 30, 60, 90, 120, 180, 300, 480, 600, 900, 1800, 3600},
		}, []string{"account", "region"}),
		outcomes: outcomes,
		reasons:  reasons,
		clusters: map[[3]string]*Cluster{},
	}
	reg.MustRegister(m.events, m.denials, m.unclassified, m.unreadable, m.lastEvent, m.lateness)
	return m
}

// Cluster are the series of one cluster.
type Cluster struct {
	events                   map[string]prometheus.Counter
	denials                  map[string]prometheus.Counter
	unclassified, unreadable prometheus.Counter
	lastEvent                prometheus.Gauge
	lateness                 prometheus.Observer

	mu     sync.Mutex
	newest time.Time
}

// Cluster returns the series of that cluster, made at the first call. It may
// be called from many goroutines.
func (m *Lines) Cluster(name, account, region string) *Cluster {
	key := [3]string{name, account, region}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.clusters[key]; ok {
		return c
	}
	c := &Cluster{
		events:       make(map[string]prometheus.Counter, len(m.outcomes)),
		denials:      make(map[string]prometheus.Counter, len(m.reasons)),
		unclassified: m.unclassified.WithLabelValues(name, account, region),
		unreadable:   m.unreadable.WithLabelValues(name, account, region),
		lastEvent:    m.lastEvent.WithLabelValues(name, account, region),
		lateness:     m.lateness.WithLabelValues(account, region),
	}
	for _, o := range m.outcomes {
		c.events[o] = m.events.WithLabelValues(name, account, region, o)
	}
	for _, r := range m.reasons {
		c.denials[r] = m.denials.WithLabelValues(name, account, region, r)
	}
	m.clusters[key] = c
	return c
}

// Event counts one line. An outcome that NewLines was not given is ignored.
func (c *Cluster) Event(outcome string, at time.Time) {
	if n, ok := c.events[outcome]; ok {
		n.Inc()
	}
	if outcome == "unreadable" {
		c.unreadable.Inc()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.newest) {
		c.newest = at
		c.lastEvent.Set(float64(at.UnixMilli()) / 1000)
	}
}

// Denial counts one refused request, beside Event.
func (c *Cluster) Denial(reason string) {
	if n, ok := c.denials[reason]; ok {
		n.Inc()
	}
	if reason == "unclassified" {
		c.unclassified.Inc()
	}
}

// Late observes how long after its event time a line was first read.
func (c *Cluster) Late(d time.Duration) { c.lateness.Observe(d.Seconds()) }
