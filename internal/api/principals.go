package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

const (
	defaultPrincipals = 100
	maxPrincipals     = 500
	scanPrincipals    = 5000
	// maxPlaces is on how many clusters a principal is shown.
	maxPlaces = 200
)

func principalParams() []param {
	return append([]param{
		{name: "denied"},
		{name: "account"},
		{name: "region"},
		{name: "start"},
		{name: "end"},
		{name: "since"},
		{name: "filter", repeatable: true},
	}, listedBy()...)
}

// principalSheet is how principals are listed.
func principalSheet() *sheet[principalSummary] {
	return &sheet[principalSummary]{"principals", []column[principalSummary]{
		{"arn", nil, func(p *principalSummary) any { return p.ARN }},
		{"kind", nil, func(p *principalSummary) any { return p.Kind }},
		{"account", nil, func(p *principalSummary) any { return p.Account }},
		{"aws_owned", nil, func(p *principalSummary) any { return p.AWSOwned }},
		{"cluster", clusterParts(), func(p *principalSummary) any { return p.Cluster }},
		{"first_grant", nil, func(p *principalSummary) any { return p.FirstGrant }},
		{"last_grant", nil, func(p *principalSummary) any { return p.LastGrant }},
		{"first_denial", nil, func(p *principalSummary) any { return p.FirstDenial }},
		{"last_denial", nil, func(p *principalSummary) any { return p.LastDenial }},
		{"grants", nil, func(p *principalSummary) any { return p.Grants }},
		{"denials", nil, func(p *principalSummary) any { return p.Denials }},
		{"reasons", nil, func(p *principalSummary) any { return p.Reasons }},
		{"user_ids", nil, func(p *principalSummary) any { return p.UserIDs }},
		{"sessions", nil, func(p *principalSummary) any { return p.Sessions }},
	}}
}

func listPrincipals(store Store, now func() time.Time) ask {
	sheet := principalSheet()
	return func(r *http.Request, q query) (document, error) {
		layout, err := sheet.layout(r, q)
		if err != nil {
			return document{}, err
		}
		f, keep, err := q.principals(now())
		if err == nil {
			f.Cluster, err = clusterName(r)
		}
		if err != nil {
			return document{}, err
		}
		limit := f.Limit
		all := reading[authlog.PrincipalSummary]{
			next: func(ctx context.Context, n int) ([]authlog.PrincipalSummary, error) {
				f.Limit = n
				return store.Principals(ctx, f)
			},
			goOn: func(last *authlog.PrincipalSummary) { f.After = last.Place() },
			keep: keep, scan: scanPrincipals,
		}
		found, last, err := all.page(r.Context(), limit)
		if err != nil {
			return document{}, err
		}
		next := ""
		if last != nil {
			at := last.Place()
			next = seal(placeOfPrincipal, stamp(at.Last), at.Cluster.Name, at.Cluster.Account, at.Cluster.Region, at.ARN)
		}
		doc := layout.page(r, q, wirePrincipals(found), next, f.Start)
		if doc.empty {
			err = mustKnow(r.Context(), store, f.Cluster, now())
		}
		return doc, err
	}
}

// principals reads which ones a request asks for.
func (q query) principals(now time.Time) (f authlog.PrincipalFilter, chosen func(*authlog.PrincipalSummary) bool, err error) {
	if f.Denied, err = q.flag("denied"); err != nil {
		return f, nil, err
	}
	f.Account, f.Region = q.get("account"), q.get("region")
	if err = q.accountAndRegion(); err != nil {
		return f, nil, err
	}
	if f.Start, f.End, err = q.span(now); err != nil {
		return f, nil, err
	}
	matchers, err := q.filters([]string{"principal", "kind", "cluster", "account", "region"})
	if err != nil {
		return f, nil, err
	}
	narrow(matchers, map[string]*string{"principal": &f.ARN, "account": &f.Account, "region": &f.Region})
	chosen = tried(matchers, principalLabel)
	if f.Limit, err = q.count("limit", defaultPrincipals, maxPrincipals); err != nil {
		return f, nil, err
	}
	if f.Ascending, err = q.order(false, newestFirst); err != nil {
		return f, nil, err
	}
	if token := q.get("next"); token != "" {
		parts, ok := unseal(placeOfPrincipal, token, 5)
		if !ok {
			return f, nil, refuseToken()
		}
		f.After = authlog.PrincipalPlace{
			Last: parseStamp(parts[0]), Cluster: authlog.Cluster{Name: parts[1], Account: parts[2], Region: parts[3]}, ARN: parts[4],
		}
	}
	return f, chosen, nil
}

// principalLabel is what a matcher of that name is compared with.
func principalLabel(p *authlog.PrincipalSummary, name string) string {
	switch name {
	case "principal":
		return p.Principal.ARN
	case "kind":
		return kindOf(&p.Principal)
	}
	return clusterLabel(p.Cluster, name)
}

func kindOf(p *authlog.Principal) string {
	return string(cmp.Or(p.Kind, authlog.PrincipalUnknown))
}

// showPrincipal tells of one ARN on every cluster.
func showPrincipal(store Store) ask {
	return func(r *http.Request, _ query) (document, error) {
		arn := pathParam(r, "*")
		if arn == "" {
			return document{}, refuse(unknownPrincipal, "no principal is named; ask for /principals/ and its ARN")
		}
		found, err := store.Principals(r.Context(), authlog.PrincipalFilter{ARN: arn, Limit: maxPlaces})
		if err != nil {
			return document{}, err
		}
		if len(found) == 0 {
			return document{}, refuse(unknownPrincipal,
				"no principal %q is on record; the ARN is that of the log, of a role without path and session", arn)
		}
		about, err := store.Diagnoses(r.Context(), authlog.DiagnosisFilter{Subject: arn, Limit: maxOpen})
		if err != nil {
			return document{}, err
		}
		return jsonDocument(wirePrincipalDetail(found, about)), nil
	}
}

func wirePrincipals(found []authlog.PrincipalSummary) []principalSummary {
	out := make([]principalSummary, 0, len(found))
	for i := range found {
		out = append(out, wirePrincipalSummary(&found[i]))
	}
	return out
}

func wirePrincipalSummary(p *authlog.PrincipalSummary) principalSummary {
	who := &p.Principal
	out := principalSummary{
		ARN: who.ARN, Kind: kindOf(who), Account: who.Account, AWSOwned: who.Benign, Cluster: p.Cluster,
		FirstGrant: orNull(p.FirstGrant), LastGrant: orNull(p.LastGrant),
		FirstDenial: orNull(p.FirstDenial), LastDenial: orNull(p.LastDenial),
		Grants: p.Grants, Denials: p.Denials, Reasons: []reasonTime{}, UserIDs: []string{}, Sessions: []string{},
	}
	for _, r := range p.Reasons {
		out.Reasons = append(out.Reasons, reasonTime{Reason: r.Reason, Last: r.Last})
	}
	for i := range p.Identities {
		out.UserIDs = addNew(out.UserIDs, p.Identities[i].UserID)
		out.Sessions = addNew(out.Sessions, p.Identities[i].Session)
	}
	return out
}

func addNew(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// wirePrincipalDetail puts what happened on all clusters on one line of time.
func wirePrincipalDetail(found []authlog.PrincipalSummary, about []authlog.Diagnosis) principalDetail {
	out := principalDetail{
		Clusters: wirePrincipals(found), Diagnoses: wireLockouts(about), Timeline: []spell{},
	}
	newest := &out.Clusters[0] // the one heard of last comes first
	out.ARN, out.Kind, out.Account, out.AWSOwned = newest.ARN, newest.Kind, newest.Account, newest.AWSOwned
	for i := range found {
		out.MoreSpells += found[i].IdentitiesTotal - len(found[i].Identities)
		for _, id := range found[i].Identities {
			outcome := "denied"
			if id.Granted {
				outcome = "granted"
			}
			out.Timeline = append(out.Timeline, spell{
				Cluster: found[i].Cluster, Outcome: outcome, UserID: id.UserID, Session: id.Session,
				Count: id.Count, First: id.First, Last: id.Last,
			})
		}
	}
	slices.SortStableFunc(out.Timeline, func(a, b spell) int {
		return cmp.Or(a.First.Compare(b.First), a.Last.Compare(b.Last))
	})
	return out
}
