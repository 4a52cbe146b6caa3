package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// maxIdentities is how many are shown of each principal: a role of many nodes
// has as many sessions.
const maxIdentities = 48

// Principals sums up what is known of the first f.Limit principals that f
// chooses, each on each of its clusters, the one heard of last first, or last
// where f.Ascending says so. The counts hold what Prune deleted too, for as long as the principal comes again.
func (s *SQLite) Principals(ctx context.Context, f authlog.PrincipalFilter) ([]authlog.PrincipalSummary, error) {
	if f.Limit < 1 {
		return nil, errors.New("list principals: the limit must be positive")
	}
	found, keys, err := s.principalPage(ctx, f)
	if err == nil && len(found) > 0 {
		err = errors.Join(s.addIdentities(ctx, found, keys), s.addReasons(ctx, found, keys))
	}
	if err != nil {
		return nil, fmt.Errorf("list principals: %w", s.explain(err))
	}
	return found, nil
}

// A principalKey is the ids of cluster and ARN.
type principalKey struct{ cluster, principal int64 }

func (s *SQLite) principalPage(ctx context.Context, f authlog.PrincipalFilter) (
	found []authlog.PrincipalSummary, keys []principalKey, err error,
) {
	inClusters, clusters := s.inClusters("s.cluster", f.Cluster, f.Account, f.Region, f.Scope)
	where, having, args := principalsWhere(f)
	order := "max(s.last) DESC, c.name, c.account, c.region, arn.text"
	if f.Ascending { // the reverse
		order = "max(s.last), c.name DESC, c.account DESC, c.region DESC, arn.text DESC"
	}
	where, args = inClusters+" AND "+where, append(clusters, args...)
	rows, err := s.query(ctx, `
		SELECT s.cluster, s.principal, c.name, c.account, c.region, arn.text, count(*),
			min(s.first) FILTER (WHERE s.granted), max(s.last) FILTER (WHERE s.granted), ifnull(sum(s.n) FILTER (WHERE s.granted), 0),
			min(s.first) FILTER (WHERE NOT s.granted), max(s.last) FILTER (WHERE NOT s.granted),
			ifnull(sum(s.n) FILTER (WHERE NOT s.granted), 0)
		FROM sighting s JOIN cluster c ON c.id = s.cluster JOIN word arn ON arn.id = s.principal
		WHERE `+where+` GROUP BY s.cluster, s.principal HAVING `+having+`
		ORDER BY `+order+` LIMIT ?`, append(args, f.Limit)...)
	err = each(rows, err, func(rows *sql.Rows) error {
		var p authlog.PrincipalSummary
		var k principalKey
		var firstGrant, lastGrant, firstDenial, lastDenial sql.Null[int64]
		err := rows.Scan(&k.cluster, &k.principal, &p.Cluster.Name, &p.Cluster.Account, &p.Cluster.Region, &p.Principal.ARN,
			&p.IdentitiesTotal, &firstGrant, &lastGrant, &p.Grants, &firstDenial, &lastDenial, &p.Denials)
		p.FirstGrant, p.LastGrant = timeOf(firstGrant), timeOf(lastGrant)
		p.FirstDenial, p.LastDenial = timeOf(firstDenial), timeOf(lastDenial)
		found, keys = append(found, p), append(keys, k)
		return err
	})
	return found, keys, err
}

func principalsWhere(f authlog.PrincipalFilter) (where, having string, args []any) {
	parts := []string{"arn.text <> ''"}
	if f.ARN != "" {
		parts = append(parts, "s.principal = (SELECT id FROM word WHERE text = ?)")
		args = append(args, f.ARN)
	}
	sums := []string{"1"}
	if f.Denied {
		sums = append(sums, "min(s.granted) = 0")
	}
	if !f.Start.IsZero() {
		sums = append(sums, "max(s.last) >= ?")
		args = append(args, f.Start.UnixMilli())
	}
	if !f.End.IsZero() {
		sums = append(sums, "min(s.first) < ?")
		args = append(args, f.End.UnixMilli())
	}
	if a := f.After; a != (authlog.PrincipalPlace{}) {
		ms, last, rest := a.Last.UnixMilli(), direction(f.Ascending).behind, direction(!f.Ascending).behind
		sums = append(sums, "(max(s.last) "+last+" ? OR max(s.last) = ? AND (c.name, c.account, c.region, arn.text) "+rest+" (?, ?, ?, ?))")
		args = append(args, ms, ms, a.Cluster.Name, a.Cluster.Account, a.Cluster.Region, a.ARN)
	}
	return strings.Join(parts, " AND "), strings.Join(sums, " AND "), args
}

// pageOf is a table of the keys, and their numbers, for a query to join.
func pageOf(keys []principalKey) (with string, args []any) {
	for i, k := range keys {
		args = append(args, i, k.cluster, k.principal)
	}
	return "WITH page (i, cluster, principal) AS (VALUES " + strings.Repeat(", (?, ?, ?)", len(keys))[2:] + ") ", args
}

// addIdentities adds the latest of each, and what the very latest says of the
// principal itself.
func (s *SQLite) addIdentities(ctx context.Context, found []authlog.PrincipalSummary, keys []principalKey) error {
	with, args := pageOf(keys)
	rows, err := s.query(ctx, with+`
		SELECT s.i, ifnull(kind.text, ''), ifnull(account.text, ''), s.benign, s.granted,
			ifnull(user_id.text, ''), ifnull(session.text, ''), s.n, s.first, s.last
		FROM (
			SELECT page.i, s.*, row_number() OVER (PARTITION BY page.i ORDER BY s.last DESC, s.granted, s.user_id, s.session) AS place
			FROM page CROSS JOIN sighting s ON s.cluster = page.cluster AND s.principal = page.principal
		) s
			LEFT JOIN word kind ON kind.id = s.kind LEFT JOIN word account ON account.id = s.account
			LEFT JOIN word user_id ON user_id.id = s.user_id LEFT JOIN word session ON session.id = s.session
		WHERE s.place <= ? ORDER BY s.i, s.place`, append(args, maxIdentities)...)
	return each(rows, err, func(rows *sql.Rows) error {
		var i int
		var who authlog.Principal
		var id authlog.IdentitySum
		var first, last int64
		err := rows.Scan(&i, &who.Kind, &who.Account, &who.Benign, &id.Granted, &id.UserID, &id.Session, &id.Count, &first, &last)
		if err != nil {
			return err
		}
		id.First, id.Last = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
		p := &found[i]
		if len(p.Identities) == 0 {
			who.ARN = p.Principal.ARN
			p.Principal = who
		}
		p.Identities = append(p.Identities, id)
		return nil
	})
}

func (s *SQLite) addReasons(ctx context.Context, found []authlog.PrincipalSummary, keys []principalKey) error {
	with, args := pageOf(keys)
	rows, err := s.query(ctx, with+`
		SELECT page.i, reason.text, d.last
		FROM page CROSS JOIN denied d ON d.cluster = page.cluster AND d.principal = page.principal
			JOIN word reason ON reason.id = d.reason
		ORDER BY page.i, d.last DESC, reason.text`, args...)
	return each(rows, err, func(rows *sql.Rows) error {
		var i int
		var r authlog.ReasonTime
		var last int64
		err := rows.Scan(&i, &r.Reason, &last)
		r.Last = time.UnixMilli(last).UTC()
		found[i].Reasons = append(found[i].Reasons, r)
		return err
	})
}
