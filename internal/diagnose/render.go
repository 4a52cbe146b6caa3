package diagnose

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// render puts a verdict into words.
func (c *cluster) render(cfg *Config, v *verdict) authlog.Diagnosis {
	entry, _ := ByCode(v.code)
	s := v.stamp(c.id)
	d := authlog.Diagnosis{
		ID: authlog.DiagnosisID(c.id, v.code, v.subject), Code: v.code, Subject: Plain(v.subject), Cluster: c.id,
		Severity: v.severity, Confidence: v.confidence, State: s.state,
		FirstSeen: timeOf(v.first), LastSeen: timeOf(v.last), Count: v.n,
		AffectedTotal: s.total, RuledOut: v.ruledOut, Docs: entry.Docs,
		Parent: s.parent, ChildrenTotal: s.children,
		Affected: v.listAffected(cfg), Evidence: v.evidence(),
	}
	for _, child := range v.children[:min(len(v.children), cfg.MaxListed)] {
		d.Children = append(d.Children, authlog.DiagnosisID(c.id, child.code, child.subject))
	}
	d.Summary = Plain(v.words(c))
	d.Configuration, d.Broken = v.known, c.broken(v)
	d.Resolution = v.resolution(c)
	v.advise(c, &d)
	return d
}

func timeOf(m mark) time.Time {
	if m == (mark{}) {
		return time.Time{}
	}
	return m.Time()
}

// lineOf is the ID of a line, or "" for a mark that is only a time.
func lineOf(m mark) string {
	if m == authlog.NewID(m.Time(), authlog.Key{}) {
		return ""
	}
	return m.String()
}

func (v *verdict) listAffected(cfg *Config) []authlog.Affected {
	list := slices.Clone(v.affected)
	slices.SortFunc(list, func(x, y affected) int {
		return cmp.Or(compareMarks(y.spell.last, x.spell.last), strings.Compare(x.arn, y.arn))
	})
	out := make([]authlog.Affected, 0, min(len(list), cfg.MaxListed))
	for _, a := range list[:cap(out)] {
		out = append(out, a.tell())
	}
	return out
}

// maxShown is how many sessions and unique ids are told of one principal.
const maxShown = 5

func (a *affected) tell() authlog.Affected {
	t := authlog.Affected{
		ARN: Plain(a.arn), Kind: a.kind, Account: a.account, Count: a.n,
		FirstSeen: timeOf(a.first), LastSeen: timeOf(a.spell.last),
		LastGranted: timeOf(a.granted.last()),
		UserIDs:     slices.Clone(a.userIDs[:min(len(a.userIDs), maxShown)]),
	}
	for _, s := range a.sessions {
		if k := kindAs(a.arn, s); isNodeKind(k) {
			t.Kind = k
		}
		if t.Person == "" {
			t.Person = Plain(a.personOf(s))
		}
	}
	if len(a.sessions) == 0 {
		t.Person = Plain(a.personOf(""))
	}
	for _, s := range a.sessions[:min(len(a.sessions), maxShown)] {
		t.Sessions = append(t.Sessions, Plain(s))
	}
	return t
}

// maxEvidence is how many lines one diagnosis shows.
const maxEvidence = 8

// evidence lists the lines in the order of time, the first and the last of
// them where there are too many.
func (v *verdict) evidence() []authlog.Evidence {
	list := slices.Clone(v.quotes)
	slices.SortFunc(list, func(x, y shown) int {
		return cmp.Or(compareMarks(x.mark, y.mark), strings.Compare(x.what, y.what))
	})
	list = slices.CompactFunc(list, func(x, y shown) bool { return x.mark == y.mark && x.what == y.what })
	if n := len(list); n > maxEvidence {
		list = slices.Delete(list, maxEvidence/2, n-maxEvidence/2)
	}
	out := make([]authlog.Evidence, 0, len(list))
	for _, s := range list {
		e := authlog.Evidence{
			Line: lineOf(s.mark), Time: s.Time(), What: Plain(s.what),
			Raw: authlog.Sanitize(s.raw), Cut: s.cut,
		}
		if e.Raw != s.raw {
			e.RawBase64 = []byte(s.raw)
		}
		out = append(out, e)
	}
	return out
}

func (v *verdict) resolution(c *cluster) *authlog.Resolution {
	if v.open() {
		return nil
	}
	r := &authlog.Resolution{Time: v.end.Time(), By: v.by, Line: lineOf(v.end)}
	switch v.by {
	case authlog.ResolvedByGrant:
		r.Why = "granted again"
		if len(v.affected) > 0 {
			r.ARN = c.grantedAt(v)
		}
		if r.ARN != "" {
			r.Why = r.ARN + " was granted"
		}
	case authlog.ResolvedByFix:
		r.Why = "the log shows it mended"
	case authlog.ResolvedByQuiet:
		r.Why = "no line of it since " + formatTime(secondOf(v.last))
	}
	return r
}

// grantedAt finds whose grant ended a verdict.
func (c *cluster) grantedAt(v *verdict) string {
	var arn string
	for _, a := range v.affected {
		if a.granted.after(secondOf(v.end)-1) == v.end && (arn == "" || a.arn < arn) {
			arn = a.arn
		}
	}
	if arn == "" && v.about.otherARN != "" {
		arn = v.about.otherARN
	}
	return Plain(arn)
}

// Plain makes text of the log fit for people: one line, without the characters
// that move a terminal's cursor or turn text around. It escapes nothing.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case strconv.IsPrint(r):
			return r
		}
		return '\uFFFD'
	}, s)
}
