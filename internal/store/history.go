package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// ?2 is the first hour; from the hour ?3 on each hour is a span of its own,
// before that each day.
const grantSpansQuery = `
SELECT arn.text, kind.text, ifnull(account.text, ''), g.benign, ifnull(session.text, ''), user_id.text,
	username.text, groups.text, ifnull(sts.text, ''), g.n, g.first, g.last
FROM (
	SELECT principal, kind, user_id, session, username, groups, sts_endpoint, max(account) AS account, max(benign) AS benign,
		sum(n) AS n, min(first) AS first, max(last) AS last
	FROM grant_hour WHERE cluster = ?1 AND hour >= ?2
	GROUP BY iif(hour >= ?3, hour, hour / 24 - 10000000), principal, kind, user_id, session, username, groups, sts_endpoint
) g
	JOIN word arn ON arn.id = g.principal
	JOIN word kind ON kind.id = g.kind
	JOIN word user_id ON user_id.id = g.user_id
	JOIN word username ON username.id = g.username
	JOIN word groups ON groups.id = g.groups
	LEFT JOIN word session ON session.id = g.session
	LEFT JOIN word sts ON sts.id = g.sts_endpoint
	LEFT JOIN word account ON account.id = g.account
ORDER BY g.first, g.last, arn.text`

// GrantSpans sums up the grants of the cluster from the hour of since on: by
// the hour from that of fine on, by the day before. They come in the order of
// time.
func (s *SQLite) GrantSpans(ctx context.Context, cluster authlog.Cluster, since, fine time.Time) ([]authlog.GrantSpan, error) {
	id, err := s.clusterID(ctx, cluster)
	if err != nil || id == 0 {
		return nil, err
	}
	var found []authlog.GrantSpan
	rows, err := s.query(ctx, grantSpansQuery, id, hourOf(since.UnixMilli()), hourOf(fine.UnixMilli()))
	err = each(rows, err, func(rows *sql.Rows) error {
		var g authlog.GrantSpan
		var first, last int64
		p := &g.Principal
		err := rows.Scan(&p.ARN, &p.Kind, &p.Account, &p.Benign, &p.Session, &p.UserID,
			&g.Username, &g.Groups, &g.STSEndpoint, &g.Count, &first, &last)
		g.First, g.Last = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
		found = append(found, g)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sum up grants of %s: %w", cluster.Name, s.explain(err))
	}
	return found, nil
}

// DenialSpans sums up by the day the denials of the cluster in the hours from
// that of from to before that of until.
func (s *SQLite) DenialSpans(ctx context.Context, cluster authlog.Cluster, from, until time.Time) ([]authlog.DenialSpan, error) {
	id, err := s.clusterID(ctx, cluster)
	if err != nil || id == 0 {
		return nil, err
	}
	var found []authlog.DenialSpan
	rows, err := s.query(ctx, `
		SELECT ifnull(arn.text, ''), ifnull(account.text, ''), reason.text, h.n, h.first, h.last
		FROM (
			SELECT principal, reason, sum(n) AS n, min(first) AS first, max(last) AS last
			FROM denial_hour INDEXED BY denial_hour_cluster WHERE cluster = ?1 AND hour >= ?2 AND hour < ?3
			GROUP BY hour / 24, principal, reason
		) h
			JOIN word reason ON reason.id = h.reason
			LEFT JOIN word arn ON arn.id = h.principal
			LEFT JOIN word account ON account.id =
				(SELECT max(account) FROM sighting WHERE cluster = ?1 AND principal = h.principal AND granted = 0)
		ORDER BY h.first, h.last, arn.text, reason.text`,
		id, hourOf(from.UnixMilli()), hourOf(until.UnixMilli()))
	err = each(rows, err, func(rows *sql.Rows) error {
		var d authlog.DenialSpan
		var first, last int64
		err := rows.Scan(&d.ARN, &d.Account, &d.Reason, &d.Count, &first, &last)
		d.First, d.Last = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
		found = append(found, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sum up denials of %s: %w", cluster.Name, s.explain(err))
	}
	return found, nil
}

// Markers returns the newest markers of the cluster that are not older than
// since, at most so many, in the order of time.
func (s *SQLite) Markers(ctx context.Context, cluster authlog.Cluster, since time.Time, limit int) ([]authlog.Marker, error) {
	id, err := s.clusterID(ctx, cluster)
	if err != nil || id == 0 {
		return nil, err
	}
	var found []authlog.Marker
	from := firstID(since)
	rows, err := s.query(ctx, `SELECT m.id, code.text, stream.text, m.msg, m.raw FROM marker m
		JOIN word code ON code.id = m.code JOIN word stream ON stream.id = m.stream
		WHERE m.cluster = ? AND m.id >= ? ORDER BY m.id DESC LIMIT ?`, id, from[:], limit)
	err = each(rows, err, func(rows *sql.Rows) error {
		m := authlog.Marker{Cluster: cluster}
		var id, raw sql.RawBytes
		if err := rows.Scan(&id, &m.Code, &m.Stream, &m.Msg, &raw); err != nil {
			return err
		}
		m.ID, m.Raw = authlog.ID(id), string(raw)
		m.Time = m.ID.Time()
		found = append(found, m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list markers of %s: %w", cluster.Name, s.explain(err))
	}
	slices.Reverse(found)
	return found, nil
}

// Samples returns the newest samples of the cluster and code, at most so many,
// the newest first.
func (s *SQLite) Samples(ctx context.Context, cluster authlog.Cluster, code string, limit int) ([]authlog.Sample, error) {
	id, err := s.clusterID(ctx, cluster)
	if err != nil || id == 0 {
		return nil, err
	}
	var found []authlog.Sample
	rows, err := s.query(ctx, `SELECT m.id, stream.text, m.raw FROM sample m
		JOIN word code ON code.id = m.code JOIN word stream ON stream.id = m.stream
		WHERE m.cluster = ? AND code.text = ? ORDER BY m.id DESC LIMIT ?`, id, code, limit)
	err = each(rows, err, func(rows *sql.Rows) error {
		m := authlog.Sample{Cluster: cluster, Code: code}
		var id, raw sql.RawBytes
		if err := rows.Scan(&id, &m.Stream, &raw); err != nil {
			return err
		}
		m.ID, m.Raw = authlog.ID(id), string(raw)
		m.Time = m.ID.Time()
		found = append(found, m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list samples of %s: %w", cluster.Name, s.explain(err))
	}
	return found, nil
}

// clusterID is 0 for a cluster that was never saved.
func (s *SQLite) clusterID(ctx context.Context, c authlog.Cluster) (int64, error) {
	ids, err := s.ids(ctx, "SELECT id FROM cluster WHERE name = ? AND account = ? AND region = ?", []any{c.Name, c.Account, c.Region})
	if err != nil {
		return 0, fmt.Errorf("find cluster %s: %w", c.Name, s.explain(err))
	}
	if len(ids) == 0 {
		return 0, nil
	}
	return ids[0], nil
}
