package diagnose

import (
	"cmp"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// probes judges what smells of an attack, and clients that will not stop.
func (b *bench) probes() {
	b.credentialProbe()
	for _, p := range b.c.principals {
		b.deniedLoop(p)
	}
}

func unidentified(t *tally) *crowd { return &t.unidentified }

// credentialProbe looks for many denials without an identity: of many kinds,
// or many more than is usual.
func (b *bench) credentialProbe() {
	run := b.run(unidentified, b.cfg.Calm)
	v := &verdict{code: "credential_probe", severity: authlog.SeverityWarning}
	for i := range run {
		n, reasons := b.probeWindow(run, i)
		switch {
		case n >= int64(b.cfg.ProbeDenials) && reasons >= b.cfg.ProbeReasons:
			v.confidence, v.about.variant = authlog.ConfidenceMedium, "variety"
			v.about.tokens = max(v.about.tokens, reasons)
		case v.confidence == "" && b.unusual(run[i]):
			v.confidence, v.about.variant = authlog.ConfidenceLow, "rate"
		}
	}
	if v.confidence == "" {
		return
	}
	v.spell = b.spellOfRun(run, unidentified)
	for _, reason := range sortedKeys(b.c.anonymous) {
		a := b.c.anonymous[reason]
		if reason == invalidOnGlobal || a.last() == (mark{}) || secondOf(a.last()) < secondOf(v.first) {
			continue
		}
		v.about.notes = append(v.about.notes, reason)
		if lines := a.quotes(v.first, v.last); len(lines) > 0 {
			v.show(lines[len(lines)-1:], "denied: "+reason)
		}
	}
	b.keep(v, "")
}

func (b *bench) probeWindow(run []int64, i int) (n int64, reasons int) {
	var set uint64
	for _, at := range run[i:] {
		if at >= run[i]+seconds(b.cfg.ProbeWindow) {
			break
		}
		t := b.c.tallies[at]
		n += t.unidentified.n
		set |= t.reasons
	}
	return n, countReasons(set)
}

// unusual compares the ten minutes that a second lies in with the median of
// those on record.
func (b *bench) unusual(second int64) bool {
	r := b.c.rings[ringAnonymous]
	n := r.at(second)
	known := b.c.clock - secondOf(b.c.since)
	if n < int64(b.cfg.ProbeFloor) || known < day {
		return false
	}
	slots := min(known/tenMinutes, int64(len(r.slots)))
	all := make([]int64, 0, slots)
	for i := range slots {
		all = append(all, r.at(b.c.clock-i*tenMinutes))
	}
	slices.Sort(all)
	return float64(n) > b.cfg.ProbeRate*float64(all[len(all)/2])
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// deniedLoop looks for a principal that is denied often and for long: in each
// LoopWindow of a LoopSpan.
func (b *bench) deniedLoop(p *principal) {
	width := seconds(b.cfg.LoopWindow)
	var n int64
	for _, t := range p.denied {
		n += t.since(b.c.clock - tensFor)
	}
	if n < int64(b.cfg.LoopDenials)*seconds(b.cfg.LoopSpan)/width {
		return
	}
	windows := map[uint32]*cell{}
	for _, t := range p.denied {
		for _, c := range t.cells {
			if secondOf(c.last)-secondOf(c.first) >= tenMinutes {
				continue // a day in one cell does not tell
			}
			number := uint32(int64(c.start) / width) //nolint:gosec // of a window, less than its start
			w := windows[number]
			if w == nil {
				w = &cell{start: number}
				windows[number] = w
			}
			w.merge(c)
		}
	}
	run := b.busy(windows)
	if len(run) == 0 {
		return
	}
	v := &verdict{code: "denied_principal_loop", subject: p.arn, severity: authlog.SeverityWarning, confidence: authlog.ConfidenceCertain}
	for _, w := range run {
		v.first, v.last = earlier(v.first, w.first), later(v.last, w.last)
		v.n += int64(w.n)
	}
	v.about.interval = (v.last.Time().Sub(v.first.Time()) / time.Duration(max(v.n-1, 1))).Round(time.Second)
	v.affect(p, v.spell, sortedKeys(p.denied)...)
	for _, reason := range sortedKeys(p.denied) {
		v.show(p.denied[reason].quotes(v.first, v.last), "denied: "+reason)
	}
	if v := b.keep(v, ""); v != nil {
		v.parent = b.by[p]
	}
}

// busy finds the latest run of windows with enough denials, if it is long
// enough.
func (b *bench) busy(windows map[uint32]*cell) []*cell {
	var hot []*cell
	for _, w := range windows {
		if int64(w.n) >= int64(b.cfg.LoopDenials) {
			hot = append(hot, w)
		}
	}
	slices.SortFunc(hot, func(x, y *cell) int { return cmp.Compare(x.start, y.start) })
	need := int((b.cfg.LoopSpan + b.cfg.LoopWindow - 1) / b.cfg.LoopWindow)
	for end := len(hot); end >= need; {
		from := end - 1
		for from > 0 && hot[from-1].start == hot[from].start-1 {
			from--
		}
		if end-from >= need {
			return hot[from:end]
		}
		end = from
	}
	return nil
}

// wrongCluster judges tokens whose signature does not fit. Which other cluster
// the caller was let in to at the time is not told: who may see this cluster need
// not know of that one.
func (b *bench) wrongCluster() {
	v, _ := b.anonymous("wrong_cluster_token", mismatch)
	if v == nil {
		return
	}
	v.confidence = authlog.ConfidenceLow
	b.keep(v, "")
}

const mismatch = "sts_signature_mismatch"

// A creatorClaim is who created a cluster, as far as can be told.
type creatorClaim struct {
	*principal
	arn, source string
	confidence  authlog.Confidence
	others      int // principals that are kubernetes-admin besides
}

// sourceLog says that only the log tells who the creator is.
const sourceLog = "log"

// creatorOf says who created the cluster: who was told, else the principal
// that EKS lets in as kubernetes-admin. aws-auth may give that name to others,
// so it proves nothing, least when several have it.
func (c *cluster) creatorOf() creatorClaim {
	if f := c.facts.Creator; f.ARN != "" {
		return creatorClaim{principal: c.principals[f.ARN], arn: f.ARN, source: f.Source, confidence: authlog.ConfidenceCertain}
	}
	var claim creatorClaim
	for _, p := range c.principals {
		if p.creator.empty() {
			continue
		}
		claim.others++
		if claim.principal == nil || compareMarks(claim.creator.last(), p.creator.last()) < 0 {
			claim.principal = p
		}
	}
	if claim.principal == nil {
		return claim
	}
	claim.others--
	claim.arn, claim.source, claim.confidence = claim.principal.arn, sourceLog, authlog.ConfidenceMedium
	if claim.others > 0 {
		claim.confidence = authlog.ConfidenceLow
	}
	return claim
}

// creator says who created the cluster, and whether that principal is gone.
func (b *bench) creator() {
	cr := b.c.claim
	if cr.arn == "" {
		return
	}
	v := &verdict{code: "creator_identified", subject: "", severity: authlog.SeverityInfo, confidence: cr.confidence}
	v.about.source, v.about.otherARN, v.about.victims = cr.source, cr.arn, cr.others
	v.first, v.last = b.c.since, b.c.since
	for _, p := range b.c.principals {
		if p != cr.principal && (p.creator.empty() || cr.confidence == authlog.ConfidenceCertain) {
			continue
		}
		v.affected = append(v.affected, affected{principal: p})
		v.show(p.creator.quotes(p.creator.first(), p.creator.last()), "granted as kubernetes-admin with system:masters")
	}
	if cr.principal != nil && !cr.creator.empty() {
		v.first, v.last, v.n = cr.creator.first(), cr.creator.last(), cr.creator.since(0)
	}
	if !b.gone(v, cr) {
		b.add(v)
	}
}

// gone judges whether the creator no longer exists: IAM says so, or it was a
// role of IAM Identity Center that was replaced.
func (b *bench) gone(v *verdict, cr creatorClaim) bool {
	switch {
	case b.c.facts.Creator.Exists == authlog.No && b.c.facts.Creator.ARN != "":
		v.confidence, v.about.variant = authlog.ConfidenceCertain, "iam"
	case cr.principal != nil && cr.confidence != authlog.ConfidenceLow && b.replaced(v, cr.principal):
		v.confidence, v.about.variant = authlog.ConfidenceMedium, "sso"
	default:
		return false
	}
	v.code, v.severity = "creator_gone", authlog.SeverityCritical
	b.add(v)
	return true
}

// replaced looks for a newer role of the creator's permission set that was
// seen after its last grant.
func (b *bench) replaced(v *verdict, creator *principal) bool {
	_, key, ok := ssoKey(creator)
	if !ok {
		return false
	}
	var newest *principal
	for _, p := range b.c.principals {
		if _, k, ok := ssoKey(p); !ok || k != key || p == creator || compareMarks(p.last(), creator.last()) <= 0 {
			continue
		}
		if newest == nil || compareMarks(newest.last(), p.last()) < 0 {
			newest = p
		}
	}
	if newest == nil || secondOf(newest.last()) <= secondOf(creator.granted.last()) {
		return false
	}
	v.about.person = newest.arn
	if t := newest.denied[notMapped]; t != nil {
		v.show(t.quotes(t.first(), t.last()), "the role that took its place")
	}
	return true
}

// logs judges the log itself.
func (b *bench) logs() {
	c := b.c
	v := &verdict{severity: authlog.SeverityWarning, confidence: authlog.ConfidenceCertain}
	v.first, v.last = c.last, c.last
	switch {
	case c.facts.Logging == authlog.No:
		v.code = "logging_disabled"
		if c.last == (mark{}) {
			v.first, v.last = c.off, c.off
		}
	case c.last != (mark{}) && c.clock-secondOf(c.last) >= seconds(b.cfg.Gap) && (c.facts.Status == "" || c.facts.Status == "ACTIVE"):
		v.code, v.confidence = "log_gap", authlog.ConfidenceMedium
		if c.facts.Logging == authlog.Yes {
			v.confidence = authlog.ConfidenceHigh
		}
	default:
		return
	}
	b.add(v)
}
