package api

import (
	"context"
	"net/http"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

const (
	defaultLimit = 50
	maxLimit     = 1000
	scanDenials  = 10_000
)

// denialSheet is how denials are listed.
func denialSheet() *sheet[denial] {
	return &sheet[denial]{"denials", []column[denial]{
		{"id", nil, func(d *denial) any { return d.ID }},
		{"time", nil, func(d *denial) any { return d.Time }},
		{"cluster", nil, func(d *denial) any { return d.Cluster }},
		{"account", nil, func(d *denial) any { return d.Account }},
		{"region", nil, func(d *denial) any { return d.Region }},
		{"reason", nil, func(d *denial) any { return d.Reason }},
		{"layer", nil, func(d *denial) any { return d.Layer }},
		{"error", nil, func(d *denial) any { return d.Error }},
		{"principal", principalParts(), func(d *denial) any { return d.Principal }},
		{"client", nil, func(d *denial) any { return d.Client }},
		{"sts_endpoint", nil, func(d *denial) any { return d.STSEndpoint }},
		{"who_acts", nil, func(d *denial) any { return d.WhoActs }},
		{"retryable", nil, func(d *denial) any { return d.Retryable }},
		{"summary", nil, func(d *denial) any { return d.Summary }},
		{"docs", nil, func(d *denial) any { return d.Docs }},
	}}
}

func listDenials(store Store, now func() time.Time) ask {
	sheet := denialSheet()
	return func(r *http.Request, q query) (document, error) {
		layout, err := sheet.layout(r, q)
		if err != nil {
			return document{}, err
		}
		sel, err := q.selection(pathParam(r, "name"), now())
		if err != nil {
			return document{}, err
		}
		page, next, err := sel.page(r.Context(), store)
		if err != nil {
			return document{}, err
		}
		doc := layout.page(r, q, wireDenials(page), pageToken(next), sel.Start)
		if doc.empty {
			err = mustKnow(r.Context(), store, sel.Cluster, now())
		}
		return doc, err
	}
}

// page returns up to sel.Limit denials, and the position to go on from: zero
// when there are no more.
func (sel *selection) page(ctx context.Context, store Store) (page []authlog.Denial, next authlog.ID, err error) {
	if sel.none {
		return nil, next, nil
	}
	f := sel.DenialFilter
	all := reading[authlog.Denial]{
		next: func(ctx context.Context, n int) ([]authlog.Denial, error) {
			f.Limit = n
			return store.Denials(ctx, f)
		},
		goOn: func(last *authlog.Denial) { goOn(&f, last.ID) },
		keep: sel.keep, scan: scanDenials,
	}
	page, last, err := all.page(ctx, sel.Limit)
	if last != nil {
		next = last.ID
	}
	return page, next, err
}

// goOn makes f begin after the denial last, in the order of f.
func goOn(f *authlog.DenialFilter, last authlog.ID) {
	if f.Ascending {
		f.After = last
	} else {
		f.Before = last
	}
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
