package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// maxPrincipals is how many principals have series of their own.
const maxPrincipals = 200

// otherPrincipals stands for all principals beyond maxPrincipals.
const otherPrincipals = "other"

// Lockouts are the metrics of diagnoses and of the principals that are denied.
// A series once made stays, so that an alert sees it fall.
type Lockouts struct {
	active   *prometheus.GaugeVec
	affected *prometheus.GaugeVec
	denied   *prometheus.GaugeVec
	top      *prometheus.CounterVec
	dropped  prometheus.Counter

	mu         sync.Mutex
	principals map[string]bool // those with series of their own
}

// NewLockouts registers the metrics on reg.
func NewLockouts(reg prometheus.Registerer) *Lockouts {
	m := &Lockouts{
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "eks_authn_diagnosis_active",
			Help: "1 while a diagnosis is open that no other one explains, 0 afterwards; /lockouts shows it.",
		}, []string{"cluster", "account", "region", "diagnosis", "severity"}),
		affected: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "eks_authn_diagnosis_affected_principals",
			Help: "Principals that the open diagnoses of a code are about.",
		}, []string{"cluster", "account", "region", "diagnosis"}),
		denied: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "eks_authn_denied_principals",
			Help: "Different principals that were denied in the last hour of the log.",
		}, []string{"cluster", "account", "region", "reason"}),
		top: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "eks_authn_principal_denials_total",
			Help: "Refused requests by principal, for the first 200 principals that were denied; all others are \"other\".",
		}, []string{"cluster", "account", "region", "principal", "reason"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "eks_authn_principal_denials_other_total",
			Help: "Refused requests whose principal has no series of its own.",
		}),
		principals: map[string]bool{},
	}
	reg.MustRegister(m.active, m.affected, m.denied, m.top, m.dropped)
	return m
}

// Forget drops the gauges of all clusters. Those that are followed from now on
// have theirs again when they are read; what was counted stays.
func (m *Lockouts) Forget() {
	m.active.Reset()
	m.affected.Reset()
	m.denied.Reset()
}

// Diagnosis sets whether diagnoses of a code and severity are open in a
// cluster.
func (m *Lockouts) Diagnosis(name, account, region, code, severity string, open bool) {
	v := 0.0
	if open {
		v = 1
	}
	m.active.WithLabelValues(name, account, region, code, severity).Set(v)
}

// Affected sets how many principals the open diagnoses of a code are about.
func (m *Lockouts) Affected(name, account, region, code string, principals int) {
	m.affected.WithLabelValues(name, account, region, code).Set(float64(principals))
}

// Denied sets how many principals were denied for a reason of late.
func (m *Lockouts) Denied(name, account, region, reason string, principals int) {
	m.denied.WithLabelValues(name, account, region, reason).Set(float64(principals))
}

// Principal counts one refused request of a principal. The ARN must be of the
// strict grammar: the label is shown to people.
func (m *Lockouts) Principal(name, account, region, arn, reason string) {
	m.mu.Lock()
	known := m.principals[arn]
	if !known && len(m.principals) < maxPrincipals {
		m.principals[arn], known = true, true
	}
	m.mu.Unlock()
	if !known {
		arn = otherPrincipals
		m.dropped.Inc()
	}
	m.top.WithLabelValues(name, account, region, arn, reason).Inc()
}
