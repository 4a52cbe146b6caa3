package pipeline

import (
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/metrics"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

const (
	// deniedWindow is what the gauge of denied principals looks back on.
	deniedWindow = time.Hour
	// maxDenied bounds how many principals of one cluster and reason it tells
	// apart.
	maxDenied = 10_000
)

// lockouts are the diagnoses of one shard, and what metrics show of them.
type lockouts struct {
	machine *diagnose.Machine
	metrics *metrics.Lockouts
	open    map[authlog.Cluster]map[string]openDiagnosis // by id
	denied  map[authlog.Cluster]map[string]map[string]time.Time
	through map[authlog.Cluster]time.Time

	restored map[authlog.Cluster]bool
}

type openDiagnosis struct {
	code     string
	severity authlog.Severity
	affected int
	child    bool
	who      []authlog.Asked
}

func newLockouts(cfg diagnose.Config, m *metrics.Lockouts) *lockouts {
	return &lockouts{
		machine: diagnose.New(cfg), metrics: m,
		open:    map[authlog.Cluster]map[string]openDiagnosis{},
		denied:  map[authlog.Cluster]map[string]map[string]time.Time{},
		through: map[authlog.Cluster]time.Time{},

		restored: map[authlog.Cluster]bool{},
	}
}

// observe asks what the findings of a page mean. The change must be committed
// or undone.
func (l *lockouts) observe(p *authlog.Page, b *authlog.Batch) *diagnose.Change {
	page := diagnose.Page{Through: p.Through, Denials: b.Denials, Grants: b.Grants, Markers: b.Markers}
	for i := range p.Targets {
		page.Clusters = append(page.Clusters, p.Targets[i].Group.Cluster)
	}
	return l.machine.Observe(page)
}

// saved takes over into the metrics what was saved.
func (l *lockouts) saved(p *authlog.Page, b *authlog.Batch) {
	touched := map[authlog.Cluster]bool{}
	for i := range b.Diagnoses {
		l.note(&b.Diagnoses[i])
	}
	for i := range b.Denials {
		l.deny(&b.Denials[i])
	}
	for i := range p.Targets {
		c := p.Targets[i].Group.Cluster
		if !touched[c] {
			touched[c] = true
			l.show(c, p.Through)
		}
	}
}

// note keeps an open diagnosis, and drops a resolved one, and shows what that
// makes of its code.
func (l *lockouts) note(d *authlog.Diagnosis) {
	open := l.open[d.Cluster]
	if open == nil {
		open = map[string]openDiagnosis{}
		l.open[d.Cluster] = open
	}
	before, known := open[d.ID]
	delete(open, d.ID)
	if d.State == authlog.DiagnosisOpen {
		open[d.ID] = openDiagnosis{d.Code, d.Severity, d.AffectedTotal, d.Parent != "", asked(d)}
	}
	l.showCode(d.Cluster, d.Code, d.Severity)
	if known && before.severity != d.Severity {
		l.showCode(d.Cluster, d.Code, before.severity)
	}
}

func (l *lockouts) showCode(c authlog.Cluster, code string, severity authlog.Severity) {
	active, affected := false, 0
	for _, o := range l.open[c] {
		if o.code == code && !o.child {
			active = active || o.severity == severity
			affected += o.affected
		}
	}
	l.metrics.Diagnosis(c.Name, c.Account, c.Region, code, string(severity), active)
	l.metrics.Affected(c.Name, c.Account, c.Region, code, affected)
}

// deny counts a principal that was denied. AWS's own are none of ours, and an
// ARN that is not of the strict grammar does not become a label.
func (l *lockouts) deny(d *authlog.Denial) {
	if d.Principal == nil || d.Principal.Benign {
		return
	}
	if _, ok := rules.ParseARN(d.Principal.ARN); ok {
		l.metrics.Principal(d.Cluster.Name, d.Cluster.Account, d.Cluster.Region, d.Principal.ARN, d.Reason)
	}
	l.recall(d)
}

// recall remembers a denial for the gauges, without counting it.
func (l *lockouts) recall(d *authlog.Denial) {
	if d.Principal == nil || d.Principal.Benign {
		return
	}
	reasons := l.denied[d.Cluster]
	if reasons == nil {
		reasons = map[string]map[string]time.Time{}
		l.denied[d.Cluster] = reasons
	}
	last := reasons[d.Reason]
	if last == nil {
		last = map[string]time.Time{}
		reasons[d.Reason] = last
	}
	if len(last) < maxDenied || !last[d.Principal.ARN].IsZero() {
		last[d.Principal.ARN] = authlog.Latest(last[d.Principal.ARN], d.Time)
	}
}

// show sets the gauges of denied principals of a cluster that was read.
func (l *lockouts) show(c authlog.Cluster, through time.Time) {
	through = authlog.Latest(through, l.through[c])
	l.through[c] = through
	for reason, last := range l.denied[c] {
		for arn, at := range last {
			if through.Sub(at) > deniedWindow {
				delete(last, arn)
			}
		}
		l.metrics.Denied(c.Name, c.Account, c.Region, reason, len(last))
	}
}
