package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// ?1 is the time to count from in milliseconds and ?2 the first ID of it; ?3 is
// the first whole hour from then on and ?4 the first ID of that. What lies
// before the whole hours is counted from the denials themselves. The + keeps
// SQLite from reading all hours in the order of the clusters.
const clustersQuery = `
WITH whole AS (
	SELECT cluster, sum(n) AS n FROM denial_hour WHERE hour >= ?3 GROUP BY +cluster
), part AS (
	SELECT cluster, count(*) AS n FROM denial INDEXED BY denial_id WHERE id >= ?2 AND id < ?4 GROUP BY cluster
), principals AS (
	SELECT cluster, count(DISTINCT principal) AS n FROM denied INDEXED BY denied_last WHERE last >= ?1 GROUP BY cluster
)
SELECT c.name, c.account, c.region, c.last_event, c.last_denial,
	ifnull(whole.n, 0) + ifnull(part.n, 0), ifnull(principals.n, 0), k.through
FROM cluster c
	LEFT JOIN whole ON whole.cluster = c.id
	LEFT JOIN part ON part.cluster = c.id
	LEFT JOIN principals ON principals.cluster = c.id
	LEFT JOIN cursor k ON k.cluster = c.id AND k.lane = ''
ORDER BY c.name, c.account, c.region`

// Clusters returns every cluster that was ever read or spoke in a batch, by
// name, account and region. LastEvent is the newest time of its denials,
// grants, markers and samples. Denials24h and PrincipalsDenied24h count what
// is not older than 24 hours before now.
func (s *SQLite) Clusters(ctx context.Context, now time.Time) ([]authlog.ClusterSummary, error) {
	since := firstID(now.Add(-24 * time.Hour))
	whole := hourOf(since.Time().UnixMilli() + time.Hour.Milliseconds() - 1)
	cut := firstID(time.UnixMilli(whole * time.Hour.Milliseconds()))
	var found []authlog.ClusterSummary
	rows, err := s.query(ctx, clustersQuery, since.Time().UnixMilli(), since[:], whole, cut[:])
	err = each(rows, err, func(rows *sql.Rows) error {
		var c authlog.ClusterSummary
		var event, denial int64
		var through sql.Null[int64]
		err := rows.Scan(&c.Cluster.Name, &c.Cluster.Account, &c.Cluster.Region, &event, &denial,
			&c.Denials24h, &c.PrincipalsDenied24h, &through)
		c.LastEvent = timeOf(sql.Null[int64]{V: event, Valid: event > 0})
		c.LastDenial = timeOf(sql.Null[int64]{V: denial, Valid: denial > 0})
		c.ReadThrough = timeOf(through)
		found = append(found, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", s.explain(err))
	}
	return found, nil
}
