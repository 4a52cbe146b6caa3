package api

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

func denialParams() []param {
	return []param{
		{name: "start"},
		{name: "end"},
		{name: "since"},
		{name: "reason", repeatable: true},
		{name: "principal"},
		{name: "account"},
		{name: "region"},
		{name: "limit"},
		{name: "next"},
	}
}

func listDenials(store Store, now func() time.Time) ask {
	return func(r *http.Request, q query) (any, error) {
		f, err := denialFilter(pathParam(r, "name"), q, now())
		if err != nil {
			return nil, err
		}
		page, more, err := denialPage(r.Context(), store, f)
		if err == nil && len(page) == 0 {
			err = mustKnow(r.Context(), store, f.Cluster, now())
		}
		if err != nil {
			return nil, err
		}
		doc := denialList{Denials: wireDenials(page)}
		if more {
			doc.Next = pageToken(page[len(page)-1].ID)
		}
		return doc, nil
	}
}

// denialPage asks for one denial more than the page holds, to know whether
// another page follows.
func denialPage(ctx context.Context, store Store, f authlog.DenialFilter) (page []authlog.Denial, more bool, err error) {
	limit := f.Limit
	f.Limit++
	page, err = store.Denials(ctx, f)
	if err != nil || len(page) <= limit {
		return page, false, err
	}
	return page[:limit], true, nil
}

// mustKnow tells a cluster that nobody was refused by from one that is not
// there. A page with denials needs no such question.
func mustKnow(ctx context.Context, store Store, name string, now time.Time) error {
	found, err := store.Clusters(ctx, now)
	if err != nil {
		return err
	}
	for _, c := range found {
		if c.Cluster.Name == name {
			return nil
		}
	}
	return refuse(unknownCluster, "no cluster named %q was ever read", name)
}

func denialFilter(cluster string, q query, now time.Time) (f authlog.DenialFilter, err error) {
	if cluster == "" { // chi takes an empty part for a name, the store for every cluster
		return f, refuse(unknownCluster, "no cluster is named")
	}
	f.Cluster = cluster
	if f.Start, f.End, err = q.span(now); err != nil {
		return f, err
	}
	if f.Limit, err = q.count("limit", defaultLimit, maxLimit); err != nil {
		return f, err
	}
	return f, q.choose(&f)
}

var (
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
	regionName = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
)

// choose reads what selects denials by anything but time.
func (q query) choose(f *authlog.DenialFilter) error {
	f.Reasons, f.Principal, f.Account, f.Region = q["reason"], q.get("principal"), q.get("account"), q.get("region")
	for _, code := range f.Reasons {
		if _, ok := rules.ByCode(code); !ok {
			return refuseParameter("reason", "has the unknown code %q; GET /reasons lists all codes", code)
		}
	}
	switch {
	case f.Principal != "" && !strings.HasPrefix(f.Principal, "arn:"):
		return refuseParameter("principal", "must be a whole ARN as the answers show it, not %q", f.Principal)
	case f.Account != "" && !accountID.MatchString(f.Account):
		return refuseParameter("account", "must be 12 digits, not %q", f.Account)
	case f.Region != "" && !regionName.MatchString(f.Region):
		return refuseParameter("region", "must be a region such as eu-central-1, not %q", f.Region)
	}
	if token := q.get("next"); token != "" {
		var ok bool
		if f.Before, ok = parsePageToken(token); !ok {
			return refuseParameter("next", "must be the next of an earlier answer, unchanged; leave it out to begin anew")
		}
	}
	return nil
}
