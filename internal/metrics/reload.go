package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Reload are the metrics of reading the configuration.
type Reload struct {
	successful prometheus.Gauge
	last       prometheus.Gauge
}

// NewReload registers the metrics on reg, with the reading at the start as a
// first success.
func NewReload(reg prometheus.Registerer, started time.Time) *Reload {
	m := &Reload{
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "eks_authn_config_last_reload_successful",
			Help: "1 if the last attempt to read the configuration succeeded, 0 if what was read before is still in force.",
		}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "eks_authn_config_last_reload_success_timestamp_seconds",
			Help: "When the configuration that is in force was read.",
		}),
	}
	reg.MustRegister(m.successful, m.last)
	m.Succeeded(started)
	return m
}

// Succeeded tells that the configuration was taken over.
func (m *Reload) Succeeded(at time.Time) {
	m.successful.Set(1)
	m.last.Set(float64(at.UnixMilli()) / 1000)
}

// Failed tells that it was not.
func (m *Reload) Failed() { m.successful.Set(0) }
