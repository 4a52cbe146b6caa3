package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Whole hours come from denial_hour, the one that ?2 (the first ID asked for)
// cuts from the denials themselves. ?1 is that time in milliseconds, ?3 the
// first whole hour, ?4 the first ID of it.
const clustersQuery = `
SELECT c.name, c.account, c.region, c.last_event, c.last_denial,
	(SELECT ifnull(sum(n), 0) FROM denial_hour h WHERE h.cluster = c.id AND h.hour >= ?3) +
	(SELECT count(*) FROM denial d INDEXED BY denial_cluster WHERE d.cluster = c.id AND d.id >= ?2 AND d.id < ?4),
	(SELECT count(*) FROM (SELECT 1 FROM denied p WHERE p.cluster = c.id AND p.last >= ?1 GROUP BY p.principal)),
	k.through
FROM cluster c LEFT JOIN cursor k ON k.cluster = c.id AND k.lane = ''
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
	rows, err := s.r.QueryContext(ctx, clustersQuery, since.Time().UnixMilli(), since[:], whole, cut[:])
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
