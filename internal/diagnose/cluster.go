package diagnose

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// A cluster is all that is kept of one.
type cluster struct {
	id    authlog.Cluster
	facts authlog.ClusterFacts
	stale bool // something was learned that is not in what was published
	claim creatorClaim

	counts
	principals map[string]*principal // by ARN
	instances  map[string]*instance
	people     map[string]*sightings // ARNs granted, by session
	accounts   map[string]*track     // grants
	endpoints  map[string]*track     // grants, by STS endpoint
	anonymous  map[string]*anonymous // by reason
	tokens     map[int64]*token      // by X-Amz-Date
	markers    map[string]*track     // by code
	entryARNs  map[string]*sightings // ARNs of access entries, by the ARN that STS gave; both in lower case
	batches    map[string]*sightings // reasons, by instance
	tallies    map[int64]*tally      // by minute
	rings      map[string]*ring
	out        map[string]stamp // what was published, by id
	due        int64            // when to look again although nothing happens
}

// counts are what is copied whole to be undone.
type counts struct {
	clock int64 // seconds since 1970; how far the log was read
	since mark  // the oldest line
	last  mark  // the newest line
	off   mark  // when its log was first told to be off; zero: it is not
}

// The rings of a cluster.
const (
	ringEvents    = "events"       // denials and grants, by the minute for a day
	ringAnonymous = "unidentified" // denials without an identity, by ten minutes for a week
)

func newCluster(id authlog.Cluster) *cluster {
	return &cluster{
		id:         id,
		principals: map[string]*principal{},
		instances:  map[string]*instance{},
		people:     map[string]*sightings{},
		accounts:   map[string]*track{},
		endpoints:  map[string]*track{},
		anonymous:  map[string]*anonymous{},
		tokens:     map[int64]*token{},
		markers:    map[string]*track{},
		entryARNs:  map[string]*sightings{},
		batches:    map[string]*sightings{},
		tallies:    map[int64]*tally{},
		rings:      map[string]*ring{},
		out:        map[string]stamp{},
	}
}

// begin moves the clock and remembers the counts.
func (c *cluster) begin(j *journal, clock int64) {
	old := c.counts
	j.remember(func() { c.counts = old })
	c.clock = max(c.clock, clock)
	switch {
	case c.facts.Logging != authlog.No:
		c.off = mark{}
	case c.off == (mark{}):
		c.off = markOf(authlog.ID{}, time.Unix(c.clock, 0).UTC())
	}
}

// saw keeps from when to when the log is known.
func (c *cluster) saw(m mark) {
	c.since, c.last = earlier(c.since, m), later(c.last, m)
}

// An absorber adds findings to clusters.
type absorber struct {
	cfg     *Config
	journal *journal
}

func (a *absorber) denial(c *cluster, d *authlog.Denial) {
	m := markOf(d.ID, d.Time)
	c.saw(m)
	a.ring(c, ringEvents, secondOf(m))
	f := factsOf(d)
	if d.Principal == nil {
		a.unidentified(c, d, m, &f)
		return
	}
	p := d.Principal
	if p.Benign || p.ARN == "" {
		return
	}
	r := a.principal(c, p).refused(d.Reason)
	r.add(m, d.Raw, c.clock, a.cfg.Keep)
	r.see(m, &f)
	if id := uniqueID(p.UserID); id != "" {
		r.ids.see(id, "", m, maxUserIDs)
	}
	if p.Session != "" {
		r.sessions.see(p.Session, "", m, maxSessions)
		if rules.IsInstanceID(p.Session) {
			edit(a.journal, c.instances, p.Session).denied.see(p.ARN, d.Reason, m, maxUserIDs)
		}
	}
}

func (a *absorber) ring(c *cluster, name string, second int64) {
	r := edit(a.journal, c.rings, name)
	if r.slots == nil {
		*r = newRing(minute, tallyFor)
		if name == ringAnonymous {
			*r = newRing(tenMinutes, seconds(a.cfg.ProbeHistory))
		}
	}
	r.add(second, c.clock)
}

// uniqueID is IAM's unique id without the session that STS puts behind that of
// a role. The id of a federated user begins with digits and has a colon itself.
func uniqueID(userID string) string {
	if id, _, ok := strings.Cut(userID, ":"); ok && strings.HasPrefix(id, "A") {
		return id
	}
	return userID
}

// factsOf reads a denial's text again.
func factsOf(d *authlog.Denial) rules.Facts {
	ev := authlog.Event{
		Kind: authlog.KindDenied, Logged: d.Time, Msg: "access denied",
		Fields: []authlog.Field{{Key: "error", Value: d.Error}, {Key: "stsendpoint", Value: d.STSEndpoint}},
	}
	return rules.FactsOf(&ev)
}

func (a *absorber) principal(c *cluster, p *authlog.Principal) *principal {
	pr := edit(a.journal, c.principals, p.ARN)
	if pr.arn == "" {
		base := rules.PrincipalOf(p.ARN, "")
		pr.arn, pr.kind = strings.Clone(p.ARN), base.Kind
		if p.Account != "" {
			pr.account = strings.Clone(p.Account)
		}
		pr.denied = map[string]*refusal{}
	}
	return pr
}

// unidentified counts a denial that does not say who it was.
func (a *absorber) unidentified(c *cluster, d *authlog.Denial, m mark, f *rules.Facts) {
	edit(a.journal, c.anonymous, d.Reason).see(m, d.Raw, f, c.clock, a.cfg.Keep)
	if d.Reason == invalidToken && f.Endpoint == "global" {
		edit(a.journal, c.anonymous, invalidOnGlobal).see(m, d.Raw, f, c.clock, a.cfg.Keep)
	}
	if date, ok := tokenDate(d, f); ok {
		t := edit(a.journal, c.tokens, date)
		t.date = date
		t.add(m, d.Raw, c.clock, a.cfg.Keep)
	}
	second := secondOf(m)
	if second < c.clock-tallyFor {
		return
	}
	at := second - second%minute
	switch {
	case d.Reason == "sts_throttled":
		edit(a.journal, c.tallies, at).throttled.see(d.Client, m)
	case isOutage(c, d.Reason, f):
		edit(a.journal, c.tallies, at).outage.see(d.Client, m)
	case d.Reason != "sts_region_disabled":
		t := edit(a.journal, c.tallies, at)
		t.unidentified.see("", m)
		t.reasons |= reasonBit(d.Reason)
		a.ring(c, ringAnonymous, second)
	}
}

const (
	invalidToken = "sts_invalid_client_token"
	// invalidOnGlobal is where those on the global endpoint are kept apart.
	invalidOnGlobal = invalidToken + " on the global endpoint"
)

// tokenDate is when a token that was refused for its age says it was made.
func tokenDate(d *authlog.Denial, f *rules.Facts) (int64, bool) {
	switch {
	case d.Reason == "token_expired" && !f.TokenDate.IsZero():
		return f.TokenDate.Unix(), true
	case d.Reason == "sts_signature_expired" && f.ClockOffset != 0:
		return d.Time.Add(f.ClockOffset).Unix(), true
	}
	return 0, false
}

// isOutage reports whether STS itself, or the way to it, failed. A client can
// name a region that does not exist and make the authenticator look for it, so
// only the endpoints that work for this cluster count.
func isOutage(c *cluster, reason string, f *rules.Facts) bool {
	switch reason {
	case "sts_timeout", "sts_connection_failed", "sts_server_error":
		return f.Endpoint == "" || f.Endpoint == "global" || f.Endpoint == c.id.Region
	}
	return false
}

func (a *absorber) grant(c *cluster, g *authlog.Grant) {
	m := markOf(g.ID, g.Time)
	c.saw(m)
	a.ring(c, ringEvents, secondOf(m))
	p := &g.Principal
	if p.Benign || p.ARN == "" {
		return
	}
	a.granted(c, g, m)
	if p.Session != "" {
		a.grantedAs(c, g, m)
	}
	if p.Account != "" {
		a.used(c, c.accounts, p.Account, m)
	}
	if g.STSEndpoint != "" {
		a.used(c, c.endpoints, g.STSEndpoint, m)
	}
}

// used counts a grant for what every cluster uses all the time.
func (a *absorber) used(c *cluster, by map[string]*track, key string, m mark) {
	t := edit(a.journal, by, key)
	t.coarse = true
	t.add(m, "", c.clock, a.cfg.Keep)
}

func (a *absorber) granted(c *cluster, g *authlog.Grant, m mark) {
	pr := a.principal(c, &g.Principal)
	pr.granted.add(m, 1, c.clock, a.cfg.Keep)
	if id := uniqueID(g.Principal.UserID); id != "" {
		pr.grantedIDs.see(id, g.Raw[:min(len(g.Raw), maxQuote)], m, maxUserIDs)
	}
	if isCreatorGrant(g) {
		pr.creator.add(m, g.Raw, c.clock, a.cfg.Keep)
	}
}

// isCreatorGrant knows how EKS lets in the principal that created a cluster,
// unless it did so by an access entry.
func isCreatorGrant(g *authlog.Grant) bool {
	return g.Username == "kubernetes-admin" && g.Groups == "[system:masters]"
}

const nodeUser = "system:node:"

func (a *absorber) grantedAs(c *cluster, g *authlog.Grant, m mark) {
	p := &g.Principal
	pr := c.principals[p.ARN]
	if !rules.IsInstanceID(p.Session) {
		if isPerson(pr.kind, p.Session) {
			edit(a.journal, c.people, p.Session).see(p.ARN, "", m, maxUserIDs)
		}
		return
	}
	edit(a.journal, c.instances, p.Session).granted.see(p.ARN, "", m, maxUserIDs)
	if strings.HasPrefix(g.Username, nodeUser) {
		pr.asNode.add(m, 1, c.clock, a.cfg.Keep)
		return
	}
	pr.notAsNode.add(m, g.Raw, c.clock, a.cfg.Keep)
	pr.notNode.see(p.Session, strings.Clone(g.Username), m, maxSessions)
}

func (a *absorber) marker(c *cluster, mk *authlog.Marker) {
	m := markOf(mk.ID, mk.Time)
	c.saw(m)
	switch mk.Code {
	case rules.AWSAuthRead, rules.AWSAuthParseError, rules.AWSAuthDeleted:
		edit(a.journal, c.markers, mk.Code).add(m, mk.Raw, c.clock, a.cfg.Keep)
	case rules.ARNComparison:
		if f := markerFacts(mk); f.STSARN != "" && f.STSARN != f.MappedARN {
			edit(a.journal, c.entryARNs, f.STSARN).see(f.MappedARN, mk.Raw[:min(len(mk.Raw), maxQuote)], m, maxUserIDs)
		}
	case rules.EC2BatchFailed:
		edit(a.journal, c.markers, mk.Code).add(m, mk.Raw, c.clock, a.cfg.Keep)
		f := markerFacts(mk)
		for _, id := range f.Instances {
			if rules.IsInstanceID(id) {
				edit(a.journal, c.batches, id).see(f.AWSCode, strings.Clone(f.Caller), m, maxUserIDs)
			}
		}
	}
}

// markerFacts reads a marker's message again.
func markerFacts(mk *authlog.Marker) rules.Facts {
	ev := authlog.Event{Kind: authlog.KindMarker, Msg: mk.Msg}
	if ev.Msg == "" {
		ev.Msg = msgOf(mk.Raw)
	}
	return rules.FactsOf(&ev)
}

// msgOf takes the message out of a line as a store has it. Before it stand only
// time and level, so the first msg= is the line's own.
func msgOf(raw string) string {
	_, rest, _ := strings.Cut(raw, " msg=")
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return ""
	}
	msg, err := strconv.Unquote(quoted)
	if err != nil {
		return ""
	}
	return msg
}

// isPerson reports whether a session name looks like a person's: SSO uses the
// user's name or mail address; elsewhere only a mail address is taken for one,
// for tools name their sessions as they like.
func isPerson(kind authlog.PrincipalKind, session string) bool {
	return session != "" && !rules.IsInstanceID(session) && (kind == authlog.PrincipalSSO || strings.IndexByte(session, '@') > 0)
}

// personOf is who it likely was: the user's name, or the session.
func (p *principal) personOf(session string) string {
	if p.kind == authlog.PrincipalUser {
		return p.arn[strings.LastIndexByte(p.arn, '/')+1:]
	}
	if isPerson(p.kind, session) {
		return session
	}
	return ""
}

// Bounds of what is kept of a cluster besides those of Config.
const (
	maxAnonymous = 64
	maxAccounts  = 1_000
	maxEndpoints = 64
	maxEntryARNs = 256
	maxBatches   = 1_000
)

// bound drops what was not seen longest where there is too much.
func (c *cluster) bound(cfg *Config, j *journal) {
	shrink(j, c.principals, cfg.MaxPrincipals, (*principal).last, func(p *principal) bool { return !p.granted.empty() })
	shrink(j, c.instances, cfg.MaxInstances, (*instance).last, nil)
	shrink(j, c.people, cfg.MaxPeople, func(s *sightings) mark { return s.last() }, nil)
	shrink(j, c.accounts, maxAccounts, func(t *track) mark { return t.last() }, nil)
	shrink(j, c.endpoints, maxEndpoints, func(t *track) mark { return t.last() }, nil)
	shrink(j, c.anonymous, maxAnonymous, func(a *anonymous) mark { return a.last() }, nil)
	shrink(j, c.tokens, maxTokens, func(t *token) mark { return t.last() }, nil)
	shrink(j, c.entryARNs, maxEntryARNs, func(s *sightings) mark { return s.last() }, nil)
	shrink(j, c.batches, maxBatches, func(s *sightings) mark { return s.last() }, nil)
	for minute := range c.tallies {
		if minute < c.clock-tallyFor {
			drop(j, c.tallies, minute)
		}
	}
}

// shrink leaves nine tenths of the most where there is more: first those worth
// keeping, among these the newest.
func shrink[K comparable, V any](j *journal, m map[K]*V, most int, last func(*V) mark, worth func(*V) bool) {
	if len(m) <= most {
		return
	}
	type aged struct {
		key   K
		worth bool
		last  mark
	}
	all := make([]aged, 0, len(m))
	for k, v := range m {
		all = append(all, aged{key: k, worth: worth != nil && worth(v), last: last(v)})
	}
	slices.SortFunc(all, func(a, b aged) int {
		if a.worth != b.worth {
			if a.worth {
				return -1
			}
			return 1
		}
		return compareMarks(b.last, a.last)
	})
	for _, a := range all[most-most/10:] {
		drop(j, m, a.key)
	}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
