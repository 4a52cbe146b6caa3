package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func seesAll(scope *authlog.Scope) bool { return scope == nil || scope.All() }

// inClusters is the condition that the column, of cluster.id, is one of a
// cluster of that name, account and region, each empty for any, that scope
// sees.
func (s *SQLite) inClusters(ctx context.Context, column, name, account, region string, scope *authlog.Scope) (where string, args []any, err error) {
	if seesAll(scope) {
		where, args = inClustersOf(column, name, account, region)
		return where, args, nil
	}
	ids, err := s.clusterIDs(ctx, name, account, region, scope)
	return column + " IN (" + marks(len(ids)) + ")", appendAll(nil, ids), err
}

func inClustersOf(column, name, account, region string) (where string, args []any) {
	if where, args = clusterWhere(name, account, region); where == "" {
		return "1", nil
	}
	return column + " IN (SELECT id FROM cluster WHERE " + where + ")", args
}

// clusterIDs looks up the clusters of that name, account and region, each
// empty for any, that scope sees. Patterns are matched here, as SQLite's GLOB
// is another language.
func (s *SQLite) clusterIDs(ctx context.Context, name, account, region string, scope *authlog.Scope) (ids []int64, err error) {
	query := "SELECT id, name, account, region FROM cluster"
	where, args := clusterWhere(name, account, region)
	if where != "" {
		query += " WHERE " + where
	}
	rows, err := s.query(ctx, query, args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		var id int64
		var c authlog.Cluster
		if err := rows.Scan(&id, &c.Name, &c.Account, &c.Region); err != nil {
			return err
		}
		if scope == nil || scope.Sees(c) {
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}

// clusterWhere is the condition on the columns of the table cluster; "" if
// none is named.
func clusterWhere(name, account, region string) (where string, args []any) {
	var parts []string
	for _, p := range [...]struct{ column, value string }{{"name", name}, {"account", account}, {"region", region}} {
		if p.value != "" {
			parts = append(parts, p.column+" = ?")
			args = append(args, p.value)
		}
	}
	return strings.Join(parts, " AND "), args
}
