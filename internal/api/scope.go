package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// visible reports whether the caller may learn that the cluster exists.
func visible(ctx context.Context, c authlog.Cluster) bool { return callerOf(ctx).Scope.Sees(c) }

// scoped is as much of a store as the caller, whom the context of each call
// names, may see. What he may not is as if it were not stored.
type scoped struct{ all Store }

var _ Store = scoped{}

func (s scoped) Clusters(ctx context.Context, now time.Time) ([]authlog.ClusterSummary, error) {
	all, err := s.all.Clusters(ctx, now)
	found := make([]authlog.ClusterSummary, 0, len(all))
	for _, c := range all {
		if visible(ctx, c.Cluster) {
			found = append(found, c)
		}
	}
	return found, err
}

func (s scoped) Denials(ctx context.Context, f authlog.DenialFilter) ([]authlog.Denial, error) {
	scope := callerOf(ctx).Scope
	f.Scope = &scope
	return s.all.Denials(ctx, f)
}

func (s scoped) Counts(ctx context.Context, f authlog.CountFilter) ([]authlog.DenialSeries, error) {
	scope := callerOf(ctx).Scope
	f.Scope = &scope
	return s.all.Counts(ctx, f)
}

func (s scoped) Cursors(ctx context.Context, clusters []authlog.Cluster) ([]authlog.Cursor, error) {
	seen := slices.DeleteFunc(slices.Clone(clusters), func(c authlog.Cluster) bool { return !visible(ctx, c) })
	return s.all.Cursors(ctx, seen)
}

func (s scoped) Diagnoses(ctx context.Context, f authlog.DiagnosisFilter) ([]authlog.Diagnosis, error) {
	scope := callerOf(ctx).Scope
	f.Scope = &scope
	return s.all.Diagnoses(ctx, f)
}

func (s scoped) Diagnosis(ctx context.Context, id string) (authlog.Diagnosis, error) {
	d, err := s.all.Diagnosis(ctx, id)
	if err == nil && !visible(ctx, d.Cluster) {
		return authlog.Diagnosis{}, fmt.Errorf("diagnosis %q: %w", id, authlog.ErrNotFound)
	}
	return d, err
}

func (s scoped) Principals(ctx context.Context, f authlog.PrincipalFilter) ([]authlog.PrincipalSummary, error) {
	scope := callerOf(ctx).Scope
	f.Scope = &scope
	return s.all.Principals(ctx, f)
}

func (s scoped) Samples(ctx context.Context, c authlog.Cluster, code string, limit int) ([]authlog.Sample, error) {
	if !visible(ctx, c) {
		return nil, nil
	}
	return s.all.Samples(ctx, c, code, limit)
}
