package store

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func seesAll(scope *authlog.Scope) bool { return scope == nil || scope.All() }

// inClusters is the condition that the column, of cluster.id, is one of a
// cluster of that name, account and region, each empty for any, that scope
// sees.
func (s *SQLite) inClusters(column, name, account, region string, scope *authlog.Scope) (where string, args []any) {
	if seesAll(scope) {
		return inClustersOf(column, name, account, region)
	}
	ids := s.atlas.ids(name, account, region, scope)
	return column + " IN (" + marks(len(ids)) + ")", appendAll(nil, ids)
}

func inClustersOf(column, name, account, region string) (where string, args []any) {
	if where, args = clusterWhere(name, account, region); where == "" {
		return "1", nil
	}
	return column + " IN (SELECT id FROM cluster WHERE " + where + ")", args
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
