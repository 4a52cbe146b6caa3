package diagnose

import (
	"cmp"
	"slices"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

const notMapped = "arn_not_mapped"

// awsAuth judges what the log says of aws-auth itself.
func (b *bench) awsAuth() {
	reads := b.marker(rules.AWSAuthRead)
	deletes := b.marker(rules.AWSAuthDeleted)
	parse := b.marker(rules.AWSAuthParseError)
	if sp, ok := parse.spell(&reads.series, 0, b.cfg.Keep, b.cfg.MarkerSlack); ok {
		sp.end = firstOf(sp.end, deletes.after(secondOf(sp.last)))
		v := &verdict{code: "aws_auth_malformed", spell: sp, severity: b.unlessAPI(authlog.SeverityCritical), confidence: authlog.ConfidenceCertain}
		b.auth(v, parse, "aws-auth cannot be read")
	}
	if sp, ok := deletes.spell(&reads.series, 0, b.cfg.Keep, 0); ok {
		v := &verdict{code: "aws_auth_deleted", spell: sp, severity: b.unlessAPI(authlog.SeverityCritical), confidence: authlog.ConfidenceCertain}
		b.auth(v, deletes, "aws-auth was deleted")
	}
}

func firstOf(a, c mark) mark { return earlier(a, c) }

// auth adds a verdict on aws-auth. It is open until aws-auth is read whole,
// and then remembered as long as a lockout is.
func (b *bench) auth(v *verdict, t *track, what string) {
	if v.ended() {
		v.by = authlog.ResolvedByFix
		if b.c.clock-secondOf(v.end) >= seconds(b.cfg.Quiet) {
			return
		}
	}
	v.show(t.quotes(v.first, v.last), what)
	b.onAuth = append(b.onAuth, b.add(v))
}

func (b *bench) unlessAPI(s authlog.Severity) authlog.Severity {
	if b.c.facts.Mode == authlog.ModeAPI {
		return authlog.SeverityInfo
	}
	return s
}

func (b *bench) marker(code string) *track {
	if t := b.c.markers[code]; t != nil {
		return t
	}
	return &track{}
}

func (v *verdict) show(lines []quote, what string) {
	for _, q := range lines {
		v.quotes = append(v.quotes, shown{quote: q, what: what})
	}
}

// principals judges each principal that was denied by the mapping.
func (b *bench) principals() {
	foreign := map[string][]*verdict{}
	sets := b.ssoSets()
	for _, p := range b.c.principals {
		if t := p.denied["arn_userid_mismatch"]; t != nil {
			if v := b.spellOf(p, "arn_userid_mismatch", &p.granted); v != nil {
				b.renamed(v, p)
			}
		}
		v := b.spellOf(p, notMapped, &p.granted)
		if v == nil {
			continue
		}
		if b.isForeign(v, p) {
			v.code = "never_mapped"
			b.consult(v, p)
			foreign[p.account] = append(foreign[p.account], v)
			continue
		}
		b.unmapped(v, p, sets)
	}
	for account, list := range foreign {
		b.foreign(account, list)
	}
}

// spellOf begins a verdict on a principal's latest spell of a reason. It is
// nil when there is none or it is forgotten.
func (b *bench) spellOf(p *principal, reason string, good *series) *verdict {
	t := p.denied[reason]
	if t == nil {
		return nil
	}
	if b.c.clock-secondOf(t.last()) > 2*seconds(b.cfg.Quiet) && secondOf(good.last()) < b.c.clock-seconds(b.cfg.Quiet) {
		return nil
	}
	sp, ok := t.spell(good, b.cfg.Flap, b.cfg.Quiet, 0)
	if !ok {
		return nil
	}
	v := &verdict{subject: p.arn, spell: sp, about: about{reason: reason}}
	if !v.settle(b.c.clock, b.cfg.Quiet, authlog.ResolvedByGrant) {
		return nil
	}
	v.affect(p, sp, reason)
	v.show(t.quotes(sp.first, sp.last), "denied: "+reason)
	return v
}

// affect adds a principal with who it was in a spell of some reasons.
func (v *verdict) affect(p *principal, sp spell, reasons ...string) {
	a := affected{principal: p, spell: sp, reasons: reasons}
	a.recall()
	v.affected = append(v.affected, a)
}

// recall lists the sessions and unique ids of the spell, latest first.
func (a *affected) recall() {
	since := secondOf(a.first)
	if len(a.reasons) == 1 {
		r := a.denied[a.reasons[0]]
		a.sessions, a.userIDs = keysOf(r.sessions.newest(since)), keysOf(r.ids.newest(since))
		return
	}
	var sessions, ids spans
	for _, reason := range a.reasons {
		r := a.denied[reason]
		for _, s := range r.sessions {
			sessions.merge(s, maxSessions)
		}
		for _, s := range r.ids {
			ids.merge(s, maxUserIDs)
		}
	}
	a.sessions, a.userIDs = keysOf(sessions.newest(since)), keysOf(ids.newest(since))
}

// primary makes v the verdict on a principal, unless there is a later one.
func (b *bench) primary(v *verdict, p *principal) {
	b.add(v)
	if old := b.by[p]; old == nil || compareMarks(old.last, v.last) < 0 {
		b.by[p] = v
	}
}

func (b *bench) renamed(v *verdict, p *principal) {
	v.code, v.severity, v.confidence = "principal_renamed", authlog.SeverityWarning, authlog.ConfidenceCertain
	b.consult(v, p)
	if s := b.c.entryARNs[strings.ToLower(p.arn)]; s != nil {
		for _, e := range s.newest(0)[:1] {
			v.about.otherARN = e.key
			v.quotes = append([]shown{{quote: quote{mark: e.last, raw: e.note}, what: "the ARN of the access entry beside the one that STS gave"}}, v.quotes...)
		}
	}
	b.primary(v, p)
}

// unmapped finds the cause of a principal's not being mapped; the first that
// holds wins.
func (b *bench) unmapped(v *verdict, p *principal, sets map[string][]*principal) {
	v.severity = authlog.SeverityWarning
	b.consult(v, p)
	switch {
	case p.kind == authlog.PrincipalRoot:
		v.code, v.confidence = "root_user_attempt", authlog.ConfidenceCertain
	case b.recreated(v, p):
	case b.staleEntry(v, p):
	case b.isNode(v, p):
		b.node(v, p)
	case b.rotated(v, p, sets):
	case b.rotatedEntry(v, p):
	case b.isCreator(v, p):
	case v.before != (mark{}):
		b.lost(v, p)
	case b.wrongProfile(v, p):
	default:
		b.never(v)
	}
	v.settleBy()
	b.primary(v, p)
}

// recreated compares the unique id that is denied with the one that was
// granted before.
func (b *bench) recreated(v *verdict, p *principal) bool {
	ids := v.affected[0].userIDs
	if len(ids) == 0 {
		return false
	}
	if g := p.grantedIDs.get(ids[0]); g != nil && secondOf(g.first) <= secondOf(v.last) {
		return false
	}
	for _, old := range p.grantedIDs.newest(0) {
		if old.key == ids[0] || secondOf(old.last) >= secondOf(v.first) {
			continue
		}
		v.code, v.confidence = "role_recreated", authlog.ConfidenceCertain
		v.about.oldID, v.about.newID = old.key, ids[0]
		v.lastGrant(old, "granted with the unique id "+old.key)
		if isNodeKind(b.nodeKind(v, p)) {
			v.severity = authlog.SeverityCritical
		}
		return true
	}
	return false
}

// lastGrant puts a grant before the denials.
func (v *verdict) lastGrant(s span, what string) {
	v.quotes = append([]shown{{quote: quote{mark: s.last, raw: s.note}, what: what}}, v.quotes...)
}

// An ssoKey tells the permission set of an SSO role in its account.
func ssoKey(p *principal) (set, key string, ok bool) {
	set, _, ok = rules.SplitSSORole(p.arn[strings.LastIndexByte(p.arn, '/')+1:])
	return set, p.account + "/" + set, ok && p.account != ""
}

// ssoSets lists the SSO roles with grants by permission set, sorted.
func (b *bench) ssoSets() map[string][]*principal {
	sets := map[string][]*principal{}
	for _, p := range b.c.principals {
		if p.kind != authlog.PrincipalSSO || p.granted.empty() {
			continue
		}
		if _, key, ok := ssoKey(p); ok {
			sets[key] = append(sets[key], p)
		}
	}
	for _, list := range sets {
		slices.SortFunc(list, func(a, b *principal) int {
			return cmp.Or(compareMarks(b.granted.last(), a.granted.last()), strings.Compare(a.arn, b.arn))
		})
	}
	return sets
}

// rotated looks for another role of the same permission set that was granted
// before.
func (b *bench) rotated(v *verdict, p *principal, sets map[string][]*principal) bool {
	if p.kind != authlog.PrincipalSSO || v.before != (mark{}) {
		return false
	}
	set, key, _ := ssoKey(p)
	for _, q := range sets[key] {
		before := q.granted.before(secondOf(v.first))
		if q == p || before == (mark{}) {
			continue
		}
		v.code, v.confidence = "sso_role_rotated", authlog.ConfidenceHigh
		v.about.otherARN, v.about.set = q.arn, set
		v.quotes = append([]shown{{quote: q.grantQuote(before), what: "the role of the same permission set was granted before"}}, v.quotes...)
		if len(v.affected[0].sessions) >= b.cfg.SSOUsers {
			v.severity = authlog.SeverityCritical
		}
		return true
	}
	return false
}

// grantQuote is the line of a grant, if it is the one that was kept.
func (p *principal) grantQuote(m mark) quote {
	if p == nil {
		return quote{mark: m}
	}
	for _, s := range p.grantedIDs {
		if s.last == m {
			return quote{mark: m, raw: s.note}
		}
	}
	return quote{mark: m}
}

// lost is a principal that was granted before and no longer is.
func (b *bench) lost(v *verdict, p *principal) {
	v.code, v.confidence = "mapping_lost", authlog.ConfidenceMedium
	if ids := v.affected[0].userIDs; len(ids) > 0 && p.grantedIDs.get(ids[0]) != nil {
		v.confidence = authlog.ConfidenceHigh
		v.about.newID = ids[0]
		v.rule("role_recreated", "the unique id "+ids[0]+" is the one that was granted before")
	}
	v.quotes = append([]shown{{quote: p.grantQuote(v.before), what: "the last grant before"}}, v.quotes...)
	if m := b.change(v.first); m != (mark{}) {
		v.about.marker = m
	}
}

// change is the last reading of aws-auth that may have caused what began then.
func (b *bench) change(first mark) mark {
	reads := b.marker(rules.AWSAuthRead)
	at := secondOf(first)
	m := reads.before(at + 1)
	if m == (mark{}) || at-secondOf(m) > seconds(b.cfg.WipeCause) {
		return mark{}
	}
	return m
}

// wrongProfile looks whether the same person was granted under another role.
func (b *bench) wrongProfile(v *verdict, p *principal) bool {
	for _, session := range v.affected[0].sessions {
		s := b.c.people[session]
		if s == nil || !isPerson(p.kind, session) {
			continue
		}
		for _, as := range s.newest(secondOf(v.first) - seconds(b.cfg.Sibling)) {
			if as.key == p.arn || secondOf(as.first) > secondOf(v.last)+seconds(b.cfg.Sibling) {
				continue
			}
			v.code, v.severity, v.confidence = "possible_wrong_profile", authlog.SeverityInfo, authlog.ConfidenceMedium
			v.about.otherARN, v.about.person = as.key, session
			v.quotes = append(v.quotes, shown{quote: b.c.principals[as.key].grantQuote(as.last), what: session + " was granted as " + as.key})
			v.gotIn(b.c, as)
			return true
		}
	}
	return false
}

// gotIn ends a verdict when the person was granted under the other role.
func (v *verdict) gotIn(c *cluster, as span) {
	other := c.principals[as.key]
	if other == nil || secondOf(as.last) <= secondOf(v.last) || v.ended() {
		return
	}
	if end := other.granted.after(secondOf(v.last)); end != (mark{}) {
		v.end, v.by = end, authlog.ResolvedByGrant
	}
}

func (b *bench) never(v *verdict) {
	v.code, v.severity, v.confidence = "never_mapped", authlog.SeverityInfo, authlog.ConfidenceHigh
	switch {
	case b.cfg.Excerpt:
		v.confidence, v.about.variant = authlog.ConfidenceMedium, "excerpt"
	case secondOf(v.first)-secondOf(b.c.since) < day:
		v.confidence, v.about.since = authlog.ConfidenceMedium, b.c.since
	}
}

func (v *verdict) rule(code, why string) {
	v.ruledOut = append(v.ruledOut, authlog.RuledOut{Code: code, Why: why})
}

// gather takes the lines and principals of another verdict in; a principal that
// is in both is one.
func (v *verdict) gather(w *verdict) {
	v.first, v.last = earlier(v.first, w.first), later(v.last, w.last)
	v.n += w.n
	v.quotes = append(v.quotes, w.quotes...)
	for _, a := range w.affected {
		i := slices.IndexFunc(v.affected, func(b affected) bool { return b.principal == a.principal })
		if i < 0 {
			v.affected = append(v.affected, a)
			continue
		}
		b := &v.affected[i]
		b.first, b.spell.last = earlier(b.first, a.first), later(b.spell.last, a.spell.last)
		b.n += a.n
		b.reasons = append(b.reasons, a.reasons...)
		b.recall()
	}
}

// covers reports whether a child began while the parent lasted, and ended its
// denials with it.
func (v *verdict) covers(child *verdict, cfg *Config) bool {
	slack := seconds(cfg.MarkerSlack)
	first, last := secondOf(child.first), secondOf(child.last)
	if first < secondOf(v.first)-slack {
		return false
	}
	return v.open() || last <= secondOf(v.end)+seconds(cfg.Flap)
}

// isCreator judges the principal that created the cluster.
func (b *bench) isCreator(v *verdict, p *principal) bool {
	cr := &b.c.claim
	if cr.principal != p && cr.arn != p.arn || cr.confidence == authlog.ConfidenceLow {
		return false
	}
	v.code, v.severity, v.confidence = "creator_without_access", authlog.SeverityWarning, cr.confidence
	v.about.source = cr.source
	if v.before != (mark{}) {
		v.quotes = append([]shown{{quote: p.grantQuote(v.before), what: "the last grant before"}}, v.quotes...)
	}
	return true
}
