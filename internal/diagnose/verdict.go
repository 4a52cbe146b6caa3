package diagnose

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A verdict is a diagnosis before it is put into words.
type verdict struct {
	code, subject string
	severity      authlog.Severity
	confidence    authlog.Confidence
	spell
	by       string // how it ended; "" while open
	quiet    int64  // seconds of silence after which it ends; 0 is never
	affected []affected
	total    int // of the affected; 0: as many as are listed
	quotes   []shown
	ruledOut []authlog.RuledOut
	parent   *verdict
	children []*verdict
	about    about
	known    *authlog.AccessVerdict // what the cluster's configuration says; nil: nothing
}

// about is what the words of a verdict need besides.
type about struct {
	reason   string // the reason code of its denials
	oldID    string // role_recreated: the unique id granted before
	newID    string // the one denied now
	otherARN string // the ARN granted before: of the SSO role, of the instance, of the person
	person   string
	set      string // the SSO permission set
	instance string
	account  string
	endpoint string
	mapper   string
	template string
	username string
	caller   string // the ARN that EC2 refused: the cluster role
	offset   time.Duration
	tokens   int           // different tokens
	age      time.Duration // of the tokens
	interval time.Duration // between the denials of a loop
	clients  int
	share    float64 // of all events
	notes    []string
	victims  int
	since    mark // from when on the log is known, where that is too short to say "never"
	marker   mark // of the change of aws-auth
	source   string
	variant  string
	creator  string // whom remedies name as the creator of the cluster
}

// affected is a principal as one verdict sees it.
type affected struct {
	*principal
	spell
	reasons  []string
	sessions []string
	userIDs  []string
}

// shown is a line and what it shows.
type shown struct {
	quote
	what string
}

func (v *verdict) open() bool { return v.by == "" }

// settle decides whether a verdict still holds: a good line or silence ends
// it. It reports false for one that ended so long ago that it is forgotten.
func (v *verdict) settle(clock int64, quiet time.Duration, by string) bool {
	last := secondOf(v.last)
	v.quiet = seconds(quiet)
	switch {
	case v.ended():
		v.by = by
		last = max(last, secondOf(v.end))
	case clock-last >= seconds(quiet):
		v.by = authlog.ResolvedByQuiet
		v.end = authlog.NewID(v.last.Time().Add(quiet), authlog.Key{})
		last += seconds(quiet)
	}
	return v.open() || clock-last < seconds(quiet)
}

// nextDue is when time alone will change one of the verdicts, or the log will
// have been silent for too long.
func (c *cluster) nextDue(cfg *Config, verdicts []*verdict) int64 {
	const never = 1<<63 - 1
	due := int64(never)
	if c.last != (mark{}) {
		due = secondOf(c.last) + seconds(cfg.Gap)
	}
	if due <= c.clock {
		due = never
	}
	for _, v := range verdicts {
		if v.quiet == 0 {
			continue
		}
		// Silence ends it, and later it is forgotten.
		for _, at := range [...]int64{secondOf(v.last), secondOf(v.last) + v.quiet, secondOf(v.end)} {
			if at += v.quiet; at > c.clock {
				due = min(due, at)
			}
		}
	}
	return due
}

// A stamp tells whether a diagnosis has changed since it was published.
type stamp struct {
	code, subject   string
	severity        authlog.Severity
	confidence      authlog.Confidence
	state           authlog.DiagnosisState
	first, last     int64 // ms
	count           int64
	total, children int
	parent          string
	ended           int64 // ms
	by              string
	// detail is a sum of what its words are made of; 0 is not known.
	detail uint64
}

// tells reports whether a diagnosis of stamp now says something else than that
// of stamp s.
func (s stamp) tells(now stamp) bool {
	if s.detail == 0 {
		now.detail = 0
	}
	return s != now
}

func stampOf(d *authlog.Diagnosis) stamp {
	s := stamp{
		code: d.Code, subject: d.Subject, severity: d.Severity, confidence: d.Confidence, state: d.State,
		first: d.FirstSeen.UnixMilli(), last: d.LastSeen.UnixMilli(), count: d.Count,
		total: d.AffectedTotal, children: d.ChildrenTotal, parent: d.Parent,
	}
	if d.Resolution != nil {
		s.ended, s.by = d.Resolution.Time.UnixMilli(), d.Resolution.By
	}
	return s
}

// publish renders what is new or changed, and what is gone as resolved, and
// fills out with the stamps of what there is.
func (c *cluster) publish(cfg *Config, verdicts []*verdict, out map[string]stamp) []authlog.Diagnosis {
	var changed []authlog.Diagnosis
	for _, v := range verdicts {
		id := authlog.DiagnosisID(c.id, v.code, v.subject)
		now := v.stamp(c.id)
		out[id] = now
		if was, ok := c.out[id]; !ok || c.stale || was.tells(now) {
			changed = append(changed, c.render(cfg, v))
		}
	}
	for id, was := range c.out {
		if _, ok := out[id]; !ok && was.state == authlog.DiagnosisOpen {
			changed = append(changed, c.gone(cfg, id, was))
		}
	}
	return changed
}

func (v *verdict) stamp(id authlog.Cluster) stamp {
	s := stamp{
		code: v.code, subject: v.subject, severity: v.severity, confidence: v.confidence, state: authlog.DiagnosisOpen,
		first: v.first.Time().UnixMilli(), last: v.last.Time().UnixMilli(), count: v.n,
		total: v.affectedTotal(), children: len(v.children), detail: v.detail(),
	}
	if v.parent != nil {
		s.parent = authlog.DiagnosisID(id, v.parent.code, v.parent.subject)
	}
	if !v.open() {
		s.state = authlog.DiagnosisResolved
		s.ended, s.by = v.end.Time().UnixMilli(), v.by
	}
	return s
}

// detail sums up what a verdict stands on, besides what is in its stamp.
func (v *verdict) detail() uint64 {
	h := fnv.New64a()
	a := &v.about
	for _, s := range [...]string{
		a.reason, a.oldID, a.newID, a.otherARN, a.person, a.set, a.instance, a.account, a.endpoint,
		a.mapper, a.template, a.username, a.caller, a.source, a.variant, a.creator,
	} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	for _, s := range a.notes {
		h.Write([]byte(s))
	}
	var num [8]byte
	for _, n := range [...]uint64{
		uint64(a.offset), uint64(a.age), uint64(a.interval), uint64(a.tokens), uint64(a.clients), uint64(a.victims),
		math.Float64bits(a.share),
	} {
		binary.BigEndian.PutUint64(num[:], n)
		h.Write(num[:])
	}
	h.Write(a.marker[:])
	h.Write(v.before[:])
	h.Write(a.since[:])
	sum := h.Sum64()
	// The lists have no order yet.
	for _, q := range v.quotes {
		sum += hashMark(q.mark) * uint64(1+min(len(q.raw), 1))
	}
	for _, p := range v.affected {
		sum += hashMark(p.granted.last()) + 3*hashMark(p.first) + 5*hashMark(p.spell.last) + 7*uint64(p.n)
		if !p.asNode.empty() {
			sum += hashString(p.arn)
		}
	}
	for _, child := range v.children {
		sum += hashString(child.code + " " + child.subject)
	}
	return sum | 1
}

func hashString(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

func hashMark(m mark) uint64 {
	h := fnv.New64a()
	h.Write(m[:])
	return h.Sum64()
}

func (v *verdict) affectedTotal() int { return max(v.total, len(v.affected)) }

// gone says how a diagnosis that was published ended of which nothing is left:
// the log speaks again, it is too long ago to be kept, or late lines and what
// else became known tell otherwise.
func (c *cluster) gone(cfg *Config, id string, was stamp) authlog.Diagnosis {
	entry, _ := ByCode(was.code)
	d := authlog.Diagnosis{
		ID: id, Code: was.code, Subject: was.subject, Cluster: c.id, Severity: was.severity, Confidence: was.confidence,
		State: authlog.DiagnosisResolved, FirstSeen: time.UnixMilli(was.first).UTC(), LastSeen: time.UnixMilli(was.last).UTC(),
		Count: was.count, AffectedTotal: was.total, Docs: entry.Docs,
	}
	r := &authlog.Resolution{Time: time.Unix(c.clock, 0).UTC()}
	switch {
	case was.code == "log_gap":
		r.By, r.Why = authlog.ResolvedByFix, "lines come again"
	case was.code == "logging_disabled" && c.facts.Logging != "":
		r.By, r.Why = authlog.ResolvedByFix, "the authenticator log is on"
	case c.clock-was.last/1000 >= seconds(cfg.Quiet) && !isAuthCode(was.code):
		r.By, r.Why = authlog.ResolvedByQuiet, "no line of it since "+formatTime(was.last/1000)
	default:
		r.By, r.Why = authlog.ResolvedByWithdrawn, "lines that came late, or what else became known, tell otherwise"
	}
	d.Summary = strings.ToUpper(r.Why[:1]) + r.Why[1:] + "."
	d.Resolution = r
	return d
}

// verdicts of one evaluation, to be looked up by what they are about.
type bench struct {
	c   *cluster
	cfg *Config
	all []*verdict
	// onAuth are those on aws-auth.
	onAuth []*verdict
	by     map[*principal]*verdict // the primary verdict of a principal
	// causes are the verdicts that others are explained by, by code.
	causes map[string]*verdict
}

func (b *bench) add(v *verdict) *verdict {
	b.all = append(b.all, v)
	return v
}

// evaluate reaches all verdicts on a cluster, sorted by code and subject.
func (c *cluster) evaluate(cfg *Config) []*verdict {
	b := &bench{c: c, cfg: cfg, by: map[*principal]*verdict{}}
	c.join(cfg)
	c.claim = c.creatorOf()
	b.awsAuth()
	b.principals()
	b.wiped()
	b.nodes()
	b.sts()
	b.tokens()
	b.probes()
	b.wrongCluster()
	b.creator()
	b.logs()
	b.suppress()
	creator := c.claim.arn + " " + string(c.claim.confidence)
	for _, v := range b.all {
		v.about.creator = creator
	}
	slices.SortFunc(b.all, func(x, y *verdict) int {
		if n := strings.Compare(x.code, y.code); n != 0 {
			return n
		}
		return strings.Compare(x.subject, y.subject)
	})
	return b.all
}

// join brings all series to the cluster's clock, so that they can be compared.
func (c *cluster) join(cfg *Config) {
	for _, p := range c.principals {
		p.granted.join(c.clock, cfg.Keep)
		p.asNode.join(c.clock, cfg.Keep)
		p.creator.join(c.clock, cfg.Keep)
		p.notAsNode.join(c.clock, cfg.Keep)
		for _, t := range p.denied {
			t.join(c.clock, cfg.Keep)
		}
	}
	for _, t := range c.markers {
		t.join(c.clock, cfg.Keep)
	}
	for _, t := range c.accounts {
		t.join(c.clock, cfg.Keep)
	}
	for _, t := range c.endpoints {
		t.join(c.clock, cfg.Keep)
	}
	for _, a := range c.anonymous {
		a.join(c.clock, cfg.Keep)
	}
	for _, t := range c.tokens {
		t.join(c.clock, cfg.Keep)
	}
}
