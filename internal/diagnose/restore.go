package diagnose

import (
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// A History is what a store kept of one cluster, from which the machine builds
// its state anew at the start. Nothing in it need be complete: what is missing
// makes diagnoses less sure, not wrong. A line must be in it once, and not
// come with a Page again.
type History struct {
	// Since is from when on the log of the cluster was read; zero: since the
	// oldest line.
	Since time.Time
	// Through is how far it was read.
	Through time.Time
	// Grants of the last Config.Keep, summed up over any stretch of time; an
	// hour is good.
	Grants []authlog.GrantSpan
	// Denials of the last day at least, and Markers of the last Config.Keep.
	Denials []authlog.Denial
	Markers []authlog.Marker
	// Counts are older denials, of which the lines are not wanted any more.
	Counts []authlog.DenialSpan
	// Diagnoses are those stored as open. What does not hold any more comes
	// as resolved with the first Observe of the cluster, what still does only
	// when it has changed.
	Diagnoses []authlog.Diagnosis
}

// Restore gives the machine what a store has of a cluster. It is meant for a
// machine that has not seen the cluster yet.
func (m *Machine) Restore(id authlog.Cluster, h History) {
	c := m.cluster(id)
	c.clock = max(c.clock, h.Through.Unix())
	if !h.Since.IsZero() {
		c.since = earlier(c.since, markOf(authlog.ID{}, h.Since))
	}
	a := absorber{cfg: &m.cfg, journal: &m.journal}
	for i := range h.Grants {
		a.grantSpan(c, &h.Grants[i])
	}
	for i := range h.Counts {
		a.denialSpan(c, &h.Counts[i])
	}
	for i := range h.Denials {
		a.denial(c, &h.Denials[i])
	}
	for i := range h.Markers {
		a.marker(c, &h.Markers[i])
	}
	c.bound(&m.cfg, &m.journal)
	m.journal.clear()
	for i := range h.Diagnoses {
		d := &h.Diagnoses[i]
		c.out[d.ID] = stampOf(d)
		if d.Code == "logging_disabled" && c.last == (mark{}) {
			c.off = markOf(authlog.ID{}, d.FirstSeen)
		}
	}
}

// grantSpan counts the sum as one grant at its beginning and all the others at
// its end.
func (a *absorber) grantSpan(c *cluster, s *authlog.GrantSpan) {
	g := authlog.Grant{
		Cluster: c.id, Time: s.First, Principal: s.Principal, Username: s.Username, Groups: s.Groups, STSEndpoint: s.STSEndpoint,
	}
	a.grant(c, &g)
	if s.Count < 2 && s.First.Equal(s.Last) {
		return
	}
	g.Time = s.Last
	a.grant(c, &g)
	if pr := c.principals[s.Principal.ARN]; pr != nil && s.Count > 2 {
		pr.granted.add(markOf(authlog.ID{}, s.Last), s.Count-2, c.clock, a.cfg.Keep)
	}
}

func (a *absorber) denialSpan(c *cluster, s *authlog.DenialSpan) {
	first, last := markOf(authlog.ID{}, s.First), markOf(authlog.ID{}, s.Last)
	c.saw(first)
	c.saw(last)
	p := rules.PrincipalOf(s.ARN, "")
	if p.Benign || s.ARN == "" || s.Count < 1 {
		return
	}
	if p.Account == "" {
		p.Account = s.Account
	}
	t := &a.principal(c, &p).refused(s.Reason).track
	t.series.add(first, 1, c.clock, a.cfg.Keep)
	if s.Count > 1 {
		t.series.add(last, s.Count-1, c.clock, a.cfg.Keep)
	}
}
