package diagnose

import (
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// Ask says what is known of one identity on a cluster: the diagnoses that it
// is part of, or not_seen_here when it has no denial between from and to. The
// identity is an ARN of any form or IAM's unique id, as `aws sts
// get-caller-identity` shows them; a unique id may have the session behind it.
// It may be called between Commit and the next Observe only.
func (m *Machine) Ask(id authlog.Cluster, identity string, from, to time.Time) []authlog.Diagnosis {
	c, ok := m.clusters[id]
	if !ok {
		c = newCluster(id)
	}
	canonical, _ := rules.Canonical(identity)
	userID, _, _ := strings.Cut(identity, ":")
	verdicts := c.evaluate(&m.cfg)
	var found []authlog.Diagnosis
	for _, v := range verdicts {
		if v.about.isAbout(v, canonical, userID) && !v.last.Time().Before(from) {
			found = append(found, c.render(&m.cfg, v))
		}
	}
	if len(found) > 0 {
		return found
	}
	v := &verdict{code: "not_seen_here", subject: identity, severity: authlog.SeverityInfo, confidence: authlog.ConfidenceCertain}
	v.first, v.last = authlog.NewID(from, authlog.Key{}), authlog.NewID(to, authlog.Key{})
	v.about.victims = c.unidentifiedBetween(from, to)
	if p := c.principals[canonical]; p != nil {
		v.affected = []affected{{principal: p}}
		v.lastSeenGranted(p, from)
	}
	return []authlog.Diagnosis{c.render(&m.cfg, v)}
}

func (a *about) isAbout(v *verdict, arn, userID string) bool {
	return slices.ContainsFunc(v.affected, func(a affected) bool {
		return strings.EqualFold(a.arn, arn) || slices.Contains(a.userIDs, userID)
	}) && v.code != "creator_identified"
}

// unidentifiedBetween counts the denials that name nobody.
func (c *cluster) unidentifiedBetween(from, to time.Time) (n int) {
	for at, t := range c.tallies {
		if at >= from.Unix()-minute && at < to.Unix() {
			n += int(t.unidentified.n + t.throttled.n + t.outage.n)
		}
	}
	return n
}

// lastSeenGranted notes that the identity was let in in the time asked about.
func (v *verdict) lastSeenGranted(p *principal, from time.Time) {
	if last := p.granted.last(); last != (mark{}) && !last.Time().Before(from) {
		v.about.variant = "granted"
		v.quotes = []shown{{quote: p.grantQuote(last), what: "let in"}}
	}
}
