package diagnose

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A Machine follows clusters. Its zero value is of no use; see New.
type Machine struct {
	cfg      Config
	clusters map[authlog.Cluster]*cluster
	journal  journal
}

// New makes a machine that knows no cluster.
func New(cfg Config) *Machine {
	return &Machine{cfg: cfg, clusters: map[authlog.Cluster]*cluster{}}
}

// A Page is what one page of lines led to.
type Page struct {
	// Clusters are those whose log the page covers, with and without findings.
	// The clusters of the findings need not be named.
	Clusters []authlog.Cluster
	// Through is the event time up to which their log was read; it is what the
	// machine takes for now. That of a page of the past may be earlier than
	// one before.
	Through time.Time
	// The findings, in any order; each line once.
	Denials []authlog.Denial
	Grants  []authlog.Grant
	Markers []authlog.Marker
}

// A Change is what a page did.
type Change struct {
	// Diagnoses are those that opened, changed or were resolved, as they are
	// now, sorted by cluster, code and subject.
	Diagnoses []authlog.Diagnosis

	machine *Machine
	out     []outcome
}

// An outcome is what was published of one cluster once the change is final.
type outcome struct {
	cluster *cluster
	out     map[string]stamp
	due     int64
}

// Know tells what is known of a cluster from elsewhere than its log; it
// replaces what was told before. It takes effect with the next Observe that
// names the cluster: if it is anything new, all diagnoses of the cluster are told
// again, in its light.
func (m *Machine) Know(id authlog.Cluster, f authlog.ClusterFacts) {
	c := m.cluster(id)
	if reflect.DeepEqual(c.facts, f) {
		return
	}
	f.Trusted = slices.Clone(f.Trusted)
	c.facts, c.stale = f, true
}

// Forget drops all that is kept of a cluster that is gone.
func (m *Machine) Forget(id authlog.Cluster) {
	delete(m.clusters, id)
}

func (m *Machine) cluster(id authlog.Cluster) *cluster {
	if c, ok := m.clusters[id]; ok {
		return c
	}
	c := newCluster(id)
	m.clusters[id] = c
	return c
}

// Observe takes in a page. What it changed in the machine and what it found is
// final with Commit of the result.
func (m *Machine) Observe(p Page) *Change {
	m.journal.clear()
	touched := m.absorb(&p)
	change := &Change{machine: m}
	for _, c := range m.due(touched) {
		verdicts := c.evaluate(&m.cfg)
		o := outcome{cluster: c, out: make(map[string]stamp, len(verdicts)), due: c.nextDue(&m.cfg, verdicts)}
		change.Diagnoses = append(change.Diagnoses, c.publish(&m.cfg, verdicts, o.out)...)
		change.out = append(change.out, o)
	}
	slices.SortFunc(change.Diagnoses, compareDiagnoses)
	return change
}

func compareDiagnoses(a, b authlog.Diagnosis) int {
	return cmp.Or(
		strings.Compare(a.Cluster.Account, b.Cluster.Account), strings.Compare(a.Cluster.Region, b.Cluster.Region),
		strings.Compare(a.Cluster.Name, b.Cluster.Name), strings.Compare(a.Code, b.Code), strings.Compare(a.Subject, b.Subject),
	)
}

// Commit makes the change final.
func (ch *Change) Commit() {
	for _, o := range ch.out {
		o.cluster.out, o.cluster.due, o.cluster.stale = o.out, o.due, false
	}
	ch.machine.journal.clear()
}

// Undo puts the machine back to where it was before Observe.
func (ch *Change) Undo() { ch.machine.journal.rewind() }

// absorb counts the findings and returns the clusters that had some.
func (m *Machine) absorb(p *Page) map[*cluster]bool {
	touched := map[*cluster]bool{}
	begin := func(id authlog.Cluster) *cluster {
		c := m.cluster(id)
		if _, begun := touched[c]; !begun {
			c.begin(&m.journal, p.Through.Unix())
			touched[c] = false
		}
		return c
	}
	for _, id := range p.Clusters {
		begin(id)
	}
	a := absorber{cfg: &m.cfg, journal: &m.journal}
	for i := range p.Denials {
		c := begin(p.Denials[i].Cluster)
		a.denial(c, &p.Denials[i])
		touched[c] = true
	}
	for i := range p.Grants {
		c := begin(p.Grants[i].Cluster)
		a.grant(c, &p.Grants[i])
		touched[c] = true
	}
	for i := range p.Markers {
		c := begin(p.Markers[i].Cluster)
		a.marker(c, &p.Markers[i])
		touched[c] = true
	}
	for c := range touched {
		c.bound(&m.cfg, &m.journal)
	}
	return touched
}

// due lists the clusters to look at: those with findings, and those for which
// time has passed that matters.
func (m *Machine) due(touched map[*cluster]bool) (list []*cluster) {
	for c, has := range touched {
		if has || c.stale || c.clock >= c.due {
			list = append(list, c)
		}
	}
	return list
}

// Diagnoses gives all diagnoses of a cluster as of the last Commit, sorted by
// code and subject; it may be called between Commit and the next Observe only.
// Resolved ones are among them for Config.Quiet or Config.Calm.
func (m *Machine) Diagnoses(id authlog.Cluster) []authlog.Diagnosis {
	c, ok := m.clusters[id]
	if !ok {
		return nil
	}
	verdicts := c.evaluate(&m.cfg)
	all := make([]authlog.Diagnosis, 0, len(verdicts))
	for _, v := range verdicts {
		all = append(all, c.render(&m.cfg, v))
	}
	slices.SortFunc(all, compareDiagnoses)
	return all
}
