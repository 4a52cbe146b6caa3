package api

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

const (
	defaultPrincipals = 100
	maxPrincipals     = 500
	// maxPlaces is on how many clusters a principal is shown.
	maxPlaces = 200
)

func principalParams() []param {
	return []param{{name: "denied"}, {name: "account"}, {name: "region"}, {name: "limit"}, {name: "next"}}
}

func listPrincipals(store Store, now func() time.Time) ask {
	return func(r *http.Request, q query) (document, error) {
		f, err := q.principals()
		if err == nil {
			f.Cluster, err = clusterName(r)
		}
		if err != nil {
			return document{}, err
		}
		limit := f.Limit
		f.Limit++
		found, err := store.Principals(r.Context(), f)
		if err == nil && len(found) == 0 {
			err = mustKnow(r.Context(), store, f.Cluster, now())
		}
		if err != nil {
			return document{}, err
		}
		next := ""
		if len(found) > limit {
			found = found[:limit]
			last := &found[limit-1]
			next = seal(placeOfPrincipal, stamp(last.Last()), last.Cluster.Name, last.Cluster.Account, last.Cluster.Region, last.Principal.ARN)
		}
		return pageDocument(principalList{Principals: wirePrincipals(found), Next: next}, len(found), next, r.URL, q), nil
	}
}

// principals reads which ones a request asks for.
func (q query) principals() (f authlog.PrincipalFilter, err error) {
	if f.Denied, err = q.flag("denied"); err != nil {
		return f, err
	}
	f.Account, f.Region = q.get("account"), q.get("region")
	if err = q.accountAndRegion(); err != nil {
		return f, err
	}
	if f.Limit, err = q.count("limit", defaultPrincipals, maxPrincipals); err != nil {
		return f, err
	}
	if token := q.get("next"); token != "" {
		parts, ok := unseal(placeOfPrincipal, token, 5)
		if !ok {
			return f, refuseToken()
		}
		f.After = authlog.PrincipalPlace{
			Last: parseStamp(parts[0]), Cluster: authlog.Cluster{Name: parts[1], Account: parts[2], Region: parts[3]}, ARN: parts[4],
		}
	}
	return f, nil
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
		ARN: who.ARN, Kind: string(who.Kind), Account: who.Account, AWSOwned: who.Benign, Cluster: p.Cluster,
		FirstGrant: orNull(p.FirstGrant), LastGrant: orNull(p.LastGrant),
		FirstDenial: orNull(p.FirstDenial), LastDenial: orNull(p.LastDenial),
		Grants: p.Grants, Denials: p.Denials, Reasons: []reasonTime{}, UserIDs: []string{}, Sessions: []string{},
	}
	if out.Kind == "" {
		out.Kind = string(authlog.PrincipalUnknown)
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
