package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

const (
	defaultTop  = 10
	maxTop      = 100
	maxStatRows = 50_000 // steps times series

	// defaultStatsSpan is how far statistics reach back by themselves, and
	// maxWhoSpan how far over all clusters where principals are told apart:
	// there may be very many.
	defaultStatsSpan = 24 * time.Hour
	maxWhoSpan       = 31 * 24 * time.Hour

	// countsAtOnce is how many statistics are counted at the same time: each may
	// take many megabytes, and they would share the processors anyway.
	countsAtOnce = 4
)

// inTurn is a store in which few count at a time, and others wait.
type inTurn struct {
	Store
	turns chan struct{}
}

// Counts waits for its turn until the context ends.
func (s inTurn) Counts(ctx context.Context, f authlog.CountFilter) ([]authlog.DenialSeries, error) {
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
		return s.Store.Counts(ctx, f)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func statsParams() []param {
	return slices.Concat([]param{{name: "by"}, {name: "step"}}, chosenBy(), []param{{name: "limit"}})
}

func clusterStats(store Store, now func() time.Time) ask {
	return func(r *http.Request, q query) (document, error) {
		name, err := clusterName(r)
		if err != nil {
			return document{}, err
		}
		return stats(r, q, store, name, now())
	}
}

func fleetStats(store Store, now func() time.Time) ask {
	return func(r *http.Request, q query) (document, error) {
		return stats(r, q, store, q.get("cluster"), now())
	}
}

func stats(r *http.Request, q query, store Store, cluster string, now time.Time) (document, error) {
	form, err := formFor(r, forms()...)
	if err != nil {
		return document{}, err
	}
	by, err := q.by()
	if err != nil {
		return document{}, err
	}
	f, none, err := q.counts(cluster, by, now)
	if err != nil {
		return document{}, err
	}
	var found []authlog.DenialSeries
	if !none {
		found, err = store.Counts(r.Context(), f)
	}
	if err == nil && len(found) == 0 && cluster != "" {
		err = mustKnow(r.Context(), store, cluster, now)
	}
	if err != nil {
		return document{}, err
	}
	t := statsTable{by: by, filter: &f, series: found}
	return t.document(form), nil
}

// by reads by which labels to tell denials apart.
func (q query) by() ([]string, error) {
	text := q.get("by")
	if text == "" {
		return []string{"reason"}, nil
	}
	by := strings.Split(text, ",")
	for i, name := range by {
		switch {
		case !slices.Contains(denialLabels(), name):
			return nil, refuseParameter("by", "has the unknown label %q; known are %s", name, strings.Join(denialLabels(), ", "))
		case slices.Contains(by[:i], name):
			return nil, refuseParameter("by", "names %q twice", name)
		}
	}
	return by, nil
}

// counts reads what to count. None says that nothing can be found.
func (q query) counts(cluster string, by []string, now time.Time) (f authlog.CountFilter, none bool, err error) {
	var sel selection
	sel.Cluster = cluster
	if sel.Start, sel.End, err = q.span(now); err != nil {
		return f, false, err
	}
	if sel.End.IsZero() {
		sel.End = now
	}
	if sel.Start.IsZero() {
		sel.Start = sel.End.Add(-defaultStatsSpan)
	}
	if sel.Start.Unix() < 0 { // counted back from now
		sel.Start = time.Unix(0, 0).UTC()
	}
	switch {
	case sel.Start.Before(sel.End):
	case q.get("start") == "":
		return f, false, refuseParameter("end", "must be after the beginning of 1970")
	default:
		return f, false, refuseParameter("start", "must be before end, which itself is left out")
	}
	if err = q.names(&sel.DenialFilter); err != nil {
		return f, false, err
	}
	if err = q.matchers(&sel); err != nil {
		return f, false, err
	}
	f.DenialFilter = sel.DenialFilter
	f.Round()
	cause := "filter"
	if slices.Contains(by, "principal") || slices.Contains(by, "kind") {
		cause = "by"
	}
	f.Principals = sel.who || cause == "by"
	f.Series = seriesOf(by, sel.keep)
	if f.Top, err = q.count("limit", defaultTop, maxTop); err != nil {
		return f, false, err
	}
	if f.Step, err = q.step(); err != nil {
		return f, false, err
	}
	return f, sel.none, bounded(&f, cause)
}

// step is zero where no series over time is asked for.
func (q query) step() (time.Duration, error) {
	text := q.get("step")
	if text == "" {
		return 0, nil
	}
	d, err := parseDuration("step", text)
	// What is logged has whole seconds.
	return max(d, time.Second).Truncate(time.Second), err
}

// bounded refuses what would be too much to answer. cause is the parameter by
// which principals are told apart.
func bounded(f *authlog.CountFilter, cause string) error {
	if span := f.End.Sub(f.Start); f.Principals && f.Cluster == "" && f.Principal == "" && span > maxWhoSpan {
		return refuseParameter(cause, "tells principals of all clusters apart, which reaches over 31 days at most, not %s; choose a cluster, a principal or a shorter time",
			span.Round(time.Hour))
	}
	steps, series := f.Steps(), f.Top+1
	if steps*series <= maxStatRows {
		return nil
	}
	least := f.End.Sub(f.Start) / time.Duration(maxStatRows/series-1)
	return refuseParameter("step", "makes %d steps of up to %d series, more than %d rows; take at least %s, a smaller limit or a shorter time",
		steps, series, maxStatRows, (least + time.Second).Truncate(time.Second))
}

// seriesOf names a series by its labels.
func seriesOf(by []string, keep func(*authlog.Denial) bool) func(*authlog.DenialSubject) (string, bool) {
	return func(s *authlog.DenialSubject) (string, bool) {
		d := authlog.Denial{Cluster: s.Cluster, Reason: s.Reason}
		if s.ARN != "" {
			d.Principal = &authlog.Principal{ARN: s.ARN, Kind: s.Kind}
		}
		if keep != nil && !keep(&d) {
			return "", false
		}
		values := make([]string, len(by))
		for i, name := range by {
			values[i] = labelOf(&d, name)
		}
		return strings.Join(values, "\x00"), true
	}
}
