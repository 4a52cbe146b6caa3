package pipeline_test

import (
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
)

// A registry stands for what EKS would say, and remembers who was asked about.
type registry struct {
	facts map[authlog.Cluster]authlog.ClusterFacts
	asked map[authlog.Cluster][]authlog.Asked
}

func newRegistry() *registry {
	return &registry{facts: map[authlog.Cluster]authlog.ClusterFacts{}, asked: map[authlog.Cluster][]authlog.Asked{}}
}

func (r *registry) Facts(c authlog.Cluster) authlog.ClusterFacts { return r.facts[c] }

func (r *registry) Clusters(authlog.Shard) (list []authlog.Cluster) {
	for c := range r.facts {
		list = append(list, c)
	}
	return list
}

func (r *registry) Ask(c authlog.Cluster, who []authlog.Asked) { r.asked[c] = who }

func (r *registry) join(cfg *pipeline.Config) { cfg.Access = r }

// aLockout is alpha with a principal that was denied and never granted.
func aLockout() *cloud {
	c := newCloud(21)
	c.addGroup(alpha, noon.Add(-3*time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-3 * time.Hour)})
	c.put(alpha, "authenticator-a", denied(1, noon.Add(-10*time.Minute)), noon.Add(-10*time.Minute), 0)
	return c
}

func TestWhatIsKnownOfAClusterExplainsWhomItKeepsOut(t *testing.T) {
	c, r := aLockout(), newRegistry()
	l := begin(t, dbPath(t), c, r.join)
	defer l.end(t)
	l.cycles(t, c, 2)
	const arn = "arn:aws:iam::111122223333:role/r1"
	if len(r.asked[alpha]) != 1 || r.asked[alpha][0].Principal.ARN != arn || !r.asked[alpha][0].Denied.Equal(noon.Add(-10*time.Minute)) {
		t.Fatalf("asked about %+v", r.asked[alpha])
	}
	r.facts[alpha] = authlog.ClusterFacts{Mode: authlog.ModeAPI, Principals: map[string]authlog.AccessVerdict{
		arn: {ARN: arn, Causes: []authlog.Cause{{Code: "entry_missing", Confidence: authlog.ConfidenceCertain, System: "access_entry", Why: "There is none."}}},
	}}
	l.cycles(t, c, 1)
	d := l.diagnosed(t, "never_mapped")[0]
	if d.Confidence != authlog.ConfidenceCertain || d.Configuration == nil || d.Configuration.Causes[0].Code != "entry_missing" {
		t.Errorf("%s %+v", d.Confidence, d.Configuration)
	}
}

// The log of a cluster that has none is told of, once, also by the next run;
// it is over when there is one.
func TestAClusterWithoutALogGroupIsDiagnosed(t *testing.T) {
	c, r, path := aLockout(), newRegistry(), dbPath(t)
	quiet := authlog.Cluster{Name: "quiet", Account: alpha.Account, Region: alpha.Region}
	r.facts[quiet] = authlog.ClusterFacts{Status: "ACTIVE", Logging: authlog.No}
	l := begin(t, path, c, r.join)
	l.cycles(t, c, 2)
	first := l.diagnosed(t, "logging_disabled")
	if len(first) != 1 || first[0].Cluster != quiet || first[0].State != authlog.DiagnosisOpen || first[0].FirstSeen.Before(noon) {
		t.Fatalf("%+v", first)
	}
	l.end(t)
	l = begin(t, path, c, r.join)
	defer l.end(t)
	l.cycles(t, c, 2)
	if again := l.diagnosed(t, "logging_disabled"); len(again) != 1 || !again[0].FirstSeen.Equal(first[0].FirstSeen) || again[0].State != authlog.DiagnosisOpen {
		t.Errorf("after a restart: %+v", again)
	}
	r.facts[quiet] = authlog.ClusterFacts{Status: "ACTIVE", Logging: authlog.Yes}
	l.cycles(t, c, 1)
	if over := l.diagnosed(t, "logging_disabled"); over[0].State != authlog.DiagnosisResolved {
		t.Errorf("%+v", over)
	}
}

// What was open of a cluster that is gone with its log is resolved, and opens
// again when the log group comes back.
func TestALockoutOfAClusterThatIsGoneIsResolved(t *testing.T) {
	c, r := aLockout(), newRegistry()
	l := begin(t, dbPath(t), c, r.join)
	defer l.end(t)
	l.cycles(t, c, 2)
	l.active(t, "never_mapped", "info", "1")
	groups := c.groups
	c.groups = nil
	l.cycles(t, c, 12)
	d := l.diagnosed(t, "never_mapped")[0]
	if d.State != authlog.DiagnosisResolved || d.Resolution.By != authlog.ResolvedByWithdrawn {
		t.Errorf("%s %+v", d.State, d.Resolution)
	}
	l.active(t, "never_mapped", "info", "0")
	c.groups = groups
	l.cycles(t, c, 12)
	if d := l.diagnosed(t, "never_mapped")[0]; d.State != authlog.DiagnosisOpen {
		t.Errorf("it came back: %s %+v", d.State, d.Resolution)
	}
	if n := l.sum(t, "eks_authn_diagnosis_active", "diagnosis", "never_mapped"); n != 1 {
		t.Errorf("the metric has %d", n)
	}
}
