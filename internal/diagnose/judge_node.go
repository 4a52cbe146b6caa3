package diagnose

import (
	"slices"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

func isNodeKind(k authlog.PrincipalKind) bool {
	return k == authlog.PrincipalNode || k == authlog.PrincipalFargate || k == authlog.PrincipalHybrid
}

// nodeKind says what sort of node was denied in a spell, or what the principal
// is when it was none. Where no session is known, a role that nodes were
// granted with is taken for a node's.
func (b *bench) nodeKind(v *verdict, p *principal) authlog.PrincipalKind {
	sessions := v.affected[0].sessions
	for _, s := range sessions {
		if k := rules.PrincipalOf(p.arn, s).Kind; isNodeKind(k) {
			return k
		}
	}
	if len(sessions) == 0 && !p.asNode.empty() {
		return authlog.PrincipalNode
	}
	return p.kind
}

func (b *bench) isNode(v *verdict, p *principal) bool { return isNodeKind(b.nodeKind(v, p)) }

// node judges a node's role that is not mapped.
func (b *bench) node(v *verdict, p *principal) {
	v.severity = authlog.SeverityCritical
	if b.swapped(v, p) {
		return
	}
	v.code, v.confidence = "node_role_unmapped", authlog.ConfidenceHigh
	v.about.variant = string(b.nodeKind(v, p))
	if v.before != (mark{}) {
		v.quotes = append([]shown{{quote: p.grantQuote(v.before), what: "the last grant before"}}, v.quotes...)
		v.about.marker = b.change(v.first)
	}
}

// swapped looks for an instance whose newest grant was under another role.
func (b *bench) swapped(v *verdict, p *principal) bool {
	var end mark
	for _, id := range v.affected[0].sessions {
		in := b.c.instances[id]
		if in == nil {
			continue
		}
		newest := in.granted.newest(0)
		if len(newest) == 0 || newest[0].key == p.arn || secondOf(newest[len(newest)-1].first) > secondOf(v.last) {
			continue
		}
		if v.code == "" {
			v.code, v.confidence = "node_role_swapped", authlog.ConfidenceCertain
			v.about.otherARN, v.about.instance = newest[0].key, id
			line := b.c.principals[newest[0].key].grantQuote(newest[0].last)
			v.quotes = append(v.quotes, shown{quote: line, what: id + " was granted as " + newest[0].key})
		}
		other := b.c.principals[newest[0].key]
		if other != nil && secondOf(newest[0].last) > secondOf(v.last) {
			end = firstOf(end, other.granted.after(secondOf(v.last)))
		}
	}
	if v.code == "" {
		return false
	}
	if end != (mark{}) && !v.ended() {
		v.end, v.by = end, authlog.ResolvedByGrant
	}
	return true
}

// nodes judges what concerns nodes beyond their role's mapping.
func (b *bench) nodes() {
	var role verdict
	for _, p := range b.c.principals {
		b.grantedAsNonNode(p)
		b.clusterRole(&role, p)
		if v := b.spellOf(p, "ec2_instance_not_found", &series{}); v != nil && b.c.id.Account != "" && p.account != "" && p.account != b.c.id.Account {
			v.code, v.severity, v.confidence = "cross_account_node", authlog.SeverityWarning, authlog.ConfidenceHigh
			v.about.account, v.about.instance = p.account, p.denied["ec2_instance_not_found"].facts.instance
			b.primary(v, p)
		}
		if v := b.spellOf(p, "session_not_instance_id", &series{}); v != nil {
			f := p.denied["session_not_instance_id"].facts
			v.code, v.severity, v.confidence = "node_template_on_non_node", authlog.SeverityWarning, authlog.ConfidenceCertain
			v.about.mapper, v.about.template = f.mapper, f.template
			// The reason says that it was no instance: such a session is that of
			// another request on the same connection.
			v.affected[0].sessions = slices.DeleteFunc(v.affected[0].sessions, rules.IsInstanceID)
			b.primary(v, p)
		}
	}
	b.endClusterRole(&role)
}

// grantedAsNonNode judges instances that got in, but not as nodes.
func (b *bench) grantedAsNonNode(p *principal) {
	sp, ok := p.notAsNode.spell(&p.asNode, b.cfg.Flap, b.cfg.Quiet, 0)
	if !ok {
		return
	}
	v := &verdict{
		code: "node_granted_as_non_node", subject: p.arn, spell: sp,
		severity: authlog.SeverityWarning, confidence: authlog.ConfidenceMedium,
	}
	if !v.settle(b.c.clock, b.cfg.Quiet, authlog.ResolvedByFix) {
		return
	}
	in := p.notNode.newest(secondOf(sp.first))
	if len(in) > 0 {
		v.about.instance, v.about.username = in[0].key, in[0].note
	}
	if len(in) >= b.cfg.NodeInstances || !p.asNode.empty() || namesNode(p.arn) {
		v.severity, v.confidence = authlog.SeverityCritical, authlog.ConfidenceHigh
	}
	if b.consult(v, p); v.cause(causeStandardEntry) != nil && v.severity == authlog.SeverityCritical {
		v.confidence = authlog.ConfidenceCertain
	}
	v.affected = []affected{{principal: p, spell: sp, sessions: keysOf(in)}}
	v.show(p.notAsNode.quotes(sp.first, sp.last), "granted, but not as a node")
	b.primary(v, p)
}

// namesNode reports whether a role is called like a node's.
func namesNode(arn string) bool {
	name := strings.ToLower(arn[strings.LastIndexByte(arn, '/')+1:])
	return slices.ContainsFunc([]string{"node", "karpenter", "worker"}, func(word string) bool { return strings.Contains(name, word) })
}

// clusterRole gathers the nodes that EC2 would not tell the name of, for it
// refused the cluster role.
func (b *bench) clusterRole(sum *verdict, p *principal) {
	for _, reason := range [...]string{"ec2_describe_unauthorized", "ec2_assume_role_denied", "ec2_lookup_stuck"} {
		v := b.spellOf(p, reason, &series{})
		if v == nil {
			continue
		}
		f := p.denied[reason].facts
		if reason == "ec2_lookup_stuck" {
			batch := b.c.batches[f.instance]
			if batch == nil || batch.get("UnauthorizedOperation") == nil {
				continue
			}
			f.caller = batch.get("UnauthorizedOperation").note
			batches := b.marker(rules.EC2BatchFailed)
			sum.show(batches.quotes(batches.first(), v.last), "the look-up of several nodes failed")
		}
		if sum.about.reason == "" || reason < sum.about.reason {
			sum.about.reason = reason
		}
		if f.caller != "" && f.caller > sum.about.caller {
			sum.about.caller = f.caller
		}
		sum.gather(v)
	}
}

// endClusterRole ends the verdict when an instance that had been denied was
// granted: until then, grants may come from names the authenticator still
// remembers.
func (b *bench) endClusterRole(v *verdict) {
	if len(v.affected) == 0 {
		return
	}
	v.code, v.severity, v.confidence = "cluster_role_missing_ec2_permission", authlog.SeverityCritical, authlog.ConfidenceCertain
	for _, a := range v.affected {
		for _, id := range a.sessions {
			in := b.c.instances[id]
			if in == nil {
				continue
			}
			if g := in.granted.get(a.arn); g != nil && secondOf(g.last) > secondOf(v.last) {
				v.end = firstOf(v.end, a.granted.after(secondOf(v.last)))
			}
		}
	}
	if v.settle(b.c.clock, b.cfg.Quiet, authlog.ResolvedByGrant) {
		b.add(v)
	}
}

func kindAs(arn, session string) authlog.PrincipalKind { return rules.PrincipalOf(arn, session).Kind }
