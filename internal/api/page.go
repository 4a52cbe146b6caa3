package api

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"
)

// scanBatch is how many things are read at once, at most, where one after the
// other is tried for what the store cannot look up.
const scanBatch = 1000

// A reading is how a list is read from the store, in parts.
type reading[T any] struct {
	next func(ctx context.Context, n int) ([]T, error) // at most n, from where goOn said
	goOn func(last *T)                                 // begin behind it
	keep func(*T) bool                                 // what the store is not asked for; nil: all
	scan int                                           // how many are tried for one page with keep, about
}

// page returns up to limit things, and behind which one to go on: nil when
// there are no more. With keep it may hold fewer, even none, and still not be
// the last.
func (l *reading[T]) page(ctx context.Context, limit int) (page []T, last *T, err error) {
	batch := limit + 1 // one more than is shown tells whether another page follows
	if l.keep == nil {
		page, err = l.next(ctx, batch)
		if err != nil || len(page) < batch {
			return page, nil, err
		}
		return page[:limit], &page[limit-1], nil
	}
	for scanned := 0; ; {
		rows, err := l.next(ctx, batch)
		if err != nil {
			return nil, nil, err
		}
		for i := range rows {
			if !l.keep(&rows[i]) {
				continue
			}
			if len(page) == limit {
				return page, &page[limit-1], nil
			}
			page = append(page, rows[i])
		}
		if len(rows) < batch {
			return page, nil, nil
		}
		last = &rows[len(rows)-1]
		if scanned += len(rows); scanned >= l.scan {
			return page, last, nil
		}
		l.goOn(last)
		batch = min(4*batch, max(batch, scanBatch)) // a rare thing is far
	}
}

// page is the document of a page, and where the next one is: next is its token,
// or "". start is that of the span.
func (l *layout[T]) page(r *http.Request, q query, list []T, next string, start time.Time) document {
	doc := l.render(list, next)
	doc.empty = len(list) == 0 && next == ""
	if next != "" {
		doc.next = nextURL(r.URL, q, next, start)
	}
	return doc
}

// nextURL is the request with the token of the next page. Where the span was
// counted back from now, the first page's start stays, so that what was within
// it then does not drop out of the pages to come.
func nextURL(u *url.URL, q query, token string, start time.Time) string {
	v := url.Values(maps.Clone(q))
	if v.Has("since") {
		v.Del("since")
		v.Set("start", start.Format(time.RFC3339Nano))
	}
	v.Set("next", token)
	return u.EscapedPath() + "?" + v.Encode()
}

// order reads whether a list is to be in ascending order, which it is not by
// itself unless byDefault says so. what says what comes first in either.
func (q query) order(byDefault bool, what string) (ascending bool, err error) {
	switch order := q.get("order"); order {
	case "":
		return byDefault, nil
	case "desc", "asc":
		return order == "asc", nil
	default:
		return false, refuseParameter("order", "must be %s, not %q", what, order)
	}
}

// newestFirst are the orders of what happened.
const newestFirst = "desc (newest first) or asc"

// tried is whether a thing has what all matchers want; nil for no matchers.
func tried[T any](matchers labels.Matchers, label func(*T, string) string) func(*T) bool {
	if len(matchers) == 0 {
		return nil
	}
	return func(thing *T) bool { return holds(matchers, thing, label) }
}

// narrow asks the store for less where a matcher says what a label is equal to:
// fields are the store's, by label. The matcher is still to be tried.
func narrow(matchers labels.Matchers, fields map[string]*string) {
	for _, m := range matchers {
		if field, ok := fields[m.Name]; ok {
			narrowTo(field, m)
		}
	}
}

func holds[T any](matchers labels.Matchers, thing *T, label func(*T, string) string) bool {
	for _, m := range matchers {
		if !m.Matches(label(thing, m.Name)) {
			return false
		}
	}
	return true
}
