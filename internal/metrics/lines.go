package metrics

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Lines are the metrics of what the lines said. The pipeline counts a line
// here after it was saved, so that a line read twice is counted once.
//
// Each cluster has more than 60 series from the start, most of them zero. They
// are numbers in a slice, and become metrics only while they are collected:
// thousands of clusters must cost kilobytes each, not tens of them.
type Lines struct {
	events, denials, markers, unclassified, unreadable, lastEvent *prometheus.Desc

	lateness *prometheus.HistogramVec
	values   struct{ outcomes, reasons, markers labels }
	mu       sync.Mutex
	clusters map[[3]string]*Cluster
}

// LabelValues are all that the labels outcome, reason and marker can have.
type LabelValues struct{ Outcomes, Reasons, Markers []string }

// NewLines registers the metrics on reg. Each cluster starts with a zero for
// each of the values, so that a first denial is a rise that increase() sees.
func NewLines(reg prometheus.Registerer, values LabelValues) *Lines {
	desc := func(name, help string, label ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"cluster", "account", "region"}, label...), nil)
	}
	m := &Lines{
		events: desc("eks_authn_events_total",
			"Lines of the authenticator log by what they say: denied, granted, sts_response, malformed_request, marker, other, unreadable.", "outcome"),
		denials: desc("eks_authn_denials_total",
			"Refused requests by reason code; /reasons explains the codes.", "reason"),
		markers: desc("eks_authn_markers_total",
			"Lines that tell of the access configuration or of the authenticator itself, by what they tell.", "marker"),
		unclassified: desc("eks_authn_unclassified_denials_total",
			"Refused requests whose wording no reason code covers."),
		unreadable: desc("eks_authn_unreadable_lines_total",
			"Lines that do not follow the grammar of the log or were cut."),
		lastEvent: desc("eks_authn_last_event_timestamp_seconds",
			"Event time of the newest line of the cluster that this process has read."),
		lateness: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "eks_authn_line_lateness_seconds",
			Help:    "From a line's event time to the moment it was first read, for lines that were read while tailing.",
			Buckets: []float64{5, 15, 30, 60, 90, 120, 180, 300, 480, 600, 900, 1800, 3600},
		}, []string{"account", "region"}),
		clusters: map[[3]string]*Cluster{},
	}
	m.values.outcomes = newLabels("outcome", values.Outcomes)
	m.values.reasons = newLabels("reason", values.Reasons)
	m.values.markers = newLabels("marker", values.Markers)
	reg.MustRegister(m, m.lateness)
	return m
}

// Describe is for the registry.
func (m *Lines) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.events, m.denials, m.markers, m.unclassified, m.unreadable, m.lastEvent} {
		ch <- d
	}
}

// Collect is for the registry.
func (m *Lines) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.clusters {
		for i := range c.events {
			ch <- &sample{desc: m.events, of: c, label: m.values.outcomes.pairs[i], value: float64(c.events[i].Load())}
		}
		for i := range c.denials {
			ch <- &sample{desc: m.denials, of: c, label: m.values.reasons.pairs[i], value: float64(c.denials[i].Load())}
		}
		for i := range c.markers {
			ch <- &sample{desc: m.markers, of: c, label: m.values.markers.pairs[i], value: float64(c.markers[i].Load())}
		}
		ch <- &sample{desc: m.unclassified, of: c, value: float64(c.unclassified.Load())}
		ch <- &sample{desc: m.unreadable, of: c, value: float64(c.unreadable.Load())}
		if ms := c.newest.Load(); ms != 0 {
			ch <- &sample{desc: m.lastEvent, of: c, value: float64(ms) / 1000, gauge: true}
		}
	}
}

// Forget drops when each cluster last spoke: others may be followed from now on.
// What was counted stays.
func (m *Lines) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.clusters {
		c.newest.Store(0)
	}
}

// Cluster are the series of one cluster.
type Cluster struct {
	lines                    *Lines
	cluster, account, region label
	events, denials, markers []atomic.Uint64 // as the values of outcome, reason and marker
	unclassified, unreadable atomic.Uint64
	newest                   atomic.Int64 // ms since 1970
	lateness                 prometheus.Observer
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
		lines:    m,
		cluster:  newLabel("cluster", name),
		account:  newLabel("account", account),
		region:   newLabel("region", region),
		events:   make([]atomic.Uint64, len(m.values.outcomes.pairs)),
		denials:  make([]atomic.Uint64, len(m.values.reasons.pairs)),
		markers:  make([]atomic.Uint64, len(m.values.markers.pairs)),
		lateness: m.lateness.WithLabelValues(account, region),
	}
	m.clusters[key] = c
	return c
}

// Event counts one line. An outcome that NewLines was not given is ignored.
func (c *Cluster) Event(outcome string, at time.Time) {
	if i, ok := c.lines.values.outcomes.index[outcome]; ok {
		c.events[i].Add(1)
	}
	if outcome == "unreadable" {
		c.unreadable.Add(1)
	}
	ms := at.UnixMilli()
	for old := c.newest.Load(); ms > old && !c.newest.CompareAndSwap(old, ms); old = c.newest.Load() {
	}
}

// Denial counts one refused request, beside Event.
func (c *Cluster) Denial(reason string) {
	if i, ok := c.lines.values.reasons.index[reason]; ok {
		c.denials[i].Add(1)
	}
	if reason == "unclassified" {
		c.unclassified.Add(1)
	}
}

// Marker counts one line of the configuration or of the authenticator, beside
// Event.
func (c *Cluster) Marker(code string) {
	if i, ok := c.lines.values.markers.index[code]; ok {
		c.markers[i].Add(1)
	}
}

// Late observes how long after its event time a line was first read.
func (c *Cluster) Late(d time.Duration) { c.lateness.Observe(d.Seconds()) }
