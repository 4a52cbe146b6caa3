// Package metrics holds the Prometheus metrics of each part, built on a given
// Registerer. Their names and labels are an API, held by a test. A label never
// carries a principal, a client or text from a line: those are unbounded and
// chosen by whoever calls the API server.
package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry builds a registry with the collectors of the Go runtime and the
// process, and eks_authn_build_info.
func NewRegistry(version, revision string) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "eks_authn_build_info",
			Help:        "1, labelled by what this binary was built from.",
			ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": runtime.Version()},
		}, func() float64 { return 1 }),
	)
	return reg
}
