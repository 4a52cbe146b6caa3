package diagnose

import (
	"slices"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// trusts says whether principals of an account may be let in: yes for the
// cluster's own and those that were named, no for others, "" where one of the
// two is not known.
func (c *cluster) trusts(account string) authlog.Answer {
	switch {
	case account == "" || c.id.Account == "":
		return ""
	case account == c.id.Account || slices.Contains(c.facts.Trusted, account):
		return authlog.Yes
	}
	return authlog.No
}

// isForeign reports whether a principal's account is none that was ever let in.
func (b *bench) isForeign(v *verdict, p *principal) bool {
	if p.kind == authlog.PrincipalRoot || b.c.trusts(p.account) != authlog.No {
		return false
	}
	t := b.c.accounts[p.account]
	return t == nil || t.before(secondOf(v.first)) == (mark{})
}

// foreign judges what came from one account that is not trusted.
func (b *bench) foreign(account string, list []*verdict) {
	var sum verdict
	for _, v := range list {
		sum.gather(v)
	}
	if len(list) < b.cfg.ForeignPrincipals && sum.n < int64(b.cfg.ForeignDenials) {
		for _, v := range list {
			b.never(v)
			b.primary(v, v.affected[0].principal)
		}
		return
	}
	v := &sum
	v.code, v.subject, v.about.account = "foreign_account_probe", account, account
	v.severity, v.confidence = authlog.SeverityWarning, authlog.ConfidenceHigh
	if !v.settle(b.c.clock, b.cfg.Quiet, authlog.ResolvedByGrant) {
		return
	}
	for _, one := range list {
		b.by[one.affected[0].principal] = v
	}
	b.add(v)
}
