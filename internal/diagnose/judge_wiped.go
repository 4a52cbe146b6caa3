package diagnose

import (
	"cmp"
	"slices"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// wiped looks for principals that lost their mapping together.
func (b *bench) wiped() {
	var lost []*verdict
	for _, v := range b.by {
		if b.canBeWiped(v) {
			lost = append(lost, v)
		}
	}
	slices.SortFunc(lost, func(x, y *verdict) int {
		return cmp.Or(compareMarks(x.first, y.first), strings.Compare(x.subject, y.subject))
	})
	group := b.together(lost)
	if len(group) == 0 {
		return
	}
	v := &verdict{code: "aws_auth_wiped", severity: authlog.SeverityCritical, confidence: authlog.ConfidenceMedium}
	var ends []mark
	for _, w := range group {
		v.gather(w)
		if w.ended() {
			ends = append(ends, w.end)
		}
	}
	v.about.victims = len(group)
	if m := b.change(v.first); m != (mark{}) {
		v.confidence, v.about.marker = authlog.ConfidenceHigh, m
		v.quotes = append(v.quotes, shown{quote: b.marker(rules.AWSAuthRead).quoteAt(m), what: "aws-auth was read anew just before"})
	}
	// When half of them are back, so is the mapping; the others did not try.
	if half := (len(group) + 1) / 2; len(ends) >= half {
		slices.SortFunc(ends, compareMarks)
		v.end = ends[half-1]
	}
	if !v.settle(b.c.clock, b.cfg.Quiet, authlog.ResolvedByGrant) {
		return
	}
	for _, w := range group {
		if v.covers(w, b.cfg) {
			w.parent = v
		}
	}
	b.add(v)
}

func (t *track) quoteAt(m mark) quote {
	for _, q := range t.quotes(m, m) {
		return q
	}
	return quote{mark: m}
}

// canBeWiped chooses principals with a grant before that something else does
// not explain. One that was back at once saw two API servers disagree.
func (b *bench) canBeWiped(v *verdict) bool {
	switch v.code {
	case "mapping_lost", "node_role_unmapped", "creator_without_access":
	default:
		return false
	}
	if v.before == (mark{}) || v.by == authlog.ResolvedByGrant && v.end.Time().Sub(v.first.Time()) < b.cfg.Flap {
		return false
	}
	for _, p := range b.onAuth {
		if p.covers(v, b.cfg) {
			return false
		}
	}
	return true
}

func isAuthCode(code string) bool { return code == "aws_auth_malformed" || code == "aws_auth_deleted" }

// together finds the latest group of verdicts that began within the window of
// each other and are enough. The list is sorted by when they began.
func (b *bench) together(lost []*verdict) []*verdict {
	from, to := -1, -1
	for i, j := 0, 0; i < len(lost); i++ {
		for j < len(lost) && lost[j].first.Time().Sub(lost[i].first.Time()) <= b.cfg.WipeWindow {
			j++
		}
		if !b.enough(lost[i], j-i) {
			continue
		}
		if i > to {
			from = i
		}
		to = max(to, j-1)
	}
	if from < 0 {
		return nil
	}
	return lost[from : to+1]
}

// enough reports whether n principals are a wipe: by their number or by their
// share of those granted in the day before.
func (b *bench) enough(v *verdict, n int) bool {
	if n >= b.cfg.WipePrincipals {
		return true
	}
	if n < 2 {
		return false
	}
	active, first := 0, secondOf(v.first)
	for _, p := range b.c.principals {
		if m := p.granted.before(first); m != (mark{}) && first-secondOf(m) <= day {
			active++
		}
	}
	return float64(n) >= b.cfg.WipeShare*float64(active)
}
