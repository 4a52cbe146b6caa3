package store_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// grant makes one of a node's role.
func grant(c authlog.Cluster, at time.Time, session string) authlog.Grant {
	return authlog.Grant{
		Cluster: c, Time: at, Username: "system:node:x", Groups: "[system:nodes]", STSEndpoint: "eu-central-1",
		Principal: authlog.Principal{
			ARN: "arn:aws:iam::111122223333:role/node", Kind: authlog.PrincipalNode, Account: "111122223333", UserID: "AROA1", Session: session,
		},
	}
}

func spanOf(g authlog.Grant, count int64, first, last time.Time) authlog.GrantSpan {
	return authlog.GrantSpan{
		Principal: g.Principal, Username: g.Username, Groups: g.Groups, STSEndpoint: g.STSEndpoint, Count: count, First: first, Last: last,
	}
}

func (c suite) sumsUpGrants() {
	t, s := c.t, c.open()
	at := func(hours float64) time.Time { return noon.Add(time.Duration(hours * float64(time.Hour))) }
	a, b := grant(alpha, at(0), "i-0123456789abcdef0"), grant(alpha, at(0.1), "i-0123456789abcdef1")
	later, global, aws := a, a, a
	later.Time = at(1.5)
	global.Time, global.STSEndpoint = at(0.2), "global"
	aws.Time, aws.Principal.Benign, aws.Principal.Kind = at(0.3), true, authlog.PrincipalAWS
	early, earlier, old := grant(alpha, at(-30), a.Principal.Session), grant(alpha, at(-32), a.Principal.Session), grant(alpha, at(-80), "x")
	save(t, s, authlog.Batch{Grants: []authlog.Grant{a, b, global, aws, early, old, grant(beta, noon, "y")}})
	late := a
	late.Time = at(0.4)
	save(t, s, authlog.Batch{Grants: []authlog.Grant{later, earlier, late}})

	spans := func(since, fine time.Time) []authlog.GrantSpan {
		t.Helper()
		got, err := s.GrantSpans(t.Context(), alpha, since, fine)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	hours := []authlog.GrantSpan{
		spanOf(a, 2, at(0), at(0.4)), spanOf(b, 1, b.Time, b.Time), spanOf(global, 1, global.Time, global.Time),
		spanOf(aws, 1, aws.Time, aws.Time), spanOf(later, 1, later.Time, later.Time),
	}
	same(t, "by the hour", hours, spans(at(-1), at(-1)))
	// 30 and 32 hours before noon lie in one day, 80 in another.
	same(t, "by the day before", append([]authlog.GrantSpan{
		spanOf(old, 1, old.Time, old.Time), spanOf(early, 2, earlier.Time, early.Time),
	}, hours...), spans(at(-1000), at(-1)))
	if got, err := s.GrantSpans(t.Context(), twin, at(-9), at(-9)); err != nil || len(got) > 0 {
		t.Errorf("a cluster that was never read has %v, %v", got, err)
	}
}

func (c suite) sumsUpDenials() {
	t, s := c.t, c.open()
	d := denial(alpha, noon.Add(90*time.Second), 1)
	other, nobody := denial(alpha, noon.Add(2*time.Minute), 2), denial(alpha, noon.Add(3*time.Minute), 3)
	other.Reason, nobody.Principal = "sts_throttled", nil
	last := denial(alpha, noon.Add(5*time.Hour), 4)
	save(t, s, authlog.Batch{Denials: []authlog.Denial{d, other, nobody, denial(beta, noon, 5), denial(alpha, noon.Add(-time.Hour), 6)}})
	save(t, s, authlog.Batch{Denials: []authlog.Denial{d, last, denial(alpha, noon.Add(6*time.Hour), 7)}})
	got, err := s.DenialSpans(t.Context(), alpha, noon, noon.Add(6*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	arn, account := d.Principal.ARN, d.Principal.Account
	same(t, "spans", []authlog.DenialSpan{
		{ARN: arn, Account: account, Reason: d.Reason, Count: 2, First: d.Time, Last: last.Time},
		{ARN: arn, Account: account, Reason: other.Reason, Count: 1, First: other.Time, Last: other.Time},
		{Reason: d.Reason, Count: 1, First: nobody.Time, Last: nobody.Time},
	}, got)
}

func (c suite) listsMarkers() {
	t, s := c.t, c.open()
	var all []authlog.Marker
	for i := range 5 {
		at := noon.Add(time.Duration(i) * time.Minute)
		all = append(all, authlog.Marker{
			ID: authlog.NewID(at, keyOf(i)), Cluster: alpha, Stream: "authenticator-1", Time: at,
			Code: "aws_auth_read", Msg: fmt.Sprint("read ", i), Raw: "raw \xff\x00",
		})
	}
	foreign := all[2]
	foreign.Cluster, foreign.ID = beta, authlog.NewID(noon, keyOf("beta"))
	save(t, s, authlog.Batch{Markers: append(slices.Clone(all), foreign)})
	for _, c := range []struct {
		since time.Time
		limit int
		want  []authlog.Marker
	}{{noon, 9, all}, {noon.Add(2 * time.Minute), 9, all[2:]}, {noon, 2, all[3:]}, {noon.Add(time.Hour), 9, nil}} {
		got, err := s.Markers(t.Context(), alpha, c.since, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("at most %d since %s", c.limit, c.since), c.want, got)
	}
}

// principals sums up findings by hand; every line has a time of its own.
func principals(all []authlog.Denial, grants []authlog.Grant) []authlog.PrincipalSummary {
	type key struct {
		cluster authlog.Cluster
		arn     string
	}
	sums := map[key]*authlog.PrincipalSummary{}
	sum := func(c authlog.Cluster, p authlog.Principal, at time.Time, granted bool) *authlog.PrincipalSummary {
		k := key{c, p.ARN}
		if sums[k] == nil {
			sums[k] = &authlog.PrincipalSummary{Cluster: c}
		}
		s := sums[k]
		i := slices.IndexFunc(s.Identities, func(id authlog.IdentitySum) bool {
			return id.Granted == granted && id.UserID == p.UserID && id.Session == p.Session
		})
		if i < 0 {
			i = len(s.Identities)
			s.Identities = append(s.Identities, authlog.IdentitySum{Granted: granted, UserID: p.UserID, Session: p.Session, First: at, Last: at})
		}
		id := &s.Identities[i]
		id.Count++
		id.First, id.Last = earliest(id.First, at), latest(id.Last, at)
		if at.After(s.Last()) {
			s.Principal = p
			s.Principal.UserID, s.Principal.Session = "", ""
		}
		return s
	}
	for _, g := range grants {
		s := sum(g.Cluster, g.Principal, g.Time, true)
		s.Grants++
		s.FirstGrant, s.LastGrant = earliest(s.FirstGrant, g.Time), latest(s.LastGrant, g.Time)
	}
	for _, d := range all {
		s := sum(d.Cluster, *d.Principal, d.Time, false)
		s.Denials++
		s.FirstDenial, s.LastDenial = earliest(s.FirstDenial, d.Time), latest(s.LastDenial, d.Time)
		i := slices.IndexFunc(s.Reasons, func(r authlog.ReasonTime) bool { return r.Reason == d.Reason })
		if i < 0 {
			i = len(s.Reasons)
			s.Reasons = append(s.Reasons, authlog.ReasonTime{Reason: d.Reason})
		}
		s.Reasons[i].Last = latest(s.Reasons[i].Last, d.Time)
	}
	var list []authlog.PrincipalSummary
	for _, s := range sums {
		s.IdentitiesTotal = len(s.Identities)
		slices.SortFunc(s.Identities, func(a, b authlog.IdentitySum) int { return b.Last.Compare(a.Last) })
		slices.SortFunc(s.Reasons, func(a, b authlog.ReasonTime) int { return b.Last.Compare(a.Last) })
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b authlog.PrincipalSummary) int { return b.Last().Compare(a.Last()) })
	return list
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// findings makes lines of few principals, sessions and ids, each at a time of
// its own.
func (w *town) findings(n int) (all []authlog.Denial, grants []authlog.Grant) {
	for _, i := range w.rand.Perm(n) {
		at := noon.Add(time.Duration(i) * time.Second)
		p := authlog.Principal{
			ARN:    pick(w, []string{"arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/b", "arn:aws:iam::444455556666:user/c"}),
			UserID: pick(w, []string{"", "AROA1", "AROA2"}), Session: pick(w, []string{"", "i-1", "ada@example.com"}),
			Kind: pick(w, []authlog.PrincipalKind{authlog.PrincipalRole, authlog.PrincipalNode}), Account: "111122223333", Benign: w.rand.IntN(5) == 0,
		}
		if w.rand.IntN(2) == 0 {
			grants = append(grants, authlog.Grant{Cluster: pick(w, w.clusters), Time: at, Principal: p, Username: "u"})
			continue
		}
		d := denial(pick(w, w.clusters), at, i)
		d.Reason, d.Principal = pick(w, w.reasons), &p
		all = append(all, d)
	}
	return all, grants
}

func (c suite) principals(s tested, f authlog.PrincipalFilter) []authlog.PrincipalSummary {
	c.t.Helper()
	if f.Limit == 0 {
		f.Limit = 1000
	}
	got, err := s.Principals(c.t.Context(), f)
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

func (c suite) sumsUpPrincipals() {
	t, s, w := c.t, c.open(), newTown(9, 0)
	all, grants := w.findings(300)
	nobody := denial(alpha, noon, 1)
	nobody.Principal = nil
	save(t, s, authlog.Batch{Denials: append(all[:50:50], nobody), Grants: append(grants[:70:70], authlog.Grant{Cluster: alpha, Time: noon})})
	save(t, s, authlog.Batch{Denials: all, Grants: grants[70:]}) // of the denials only what is new counts
	want := principals(all, grants)
	chosen := func(yes func(*authlog.PrincipalSummary) bool) (list []authlog.PrincipalSummary) {
		for i := range want {
			if yes(&want[i]) {
				list = append(list, want[i])
			}
		}
		return list
	}
	same(t, "all", want, c.principals(s, authlog.PrincipalFilter{}))
	same(t, "of one cluster", chosen(func(p *authlog.PrincipalSummary) bool { return p.Cluster == twin }),
		c.principals(s, authlog.PrincipalFilter{Cluster: twin.Name, Account: twin.Account, Region: twin.Region}))
	const arn = "arn:aws:iam::444455556666:user/c"
	same(t, "of one ARN", chosen(func(p *authlog.PrincipalSummary) bool { return p.Principal.ARN == arn }),
		c.principals(s, authlog.PrincipalFilter{ARN: arn}))
	for _, f := range []authlog.PrincipalFilter{
		{Start: noon.Add(290 * time.Second)},
		{End: noon.Add(10 * time.Second)},
		{Start: noon.Add(250 * time.Second), End: noon.Add(50 * time.Second), Cluster: twin.Name},
	} {
		in := chosen(func(p *authlog.PrincipalSummary) bool {
			first := p.FirstGrant
			if !p.FirstDenial.IsZero() {
				first = earliest(first, p.FirstDenial)
			}
			return (f.Cluster == "" || f.Cluster == p.Cluster.Name) && !p.Last().Before(f.Start) && (f.End.IsZero() || first.Before(f.End))
		})
		if len(in) == 0 || len(in) == len(want) {
			t.Errorf("%+v tests nothing: %d of %d", f, len(in), len(want))
		}
		same(t, fmt.Sprintf("%+v", f), in, c.principals(s, f))
	}
	same(t, "of an ARN nobody has", []authlog.PrincipalSummary(nil), c.principals(s, authlog.PrincipalFilter{ARN: "arn:nobody"}))

	fine := grant(beta, noon.Add(time.Hour), "i-1")
	save(t, s, authlog.Batch{Grants: []authlog.Grant{fine}})
	for _, p := range c.principals(s, authlog.PrincipalFilter{Denied: true}) {
		if p.Denials == 0 || strings.HasSuffix(p.Principal.ARN, "/node") {
			t.Errorf("%+v was not denied", p)
		}
	}
	if got, err := s.Principals(t.Context(), authlog.PrincipalFilter{}); err == nil {
		t.Errorf("got %d principals without a limit and no error", len(got))
	}

	// Of many sessions the latest are shown.
	var b authlog.Batch
	for i := range 100 {
		b.Grants = append(b.Grants, grant(beta, noon.Add(time.Hour+time.Duration(i)*time.Second), fmt.Sprint("i-", i)))
	}
	save(t, s, b)
	got := c.principals(s, authlog.PrincipalFilter{ARN: fine.Principal.ARN})
	if len(got) != 1 || got[0].IdentitiesTotal != 100 || len(got[0].Identities) > 50 || got[0].Identities[0].Session != "i-99" {
		t.Errorf("of 100 sessions %+v", got)
	}
}

func (c suite) pagesPrincipals() {
	t, s, w := c.t, c.open(), newTown(10, 0)
	all, grants := w.findings(400)
	for i := range all { // many at one time
		all[i].Time = noon.Add(time.Duration(i%3) * time.Second)
		all[i].ID = authlog.NewID(all[i].Time, keyOf(i))
		all[i].Principal.ARN = fmt.Sprintf("arn:aws:iam::111122223333:role/%d", i%40)
	}
	save(t, s, authlog.Batch{Denials: all, Grants: grants[:1]})
	want := c.principals(s, authlog.PrincipalFilter{})
	if len(want) < 60 {
		t.Fatalf("only %d principals", len(want))
	}
	var got []authlog.PrincipalSummary
	f := authlog.PrincipalFilter{Limit: 7}
	for page := c.principals(s, f); len(page) > 0; page = c.principals(s, f) {
		got = append(got, page...)
		last := page[len(page)-1]
		f.After = last.Place()
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	slices.Reverse(want)
	got, f = nil, authlog.PrincipalFilter{Limit: 7, Ascending: true}
	for page := c.principals(s, f); len(page) > 0; page = c.principals(s, f) {
		got = append(got, page...)
		f.After = page[len(page)-1].Place()
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("ascending: %s", diff)
	}
}

func (c suite) prunesPrincipals() {
	t, s := c.t, c.open()
	save(t, s, authlog.Batch{Grants: []authlog.Grant{grant(alpha, noon, "old"), grant(alpha, noon.Add(5*time.Hour), "new")}})
	if err := s.Prune(t.Context(), noon.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	got := c.principals(s, authlog.PrincipalFilter{})
	if len(got) != 1 || got[0].IdentitiesTotal != 1 || got[0].Identities[0].Session != "new" {
		t.Errorf("left: %+v", got)
	}
	spans, err := s.GrantSpans(t.Context(), alpha, noon.Add(-time.Hour), noon)
	if err != nil || len(spans) != 1 || spans[0].Principal.Session != "new" {
		t.Errorf("left: %+v %v", spans, err)
	}
}
