package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Cursors returns the cursors of these clusters, of all their lanes. A cluster
// that was never read has none.
func (s *SQLite) Cursors(ctx context.Context, clusters []authlog.Cluster) ([]authlog.Cursor, error) {
	asked := make(map[authlog.Cluster]bool, len(clusters))
	for _, c := range clusters {
		asked[c] = true
	}
	var found []authlog.Cursor
	rows, err := s.query(ctx, `SELECT c.name, c.account, c.region, k.lane, k.created, k.start, k."end",
		k.watermark, k.through, k.streams FROM cursor k JOIN cluster c ON c.id = k.cluster ORDER BY k.cluster, k.lane`)
	err = each(rows, err, func(rows *sql.Rows) error {
		c, err := scanCursor(rows)
		if asked[c.Cluster] {
			found = append(found, c)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", s.explain(err))
	}
	return found, nil
}

func scanCursor(rows *sql.Rows) (c authlog.Cursor, err error) {
	var created, start, end, watermark, through sql.Null[int64]
	var streams []byte
	if err := rows.Scan(&c.Cluster.Name, &c.Cluster.Account, &c.Cluster.Region, &c.Lane,
		&created, &start, &end, &watermark, &through, &streams); err != nil {
		return c, err
	}
	c.Created, c.Start, c.End = timeOf(created), timeOf(start), timeOf(end)
	c.Watermark, c.Through = timeOf(watermark), timeOf(through)
	return c, json.Unmarshal(streams, &c.Streams)
}

// Seen returns the keys of the lines of the cluster that were counted already,
// of the minutes since 1970 from fromMinute to toMinute, both included, in
// order. Minutes without any are left out.
func (s *SQLite) Seen(ctx context.Context, cluster authlog.Cluster, fromMinute, toMinute int64) ([]authlog.Seen, error) {
	var found []authlog.Seen
	rows, err := s.query(ctx, `SELECT s.minute, s.keys FROM cluster c JOIN seen s ON s.cluster = c.id
		WHERE c.name = ? AND c.account = ? AND c.region = ? AND s.minute BETWEEN ? AND ? ORDER BY s.minute`,
		cluster.Name, cluster.Account, cluster.Region, fromMinute, toMinute)
	err = each(rows, err, func(rows *sql.Rows) error {
		seen := authlog.Seen{Cluster: cluster}
		var keys sql.RawBytes
		if err := rows.Scan(&seen.Minute, &keys); err != nil {
			return err
		}
		seen.Keys = make([]authlog.Key, len(keys)/len(authlog.Key{}))
		for i := range seen.Keys {
			copy(seen.Keys[i][:], keys[i*len(seen.Keys[i]):])
		}
		found = append(found, seen)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read seen lines of %s: %w", cluster.Name, s.explain(err))
	}
	return found, nil
}
