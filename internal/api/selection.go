package api

import (
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// A selection is which denials a request asks for.
type selection struct {
	authlog.DenialFilter
	keep func(*authlog.Denial) bool // what the store is not asked for; nil: all
	who  bool                       // keep looks at the principal
	none bool                       // no denial can be chosen
}

// chosenBy are the parameters that choose denials.
func chosenBy() []param {
	return []param{
		{name: "start"},
		{name: "end"},
		{name: "since"},
		{name: "reason", repeatable: true},
		{name: "principal"},
		{name: "account"},
		{name: "region"},
		{name: "filter", repeatable: true},
	}
}

// listedBy are the parameters of every list of findings: how it is shown.
func listedBy() []param {
	return []param{{name: "order"}, {name: "fields"}, {name: "limit"}, {name: "next"}}
}

func denialParams() []param {
	return append(chosenBy(), listedBy()...)
}

func (q query) selection(cluster string, now time.Time) (sel *selection, err error) {
	sel = &selection{}
	if cluster == "" { // chi takes an empty part for a name, the store for every cluster
		return sel, refuse(unknownCluster, "no cluster is named")
	}
	sel.Cluster = cluster
	if sel.Start, sel.End, err = q.span(now); err != nil {
		return sel, err
	}
	if sel.Limit, err = q.count("limit", defaultLimit, maxLimit); err != nil {
		return sel, err
	}
	if err = q.names(&sel.DenialFilter); err != nil {
		return sel, err
	}
	if err = q.position(&sel.DenialFilter); err != nil {
		return sel, err
	}
	return sel, q.matchers(sel)
}

// names reads the parameters that each name one thing.
func (q query) names(f *authlog.DenialFilter) error {
	f.Reasons, f.Principal, f.Account, f.Region = q["reason"], q.get("principal"), q.get("account"), q.get("region")
	for _, code := range f.Reasons {
		if _, ok := rules.ByCode(code); !ok {
			return refuseParameter("reason", "has the unknown code %q; GET /reasons lists all codes", code)
		}
	}
	if f.Principal != "" && !strings.HasPrefix(f.Principal, "arn:") {
		return refuseParameter("principal", "must be a whole ARN as the answers show it, not %q; for a part of it use filter", f.Principal)
	}
	return q.accountAndRegion()
}

// accountAndRegion checks the two where they are given.
func (q query) accountAndRegion() error {
	switch account, region := q.get("account"), q.get("region"); {
	case account != "" && !authlog.IsAccount(account):
		return refuseParameter("account", "must be 12 digits, not %q", account)
	case region != "" && !authlog.IsRegion(region):
		return refuseParameter("region", "must be a region such as eu-central-1, not %q", region)
	}
	return nil
}

// position reads in which order to go and from where.
func (q query) position(f *authlog.DenialFilter) (err error) {
	if f.Ascending, err = q.order(false, newestFirst); err != nil {
		return err
	}
	token := q.get("next")
	if token == "" {
		return nil
	}
	last, ok := parsePageToken(token)
	if !ok {
		return refuseToken()
	}
	goOn(f, last)
	return nil
}
