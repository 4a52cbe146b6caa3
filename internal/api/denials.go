package api

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

const (
	defaultLimit = 50
	maxLimit     = 1000

	// A matcher that the store cannot look up is tried on one denial after the
	// other: scanBatch of them at a time, and at most maxScan for one page.
	scanBatch = 1000
	maxScan   = 10_000
)

func listDenials(store Store, now func() time.Time) ask {
	return func(r *http.Request, q query) (document, error) {
		form, err := negotiate(r)
		if err != nil {
			return document{}, err
		}
		sel, err := q.selection(pathParam(r, "name"), now())
		if err != nil {
			return document{}, err
		}
		columns, err := q.columns()
		if err != nil {
			return document{}, err
		}
		page, next, err := sel.page(r.Context(), store)
		if err == nil && len(page) == 0 && next == (authlog.ID{}) {
			err = mustKnow(r.Context(), store, sel.Cluster, now())
		}
		if err != nil {
			return document{}, err
		}
		token := pageToken(next)
		doc := form.render(wireDenials(page), columns, token)
		if token != "" {
			doc.next = sel.nextURL(r.URL, q, token)
		}
		return doc, nil
	}
}

// page returns up to sel.Limit denials, and the position to go on from: zero
// when there are no more. With sel.keep it may hold fewer, even none, and
// still not be the last.
func (sel *selection) page(ctx context.Context, store Store) (page []authlog.Denial, next authlog.ID, err error) {
	if sel.none {
		return nil, next, nil
	}
	f := sel.DenialFilter
	f.Limit++ // one more than is shown tells whether another page follows
	if sel.keep != nil {
		f.Limit = scanBatch
	}
	for scanned := 0; ; {
		rows, err := store.Denials(ctx, f)
		if err != nil {
			return nil, next, err
		}
		for i := range rows {
			if sel.keep != nil && !sel.keep(&rows[i]) {
				continue
			}
			if len(page) == sel.Limit {
				return page, page[len(page)-1].ID, nil
			}
			page = append(page, rows[i])
		}
		if len(rows) < f.Limit {
			return page, next, nil
		}
		last := rows[len(rows)-1].ID
		if scanned += len(rows); scanned >= maxScan {
			return page, last, nil
		}
		goOn(&f, last)
	}
}

// goOn makes f begin after the denial last, in the order of f.
func goOn(f *authlog.DenialFilter, last authlog.ID) {
	if f.Ascending {
		f.After = last
	} else {
		f.Before = last
	}
}

// nextURL is the request with the token of the next page. Where the span was
// counted back from now, the first page's start stays, so that what was within
// it then does not drop out of the pages to come.
func (sel *selection) nextURL(u *url.URL, q query, token string) string {
	if v := url.Values(q); v.Has("since") {
		q = maps.Clone(q)
		delete(q, "since")
		q["start"] = []string{sel.Start.Format(time.RFC3339Nano)}
	}
	return nextURL(u, q, token)
}

// nextURL is the request with the token of the next page.
func nextURL(u *url.URL, q query, token string) string {
	v := url.Values(maps.Clone(q))
	v.Set("next", token)
	return u.EscapedPath() + "?" + v.Encode()
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
