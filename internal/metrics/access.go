package metrics

import "github.com/prometheus/client_golang/prometheus"

// Access are the metrics of what clusters allow. It is the meter of package
// access.
type Access struct {
	logging *prometheus.GaugeVec
	tier    *prometheus.GaugeVec
	read    *prometheus.GaugeVec
	missing *prometheus.GaugeVec
}

// NewAccess registers the metrics on reg.
func NewAccess(reg prometheus.Registerer) *Access {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	m := &Access{
		logging: gauge("eks_authn_logging_enabled",
			"Whether EKS says that the authenticator log of a cluster is on: 1 or 0; absent where that is not known.", "cluster", "account", "region"),
		tier: gauge("eks_authn_access_tier",
			"What is known of a cluster besides its log: 0 nothing whole, 1 EKS, 2 aws-auth too, 3 IAM too.", "cluster", "account", "region"),
		read: gauge("eks_authn_access_read_timestamp_seconds",
			"When the access configuration of a cluster was last looked at.", "cluster", "account", "region"),
		missing: gauge("eks_authn_access_missing_permission",
			"1 while calls of an action are refused, 0 once they are not; /clusters/{name}/access says what is left open by it.", "account", "region", "action"),
	}
	reg.MustRegister(m.logging, m.tier, m.read, m.missing)
	return m
}

// Read shows one reading of a cluster. Logging is yes, no, or "" where that is
// not known.
func (m *Access) Read(name, account, region string, tier int, logging string) {
	m.tier.WithLabelValues(name, account, region).Set(float64(tier))
	m.read.WithLabelValues(name, account, region).SetToCurrentTime()
	switch logging {
	case "yes":
		m.logging.WithLabelValues(name, account, region).Set(1)
	case "no":
		m.logging.WithLabelValues(name, account, region).Set(0)
	default:
		m.logging.DeleteLabelValues(name, account, region)
	}
}

// Gone drops the series of a cluster that is no more.
func (m *Access) Gone(name, account, region string) {
	for _, vec := range []*prometheus.GaugeVec{m.logging, m.tier, m.read} {
		vec.DeleteLabelValues(name, account, region)
	}
}

// Missing shows whether calls of an action are refused. The action is one of
// a fixed list.
func (m *Access) Missing(account, region, action string, missing bool) {
	v := 0.0
	if missing {
		v = 1
	}
	m.missing.WithLabelValues(account, region, action).Set(v)
}
