package store

import (
	"context"
	"fmt"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// The queries that tests ask SQLite the plan of.
const (
	ClustersQuery   = clustersQuery
	GrantSpansQuery = grantSpansQuery
	PruneGrantHours = pruneGrantHours
)

func DiagnosesQuery(f authlog.DiagnosisFilter) (query string, args []any) {
	where, clusters := inClustersOf("d.cluster", f.Cluster, f.Account, f.Region)
	query, args = diagnosesQuery(f, where)
	return query, append(clusters, args...)
}

// ForgetClusters makes it as it is for who reads right after a commit, before
// Save has returned.
func (s *SQLite) ForgetClusters() {
	s.atlas.mu.Lock()
	defer s.atlas.mu.Unlock()
	clear(s.atlas.known)
	clear(s.atlas.named)
}

// LimitPages lets the file grow to so many pages only.
func (s *SQLite) LimitPages(ctx context.Context, pages int) error {
	_, err := s.w.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	return err
}
