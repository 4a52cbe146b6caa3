package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// QueryStatuses are the values of the label status: how CloudWatch ended the
// query, stopped for one that we gave up, and lost for one whose start was
// never answered and that could not be found.
func QueryStatuses() []string {
	return []string{"complete", "failed", "timeout", "cancelled", "stopped", "lost"}
}

// ErrorKinds are the values of the label error: a permission is missing, AWS
// refused for its rate, a log group is gone, the store could not save, or
// anything else.
func ErrorKinds() []string {
	return []string{"access", "throttled", "gone", "store", "other"}
}

// Reader are the metrics of reading CloudWatch. It is the meter of package
// source.
type Reader struct {
	calls     *prometheus.CounterVec
	queries   *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	scanned   *prometheus.CounterVec
	skipped   *prometheus.CounterVec
	cost      *prometheus.CounterVec
	overflows *prometheus.CounterVec
	cursor    *prometheus.GaugeVec
	errors    *prometheus.CounterVec
}

// NewReader registers the metrics on reg.
func NewReader(reg prometheus.Registerer) *Reader {
	counter := func(name, help string, label ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help},
			append([]string{"account", "region"}, label...))
	}
	m := &Reader{
		calls: counter("eks_authn_aws_calls_total",
			"Calls of the AWS API by operation and result; what the SDK repeats by itself is one call.", "operation", "result"),
		queries: counter("eks_authn_queries_total",
			"Logs Insights queries by how they ended.", "status"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "eks_authn_query_duration_seconds",
			Help:    "From the start of a Logs Insights query to its last row.",
			Buckets: []float64{.1, .25, .5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 900},
		}, []string{"account", "region"}),
		scanned: counter("eks_authn_query_scanned_bytes_total",
			"Bytes that Logs Insights scanned and bills."),
		skipped: counter("eks_authn_query_skipped_bytes_total",
			"Bytes that the field index spared, as CloudWatch estimates them; none at all means that the index does not work."),
		cost: counter("eks_authn_query_cost_usd_total",
			"List price of the bytes scanned."),
		overflows: counter("eks_authn_query_overflows_total",
			"Seconds of one stream with more lines than a query returns, read with FilterLogEvents instead."),
		cursor: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "eks_authn_cursor_timestamp_seconds",
			Help: "The event time before which all log groups of the shard are read for good.",
		}, []string{"account", "region"}),
		errors: counter("eks_authn_source_errors_total",
			"Reads that failed and are tried again with the cursor where it was.", "error"),
	}
	reg.MustRegister(m.calls, m.queries, m.duration, m.scanned, m.skipped, m.cost, m.overflows, m.cursor, m.errors)
	return m
}

// Shard sets the counters of one account and region to zero, so that a first
// error is a rise that increase() sees.
func (m *Reader) Shard(account, region string) {
	for _, status := range QueryStatuses() {
		m.queries.WithLabelValues(account, region, status)
	}
	for _, kind := range ErrorKinds() {
		m.errors.WithLabelValues(account, region, kind)
	}
	for _, c := range []*prometheus.CounterVec{m.scanned, m.skipped, m.cost, m.overflows} {
		c.WithLabelValues(account, region)
	}
}

// Call counts one call of the AWS API. The account is empty until it is known.
func (m *Reader) Call(account, region, operation string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.calls.WithLabelValues(account, region, operation, result).Inc()
}

// Query counts one query that has ended. Status is one of QueryStatuses;
// scanned and skipped are bytes.
func (m *Reader) Query(account, region, status string, took time.Duration, scanned, skipped int64, usd float64) {
	m.queries.WithLabelValues(account, region, status).Inc()
	m.duration.WithLabelValues(account, region).Observe(took.Seconds())
	m.scanned.WithLabelValues(account, region).Add(float64(scanned))
	m.skipped.WithLabelValues(account, region).Add(float64(skipped))
	m.cost.WithLabelValues(account, region).Add(usd)
}

// Overflow counts one second of one stream that no query could return whole.
func (m *Reader) Overflow(account, region string) {
	m.overflows.WithLabelValues(account, region).Inc()
}

// Error counts one failed read; kind is one of ErrorKinds.
func (m *Reader) Error(account, region, kind string) {
	m.errors.WithLabelValues(account, region, kind).Inc()
}

// Forget drops how far each shard was read: others may be followed from now on.
// What was counted stays.
func (m *Reader) Forget() { m.cursor.Reset() }

// Cursor sets how far the shard is read for good.
func (m *Reader) Cursor(account, region string, t time.Time) {
	m.cursor.WithLabelValues(account, region).Set(float64(t.UnixMilli()) / 1000)
}
